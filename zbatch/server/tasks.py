"""The tasks of a server: a bounded queue in front of worker threads, and the results kept for a while."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from zbatch.api.contract import TaskStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from zbatch.server.engines import Engine, ImageRequest
    from zbatch.server.fetch import Fetcher

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Limits:
    """What a server holds at most.

    Results are kept `result_ttl` seconds, and within `max_finished` tasks and `max_finished_bytes` of images.
    `max_waiting` tasks, and input images of `max_waiting_bytes`, may wait; more is answered 429.
    """

    result_ttl: float = 3600
    max_waiting: int = 4096
    max_waiting_bytes: int = 512 * 2**20
    max_finished: int = 20_000
    max_finished_bytes: int = 512 * 2**20


class QueueFullError(Exception):
    """The queue takes no more; the caller may come back in `retry_after` seconds."""

    def __init__(self, retry_after: int) -> None:
        super().__init__("the queue is full")
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class Order:
    """What a submit asked for: the engine's request, and the inputs that are still to be fetched."""

    model: str
    request: ImageRequest
    owner: str = ""
    image_url: str | None = None
    mask: str | None = None
    base64: bool = False

    @property
    def weight(self) -> int:
        """Bytes of memory its inputs hold while it waits."""
        return len(self.request.image or b"") + len(self.request.mask or b"")


@dataclass(slots=True)
class Task:
    """One accepted order and what became of it. `finished_at` is in the store's clock."""

    task_id: str
    order: Order
    status: TaskStatus = TaskStatus.QUEUED
    reason: str = ""
    image: bytes | None = None
    finished_at: float | None = None
    delivered: bool = False


class TaskStore:
    """Tasks in memory, the finished ones bounded by age, by number and by the bytes of their images.

    Where there are too many, those whose image has been fetched go first, oldest first. A task that is gone
    answers as one that was never there.
    """

    def __init__(self, limits: Limits, clock: Callable[[], float]) -> None:
        self.clock = clock
        self._limits = limits
        self._open: dict[str, Task] = {}
        self._finished: OrderedDict[str, Task] = OrderedDict()
        self._bytes = 0

    def add(self, task: Task) -> None:
        """Take in a new task."""
        self._open[task.task_id] = task

    def get(self, task_id: str) -> Task | None:
        """Find a task, or `None` where it is unknown or gone."""
        self._expire()
        return self._open.get(task_id) or self._finished.get(task_id)

    def finish(self, task: Task, *, image: bytes | None = None, reason: str = "") -> None:
        """Give a task its final status: succeeded with an image, failed with a reason."""
        task.status = TaskStatus.FAILED if image is None else TaskStatus.SUCCEED
        task.reason, task.image, task.finished_at = reason, image, self.clock()
        task.order = replace(task.order, request=replace(task.order.request, image=None, mask=None))
        self._open.pop(task.task_id, None)
        self._finished[task.task_id] = task
        self._bytes += len(image or b"")
        self._expire()
        self._shrink(keep=task.task_id)

    def _expire(self) -> None:
        limit = self.clock() - self._limits.result_ttl
        while self._finished:
            task = next(iter(self._finished.values()))
            if task.finished_at is None or task.finished_at > limit:
                return
            self._drop(task)

    def _shrink(self, keep: str) -> None:
        while self._too_much():
            candidates = (task for task in self._finished.values() if task.task_id != keep)
            victim = next((task for task in candidates if task.delivered), None) or self._oldest(keep)
            if victim is None:
                return
            self._drop(victim)

    def _oldest(self, keep: str) -> Task | None:
        return next((task for task in self._finished.values() if task.task_id != keep), None)

    def _too_much(self) -> bool:
        too_many = len(self._finished) > self._limits.max_finished
        return too_many or self._bytes > self._limits.max_finished_bytes

    def _drop(self, task: Task) -> None:
        del self._finished[task.task_id]
        self._bytes -= len(task.image or b"")

    def counts(self) -> Iterator[tuple[str, int]]:
        """Count the tasks that wait or run, and those that are finished and still kept."""
        yield "open", len(self._open)
        yield "finished", len(self._finished)


class TaskQueue:
    """Takes orders, and works them off in threads while `run` runs."""

    def __init__(
        self, engine: Engine, store: TaskStore, fetcher: Fetcher, limits: Limits, workers: int
    ) -> None:
        self._engine = engine
        self.store = store
        self.fetcher = fetcher
        self._limits = limits
        self._workers = workers
        self._waiting: asyncio.Queue[Task] = asyncio.Queue()
        self._waiting_bytes = 0

    def submit(self, order: Order) -> Task:
        """Take an order and give its task.

        Raises:
            QueueFullError: where as many orders, or as many bytes of inputs, wait as may.
        """
        too_many = self._waiting.qsize() >= self._limits.max_waiting
        too_heavy = (
            self._waiting_bytes > 0 and self._waiting_bytes + order.weight > self._limits.max_waiting_bytes
        )
        if too_many or too_heavy:
            raise QueueFullError(retry_after=1)
        task = Task(str(uuid.uuid4()), order)
        self.store.add(task)
        self._waiting_bytes += order.weight
        self._waiting.put_nowait(task)
        return task

    async def run(self) -> None:
        """Work until cancelled. What an engine is in the middle of is let finish, its result is dropped."""
        pool = ThreadPoolExecutor(self._workers, thread_name_prefix="zbatch-engine")
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(self._workers):
                    group.create_task(self._work(pool))
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    async def _work(self, pool: ThreadPoolExecutor) -> None:
        while True:
            task = await self._waiting.get()
            self._waiting_bytes -= task.order.weight
            task.status = TaskStatus.PROCESSING
            try:
                request = await self._with_inputs(task.order)
                image = await asyncio.get_running_loop().run_in_executor(pool, self._engine.generate, request)
            except Exception as error:  # noqa: BLE001 - whatever an engine raises fails this task, no more
                log.warning("task %s failed: %r", task.task_id, error)
                self.store.finish(task, reason=str(error) or type(error).__name__)
            else:
                self.store.finish(task, image=image)

    async def _with_inputs(self, order: Order) -> ImageRequest:
        request = order.request
        if order.image_url is not None:
            request = replace(request, image=await self.fetcher.fetch("image_url", order.image_url))
        if order.mask is not None:
            request = replace(request, mask=await self.fetcher.fetch("mask", order.mask))
        return request
