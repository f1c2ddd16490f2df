"""What the stages of a run share: where to write, whom to ask, when to stop, and the count of things."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from zbatch.api.client import ApiClient
from zbatch.clock import monotonic
from zbatch.errors import EndpointError, ZbatchError
from zbatch.runner.events import Event, EventName, Listener, Progress
from zbatch.runner.limiter import Limiter
from zbatch.runner.poller import Schedule
from zbatch.runner.reach import Reach
from zbatch.runner.savers import SaverPool
from zbatch.state.directory import RunDirectory
from zbatch.state.lock import RunLock
from zbatch.state.spending import Spending
from zbatch.state.writer import StateWriter
from zbatch.storage import Location

_SHORT_PAUSE = 2.0
"""Seconds up to which a pause is not worth a word: such come and go with every limit of a server."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a run puts up with what may pass. Times in seconds.

    `first_guess` is how long a task is thought to take before one has been seen. `lost_after` is how long a
    task may be "not found" after its submit before it counts as lost, and `lost_answers` how often in a row.
    A picture is tried `picture_tries` times, with pauses that begin at `picture_pause` and double. An
    endpoint that cannot be reached is given up after `unreached_at_first`, or `unreached` where it answered
    before; an object store alike, after `unstored_at_first` or `unstored`.
    """

    first_guess: float = 2.0
    lost_after: float = 60.0
    lost_answers: int = 3
    picture_tries: int = 6
    picture_pause: float = 0.25
    unreached_at_first: float = 2.5
    unreached: float = 120.0
    unstored_at_first: float = 10.0
    unstored: float = 120.0


@dataclass(frozen=True, slots=True)
class Policy:
    """What a run may do. Times in seconds; `unknown_attempts` is None where nothing bounds them."""

    attempts: int
    resubmit_unknown: bool
    unknown_attempts: int | None
    job_deadline: float
    run_deadline: float | None
    free: bool
    max_cost: Decimal | None
    inputs_root: Path
    patience: Patience


class Halt:
    """Whether and why a run is stopping.

    Draining: no new submits, what is in flight is finished. Abandoning: no polls and no pictures either; only
    submits under way are still written down.
    """

    def __init__(self) -> None:
        self.reason = ""
        self.error: ZbatchError | None = None
        self.abandoned = False
        self._callbacks: list[Callable[[], None]] = []

    @property
    def draining(self) -> bool:
        """Tell whether no new submits are to be made."""
        return bool(self.reason)

    def when_draining(self, callback: Callable[[], None]) -> None:
        """Call back when draining begins, and when the run is abandoned."""
        self._callbacks.append(callback)

    def drain(self, reason: str, error: ZbatchError | None = None) -> None:
        """Stop submitting. The first reason is kept; without an error it is the `Ending` that comes of it."""
        if self.reason:
            return
        self.reason = reason
        self.error = error
        for callback in self._callbacks:
            callback()

    def abandon(self, error: ZbatchError) -> None:
        """Stop everything that can be done again later."""
        self.abandoned = True
        if self.error is None:
            self.error = error
        self.drain("stopped", error)
        for callback in self._callbacks:
            callback()

    def explain(self, error: ZbatchError) -> None:
        """Replace what stopped the run by what was behind it."""
        self.abandon(error)
        self.error = error


@dataclass(slots=True)
class Tally:
    """The count of things, of selected jobs; `attempts` are those of the whole run directory."""

    total: int = 0
    done: int = 0
    failed: int = 0
    pending: int = 0
    attempts: int = 0
    spending: Spending = field(default_factory=lambda: Spending(None))
    made_now: int = 0
    polls: int = 0
    started: float = field(default_factory=monotonic)

    def recount(self, tally: Tally) -> None:
        """Take over what the state counts now; what this process did stays counted."""
        self.total, self.done, self.failed = tally.total, tally.done, tally.failed
        self.pending, self.attempts, self.spending = tally.pending, tally.attempts, tally.spending

    def cost_with(self, more: int) -> Decimal | None:
        """USD for all attempts and so many more, where there is a price."""
        return self.spending.of(self.attempts + more)


@dataclass(frozen=True, slots=True)
class Wiring:
    """Everything the stages share. Made once by the session."""

    directory: RunDirectory
    lock: RunLock
    writer: StateWriter
    client: ApiClient
    limiter: Limiter
    savers: SaverPool
    policy: Policy
    listener: Listener
    halt: Halt
    tally: Tally
    settled: asyncio.Event
    reach: Reach
    schedule: Schedule
    location: Location | None = None

    def tell(self, name: EventName, key: str | None = None, reason: str = "", message: str = "") -> None:
        """Tell the listeners."""
        self.listener.event(Event(name, key, reason, message))

    def unreached(self, message: str) -> bool:
        """Note a call that found nobody; drains, and tells so, where that has been so for too long."""
        if not self.reach.failed():
            return False
        hint = "nothing was lost; run again when it can be reached"
        self.halt.drain("endpoint", EndpointError(f"the endpoint cannot be reached: {message}", hint=hint))
        return True

    def snapshot(self) -> Progress:
        """Give the progress as it is now."""
        tally, free = self.tally, self.policy.free
        return Progress(
            done=tally.done,
            total=tally.total,
            failed=tally.failed,
            in_flight=self.limiter.in_flight,
            window=self.limiter.window,
            submit_rate=self.limiter.rate,
            throttled=self.limiter.throttled_count,
            polls=tally.polls,
            polls_per_job=self.schedule.polls_per_job,
            detection_delay=self.schedule.detection_delay,
            made_now=tally.made_now,
            seconds=monotonic() - tally.started,
            cost=None if free else tally.cost_with(0),
            cost_expected=None if free else tally.cost_with(tally.pending),
            draining=self.halt.reason,
            paused_for=self._paused_for(),
            pause_asked=self.limiter.pause_asked,
        )

    def _paused_for(self) -> float | None:
        pause = self.limiter.paused_until - monotonic()
        return pause if pause > _SHORT_PAUSE and self.tally.pending and not self.halt.draining else None
