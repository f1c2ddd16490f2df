"""Who is next: each owner in turn, and each owner's tasks in the order they came."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque

from zbatch.server.tasks import Task


class FairQueue:
    """Tasks that wait for a worker. However many one owner has, another is served after one of them."""

    def __init__(self) -> None:
        self._lines: OrderedDict[str, deque[Task]] = OrderedDict()
        self._length = 0
        self._weight = 0
        self._came = asyncio.Condition()

    def __len__(self) -> int:
        return self._length

    @property
    def weight(self) -> int:
        """Bytes of inputs that wait."""
        return self._weight

    async def put(self, task: Task) -> None:
        """Let a task wait."""
        async with self._came:
            self._lines.setdefault(task.order.owner, deque()).append(task)
            self._length += 1
            self._weight += task.order.weight
            self._came.notify()

    async def take(self) -> Task:
        """Wait for a task, and take it."""
        async with self._came:
            while not self._length:
                await self._came.wait()
            owner, line = self._lines.popitem(last=False)
            task = line.popleft()
            if line:
                self._lines[owner] = line
            self._length -= 1
            self._weight -= task.order.weight
            return task
