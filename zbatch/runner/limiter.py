"""One limiter for the endpoint: when the next submit may leave, and who waits when the server says no."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass

from zbatch.clock import monotonic
from zbatch.runner.cause import Cause
from zbatch.runner.rate import Spacing

MAX_PAUSE = 3600.0
"""Longest pause a server's Retry-After may ask for, in seconds."""

_FIRST_PAUSE, _LONGEST_BACKOFF = 0.5, 60.0
_LONGEST_DRY = 12.0
"""The same where this server has accepted some: a minute that begins anew is seen soon."""
_STUCK = 1.0
"""Seconds after which one more may go though none of those under way has been answered."""


@dataclass(frozen=True, slots=True)
class Slot:
    """Leave to submit one job. `others` were in flight or under way then; `paced`: it waited for the rate."""

    number: int
    others: int
    paced: bool


@dataclass(frozen=True, slots=True)
class Learned:
    """What a server was found to allow: `tasks` in flight, a `rate` in submits a second, or nothing yet."""

    tasks: int | None = None
    rate: float | None = None


class Limiter:
    """Decides when the next submit may leave.

    What a server limits is not known: tasks in flight, submits a minute, or both; `Cause` finds that out.
    Where the limit is held, about one submit in a hundred is refused, so that strays, refusals of a few
    in a thousand that no limit explains, do not make it slow.

    After a pause one submit goes first, and as its likes are accepted ever more at once: no herd.
    """

    def __init__(
        self, concurrency: int, rate: float | None, *, clock: Callable[[], float] = monotonic
    ) -> None:
        self._cause = Cause(concurrency, clock())
        self._asked = Spacing(rate)
        self._spacing = Spacing(None)
        self._clock = clock
        self._changed = asyncio.Event()
        self._stopped = False

        self._in_flight = 0  # slots taken
        self._tasks = 0  # of these: accepted and not known finished
        self._held = 0  # of these: refused, and not given back yet
        self._issued = 0
        self._last_take = -math.inf

        self._stride = 8.0
        self._paused_until = 0.0
        self._pause_asked = False
        self._backoff = 0.0
        self._round = 0  # the last slot that had left when the last refusal came
        self.throttled_count = 0

    @property
    def in_flight(self) -> int:
        """Slots taken."""
        return self._in_flight

    @property
    def window(self) -> int:
        """Slots there are now."""
        return self._cause.window.size

    @property
    def rate(self) -> float | None:
        """Submits a second at most: the asked rate or the learned one, whichever is less."""
        rates = [rate for rate in (self._asked.rate, self._cause.pace.rate) if rate is not None]
        return min(rates, default=None)

    @property
    def learned(self) -> Learned:
        """What was found of the server's own limit."""
        pace = self._cause.pace
        if pace.rate is not None and not pace.trial and not pace.eager:
            return Learned(rate=pace.rate)
        return Learned(tasks=self._cause.window.found)

    def recall(self, learned: Learned, *, sure: bool) -> None:
        """Begin with what an earlier run learned, and where it is not `sure` any more, soon try for more."""
        self._cause.recall(learned.tasks, learned.rate, sure=sure)

    @property
    def paused_until(self) -> float:
        """Monotonic time before which nobody should ask the endpoint for anything new."""
        return self._paused_until

    @property
    def pause_asked(self) -> bool:
        """Tell whether that time is the server's own word."""
        return self._pause_asked

    async def take(self) -> Slot | None:
        """Wait for a slot, for the end of a pause, and for the rate. Gives `None` once `stop` was called.

        Cancelling while waiting takes nothing.
        """
        paced = False
        while not self._stopped:
            now = self._clock()
            until = self._not_before(now)
            if until <= now:
                return self._taken(now, paced=paced)
            paced = paced or until == self._spacing.next_at
            await self._wait(None if until == math.inf else until - now)
        return None

    def _not_before(self, now: float) -> float:
        if self._in_flight - self._held >= self._cause.window.size:
            return math.inf
        until = max(self._paused_until, self._asked.next_at, self._spacing.next_at)
        under_way = self._in_flight - self._tasks - self._held
        if until <= now and under_way >= self._stride:
            return max(now, self._last_take + _STUCK)
        return until

    def _taken(self, now: float, *, paced: bool) -> Slot:
        others = self._in_flight - self._held
        self._in_flight += 1
        self._issued += 1
        self._last_take = now
        self._asked.take(now, waited=True)
        self._spacing.rate = self._cause.pace.rate
        self._spacing.take(now, waited=paced)
        return Slot(self._issued, others, paced and others + 1 < self._cause.window.size)

    async def _wait(self, delay: float | None) -> None:
        self._changed.clear()
        try:
            async with asyncio.timeout(delay):
                await self._changed.wait()
        except TimeoutError:
            return

    def stop(self) -> None:
        """Give no more slots."""
        self._stopped = True
        self._changed.set()

    def give(self) -> None:
        """Give a slot back: its submit was not accepted, or nobody knows."""
        self._in_flight -= 1
        if self._held:
            self._held -= 1
        self._changed.set()

    def finished(self) -> None:
        """Note that a task has ended, or is not waited for any more."""
        self._in_flight -= 1
        self._tasks -= 1
        self._changed.set()

    def adopt(self, tasks: int) -> None:
        """Count tasks an earlier process left in flight: they hold slots like any other."""
        self._in_flight += tasks
        self._tasks += tasks

    def accepted(self, slot: Slot) -> None:
        """Note that a submit was accepted."""
        self._tasks += 1
        self._stride += 1 if self._stride < 16 else 0.25
        if slot.number > self._round:
            self._backoff = 0.0
            self._cause.accepted(self._clock(), slot.others, self._tasks, paced=slot.paced)
        else:
            self._cause.also_accepted(self._tasks, paced=slot.paced)
        self._changed.set()

    def refused(self, slot: Slot, retry_after: float | None) -> float:
        """Note a 429 of a submit; gives the pause, which holds for everybody, in seconds."""
        self.throttled_count += 1
        self._held += 1
        now = self._clock()
        if slot.number <= self._round:
            self._cause.also_refused()
            return self._pause(now, retry_after, max(0.0, self._paused_until - now))
        surprise = self._cause.refused(now, slot.others, self._tasks, cost=retry_after or 0.0)
        self._round = self._issued
        return self._pause(now, retry_after, self._step_back(surprise=surprise))

    def _step_back(self, *, surprise: bool) -> float:
        """Give the pause after a refusal where the server names none."""
        if surprise:
            self._stride = 1.0
            longest = _LONGEST_DRY if self._cause.answering else _LONGEST_BACKOFF
            self._backoff = min(longest, max(_FIRST_PAUSE, self._backoff * 1.6))
            return self._backoff
        rate = self._cause.pace.rate
        return 0.0 if rate is None else min(_FIRST_PAUSE, 2 / rate)

    def poll_refused(self, retry_after: float | None) -> float:
        """Note a 429 of a poll: everybody waits; of submits it tells nothing. Gives the pause in s."""
        self.throttled_count += 1
        return self.trouble(retry_after)

    def trouble(self, retry_after: float | None = None) -> float:
        """Note that the endpoint could not be reached or was busy. Gives the pause in seconds."""
        now = self._clock()
        if now >= self._paused_until:
            # Of many that were under way together only the first counts: the rest learned nothing new.
            self._backoff = min(_LONGEST_BACKOFF, max(_FIRST_PAUSE, self._backoff * 1.6))
            self._stride = 1.0
            self._cause.pace.interrupted()
        return self._pause(now, retry_after, self._backoff)

    def _pause(self, now: float, retry_after: float | None, backoff: float) -> float:
        pause = backoff
        if retry_after is not None:
            # Less than a second, or a date in the past: where nothing is accepted, that would hammer.
            least = 0.05 if retry_after >= 1.0 else max(0.05, self._backoff)
            pause = min(MAX_PAUSE, max(least, retry_after))
        if now + pause > self._paused_until:
            self._paused_until, self._pause_asked = now + pause, retry_after is not None
        self._changed.set()
        return pause
