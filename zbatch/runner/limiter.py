"""One limiter for the endpoint: when the next submit may leave, and who waits when the server says no."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass

from zbatch.clock import monotonic
from zbatch.runner.rate import LearnedRate, Minute, Spacing
from zbatch.runner.strays import Strays
from zbatch.runner.window import Window

MAX_PAUSE = 3600.0
"""Longest pause a server's Retry-After may ask for, in seconds."""

_FIRST_PAUSE, _LONGEST_BACKOFF = 0.5, 60.0
_LONGEST_DRY = 12.0
"""The same where this server has accepted some: a minute that begins anew is seen soon."""
_SOON = 45.0
"""Seconds: a new minute that is expected sooner is waited for; one that is later may be a wrong guess."""
_STUCK = 1.0
"""Seconds after which one more may go though none of those under way has been answered."""
_VOTES = 3


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

    What a server limits is not known: tasks in flight, submits a minute, or both. At first it is taken to be
    tasks in flight (`Window`). A refusal with clearly fewer in flight than were accepted before says that it
    is a rate, and submits are paced (`LearnedRate`); refusals that come, while pacing, whenever more are in
    flight than ever accepted since the last, say that it is tasks in flight after all.

    After a pause one submit goes first, and as its likes are accepted ever more at once: no herd.
    """

    def __init__(
        self, concurrency: int, rate: float | None, *, clock: Callable[[], float] = monotonic
    ) -> None:
        self._window = Window(concurrency)
        self._asked = Spacing(rate)
        self._learned = LearnedRate()
        self._spacing = Spacing(None)
        self._minute = Minute()
        self._strays = Strays()
        self._clock = clock
        self._started = clock()
        self._changed = asyncio.Event()
        self._stopped = False

        self._in_flight = 0  # slots taken
        self._tasks = 0  # of these: accepted and not known finished
        self._held = 0  # of these: refused, and not given back yet
        self._issued = 0
        self._total = 0
        self._last_take = -math.inf

        self._stride = 8.0
        self._paused_until = 0.0
        self._backoff = 0.0
        self._round = 0  # the last slot that had left when the last refusal came
        self._since = 0  # accepted since then
        self._dry = 0  # refusals in a row with nothing accepted between
        self._highest = [0, 0]  # tasks in flight as accepted: before, and since the last refusal
        self._lowest = math.inf
        self._round_at = self._refused_at = -math.inf
        self._votes = 0
        self._quota = 0  # accepted between the last two refusals
        self._same = 0  # how often in a row that was the same
        self.throttled_count = 0

    @property
    def in_flight(self) -> int:
        """Slots taken."""
        return self._in_flight

    @property
    def window(self) -> int:
        """Slots there are now."""
        return self._window.size

    @property
    def rate(self) -> float | None:
        """Submits a second at most: the asked rate or the learned one, whichever is less."""
        rates = [rate for rate in (self._asked.rate, self._learned.rate) if rate is not None]
        return min(rates, default=None)

    @property
    def learned(self) -> Learned:
        """What was found of the server's own limit."""
        if self._learned.estimate is not None:
            return Learned(rate=self._learned.estimate)
        return Learned(tasks=self._window.ceiling)

    def recall(self, learned: Learned, *, sure: bool) -> None:
        """Begin with what an earlier run learned, and where it is not `sure` any more, soon try for more."""
        if learned.rate is not None:
            self._learned.recall(learned.rate)
            self._window.release()
        elif learned.tasks is not None:
            self._window.recall(learned.tasks, sure=sure)

    @property
    def paused_until(self) -> float:
        """Monotonic time before which nobody should ask the endpoint for anything new."""
        return self._paused_until

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
        if self._in_flight - self._held >= self._window.size:
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
        self._spacing.rate = self._learned.rate
        self._spacing.take(now, waited=paced)
        return Slot(self._issued, others, paced)

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
        self._total += 1
        self._stride += 1 if self._stride < 16 else 0.25
        if self._strays.accepted(slot.others):
            # What was learned from them was no limit.
            self._learned.end()
            self._window.search()
        if slot.number > self._round:
            self._backoff = 0.0
            if self._dry >= 3:
                self._highest = [0, 0]
            if self._dry >= 3:
                self._minute.ended(self._refused_at, self._clock())
            self._dry = 0
            if not self._since and self._round:
                self._learned.resumed(self._clock(), self._total - 1)
            self._since += 1
            self._highest[1] = max(self._highest[1], self._tasks)
            self._lowest = min(self._lowest, self._tasks)
            self._window.accepted(slot.others)
        elif self._learned.rate is None:
            self._window.also_accepted(self._tasks)
        self._learned.accepted(paced=slot.paced)
        self._changed.set()

    def refused(self, slot: Slot, retry_after: float | None) -> float:
        """Note a 429 of a submit; gives the pause, which holds for everybody, in seconds."""
        self.throttled_count += 1
        self._held += 1
        self._learned.count()
        now = self._clock()
        if self._strays.refused():
            return self._pause(now, retry_after, 0.0)
        if slot.number <= self._round:
            # It was under way when another was refused, and tells little that is new.
            if self._learned.rate is None:
                self._window.also_refused()
            return self._pause(now, retry_after, max(0.0, self._paused_until - now))
        pause = self._blame(slot, now, retry_after)
        self._round = self._issued
        self._refused_at = now
        if self._since:
            self._round_at = now
        self._dry = 0 if self._since else self._dry + 1
        if self._since:
            same = abs(self._since - self._quota) <= 1 + 0.03 * self._quota and self._since >= 10
            self._same = self._same + 1 if same else 0
            self._quota = self._since
            self._highest = [self._highest[1], 0]
            self._lowest = math.inf
        self._since = 0
        return self._pause(now, retry_after, pause)

    def _blame(self, slot: Slot, now: float, retry_after: float | None) -> float:
        """Find which limit refused, and learn from it. Gives the pause where the server names none."""
        known = self._learned.rate is not None or self._window.ceiling is not None
        surprise = not known or not self._since
        cost = retry_after or 0.0
        if self._learned.rate is None:
            if self._contradicted(max(slot.others, self._tasks)):
                self._learned.begin(now, self._total, self._started)
                self._window.release()
                self._votes = 0
                surprise = True
            else:
                self._window.refused(
                    slot.others, self._tasks, cost * self._total / max(1.0, now - self._started)
                )
        elif self._votes_for_tasks(slot.others, now):
            self._learned.end()
            self._window.hold_at(slot.others)
        elif self._since:
            self._learned.refused(now, self._total, cost, slot.others)
        if surprise:
            self._stride = 1.0
            longest = _LONGEST_DRY if self._total else _LONGEST_BACKOFF
            self._backoff = min(longest, max(_FIRST_PAUSE, self._backoff * 1.6))
            if self._dry >= 2 and (at := self._minute.next(now)) is not None and at - now <= _SOON:
                return max(0.5, at - now)
            return self._backoff
        return 0.0 if self._learned.rate is None else min(_FIRST_PAUSE, 2 / self._learned.rate)

    def _contradicted(self, others: int) -> bool:
        """Tell whether clearly more were in flight when submits were accepted a while ago."""
        if self._window.ceiling is None:
            return False
        highest = max(self._highest)
        if self._window.sunk:
            return True
        if (
            self._same >= 1
            and abs(self._since - self._quota) <= 1 + 0.03 * self._quota
            and self._window.early
        ):
            return True
        if not self._since:
            return others + 1 <= 0.15 * highest
        return others + 1 <= highest - 1 - 0.08 * highest

    def _votes_for_tasks(self, others: int, now: float) -> bool:
        """Tell whether, time after time, it refused just when more were in flight than it had accepted."""
        highest = self._highest[1]
        latency = others / (self._learned.rate or 1.0)
        long = self._since >= 20 and now - self._round_at >= 8 * latency
        varied = highest - self._lowest >= 1 + 0.08 * highest
        self._votes = self._votes + 1 if others >= highest and long and varied else 0
        return self._votes >= _VOTES

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
        return self._pause(now, retry_after, self._backoff)

    def _pause(self, now: float, retry_after: float | None, backoff: float) -> float:
        pause = backoff if retry_after is None else min(MAX_PAUSE, max(0.05, retry_after))
        self._paused_until = max(self._paused_until, now + pause)
        self._changed.set()
        return pause
