"""What a misbehaving server knows for certain: the judge of every test about money."""

from __future__ import annotations

import json
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass
class Accepted:
    """One submit that was accepted, and would be billed, whatever its client came to hear of it."""

    task_id: str
    body: dict[str, Any]
    number: int
    at: float = field(default_factory=time.monotonic)


@dataclass
class Fetched:
    """One image request; `whole` where the whole true picture went out."""

    task_id: str
    whole: bool
    fault: str


@dataclass
class Seen:
    """One request as it came. `authorization` is the header's value, or empty."""

    call: str
    target: str
    authorization: str
    fault: str
    headers: dict[str, str]


@dataclass
class Ledger:
    """Everything that happened, in order. Read it from the test's thread at any time."""

    accepted: list[Accepted] = field(default_factory=list)
    fetched: list[Fetched] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)

    @property
    def bodies(self) -> list[dict[str, Any]]:
        return [entry.body for entry in self.accepted]

    def accepted_twice(self) -> list[str]:
        """Bodies (canonical JSON) that were accepted more than once."""
        counts = Counter(canonical(body) for body in self.bodies)
        return [body for body, count in counts.items() if count > 1]

    def not_fetched(self) -> list[str]:
        """Ids of accepted tasks whose picture never went out whole."""
        whole = {entry.task_id for entry in self.fetched if entry.whole}
        return [entry.task_id for entry in self.accepted if entry.task_id not in whole]

    def leaks(self) -> list[str]:
        """Targets of image requests that carried an Authorization header."""
        return [entry.target for entry in self.seen if entry.call == "image" and entry.authorization]

    def count(self, call: str) -> int:
        return sum(entry.call == call for entry in self.seen)

    def as_json(self) -> dict[str, Any]:
        """Give it all, as `GET /_ledger` does; `Ledger.from_json` reads it back."""
        return {**asdict(self), "refused": dict(self.refused)}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Ledger:
        return cls(
            accepted=[Accepted(**entry) for entry in data["accepted"]],
            fetched=[Fetched(**entry) for entry in data["fetched"]],
            seen=[Seen(**entry) for entry in data["seen"]],
            refused=Counter(data["refused"]),
        )


def canonical(body: dict[str, Any]) -> str:
    return json.dumps(body, sort_keys=True)
