"""How many tasks may be in flight: a window that finds the server's own limit and holds just below it."""

from __future__ import annotations

_START = 8
_FIRST_HOLD = 8
_HOLD = 90
"""Submits accepted at the ceiling for each try above it: with one refusal a try, 1.1 % of requests."""

_REVERSALS = 3


class Window:
    """The window of one endpoint, in tasks accepted and not known finished.

    It doubles each round trip while nothing is refused, and halves at the first refusal. What was in flight
    then is the ceiling: the window climbs back to it and holds it, trying one more after `_HOLD` submits. A
    refusal there takes one off, several close together ever more; a try that goes well past the ceiling means
    that the limit has risen, and the doubling begins again.

    That a task has ended is known only when it was asked for, so a few of those in flight no longer count for
    the server, never the same number. The slow climb and the step down settle where about one submit in
    `_HOLD` is refused, a little above the server's limit, rather than at its lowest sight of it.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._size = float(min(limit, _START))
        self._ceiling: float | None = None
        self._remembered = False  # the ceiling is an earlier run's, and nothing was refused yet
        self._refused_at: int | None = None  # tasks in flight at the last refusal
        self._hold = float(_FIRST_HOLD)
        self._patience = float(_HOLD)
        self._step = 1.0
        self._cluster = 1.0  # refusals that come together, on average
        self._peak = 0.0
        self._reversals = 0
        self._accepted = 0  # since the last refusal
        self._at_edge = 0  # of these, with the window full

    @property
    def size(self) -> int:
        """Slots there are now."""
        return max(1, int(self._size))

    @property
    def sunk(self) -> bool:
        """Tell whether the ceiling moves as no limit of tasks in flight would.

        It fell far below where it was found, or time after time more was accepted than was refused before.
        """
        return self._size < 0.88 * self._peak - 1 or self._reversals >= _REVERSALS

    @property
    def early(self) -> bool:
        """Tell whether a refusal now would come before a try above the ceiling was due."""
        return self._at_edge < 0.9 * self._hold

    @property
    def ceiling(self) -> int | None:
        """The most that the server is thought to allow, or `None` where nothing was refused yet."""
        return None if self._ceiling is None else max(1, int(self._ceiling))

    def accepted(self, others: int) -> None:
        """Note a submit that was accepted beside `others` tasks in flight or under way."""
        self._accepted += 1
        if self._ceiling is None:
            self._grow(1.0)
        elif self._size < self._ceiling:
            self._size = min(self._ceiling, self._size + 1)
        elif others + 1 >= self.size:
            self._at_edge += 1
            self._grow(1 / self._hold)
            self._ceiling = self._size
            if self._refused_at is not None and others + 1 > self._refused_at + _margin(
                self._refused_at, 0.02
            ):
                self._ceiling = None

    def _grow(self, by: float) -> None:
        self._size = min(float(self._limit), self._size + by)

    def refused(self, others: int, tasks: int, cost: float) -> None:
        """Note a refusal with `others` in flight or under way, of which `tasks` are known to be accepted.

        `cost` is what it holds up, in submits.
        """
        self._patience = max(_HOLD * self._cluster, cost * 50)
        if self._refused_at is None or (self._remembered and tasks + 1 < self.size):
            top = tasks or self.size
            self._ceiling = float(top)
            self._size = max(1.0, min(self._size, top) / 2)
            self._refused_at = top
            self._peak = self._ceiling
        else:
            self._lower(others if self._ceiling is not None else tasks)
            self._refused_at = self.size
        self._remembered = False
        self._cluster += 0.2 * (1 - self._cluster)
        self._accepted = self._at_edge = 0

    def _lower(self, level: int) -> None:
        base = max(1.0, self._size**0.5 / 8)
        if self._ceiling is None:
            self._hold = float(_FIRST_HOLD)
            self._step = base
        elif self._at_edge < self._hold / 4:
            self._step *= 2
        else:
            if self._hold >= _HOLD:
                self._reversals = 0
            self._step = base
            self._hold = min(self._patience, self._hold * 2)
        if self._step >= 4 * base:
            self._hold = max(_FIRST_HOLD, self._hold / 4)
        level = min(self.size - 1, level)
        searched = self._ceiling is None
        self._size = self._ceiling = max(1.0, level - (self._step - 1))
        before = self._refused_at or 0
        if searched and self._size > before + 1 + 0.8 * before**0.5 and self._size < 1.25 * self._peak:
            self._reversals += 1
        if searched or not self._accepted:
            # Found anew; or the limit itself has fallen, and nothing was accepted until so many had ended.
            self._peak = self._size

    def also_refused(self) -> None:
        """Note another refusal of those that were under way together."""
        self._cluster += 0.2

    def also_accepted(self, tasks: int) -> None:
        """Note one of those under way that was accepted all the same, as one of `tasks`."""
        if self._ceiling is not None and self._ceiling < tasks and self._size < self._ceiling:
            self._ceiling = float(tasks)
            self._refused_at = tasks
            self._peak = self._ceiling
            self._size = max(1.0, tasks / 2)

    def release(self) -> None:
        """Forget the ceiling: it was no limit of tasks in flight that refused."""
        self._size = float(self._limit)
        self._ceiling = self._refused_at = None
        self._peak = 0.0
        self._reversals = 0
        self._hold, self._step = float(_FIRST_HOLD), 1.0

    def search(self) -> None:
        """Forget the ceiling, and look for it from where the window is."""
        size = min(self._size, self._ceiling or self._size, max(_START, 2 * self._peak))
        self.release()
        self._size = min(float(self._limit), max(1.0, size))

    def recall(self, level: int, *, sure: bool) -> None:
        """Begin at a remembered ceiling; half of it, and doubling, where it may have changed."""
        if sure:
            self.hold_at(level)
            self._remembered = True
        else:
            self._size = float(max(1, min(self._limit, max(self.size, level // 2))))

    def hold_at(self, level: int) -> None:
        """Take `level` as the ceiling, and be there."""
        self._size = self._ceiling = self._peak = float(max(1, min(level, self._limit)))
        self._refused_at = level
        self._reversals = 0
        self._hold, self._step, self._accepted = float(_FIRST_HOLD), 1.0, 0


def _margin(level: int, share: float) -> float:
    return 1 + share * level
