"""How many submits a second: a rate that spaces them evenly, and one that is learned from refusals."""

from __future__ import annotations

import math
from collections import deque

_BELOW = 0.03
_SUBMITS = 150
"""Submits from one try above the estimate to the next, at least."""
_SECONDS = 20.0
_RISEN = 1.1
"""As much above the estimate, and not refused, the limit is no longer what it was."""
_SURE = 1.15
_SUBMITS_A_REFUSAL = 100
_ENOUGH = 8
"""Submits accepted between two refusals that are worth an estimate."""
_LATE = 0.05
"""Seconds that a timer may be late without its slot being lost."""


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
    """Estimates the rate that a server allows and says at which to go.

    A server that counts tokens has none when it refuses, so what was accepted from one refusal to another,
    over the time between them, is its rate. The submits then go a little below it and slowly faster, so that
    they cross it once in a hundred or more; a bucket fills meanwhile with what is lost below it. Well above
    the estimate and not refused, the rate has risen, and the search is quick.
    """

    def __init__(self, rate: float | None = None) -> None:
        self.rate = rate
        self._estimate = rate or 0.0
        self._empty: deque[tuple[float, int]] = deque(maxlen=16)
        self._cycle = float(_SUBMITS)
        self._settled = 0.2
        self._refusals = 0
        self._remembered = False  # it is an earlier run's, and nothing was refused yet
        self._dear = 1.0
        self._pause = self._in_flight = 0.0
        self._fallback: float | None = None

    @property
    def estimate(self) -> float | None:
        """Submits a second that the server is thought to allow, or `None` where its limit is no rate."""
        return self._estimate if self.rate is not None else None

    def resumed(self, now: float, total: int) -> None:
        """Note the first submit accepted after a refusal, `total` having been accepted before it.

        Whatever counts is then as it was at the last such moment: a bucket as empty, a minute as new. So what
        was accepted between two of them, over the time between them, is the rate, also where the refusals
        lasted until the minute was over.
        """
        found = self._measured(now, total, least=_ENOUGH)
        self._empty.append((now, total))
        if self.rate is not None and found is not None and self._fallback is None:
            self._set(found, self._pause, self._in_flight)

    def begin(self, now: float, total: int, started: float) -> None:
        """Begin to pace: refusals were found not to depend on what is in flight."""
        found = total / max(1.0, now - started)
        if self._empty and total - self._empty[0][1] >= 3:
            last, first = self._empty[-1], self._empty[0]
            until, number = last if last[1] - first[1] >= 3 else (now, total)
            found = min(found, (number - first[1]) / max(0.1, until - first[0]))
        self._refusals, self._dear, self._settled = 0, 1.0, 0.2
        self._set(found, 0.0, 0.0)

    def recall(self, rate: float) -> None:
        """Begin to pace at a rate that an earlier run learned."""
        self._set(rate, 0.0, 0.0)
        self._remembered = True

    def end(self) -> None:
        """Stop pacing."""
        self.rate = None
        self._empty.clear()

    def refused(self, now: float, total: int, pause: float, in_flight: float) -> None:
        """Note a refusal while pacing, the first since something was accepted."""
        self._remembered = False
        pace = self.rate or self._estimate
        before = self._empty[-1] if self._empty else None
        since = total - before[1] if before else 0
        seconds = max(0.001, now - before[0]) if before else 1.0
        if pace > self._estimate * _RISEN:
            # It went well past the estimate: the rate has risen, or a full bucket hid that it has not. From
            # now on the bucket is empty, and the next refusal tells which.
            self._fallback = max(since / seconds, self._estimate * 0.9) if before else self._estimate
            self._empty.clear()
            self._dear = min(4.0, max(1.0, self._dear * 0.5, self._refusals))
            self._refusals = 0
            found = max(pace * 0.75, self._fallback)
        elif since < _ENOUGH and before:
            # Far too soon: the limit has fallen, or the estimate was wrong.
            lower = min(self._estimate, pace)
            measured = (since - 1) / seconds
            if self._fallback is not None:
                found = min(0.95 * lower, max(self._fallback, measured))
            else:
                found = min(0.75 * lower, max(0.5 * lower, measured))
                self._empty.clear()
            self._fallback = None
        else:
            found = min(self._estimate, pace)
            self._fallback = None
        self._set(found, pause, in_flight)

    def count(self) -> None:
        """Note any refusal: the dearer a try above the estimate was, the later comes the next."""
        self._refusals += 1

    def _set(self, estimate: float, pause: float, in_flight: float) -> None:
        ratio = estimate / self._estimate if self._estimate else 1.0
        in_flight *= min(1.0, ratio)
        self._estimate, self._pause, self._in_flight = estimate, pause, in_flight
        self.rate = estimate * (1 - _BELOW)
        if 1 / _SURE <= ratio <= _SURE:
            self._settled = min(1.0, self._settled * 1.5)
        else:
            # Not as thought: nothing is sure, and the first try above it must come soon.
            self._settled, self._dear = 0.2, 1.0
        least = max(_SUBMITS, _SECONDS * estimate, 10 * in_flight) * self._settled
        self._cycle = max(least, _SUBMITS_A_REFUSAL * self._dear, pause * estimate * 60)

    def _measured(self, now: float, total: int, least: int) -> float | None:
        """Give the rate between refusals: over as long a time as agrees with the most recent."""
        recent = next(((t, n) for t, n in reversed(self._empty) if total - n >= least), None)
        if recent is None or now <= recent[0]:
            return None
        count = total - recent[1]
        rate = count / (now - recent[0])
        tolerance = 0.1 + 2 / count
        for at, number in list(self._empty):
            over = (total - number) / (now - at)
            if abs(over / rate - 1) <= tolerance:
                return over
            self._empty.popleft()
        return rate

    def accepted(self, *, paced: bool) -> None:
        """Note a submit that was accepted; only one that waited for its time says anything of the rate."""
        if self.rate is None or not paced:
            return
        if self._remembered:
            self.rate *= 1 + 1 / max(20.0, 10 * self.rate)
        elif self.rate <= self._estimate * (1 + _BELOW):
            self.rate += self._estimate * 2 * _BELOW / self._cycle
        else:
            self.rate *= 1 + 2 / max(self._cycle, 60 * self.rate)
            if self.rate > 4 * self._estimate:
                self._estimate = self.rate / 2


class Minute:
    """Finds when a server that counts by the minute begins anew, from refusals that lasted until then.

    Each long refusal ended between its last 429 and the first submit accepted, and so did all the others, a
    whole number of minutes away: what they have in common becomes narrow.
    """

    def __init__(self) -> None:
        self._low = self._high = 0.0
        self._seen = 0

    def ended(self, low: float, high: float) -> None:
        """Note a refusal of some seconds that ended between these two times."""
        if self._seen:
            away = round((high - self._high) / 60) * 60
            common = max(low, self._low + away), min(high, self._high + away)
            if common[0] < common[1]:
                self._low, self._high = common
                self._seen += 1
                return
        self._low, self._high, self._seen = low, high, 1

    def next(self, now: float) -> float | None:
        """Give the time to try again, in the midst of refusals; `None` where no minute is known."""
        if self._seen < 2:
            return None
        width = self._high - self._low
        target = self._high if width <= 1 else self._low + width / 2
        return target + math.ceil((now - target) / 60) * 60
