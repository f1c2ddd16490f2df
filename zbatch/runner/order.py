"""What a run is asked for, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from pathlib import Path

from zbatch.api.endpoint import Endpoint
from zbatch.errors import ZbatchError
from zbatch.manifest.parser import Manifest
from zbatch.model import JobState
from zbatch.runner.wiring import Patience
from zbatch.storage import Location


@dataclass(frozen=True, slots=True)
class Order:
    """What one call of `run` asks for, by flags and variables that are settled, and the manifest.

    `endpoint_given` says that a flag or variable named the endpoint. `concurrency`, `rate` (in submits a
    second) and `max_cost` (USD) win over the manifest's; `None` leaves it to that.
    """

    manifest: Manifest
    endpoint: Endpoint
    endpoint_given: bool
    directory: Path
    key: str | None = None
    only: tuple[str, ...] = ()
    first: int | None = None
    retry: tuple[JobState, ...] = ()
    reuse: tuple[Path, ...] = ()
    """Directories of runs from which pictures are taken over."""
    concurrency: int | None = None
    rate: float | None = None
    max_cost: Decimal | None = None
    location: Location | None = None
    """The place in an object store for its pictures, where they do not go into the directory."""
    again: str = ""
    """The command that would go on with this run, for `status` and the sheet to say."""
    patience: Patience = field(default_factory=Patience)

    @property
    def pace(self) -> float | None:
        """Submits a second at most, where anybody says so."""
        return self.rate or self.manifest.limits.rate

    @property
    def budget(self) -> Decimal | None:
        """USD that all attempts may cost, where anybody says so."""
        return self.manifest.limits.max_cost if self.max_cost is None else self.max_cost


class Ending(StrEnum):
    """How a run ended."""

    COMPLETE = "complete"
    INCOMPLETE = "incomplete"
    INTERRUPTED = "interrupted"
    MAX_COST = "max_cost"
    RUN_DEADLINE = "run_deadline"
    STOPPED = "stopped"  # by the endpoint, the account or the disk: see the error


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a run. `error` is there where something outside stopped it."""

    ending: Ending
    directory: Path
    counts: dict[JobState, int]
    selected: dict[JobState, int]
    error: ZbatchError | None = None
