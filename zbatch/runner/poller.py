"""One heap for all tasks in flight: which to ask next, and when."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from zbatch.clock import monotonic
from zbatch.runner.inspection import SHORTEST_WAIT
from zbatch.runner.latency import Latency
from zbatch.runner.stretch import Stretch
from zbatch.state.store import OpenTask

_GOLDEN: Final = 0.6180339887498949
"""The multiples of it, without their whole parts, fill [0, 1) as evenly as any sequence can."""


_SCOUTS: Final = 32
"""While nothing is known, every so manieth task is asked early: where many are in flight, all gain by it."""

_EARLIEST: Final = 0.05
"""Share of the first wait that the earliest scout waits."""

TROUBLE: Final = 30.0
"""Seconds that a task past its deadline is tried for, where it cannot be asked."""


@dataclass(slots=True)
class Watch:
    """A task being watched. Times are monotonic seconds.

    `deadline` is counted from the submit. `asked_at` is when it was asked last, and `running_at` when it was
    last known to be running: of a task that an earlier process left (`adopted`) neither is known at first.
    `held` is set while somebody else than the schedule said when to ask next.
    """

    task: OpenTask
    accepted_at: float
    deadline: float
    polls: int = 0
    troubles: int = 0
    refusals: int = 0
    not_found: int = 0
    adopted: bool = False
    asked_at: float | None = None
    running_at: float | None = None
    held: bool = False
    trouble: Stretch = field(default_factory=Stretch)

    def overdue(self, now: float, *, answered: bool) -> bool:
        """Tell whether to give it up: past its deadline, and the server said that it is not finished.

        Where it cannot be asked (`answered` is false), only after a while of that: a laptop that wakes up, or
        a run that goes on the next day, asks for every task before it gives one up.
        """
        if answered:
            self.trouble.end()
            return now >= self.deadline
        enough = min(TROUBLE, self.deadline - self.accepted_at)
        return self.trouble.lasts(now) >= enough and now >= self.deadline


class Schedule:
    """Learns how long tasks take and says when to ask for each, as cheaply as can be in polls and delay.

    What a poll is worth is said in `zbatch.runner.inspection`. No task is ever left: the longest wait is
    bounded, and a task that is still running is asked at its deadline too. Times are those of the
    sending of polls, so what an answer takes is no part of any delay.
    """

    def __init__(self, *, first_guess: float, clock: Callable[[], float] = monotonic) -> None:
        self._latency = Latency(first_guess)
        self._inspection = self._latency.inspection()
        self._clock = clock
        self._heap: list[tuple[float, int, Watch]] = []
        self._order = itertools.count()
        self._unknown = itertools.count(1)  # tasks begun before any had ended
        self._dither = 0.0
        self._ended = self._polls = self._timed = 0
        self._delays = 0.0

    def __len__(self) -> int:
        return len(self._heap)

    @property
    def polls_per_job(self) -> float | None:
        """How many polls a task that ended took, on average; `None` before one has."""
        return self._polls / self._ended if self._ended else None

    @property
    def detection_delay(self) -> float | None:
        """Mean seconds from the end of a task to the poll that found it, as estimated; `None` before any."""
        return self._delays / self._timed if self._timed else None

    def add(self, watch: Watch) -> None:
        """Begin to watch a task; one that an earlier process left is asked at once."""
        if watch.adopted:
            self._push(self._clock(), watch)
            return
        watch.running_at = watch.accepted_at
        if self._ended or next(self._unknown) % _SCOUTS:
            self.again(watch)
        else:
            at = watch.accepted_at + self._inspection.wait(0.0) * _EARLIEST ** self._dithered()
            self._push(max(self._clock() + SHORTEST_WAIT, at), watch)

    def again(self, watch: Watch, *, after: float | None = None) -> None:
        """Ask later: after `after` seconds, or as the schedule says."""
        watch.held = after is not None
        self._push(self._planned(watch) if after is None else self._clock() + after, watch)

    def running(self, watch: Watch) -> None:
        """Take in that the last poll found the task not ended. The task is not put back."""
        self._learn(watch, ended=False)
        watch.running_at = watch.asked_at

    def ended(self, watch: Watch) -> None:
        """Take in that the last poll found the task ended, well or badly."""
        self._ended += 1
        self._polls += watch.polls
        if watch.running_at is not None and watch.asked_at is not None:
            self._timed += 1
            self._delays += self._latency.lateness(*_ages(watch, watch.running_at, watch.asked_at))
        self._learn(watch, ended=True)

    def due(self) -> Watch | None:
        """Give the next task whose time has come; it is taken as asked now."""
        now = self._clock()
        if not self._heap or self._heap[0][0] > now:
            return None
        watch = heapq.heappop(self._heap)[2]
        watch.asked_at = now
        return watch

    def next_at(self) -> float | None:
        """Give the monotonic time of the next poll, if there is one."""
        return self._heap[0][0] if self._heap else None

    def _learn(self, watch: Watch, *, ended: bool) -> None:
        if watch.running_at is None or watch.asked_at is None:
            return
        shifted = self._latency.observe(*_ages(watch, watch.running_at, watch.asked_at), ended=ended)
        if shifted or self._latency.ripe:
            new = not self._latency.trusted
            self._latency.fit()
            self._inspection = self._latency.inspection()
            if shifted or new:
                self._hasten()

    def _hasten(self) -> None:
        """Ask sooner where the schedule now says so: what was planned, was for another distribution."""
        self._heap = [
            (at if watch.held else min(at, self._planned(watch)), order, watch)
            for at, order, watch in self._heap
        ]
        heapq.heapify(self._heap)

    def _planned(self, watch: Watch) -> float:
        now = self._clock()
        since = watch.accepted_at if watch.asked_at is None else watch.asked_at
        at = since + self._inspection.wait(since - watch.accepted_at, self._dithered())
        if now < watch.deadline:
            at = min(at, watch.deadline)
        return max(now + SHORTEST_WAIT, at)

    def _dithered(self) -> float:
        self._dither = (self._dither + _GOLDEN) % 1.0
        return self._dither

    def _push(self, at: float, watch: Watch) -> None:
        heapq.heappush(self._heap, (at, next(self._order), watch))


def _ages(watch: Watch, lower: float, upper: float) -> tuple[float, float]:
    return lower - watch.accepted_at, upper - watch.accepted_at
