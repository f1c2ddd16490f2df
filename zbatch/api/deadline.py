"""An end to a wait which a process that was stopped meanwhile does not hold against the other side.

Stopped by Ctrl-Z, a debugger or a hypervisor, a process wakes up with all its timers overdue, and an event
loop runs them before it looks at its sockets: the answer to a submit, long there, would be thrown away with
the id of a task that is paid for.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from types import TracebackType

_LATE: Final = 0.5
"""Seconds. A timer that runs later than this was not kept from it by the loop's own work."""

_GRACE: Final = 1.0
"""Seconds from waking up in which what lies in the sockets is read: the loop needs a round or two for it."""


class Deadline:
    """As `asyncio.timeout_at`, but moved a second on, once, where its timer runs late.

    Args:
        when: in the loop's time; infinity is no end.
    """

    def __init__(self, when: float) -> None:
        self._when = when
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._excused = self._expired = False

    async def __aenter__(self) -> Self:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("only a task can be given a deadline")
        self._task: asyncio.Task[object] = task
        self._cancelling = task.cancelling()
        self.move(self._when)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._expired and self._task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
            raise TimeoutError from error

    def move(self, when: float) -> None:
        """Make it this time instead."""
        if self._timer is not None:
            self._timer.cancel()
        self._when = when
        self._timer = None if when == float("inf") else self._loop.call_at(when, self._up)

    def _up(self) -> None:
        now = self._loop.time()
        if now - self._when > _LATE and not self._excused:
            self._excused = True
            self.move(now + _GRACE)
            return
        self._timer = None
        self._expired = True
        self._task.cancel()
