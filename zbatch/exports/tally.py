"""What became of the images that an export looked at: told in its card, in `export.json` and in messages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from zbatch.errors import UsageError
from zbatch.exports.shares import Key, key_of, keys_of
from zbatch.model import Coordinates, Scalar

_WORDS: Final = {"flagged": "flagged as nsfw", "warned": "kept with a warning", "blank": "blank"}


@dataclass(slots=True)
class Tally:
    """How many jobs of the runs were looked at, and who took how many of their images out."""

    jobs: int = 0
    taken_out: Counter[str] = field(default_factory=Counter)
    differing: list[str] = field(default_factory=list)
    """Keys of jobs that several runs have, with different images; the first run's stays."""
    by: str | None = None
    """The axis whose values the split names, if it does."""
    lost: dict[Key, Counter[str]] = field(default_factory=dict)
    """By value of that axis, who took how many of its images out."""

    def take_out(self, reason: str, cells: Iterable[Coordinates] = ()) -> None:
        """Count an image that is taken out; `cells` are those that show it."""
        self.taken_out[reason] += 1
        if self.by is not None:
            for key in {key_of(cell[self.by]) for cell in cells if self.by in cell}:
                self.lost.setdefault(key, Counter())[reason] += 1

    def losses(self, name: Scalar) -> str:
        """Say who took the images of a value out; nothing where that is not known."""
        counts: Counter[str] = sum((self.lost.get(key, Counter()) for key in keys_of([name])), Counter())
        return "; ".join(f"{count:,} {_WORDS.get(reason, reason)}" for reason, count in counts.items())

    def nothing_left(self) -> UsageError:
        """Give the error that says that no image is left, and what became of them all."""
        parts = [f"{count:,} {_WORDS.get(name, name)}" for name, count in self.taken_out.items()]
        said = "; ".join(parts) if parts else "the runs show no job"
        return UsageError(f"no image is left to export, of {self.jobs:,} job{'s' * (self.jobs != 1)}: {said}")
