"""When to look at a thing whose end can be foreseen only roughly: the cheapest ages to ask a task at.

Every poll costs something, and so does every second for which a finished task is not known to be finished.
Barlow, Hunter and Proschan ("Optimum checking procedures", 1963) minimise the sum. Here that is done by
dynamic programming over a grid of ages, so that any distribution will do: several humps, a sharp edge, a
heavy tail.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

LONGEST_WAIT: Final = 30.0
"""Seconds. However unlikely its end, a task is asked at least this often."""

SHORTEST_WAIT: Final = 0.01
"""Seconds. Below this the event loop's own delays are larger than what could be won."""

DEAREST_POLL: Final = 0.4
"""Seconds of delay that one poll is worth. Where tasks take 4 s in the median and 15 s at the 99th percentile
of a lognormal distribution, the optimum at this price is 2.6 polls a task and 0.82 s of delay."""

CHEAPEST_POLL: Final = 0.01
"""Seconds of delay: a few times what a poll costs in work on both sides."""

_TOLERANCE: Final = 0.05
_SOON: Final = 1e-6


def price_of_poll(typical: float) -> float:
    """Give what one poll is worth, in seconds of delay, where a task typically takes `typical` seconds.

    It is a tenth of that, so that quick tasks do not wait longer for their poll than they took, and
    `DEAREST_POLL` at most.
    """
    return min(DEAREST_POLL, max(CHEAPEST_POLL, typical / 10))


class Inspection:
    """The cheapest schedule: for every age at which a task was running, how long to wait and ask again."""

    def __init__(self, ages: Floats, survival: Floats, price: float, total: Floats, rest: Floats) -> None:
        self.cost = float(total[0] - rest[0])
        """Seconds a new task costs in all, polls and delay, if the distribution is right."""
        self._ages, self._survival, self._price, self._total = ages, survival, price, total
        self._grid: list[float] = ages.tolist()
        self._found: dict[int, tuple[float, float, float]] = {}

    def wait(self, age: float, dither: float | None = None) -> float:
        """Give the seconds to wait, from `age` on.

        `dither` in [0, 1) picks from the waits round the best one that cost next to nothing more: to ask all
        tasks at the same ages would teach nothing about what lies between them.
        """
        at = min(bisect_right(self._grid, age), len(self._grid) - 1) - 1
        best, low, high = self._found.get(at) or self._find(at)
        return best if dither is None else low + dither * (high - low)

    def _find(self, at: int) -> tuple[float, float, float]:
        end = _end(self._ages, at)
        alive = self._survival[at]
        costs = self._ages[at + 1 : end] * alive + self._total[at + 1 : end]
        pick = int(costs.argmin())
        worse = np.flatnonzero(costs > costs[pick] + _TOLERANCE * self._price * alive)
        after = int(np.searchsorted(worse, pick))
        low = int(worse[after - 1]) + 1 if after else 0
        high = int(worse[after]) - 1 if after < len(worse) else len(costs) - 1
        found = self._wait(at, pick), self._wait(at, low), self._wait(at, high)
        self._found[at] = found
        return found

    def _wait(self, at: int, steps: int) -> float:
        return min(LONGEST_WAIT, max(SHORTEST_WAIT, self._grid[at + 1 + steps] - self._grid[at]))


def plan_inspection(ages: Floats, survival: Floats, price: float) -> Inspection:
    """Find the cheapest schedule for tasks of which the share `survival` lasts longer than `ages` (seconds).

    `ages` rise from 0, `survival` falls from 1 and never reaches 0; `price` is in seconds of delay a poll.

    With S the survival, J(a) its integral from a on, and G(a) the cost of all that follows age a times S(a),
    asking at t next costs price S(a) + (t - a) S(a) - (J(a) - J(t)) + G(t). Only t S(a) + J(t) + G(t) depends
    on t; J + G is kept as one array.
    """
    last = len(ages) - 1
    rest = np.zeros(last + 1)
    rest[:-1] = np.cumsum((np.diff(ages) * (survival[:-1] + survival[1:]) / 2)[::-1])[::-1]
    total = rest.copy()
    total[last] = survival[last] * (price + LONGEST_WAIT)  # no bargain to get there
    ends = np.maximum(
        np.searchsorted(ages, ages + LONGEST_WAIT, side="right"), np.arange(last + 1) + 2
    ).tolist()
    shares: list[float] = survival.tolist()
    grid: list[float] = ages.tolist()
    # At ages by which next to nothing has ended, the best next poll is that of a new task, and none is early.
    young = min(last, int(np.searchsorted(-survival, _SOON - 1.0)))
    if grid[young] > LONGEST_WAIT:
        young = 1
    total[1:young] = np.inf
    for at in (*range(last - 1, young - 1, -1), 0):
        alive, end = shares[at], ends[at]
        lowest = (ages[at + 1 : end] * alive + total[at + 1 : end]).min()
        total[at] = lowest + alive * (price - grid[at])
    total[1:young] = total[0] - ages[1:young]
    return Inspection(ages, survival, price, total, rest)


def _end(ages: Floats, at: int) -> int:
    return max(int(np.searchsorted(ages, ages[at] + LONGEST_WAIT, side="right")), at + 2)
