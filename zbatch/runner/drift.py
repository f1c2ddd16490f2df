"""Whether what was learned of the latencies has ceased to be true."""

from __future__ import annotations

import math
from typing import Final

_ODDS: Final = 6.0
_ENOUGH: Final = 10.0
_SURE: Final = 0.05
"""No outcome counts as less likely than this: grid and smoothing make every forecast a little wrong."""


class Drift:
    """Holds forecasts of polls against what the polls found.

    Four cumulative sums (Page's test), each of the logarithm of how much likelier the findings are if the
    odds that a task is still running are six times, or a sixth, of what was forecast: for first polls and for
    later ones apart, because a distribution can shift in one and not in the other.
    """

    def __init__(self) -> None:
        self._tests = {(first, odds): _Test(odds) for first in (True, False) for odds in (_ODDS, 1 / _ODDS)}

    def observe(self, running: float, *, done: bool, first: bool) -> int:
        """Take a poll that was to find the task running with a probability of `running`.

        Gives 0, or, where the forecasts no longer hold, since how many polls of that kind (first or later).
        """
        for odds, forecast in ((_ODDS, max(_SURE, running)), (1 / _ODDS, min(1 - _SURE, running))):
            since = self._tests[first, odds].observe(forecast, done=done)
            if since:
                return since
        return 0


class _Test:
    def __init__(self, odds: float) -> None:
        self._odds, self._gain = odds, math.log(odds)
        self._sum = 0.0
        self._since = 0

    def observe(self, forecast: float, *, done: bool) -> int:
        self._sum += (0.0 if done else self._gain) - math.log(1 - forecast + self._odds * forecast)
        if self._sum <= 0:
            self._sum, self._since = 0.0, 0
            return 0
        self._since += 1
        return self._since if self._sum > _ENOUGH else 0
