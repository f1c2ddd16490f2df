"""Who is next: each owner in turn, and each owner's tasks in the order they came."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable

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

    async def take_alike(self, first: Task, most: int, key: Callable[[Task], Hashable]) -> list[Task]:
        """Take up to `most` waiting tasks of the same key as one that was taken, without waiting for any.

        Owners give in turn, one task each, oldest first; those who gave are served after the others. So
        nobody's tasks are overtaken by more than one batch of another's.
        """
        async with self._came:
            wanted = key(first)
            taken: list[Task] = []
            owners = list(self._lines)
            while owners and len(taken) < most:
                for owner in list(owners):
                    task = next((one for one in self._lines[owner] if key(one) == wanted), None)
                    if task is None or len(taken) == most:
                        owners.remove(owner)
                        continue
                    self._remove(owner, task)
                    taken.append(task)
                    if owner not in self._lines:
                        owners.remove(owner)
            return taken

    def _remove(self, owner: str, task: Task) -> None:
        line = self._lines[owner]
        # By identity: two tasks may be equal in all that dataclasses compare.
        del line[next(place for place, one in enumerate(line) if one is task)]
        if line:
            self._lines.move_to_end(owner)
        else:
            del self._lines[owner]
        self._length -= 1
        self._weight -= task.order.weight
