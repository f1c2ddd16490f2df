"""How many submits a second: a rate that spaces them evenly, and one that is learned from refusals."""

from __future__ import annotations

import math
from collections import deque

_LATE = 0.05
"""Seconds that a timer may be late without its slot being lost."""
_HOLD = 90.0
"""Submits accepted for each refusal that holding a rate may cost: 1.1 % of requests."""
_FIRST_STEP, _STEP, _LONGEST_STEP = 0.12, 0.03, 0.3
"""Shares of the rate that a refusal takes off: while it is being found, while it is held, and at most."""
_FOLD, _QUICK_FOLD, _TASKS = 30.0, 4.0, 6.0
"""Seconds in which a rate that is never refused grows e-fold, at the fastest: as long as some tasks take, but
neither shorter nor longer than these."""
_UNUSED, _USED = 50, 0.1
"""A rate for which fewer than a tenth of some fifty submits wait is not what holds them back."""
_KNOWN = (50, 100, 25)
"""Submits over which the speed of late is measured; the first of them is the least that is worth it."""
_TRIAL, _BELOW = 80, 0.97
"""Submits of a trial, and the share of the speed of late at which they go."""
_CROWD = 8
"""So many refusals within two `_HOLD` are not those of a limit that is held."""
_LONG, _STRAY = 300, 0.9
"""A refusal that stands alone, below this share of what was accepted over so many submits, is no limit's."""
_LASTING, _RECENT = 2.0, 150.0
"""Seconds that refusals must have lasted, so that whatever counts began anew at their end; and how long ago
the last such end may be: where nothing was refused for longer, the pace was below the rate."""
_ENOUGH = 8
"""Submits accepted between two such ends that are worth a measure."""


class Spacing:
    """Virtual scheduling (GCRA) with no burst: each submit has its time, at least an interval apart."""

    def __init__(self, rate: float | None) -> None:
        self.rate = rate
        self.next_at = 0.0

    def take(self, now: float, *, waited: bool) -> None:
        """Note a submit; where it `waited` for its time, a late timer costs nothing."""
        if self.rate is None:
            return
        on_time = waited and 0 <= now - self.next_at <= _LATE
        self.next_at = (self.next_at if on_time else max(now, self.next_at)) + 1 / self.rate


