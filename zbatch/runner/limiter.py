"""One limiter for the endpoint: a rate, a window of tasks in flight, and pauses that hold for everybody."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable

from zbatch.clock import monotonic

MAX_PAUSE = 3600.0
"""Longest pause a server's Retry-After may ask for, in seconds."""


class Limiter:
    """Decides when the next submit may leave.

    The window counts tasks accepted and not known finished. It starts small, doubles each round trip while
    nothing is refused (one more for each task that is accepted), halves on a 429, and then grows by one a
    round trip. `rate` is in submits a second, spaced evenly (virtual scheduling, GCRA).
    """

    def __init__(
        self, concurrency: int, rate: float | None, *, clock: Callable[[], float] = monotonic
    ) -> None:
        self._limit = concurrency
        self._window = float(min(concurrency, 8))
        self._slow_start = True
        self._in_flight = 0
        self._interval = 1 / rate if rate else 0.0
        self._next_at = 0.0
        self._paused_until = 0.0
        self._halved_at = -math.inf
        self._clock = clock
        self._changed = asyncio.Event()
        self._backoff = 0.0
        self._stopped = False
        self.throttled_count = 0

    @property
    def in_flight(self) -> int:
        """Slots taken."""
        return self._in_flight

    @property
    def window(self) -> int:
        """Slots there are now."""
        return max(1, int(self._window))

    @property
    def paused_until(self) -> float:
        """Monotonic time before which nobody should ask the endpoint for anything new."""
        return self._paused_until

    async def take(self) -> bool:
        """Wait for a slot, for the end of a pause, and for the rate; tell whether the slot was had.

        It is not once `stop` was called. Cancelling while waiting takes nothing.
        """
        while not self._stopped:
            now = self._clock()
            if self._in_flight < self.window and now >= self._paused_until and now >= self._next_at:
                self._in_flight += 1
                self._next_at = max(now, self._next_at) + self._interval
                return True
            await self._wait(now)
        return False

    def stop(self) -> None:
        """Give no more slots."""
        self._stopped = True
        self._changed.set()

    async def _wait(self, now: float) -> None:
        self._changed.clear()
        until = max(self._paused_until, self._next_at)
        delay = until - now if until > now else None
        try:
            async with asyncio.timeout(delay):
                await self._changed.wait()
        except TimeoutError:
            return

    def give(self) -> None:
        """Give a slot back: its task is finished, or never was."""
        self._in_flight -= 1
        self._changed.set()

    def adopt(self, tasks: int) -> None:
        """Count tasks an earlier process left in flight: they hold slots like any other."""
        self._in_flight += tasks

    def accepted(self) -> None:
        """Note that a submit was accepted."""
        self._backoff = 0.0
        step = 1.0 if self._slow_start else 1.0 / max(1.0, self._window)
        self._window = min(float(self._limit), self._window + step)
        self._changed.set()

    def throttled(self, retry_after: float | None) -> float:
        """Note a 429: halve the window (once a second at most) and pause everybody; give the pause in s."""
        self.throttled_count += 1
        now = self._clock()
        if now - self._halved_at > 1.0:
            self._halved_at = now
            self._slow_start = False
            self._window = max(1.0, self._window / 2)
        return self._pause(retry_after)

    def trouble(self, retry_after: float | None = None) -> float:
        """Note that the endpoint could not be reached or was busy. Gives the pause in seconds."""
        return self._pause(retry_after)

    def _pause(self, retry_after: float | None) -> float:
        now = self._clock()
        if now >= self._paused_until:
            # Of many that were under way together only the first counts: the rest learned nothing new.
            self._backoff = min(60.0, max(0.5, self._backoff * 1.6))
        pause = self._backoff if retry_after is None else min(MAX_PAUSE, max(0.05, retry_after))
        self._paused_until = max(self._paused_until, now + pause)
        self._changed.set()
        return pause
