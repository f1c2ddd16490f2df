"""What a person said about the images of a run, as records. Keys are job keys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Literal

import orjson

Winner = Literal["a", "b", "tie"]

VERSION: Final = 1
UNDATED: Final = datetime.min.replace(tzinfo=UTC)
"""When something was said that does not say when: before all else."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What one person said of one image. Empty: what was said before is taken back."""

    rating: int | None = None
    favourite: bool = False
    reject: bool = False
    when: datetime = UNDATED

    @property
    def empty(self) -> bool:
        """Tell whether nothing is said."""
        return self.rating is None and not self.favourite and not self.reject

    def as_json(self) -> dict[str, Any]:
        """Give it as `picks.json` has it."""
        said: dict[str, Any] = {} if self.rating is None else {"rating": self.rating}
        said |= {name: True for name in ("favourite", "reject") if getattr(self, name)}
        return said | _when(self.when)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two images side by side that differ along `axis` alone, and which of them is better."""

    a: str
    b: str
    winner: Winner
    axis: str
    when: datetime = UNDATED

    def as_json(self) -> dict[str, Any]:
        """Give it as `picks.json` has it."""
        return {"a": self.a, "b": self.b, "winner": self.winner, "axis": self.axis, **_when(self.when)}


@dataclass(frozen=True, slots=True)
class Picks:
    """What one person said: `identity` and `name` are the run's, `source` marks the browser."""

    identity: str
    name: str = ""
    who: str = ""
    source: str = ""
    when: datetime = UNDATED
    judgements: Mapping[str, Judgement] = field(default_factory=dict)
    comparisons: tuple[Comparison, ...] = ()

    @property
    def keys(self) -> set[str]:
        """Keys of all jobs about which something is said."""
        said = {key for key, judgement in self.judgements.items() if not judgement.empty}
        return said.union(*((pair.a, pair.b) for pair in self.comparisons))

    def as_json(self) -> dict[str, Any]:
        """Give it as `picks.json` has it, in an order of its own."""
        return {
            "version": VERSION,
            "run": {"identity": self.identity, "name": self.name},
            **{name: text for name in ("who", "source") if (text := getattr(self, name))},
            **_when(self.when),
            "jobs": {key: self.judgements[key].as_json() for key in sorted(self.judgements)},
            "comparisons": [
                pair.as_json()
                for pair in sorted(self.comparisons, key=lambda pair: (pair.when, pair.axis, pair.a, pair.b))
            ],
        }

    def as_bytes(self) -> bytes:
        """Give the file: the same picks are the same bytes."""
        return orjson.dumps(self.as_json(), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def _when(when: datetime) -> dict[str, str]:
    if when == UNDATED:
        return {}
    text = when.astimezone(UTC).isoformat(timespec="milliseconds" if not when.microsecond % 1000 else "auto")
    return {"when": text.replace("+00:00", "Z")}
