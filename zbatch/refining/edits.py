"""Changes to a text: what replaces which stretch of it, and the text with all of them made."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Edit:
    """A change: what replaces a stretch of the text, and which stretches of it go on verbatim within that."""

    begin: int
    end: int
    text: str
    kept: tuple[tuple[int, int], ...] = ()

    def cuts(self, begin: int, end: int) -> bool:
        """Tell whether it cuts a stretch out, and does not keep it."""
        inside = self.begin <= begin and end <= self.end
        return inside and not any(one <= begin and end <= other for one, other in self.kept)


def made(text: str, edits: Iterable[Edit]) -> str:
    """Give a text with changes made, no two of which are to one place."""
    parts, at = [], 0
    for edit in sorted(edits, key=lambda edit: (edit.begin, edit.end)):
        if edit.begin < at:
            raise AssertionError("two changes to one place")
        parts += [text[at : edit.begin], edit.text]
        at = edit.end
    parts.append(text[at:])
    return "".join(parts)
