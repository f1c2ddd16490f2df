"""What became of the images that an export looked at: told in its card, in `export.json` and in messages."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from zbatch.errors import UsageError

_WORDS: Final = {"flagged": "flagged as nsfw", "warned": "kept with a warning", "blank": "blank"}


@dataclass(slots=True)
class Tally:
    """How many jobs of the runs were looked at, and who took how many of their images out."""

    jobs: int = 0
    taken_out: Counter[str] = field(default_factory=Counter)
    differing: list[str] = field(default_factory=list)
    """Keys of jobs that several runs have, with different images; the first run's stays."""

    def nothing_left(self) -> UsageError:
        """Give the error that says that no image is left, and what became of them all."""
        parts = [f"{count:,} {_WORDS.get(name, name)}" for name, count in self.taken_out.items()]
        said = "; ".join(parts) if parts else "the runs show no job"
        return UsageError(f"no image is left to export, of {self.jobs:,} job{'s' * (self.jobs != 1)}: {said}")
