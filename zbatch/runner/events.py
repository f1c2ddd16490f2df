"""What happens in a run, told to listeners: the log, the progress bar, a notebook."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Any, Protocol

from zbatch.clock import now_iso


class EventName(StrEnum):
    """The name of each event, as `run.log.jsonl` has it."""

    RUN_STARTED = "run_started"
    RESUMED = "resumed"
    SUBMITTING = "submitting"
    SUBMITTED = "submitted"
    SUCCEEDED = "succeeded"
    DONE = "done"
    FAILED = "failed"
    REJECTED = "rejected"
    UNKNOWN = "unknown"
    BACK = "back"  # cannot have been accepted; will be submitted again
    THROTTLED = "throttled"
    POLL_PROBLEM = "poll_problem"
    PICTURE_PROBLEM = "picture_problem"
    STRANGE_STATUS = "strange_status"
    GIVEN_UP = "given_up"  # for this run: the task stays known, the next run asks again
    NOTICE = "notice"
    DRAINING = "draining"
    RUN_ENDED = "run_ended"


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened. `key` is the job's; `message` never holds a key or a signed URL."""

    name: EventName
    key: str | None = None
    reason: str = ""
    message: str = ""
    data: dict[str, Any] = field(default_factory=dict)
    at: str = field(default_factory=now_iso)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is. Counts are of selected jobs; times in seconds; money in USD.

    `submit_rate` is the pace of submits, a second, where one was asked for or learned from refusals; `None`
    where only the window limits. `throttled` counts the answers 429.

    `polls_per_job` is of tasks that ended while this process watched; `detection_delay` is the mean time from
    a task's end to the poll that found it, as estimated. Both are `None` before one has.

    `paused_for` is the time until anything may be submitted, where jobs wait for that; `pause_asked` says
    that the server named it.
    """

    done: int
    total: int
    failed: int
    in_flight: int
    window: int
    submit_rate: float | None
    throttled: int
    polls: int
    polls_per_job: float | None
    detection_delay: float | None
    made_now: int
    seconds: float
    cost: Decimal | None
    cost_expected: Decimal | None
    draining: str
    paused_for: float | None = None
    pause_asked: bool = False

    @property
    def rate(self) -> float:
        """Images a second, of this run of the process."""
        return self.made_now / self.seconds if self.seconds > 0 else 0.0

    @property
    def seconds_left(self) -> float | None:
        """Time to the end at the rate so far, or `None` before anything is known."""
        left = self.total - self.done - self.failed
        return left / self.rate if self.rate > 0 and left >= 0 else None


class Listener(Protocol):
    """Whoever wants to know. Called on the event loop: it must not wait."""

    def event(self, event: Event) -> None:
        """Take one event."""

    def progress(self, progress: Progress) -> None:
        """Take a snapshot, twice a second."""


class Silence:
    """A listener that does nothing."""

    def event(self, event: Event) -> None:
        """Take one event."""

    def progress(self, progress: Progress) -> None:
        """Take a snapshot."""
