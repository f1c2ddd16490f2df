"""An event loop whose time is a number: waiting costs nothing, and what waits for ever is found out."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


class _Selector(selectors.DefaultSelector):
    """Instead of sleeping, moves the clock to when something is due."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        events = super().select(0)
        if not events and timeout is None:
            raise AssertionError("everybody waits, and nothing is due")
        if not events and timeout:
            self.now += timeout
        return events


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._virtual = _Selector()
        super().__init__(self._virtual)

    def time(self) -> float:
        return self._virtual.now


def run_virtually(main: Callable[[Callable[[], float]], Awaitable[T]]) -> T:
    """Run `main(clock)` on such a loop; `clock` gives its time in seconds, 1000 at the beginning."""
    with asyncio.Runner(loop_factory=_Loop) as runner:
        loop = runner.get_loop()
        return runner.run(_call(main, loop.time))


async def _call(main: Callable[[Callable[[], float]], Awaitable[T]], clock: Callable[[], float]) -> T:
    return await main(clock)
