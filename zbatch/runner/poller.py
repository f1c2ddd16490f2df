"""One heap for all tasks in flight: which to ask next, and when."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass

from zbatch.clock import monotonic
from zbatch.state.store import OpenTask

_LONGEST = 10.0


@dataclass(slots=True)
class Watch:
    """A task being watched. Times are monotonic seconds."""

    task: OpenTask
    accepted_at: float
    deadline: float
    polls: int = 0
    troubles: int = 0
    refusals: int = 0
    not_found: int = 0
    adopted: bool = False


class Schedule:
    """Learns how long tasks take and says when to ask for each.

    The first poll comes when half of the tasks so far were done, later ones at a fraction of that time, ever
    further apart, at most ten seconds.
    """

    def __init__(self, *, first_guess: float, clock: Callable[[], float] = monotonic) -> None:
        self._typical = first_guess
        self._known = False
        self._clock = clock
        self._heap: list[tuple[float, int, Watch]] = []
        self._order = itertools.count()

    def __len__(self) -> int:
        return len(self._heap)

    def add(self, watch: Watch) -> None:
        """Begin to watch a task; one that an earlier process left is asked at once."""
        delay = 0.0 if watch.adopted else self._first_delay()
        self._push(self._clock() + delay, watch)

    def again(self, watch: Watch, *, after: float | None = None) -> None:
        """Ask later: after `after` seconds, or as the schedule says."""
        delay = self._next_delay(watch) if after is None else after
        self._push(self._clock() + delay, watch)

    def learn(self, watch: Watch) -> None:
        """Take in how long a finished task took."""
        if watch.adopted:
            return
        took = max(0.01, self._clock() - watch.accepted_at)
        if watch.polls <= 1:
            # Done before it was asked for the first time: that was too late by nobody knows how much.
            took /= 2
        self._typical = self._typical * 0.9 + took * 0.1 if self._known else took
        self._known = True

    def due(self) -> Watch | None:
        """Give the next task whose time has come."""
        if self._heap and self._heap[0][0] <= self._clock():
            return heapq.heappop(self._heap)[2]
        return None

    def next_at(self) -> float | None:
        """Give the monotonic time of the next poll, if there is one."""
        return self._heap[0][0] if self._heap else None

    def _first_delay(self) -> float:
        return min(_LONGEST, max(0.02, self._typical * 0.7))

    def _next_delay(self, watch: Watch) -> float:
        growth = 1.25 ** min(60, max(0, watch.polls - 3))
        return float(min(_LONGEST, max(0.02, self._typical * 0.2 * growth)))

    def _push(self, at: float, watch: Watch) -> None:
        heapq.heappush(self._heap, (at, next(self._order), watch))