class LearnedRate:
    """Finds the rate that a server allows, and goes at it.

    Stochastic approximation, as the window's: a refusal takes a step off the rate, each submit accepted after
    it waited for its time adds the `_HOLD`-th part of one, ever more the longer nothing is refused. Where to
    begin is measured: a server that counts, tokens or a minute, has none left when it refuses, so what was
    accepted from one refusal to the next, over the time between them, is its rate.
    """

    def __init__(self) -> None:
        self.rate: float | None = None
        self.trial = 0
        """Submits still to be accepted at a pace that is only being tried: it does not change meanwhile."""
        self.unproven = False
        """Whether it is an earlier run's and nothing was refused yet: it grows faster meanwhile."""
        self.eager = False
        """Whether a trial told nothing: it grows until it is refused."""
        self._latency = _FOLD  # seconds that a task is in flight, on average
        self._marks: deque[tuple[float, int]] = deque(maxlen=16)  # when it refused, and accepted until then
        self._renewed = (0.0, 0)  # the same, when the last refusals ended that lasted
        self._refused_at = -math.inf
        self._step = _FIRST_STEP
        self._steps = 1.0  # taken off at a refusal: more where they come together
        self._hold = _HOLD
        self._accepted = 0  # at this pace since the last refusal
        self._refusals = 0  # all of them, since the last that came after something was accepted
        self._cluster = 1.0  # how many come together, on average
        self._use = 1.0  # share of submits that had to wait for their time, and for nothing else
        self._top = 0.0  # the highest rate that was held for long

    def halted(self, now: float, total: int, *, fresh: bool) -> None:
        """Note a refusal, the first of those under way; `fresh`: some were accepted before it."""
        self._refused_at = now
        if fresh:
            self._top = max(self._top, self.lately(now, total, _LONG) or 0.0)
            self._marks.append((now, total))

    def resumed(self, now: float, total: int) -> None:
        """Note the first submit accepted after a refusal, `total` having been accepted before it.

        Where refusals lasted, a minute begins anew: then it is these moments that are whole minutes apart.
        """
        if now - self._refused_at <= max(_LASTING, 10 / (self.rate or math.inf)):
            return
        (before, accepted), self._renewed = self._renewed, (now, total)
        recent = accepted and now - before <= _RECENT
        if self.rate is not None and not self.trial and recent and total - accepted >= _ENOUGH:
            self.rate = min(self.rate, (total - accepted) / (now - before))

    def lately(self, now: float, total: int, least: int) -> float | None:
        """Give the rate at which the last `least` submits or more were accepted, from a refusal on."""
        since = next(((at, total - n) for at, n in reversed(self._marks) if total - n >= least), None)
        return None if since is None else since[1] / max(0.1, now - since[0])

    def crowded(self, total: int) -> bool:
        """Tell whether refusals come much closer together than those of a limit that is held."""
        return len(self._marks) >= _CROWD and total - self._marks[-_CROWD][1] < 2 * _HOLD

    def begin(self, now: float, total: int, started: float) -> None:
        """Begin to pace: refusals were found not to depend on what is in flight."""
        self._pace(self._fastest(now, total) or total / max(1.0, now - started), _FIRST_STEP)

    def _pace(self, rate: float, step: float) -> None:
        self.rate, self._step, self._steps = rate, step, 1.0
        self._accepted = self._refusals = 0
        self._cluster = self._use = 1.0
        self._top = 0.0

    def _fastest(self, now: float, total: int) -> float | None:
        """Give the fastest of the rates of late: a window that was being found was full in one of them."""
        rates = [self.lately(now, total, least) for least in _KNOWN]
        return None if rates[0] is None else max(rate for rate in rates if rate is not None)

    def recall(self, rate: float) -> None:
        """Begin to pace at a rate that an earlier run learned."""
        self.rate = rate
        self.unproven = True

    def attempt(self, now: float, total: int, in_flight: int) -> bool:
        """Pace for a while at the speed of late, to see if that is refused less; tell whether it is known."""
        fastest = self._fastest(now, total)
        if fastest is None:
            return False
        self._pace(_BELOW * fastest, _STEP)
        self._marks.clear()
        self.trial = max(_TRIAL, 2 * in_flight)
        return True

    def interrupted(self) -> None:
        """Note that nothing could be submitted for another reason than a limit."""
        self._marks.clear()
        self._renewed = (0.0, 0)

    def end(self) -> None:
        """Stop pacing."""
        self.rate, self.trial = None, 0
        self.eager = self.unproven = False

    def refused(self, cost: float) -> None:
        """Note a refusal while pacing, the first since something was accepted; it holds up `cost` submits."""
        if self.rate is None:
            return
        if self.eager:
            self._step = _FIRST_STEP
        self.unproven = self.eager = False
        self._cluster += 0.2 * (self._refusals - self._cluster)
        self._refusals = 0
        self._hold = max(_HOLD * max(1.0, self._cluster), 30 * cost)
        if self._accepted < _HOLD / 8:
            self._steps = min(_LONGEST_STEP / self._step, self._steps * 2)
        else:
            self._steps = 1.0
        self._step = max(_STEP, self._step * 0.7)
        if self._steps > 2:
            self._top = 0.0
            self._marks.clear()
        if self._steps > 1 or self.rate > _STRAY * self._top:
            self.rate *= 1 - self._step * self._steps
        self._accepted = 0

    @property
    def used(self) -> bool:
        """Tell whether it is this rate that holds submits back."""
        return self.rate is None or self._use > _USED

    def count(self) -> None:
        """Note any refusal."""
        self._refusals += 1

    def accepted(self, level: int, *, paced: bool) -> None:
        """Note a submit that was accepted with `level` tasks in flight.

        Only one that waited for its time says anything of the rate.
        """
        if self.rate is None:
            return
        self._latency += (level / self.rate - self._latency) / _UNUSED
        if self.trial:
            self.trial -= 1
            self._accepted += 1
            return
        self._use += (paced - self._use) / _UNUSED
        if not paced:
            return
        self._accepted += 1
        fold = min(_FOLD, max(_QUICK_FOLD, _TASKS * self._latency))
        if self.eager or self.unproven:
            self.rate *= 1 + 1 / max(50.0, (2 if self.eager else 0.5) * fold * self.rate)
        else:
            by = self._step / self._hold * 2 ** min(30.0, self._accepted / self._hold)
            self.rate *= 1 + min(by, 1 / max(20.0, fold * self.rate))
