"""Whether refusals, while submits are paced, come of how many tasks are in flight."""

from __future__ import annotations

import math
from collections import deque

_MEMORY = 200
_FEW = 8
_POWER = 8
"""Under a limit of tasks the rank u of what is refused has the density 8 u^7: it is among the highest."""
_OTHERWISE = 0.3
"""Share of refusals that may be strays."""
_SURE, _UNSURE = 3.0, -2.0
"""The sum that decides, and the least that it may be: a limit that is new must be seen."""


class Ranks:
    """Ranks the level, in flight, of each refusal among those of the submits accepted before it.

    Where a rate refuses, the ranks are spread evenly; where a limit of tasks does, they are high. The sum of
    the logarithms of how much likelier that makes the one than the other decides. Levels are taken relative
    to the pace, which they follow.
    """

    def __init__(self) -> None:
        self._levels: deque[float] = deque(maxlen=_MEMORY)
        self._sum = 0.0

    def accepted(self, others: int, rate: float | None) -> None:
        """Note a submit that was accepted at a pace of `rate`."""
        self._levels.append(others / (rate or 1.0))

    def clear(self) -> None:
        """Forget all."""
        self._levels.clear()
        self._sum = 0.0

    def refused(self, others: int, rate: float) -> bool:
        """Note a refusal at a pace of `rate`; tell whether it is clear that tasks in flight are the limit."""
        if len(self._levels) < _FEW:
            return False
        level = others / rate
        rank = sum(one < level for one in self._levels) / len(self._levels)
        self._sum += math.log(_OTHERWISE + (1 - _OTHERWISE) * _POWER * rank ** (_POWER - 1))
        self._sum = max(_UNSURE, self._sum)
        if self._sum < _SURE:
            return False
        self.clear()
        return True
