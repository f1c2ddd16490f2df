"""What was learned of an endpoint's limits, kept in the run's state for the next run of that directory."""

from __future__ import annotations

import asyncio
import contextlib
import math
from datetime import UTC, datetime, timedelta
from typing import Any

from zbatch.clock import now_iso
from zbatch.errors import ZbatchError
from zbatch.runner.limiter import Learned, Limiter
from zbatch.state.database import Meta
from zbatch.state.store import Store
from zbatch.state.writer import StateWriter

_EVERY = 10.0
"""Seconds between two looks at what was learned: what a kill -9 can cost of it."""
_NEWS = 0.03
"""A limit that moved by less is not worth a commit: holding it moves it that much."""
_SURE = timedelta(hours=1)
"""Younger than this, it is the limit. A quota or a load of others on the same account changes by the hour."""
_KEPT = timedelta(days=30)
"""Older than this, a cold start is as good a guess: plans and servers are others by then."""


class Memory:
    """Writes down what a limiter learns, and gives it to a limiter that has learned nothing yet.

    A number and a time, nothing of the endpoint itself: they are forgotten where the run goes on at another
    one (see `take_endpoint`).
    """

    def __init__(self, writer: StateWriter, limiter: Limiter) -> None:
        self._writer = writer
        self._limiter = limiter
        self._written = Learned()

    async def recall(self) -> None:
        """Tell the limiter what the run before learned."""
        kept = await self._writer.commit(lambda store: store.meta(Meta.LIMITS))
        learned, age = _parsed(kept)
        if learned != Learned() and age <= _KEPT:
            self._written = learned
            self._limiter.recall(learned, sure=age <= _SURE)

    async def keep_on(self) -> None:
        """Write it down now and then, for ever."""
        while True:
            await asyncio.sleep(_EVERY)
            await self.keep()

    async def keep(self) -> None:
        """Write it down where it changed. A disk that refuses costs only this memory."""
        learned = self._limiter.learned
        if learned == Learned() or _close(learned, self._written):
            return
        kept = {"tasks": learned.tasks, "rate": learned.rate, "at": now_iso()}

        def step(store: Store) -> None:
            store.set_meta(Meta.LIMITS, kept)

        with contextlib.suppress(ZbatchError):
            await self._writer.commit(step)
            self._written = learned


def _parsed(kept: Any) -> tuple[Learned, timedelta]:
    """Read what an earlier run wrote; what cannot be read is as good as nothing."""
    try:
        tasks, rate = kept["tasks"], kept["rate"]
        learned = Learned(None if tasks is None else max(1, int(tasks)), float(rate) if rate else None)
        age = datetime.now(UTC) - datetime.fromisoformat(kept["at"])
    except (TypeError, KeyError, ValueError):
        return Learned(), _KEPT
    # A clock that was set back makes any age possible.
    return learned, age if age >= timedelta(0) else _KEPT


def _close(one: Learned, other: Learned) -> bool:
    pairs = ((one.tasks, other.tasks), (one.rate, other.rate))
    return all(a == b or (a and b and math.isclose(a, b, rel_tol=_NEWS)) for a, b in pairs)
