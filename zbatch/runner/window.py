"""How many tasks may be in flight: a window that finds the server's own limit and holds just below it."""

from __future__ import annotations

import math

_START = 8
_FIRST_HOLD, _FALLEN_HOLD = 16.0, 4.0
_HOLD = 100.0
"""Submits accepted for each refusal that holding a limit may cost: 1 % of requests."""
_SURELY_MORE = 3.0
"""As many times `_hold` accepted and none refused (where it is the limit, one chance in twenty): it rose."""
_REGROWTH = 0.4
"""Slots for each submit accepted where a limit that was found has risen: going past it costs refusals."""
_HEADROOM = 2
"""Steps that strays may take off, at the most asked for, before it costs a slot."""
_STRAY = 0.93
"""Below this share of what was held, a refusal that stands alone is not the work of a limit."""


class Window:
    """The window of one endpoint, in tasks accepted and not known finished.

    It doubles each round trip while nothing is refused, and halves at the first refusal. What was in flight
    then is the ceiling: the window climbs back to it and holds it by stochastic approximation (Robbins and
    Monro): each refusal takes a step off, each submit accepted with the window full adds the `_hold`-th part
    of a step. That settles where one submit in `_hold` is refused, whatever makes the server refuse, a little
    above its limit: that a task has ended is known only when it was asked for, so a few of those in flight no
    longer count. Steps that must go on in one direction grow.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._size = float(min(limit, _START))
        self._ceiling: float | None = None  # where to climb to; `None`: searching
        self._found = 0.0  # the ceiling when it was last found by searching
        self._hold = _FIRST_HOLD
        self._top = 0.0  # the highest that was held
        self._steps = 1  # taken off at a refusal
        self._at_edge = 0  # accepted with the window full since the last refusal
        self._cluster = 1.0  # refusals that come together, on average
        self.opened = False
        """Whether it stands open, as submits are paced, and keeps its place meanwhile."""
        self._remembered = False  # the ceiling is an earlier run's, and nothing was refused yet

    @property
    def size(self) -> int:
        """Slots there are now."""
        return self._limit if self.opened else max(1, min(self._limit, int(self._size)))

    @property
    def ceiling(self) -> int | None:
        """The most that the server is thought to allow, or `None` where it is being searched for."""
        return None if self._ceiling is None else max(1, min(self._limit, int(self._ceiling)))

    @property
    def found(self) -> int | None:
        """The ceiling, or while it is being searched for anew, where it was last; `None` before any."""
        return self.ceiling or int(self._found) or None

    @property
    def _step(self) -> float:
        return max(0.5, math.sqrt(self._size) / 8)

    @property
    def _growth(self) -> float:
        return _REGROWTH if self._found and not self._remembered else 1.0

    @property
    def _surely_more(self) -> float:
        """Submits accepted at the edge after which the limit is taken to have risen."""
        return 3 * _START if self._remembered else _SURELY_MORE * self._hold

    def accepted(self, others: int) -> None:
        """Note a submit that was accepted beside `others` tasks in flight or under way."""
        if self.opened:
            return
        if self._ceiling is None:
            self._size = min(float(self._limit), self._size + self._growth)
        elif self._size < self._ceiling:
            self._size = min(self._ceiling, self._size + 1)
        elif others + 1 >= self.size:
            self._at_edge += 1
            if self._at_edge >= self._hold / 2:
                self._top = max(self._top, self._size)
            self._size = min(self._limit + _HEADROOM * self._step, self._size + self._step / self._hold)
            self._ceiling = self._size
            if self._at_edge >= self._surely_more:
                self._ceiling, self._at_edge = None, 0

    def refused(self, others: int, tasks: int, cost: float, *, dry: bool) -> None:
        """Note a refusal with `others` in flight or under way, of which `tasks` are known to be accepted.

        `cost` is what it holds up, in submits; `dry` says that nothing was accepted since the last.
        """
        patience = max(_HOLD * self._cluster, cost * 50)
        if not self._found or (self._remembered and tasks + 1 < self.size):
            self._ceiling = self._found = float(tasks or self.size)
            self._size = max(1.0, min(self._size, self._ceiling) / 2)
        elif self._ceiling is None:
            level = float(max(1, min(self.size, others, tasks)))
            self._hold = _FIRST_HOLD if level > 1.15 * self._found else self._hold
            self._size = self._ceiling = self._found = level
        else:
            self._lower(others, patience, dry=dry)
        self._remembered = False
        self._cluster += 0.2 * (1 - self._cluster)
        self._at_edge = 0

    def _lower(self, level: int, patience: float, *, dry: bool) -> None:
        if self._at_edge < self._hold / 8:
            self._steps = min(8, self._steps * 2)
        else:
            self._steps = 1
        if self._at_edge >= self._hold / 2:
            self._hold = min(patience, self._hold * 2)
        if self._steps > 2 or dry:
            self._top = 0.0
        elif self._steps == 1 and self._size < _STRAY * self._top:
            return
        climbing = self._size < (self._ceiling or 0.0)
        self._size = max(1.0, self._size - self._step * self._steps)
        if dry:
            # The limit has fallen: until so many have ended, everything is refused.
            self._size = max(1.0, min(self._size, float(level)))
            if self._size < 0.7 * self._found:
                self._found, self._hold = self._size, _FALLEN_HOLD
        if dry or not climbing:
            self._ceiling = self._size

    def also_refused(self) -> None:
        """Note another refusal of those that were under way together."""
        self._cluster += 0.2

    def also_accepted(self, tasks: int) -> None:
        """Note one of those under way that was accepted all the same, as one of `tasks`."""
        if self._ceiling is not None and self._ceiling < tasks and self._size < self._ceiling:
            self._ceiling = self._found = float(tasks)
            self._size = max(1.0, tasks / 2)

    def recall(self, level: int, *, sure: bool) -> None:
        """Begin at a remembered ceiling; half of it, and doubling, where it may have changed."""
        if sure:
            self.hold_at(level)
            self._remembered = True
        else:
            self._size = float(max(1, min(self._limit, max(self.size, level // 2))))

    def hold_at(self, level: int) -> None:
        """Take `level` as the ceiling, and be there."""
        self._size = self._ceiling = self._found = float(max(1, min(level, self._limit)))
        self._hold, self._steps, self._at_edge, self._top = _FIRST_HOLD, 1, 0, 0.0
