"""A server that allows so many tasks in flight, or so many a minute, simulated on a clock that is a number.

The real limiter is driven against it: every submit takes time on the wire, every task its own latency, and
that a task has ended is known a little later, as by polling. No sockets, no sleeping: an hour takes seconds.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from support.virtual_time import run_virtually

MEDIAN, P99 = 4.0, 15.0
SIGMA = math.log(P99 / MEDIAN) / 2.326
MEAN = MEDIAN * math.exp(SIGMA**2 / 2)
"""Mean of the lognormal latency, in seconds: 4.7."""


def steady(value: float) -> Callable[[float], float]:
    """Give a limit that never changes."""
    return lambda _: value


def steps(*pieces: tuple[float, float]) -> Callable[[float], float]:
    """Give a limit that changes: each piece is (from this second on, value)."""

    def at(second: float) -> float:
        return next(value for start, value in reversed(pieces) if second >= start)

    return at


@dataclass(frozen=True)
class Setting:
    """One server and one network. Times in seconds, `rate` in submits a second.

    `burst` tokens fill up at `rate`; a `minute` server counts by the minute instead. `retry_after` says
    whether a 429 tells how long to wait; `stray` is the share of submits refused whatever the limit; `delay`
    is the mean time until the end of a task is known.
    """

    name: str
    tasks: Callable[[float], float] | None = None
    rate: Callable[[float], float] | None = None
    burst: float = 10
    minute: bool = False
    retry_after: bool = False
    stray: float = 0.0
    delay: float = 0.4
    round_trip: float = 0.1
    seconds: float = 900.0
    warm_up: float = 120.0
    skip: tuple[tuple[float, float], ...] = ()
    limit: int = 2000
    seed: int = 1

    def capacity(self, second: float) -> float:
        """Give the submits a second that could be accepted, of a client that knew everything at once."""
        by_tasks = self._slots(second) / MEAN
        return min(by_tasks, self.rate(second) if self.rate else math.inf)

    def reachable(self, second: float) -> float:
        """Give the same for a client that knows the limit, but of ends only by polling."""
        by_tasks = self._slots(second) / (MEAN + self.delay + self.round_trip / 2)
        return min(by_tasks, self.rate(second) if self.rate else math.inf)

    def _slots(self, second: float) -> float:
        return min(self.tasks(second) if self.tasks else math.inf, self.limit)

    def counted(self, second: float) -> bool:
        """Tell whether a second is past the warm-up and the times after a change."""
        return second >= self.warm_up and not any(start <= second < end for start, end in self.skip)


class Server:
    """Says yes or no to a submit."""

    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        self._in_flight = 0
        self._tokens = setting.burst
        self._at = 0.0
        self._minute = -1
        self._phase = random.Random(setting.seed).uniform(0, 60)
        self._used = 0
        self._stray = random.Random(setting.seed + 1)

    def offer(self, second: float) -> bool:
        """Take a submit, or refuse it."""
        setting = self._setting
        if setting.stray and self._stray.random() < setting.stray:
            return False
        if setting.tasks and self._in_flight >= setting.tasks(second):
            return False
        if setting.rate and not self._rate_allows(second, setting.rate(second)):
            return False
        self._in_flight += 1
        return True

    def _rate_allows(self, second: float, rate: float) -> bool:
        if self._setting.minute:
            minute = int((second + self._phase) // 60)
            if minute != self._minute:
                self._minute, self._used = minute, 0
            if self._used + 1 > rate * 60:
                return False
            self._used += 1
            return True
        self._tokens = min(self._setting.burst, self._tokens + (second - self._at) * rate)
        self._at = second
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    def finish(self) -> None:
        """End a task."""
        self._in_flight -= 1

    def retry_after(self, second: float) -> float | None:
        """Give the header of a 429: whole seconds."""
        setting = self._setting
        if not setting.retry_after:
            return None
        if setting.minute:
            return math.ceil(60 - (second + self._phase) % 60)
        if setting.rate and self._tokens < 1:
            return math.ceil((1 - self._tokens) / setting.rate(second))
        return 1.0


@dataclass
class Outcome:
    """What was counted, by second: accepted, refused; and the window over time."""

    setting: Setting
    accepted: list[int] = field(default_factory=list)
    refused: list[int] = field(default_factory=list)
    trace: list[tuple[Any, ...]] = field(default_factory=list)

    def throughput(self, *, whole: bool = False, capacity: bool = False) -> float:
        """Give what was accepted as a share of the best possible, after the warm-up or from the start."""
        setting = self.setting
        seconds = [s for s in range(len(self.accepted)) if whole or setting.counted(s)]
        best = sum((setting.capacity if capacity else setting.reachable)(s) for s in seconds)
        return sum(self.accepted[s] for s in seconds) / best

    def refusals(self, *, whole: bool = False) -> float:
        """Give the share of submits that were answered 429."""
        seconds = [s for s in range(len(self.accepted)) if whole or self.setting.counted(s)]
        refused = sum(self.refused[s] for s in seconds)
        return refused / max(1, refused + sum(self.accepted[s] for s in seconds))


def simulate(setting: Setting, make: Callable[[Setting, Callable[[], float]], Any]) -> Outcome:
    """Run a limiter, made by `make(setting, clock)`, with more to submit than it ever may."""
    return run_virtually(lambda clock: _Client(setting, make(setting, clock), clock).run())


class _Client:
    def __init__(self, setting: Setting, limiter: Any, clock: Callable[[], float]) -> None:
        self._setting = setting
        self._limiter = limiter
        self._clock = clock
        self._server = Server(setting)
        self._random = random.Random(setting.seed)
        size = int(setting.seconds)
        self._outcome = Outcome(setting, [0] * size, [0] * size)
        self._loop = asyncio.get_running_loop()

    def _now(self) -> float:
        return self._clock() - 1000.0

    async def run(self) -> Outcome:
        feeding = asyncio.create_task(self._feed())
        for second in range(int(self._setting.seconds)):
            await asyncio.sleep(1)
            told = (
                second,
                self._limiter.in_flight,
                self._limiter.window,
                getattr(self._limiter, "rate", None),
            )
            self._outcome.trace.append(told)
        self._limiter.stop()
        await feeding
        return self._outcome

    async def _feed(self) -> None:
        while (slot := await self._limiter.take()) is not None:
            # What a write to the state and the wire take, there and back.
            trip = self._setting.round_trip * self._random.uniform(0.5, 1.5)
            self._loop.call_later(trip / 2, self._arrive, slot, trip / 2)

    def _arrive(self, slot: Any, way_back: float) -> None:
        now = self._now()
        accepted = self._server.offer(now)
        if now < self._setting.seconds:
            (self._outcome.accepted if accepted else self._outcome.refused)[int(now)] += 1
        if not accepted:
            self._loop.call_later(way_back, self._refused, slot, self._server.retry_after(now))
            return
        latency = self._random.lognormvariate(math.log(MEDIAN), SIGMA)
        known = max(way_back, latency + self._random.uniform(0, 2 * self._setting.delay))
        self._loop.call_later(way_back, self._limiter.accepted, slot)
        self._loop.call_later(latency, self._server.finish)
        self._loop.call_later(known, self._limiter.finished)

    def _refused(self, slot: Any, retry_after: float | None) -> None:
        self._limiter.refused(slot, retry_after)
        self._loop.call_later(0.02, self._limiter.give)
