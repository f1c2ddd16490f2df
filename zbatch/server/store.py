"""The tasks a server knows: those that wait or run, and the finished ones while their results are kept."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final

from zbatch.api.results import TaskStatus
from zbatch.errors import SurroundingsError
from zbatch.server.ledger import Ledger
from zbatch.server.shelf import Shelf
from zbatch.server.tasks import Limits, Task

log = logging.getLogger(__name__)

_FIRST_PAUSE: Final = 0.2
_LONGEST_PAUSE: Final = 5.0


class TaskStore:
    """Tasks, the finished ones bounded by age, by number and by the bytes of their images.

    Where there are too many, those whose image has been fetched go first, oldest first. A task that is gone
    answers as one that was never there. With a ledger, what is told of a task is on disk before; without one,
    all is gone with the process. `clock` gives wall time in seconds.
    """

    def __init__(
        self, limits: Limits, clock: Callable[[], float], shelf: Shelf, ledger: Ledger | None = None
    ) -> None:
        self.clock = clock
        self._limits = limits
        self._shelf = shelf
        self._ledger = ledger
        self._open: OrderedDict[str, Task] = OrderedDict()
        self._finished: OrderedDict[str, Task] = OrderedDict()
        self._open_of: Counter[str] = Counter()
        self._bytes = 0
        self._dropped: list[str] = []

    async def open(self) -> None:
        """Take over what the ledger has; those that were under way wait again.

        Raises:
            StateError: the ledger cannot be read.
        """
        finished = []
        for task in self._ledger.load() if self._ledger is not None else ():
            if task.finished_at is None:
                self._note(task)
            else:
                finished.append(task)
        for task in sorted(finished, key=lambda one: one.finished_at or 0):
            self._finished[task.task_id] = task
            self._bytes += task.size
        await self._shelf.keep_only(self._finished.keys())

    def _note(self, task: Task) -> None:
        self._open[task.task_id] = task
        self._open_of[task.order.owner] += 1

    async def add(self, task: Task) -> None:
        """Take in a new task; when this returns, it is safe.

        Raises:
            DiskError: it could not be written down, and is not taken in.
        """
        self._note(task)
        if self._ledger is None:
            return
        try:
            await self._ledger.add(task)
        except BaseException:
            self._forget(task)
            raise

    def _forget(self, task: Task) -> None:
        if self._open.pop(task.task_id, None) is not None:
            self._open_of[task.order.owner] -= 1
            if not self._open_of[task.order.owner]:
                del self._open_of[task.order.owner]

    def unfinished(self) -> Iterator[Task]:
        """Give the tasks that wait or run, in the order they were accepted."""
        return iter(list(self._open.values()))

    def open_of(self, owner: str) -> int:
        """Count the tasks of one owner that wait or run."""
        return self._open_of[owner]

    def get(self, task_id: str) -> Task | None:
        """Find a task, or `None` where it is unknown or gone."""
        task = self._open.get(task_id) or self._finished.get(task_id)
        return None if task is None or self._expired(task) else task

    async def image(self, task: Task) -> bytes | None:
        """Read the image of a task that succeeded, or give `None` where it is gone."""
        if task.status is not TaskStatus.SUCCEED:
            return None
        return await self._shelf.get(task.task_id)

    async def finish(self, task: Task, *, image: bytes | None = None, reason: str = "") -> None:
        """Give a task its final status: succeeded with an image, failed with a reason.

        What cannot be kept is told as a failure; what cannot be written down is not told until it can.
        """
        if image is not None:
            try:
                await self._shelf.put(task.task_id, image)
            except SurroundingsError as error:
                log.error("the image of task %s cannot be kept: %s", task.task_id, error.message)  # noqa: TRY400 - ours, with words
                image, reason = None, "the server could not keep the image"
        ended = replace(
            task,
            status=TaskStatus.FAILED if image is None else TaskStatus.SUCCEED,
            reason=reason,
            size=len(image or b""),
            finished_at=self.clock(),
            order=replace(task.order, request=replace(task.order.request, image=None, mask=None)),
        )
        await self._write_down(ended)
        self._forget(task)
        self._finished[task.task_id] = ended
        self._bytes += ended.size
        self._shrink(keep=task.task_id)

    async def _write_down(self, ended: Task) -> None:
        """Write the end of a task down before it is told: one that is told stays true after a restart."""
        pause = _FIRST_PAUSE
        while self._ledger is not None:
            try:
                await self._ledger.finish(ended)
            except SurroundingsError as error:
                log.error("the end of task %s waits for the disk: %s", ended.task_id, error.message)  # noqa: TRY400 - as above
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
            else:
                return

    async def sweep(self) -> None:
        """Let the results go whose time is over, with their files; where the disk refuses, the next time."""
        for task in list(self._finished.values()):
            if not self._expired(task):
                break
            self._drop(task)
        gone = list(self._dropped)
        if not gone:
            return
        if self._ledger is not None:
            try:
                await self._ledger.drop(gone)
            except SurroundingsError as error:
                log.error("old tasks are still on disk: %s", error.message)  # noqa: TRY400 - as above
                return
        # The files last: one that no task knows goes at the next start, a task without its file would stay.
        del self._dropped[: len(gone)]
        for task_id in gone:
            await self._shelf.drop(task_id)

    def _expired(self, task: Task) -> bool:
        return task.finished_at is not None and task.finished_at <= self.clock() - self._limits.result_ttl

    def _shrink(self, keep: str) -> None:
        while self._too_much():
            others = (task for task in self._finished.values() if task.task_id != keep)
            oldest = next(others, None)
            if oldest is None:
                return
            fetched = oldest if oldest.delivered else next((task for task in others if task.delivered), None)
            self._drop(fetched or oldest)

    def _too_much(self) -> bool:
        too_many = len(self._finished) > self._limits.max_finished
        return too_many or self._bytes > self._limits.max_finished_bytes

    def _drop(self, task: Task) -> None:
        del self._finished[task.task_id]
        self._bytes -= task.size
        self._dropped.append(task.task_id)

    def counts(self) -> dict[str, int]:
        """Count the tasks that wait or run, and those that are finished and still kept."""
        return {"open": len(self._open), "finished": len(self._finished)}

    @property
    def kept_bytes(self) -> int:
        """Bytes of the images that are kept."""
        return self._bytes

    async def close(self) -> None:
        """Let go of the ledger, all written."""
        if self._ledger is not None:
            await self._ledger.close()
