"""`lengths.txt`: how many bytes each file of an export has, so that a look tells whether all are whole."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from zbatch.errors import UsageError
from zbatch.exports.about import ABOUT
from zbatch.exports.checksums import CHECKSUMS, entries, leads_out
from zbatch.exports.listing import listed

LENGTHS: Final = "lengths.txt"
"""A line a file: its bytes, two blanks, its name. Those that come after it, and it itself, are not in it."""

_LATE: Final = frozenset({LENGTHS, ABOUT, CHECKSUMS})


@dataclass(slots=True)
class Shortfall:
    """What is amiss with the files of an export that should be complete, by a look at their lengths."""

    gone: list[str] = field(default_factory=list)
    odd: list[str] = field(default_factory=list)
    """Those of another length, in words."""

    def look(self, sums: bytes | None, lengths: bytes | None, length_of: Callable[[str], int | None]) -> None:
        """Hold the files that the checksums name against what was written down of their lengths.

        `sums` and `lengths` are the contents of those two files, `None` where one is not there; `length_of`
        gives the bytes of a file as it lies, `None` where it does not.
        """
        if sums is None:
            self.gone.append(CHECKSUMS)
            return
        known = {} if lengths is None else dict(_lines(lengths))
        names = [name for name, _ in entries(io.BytesIO(sums)) if name is not None and not leads_out(name)]
        if ABOUT not in names:
            self.odd.append(f"{CHECKSUMS} (it does not name {ABOUT})")
        for name in names:
            there = length_of(name)
            if there is None:
                self.gone.append(name)
            elif name not in _LATE and lengths is not None and there != known.get(name):
                if name in known:
                    self.odd.append(f"{name} ({there:,} bytes, not {known[name]:,})")
                elif not self.odd:  # once: where it was cut off, all the others are not in it either
                    self.odd.append(f"{LENGTHS} (it does not name {name})")

    def complain(self, path: str, place: str) -> None:
        """Tell of all that is amiss.

        Raises:
            UsageError: something is; it names some of the files.
        """
        told = []
        for names, what in ((self.gone, "gone from it"), (self.odd, "not as long as written down")):
            if names:
                told.append(f"{listed(names)} {'are' if len(names) > 1 else 'is'} {what}")
        if told:
            raise UsageError(
                f"{path} is this export, but {'; '.join(told)}",
                hint=f"remove it or give another {place} with -o, and it is made anew; "
                f"`zbatch verify {path}` names every file that differs, by its hash",
            )


def _lines(data: bytes) -> Iterator[tuple[str, int]]:
    for line in data.decode("utf-8", "surrogateescape").split("\n"):
        length, _, name = line.partition("  ")
        if length.isdecimal():
            yield name, int(length)
