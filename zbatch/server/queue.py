"""The queue: takes orders while it may, fetches their inputs, works them off fairly, and ends in order."""

from __future__ import annotations

import asyncio
import logging
import random
import time
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Final

from zbatch.api.results import TaskStatus
from zbatch.server.engines import Engine, ImageRequest, SteppedEngine
from zbatch.server.fair import FairQueue
from zbatch.server.fetch import Fetcher
from zbatch.server.metrics import Metrics
from zbatch.server.quotas import Quota, Quotas
from zbatch.server.rehearsal import Rehearsal
from zbatch.server.store import TaskStore
from zbatch.server.tasks import BusyError, Limits, Order, Task

log = logging.getLogger(__name__)

_FETCHES: Final = 16
_SWEEP_EVERY: Final = 5.0
REHEARSED: Final = "rehearsed failure (--fail)"
"""Reason of a task that fails because the server was told to let some fail."""
_BUGS: Final = (ArithmeticError, AssertionError, AttributeError, LookupError, NameError, TypeError)
_MOST_WORDS: Final = 1000


class TaskQueue:
    """Takes orders, and works them off in threads while `run` runs."""

    def __init__(
        self,
        engine: Engine,
        store: TaskStore,
        fetcher: Fetcher,
        limits: Limits,
        metrics: Metrics,
        *,
        workers: int,
        quota: Quota | None = None,
        rehearsal: Rehearsal | None = None,
    ) -> None:
        self._engine = engine
        self._stepped = engine if isinstance(engine, SteppedEngine) else None
        self.store = store
        self.fetcher = fetcher
        self._limits = limits
        self._metrics = metrics
        self._workers = workers
        self._quotas = Quotas(quota or Quota(), time.monotonic)
        self._rehearsal = rehearsal or Rehearsal()
        self._chance = random.Random()  # noqa: S311 - a rehearsal's dice
        self._line = FairQueue()
        self._fetching = 0
        self._taking, self._taking_bytes = 0, 0  # being written down
        self._held = 0  # made, and not due yet by the rehearsed latency
        self._fetches = asyncio.Semaphore(_FETCHES)
        self._closing = asyncio.Event()
        self._group: asyncio.TaskGroup | None = None
        self._idle: set[asyncio.Task[None]] = set()
        metrics.watch(
            waiting=lambda: self.waiting,
            open_tasks=lambda: store.counts()["open"],
            kept=lambda: store.counts()["finished"],
            kept_bytes=lambda: store.kept_bytes,
        )

    @property
    def waiting(self) -> int:
        """Count the tasks that no engine works on yet."""
        return len(self._line) + self._fetching

    @property
    def taking(self) -> bool:
        """Tell whether orders are taken and worked off."""
        return self._group is not None and not self._closing.is_set()

    async def submit(self, order: Order) -> Task:
        """Take an order and give its task, which is safe when this returns.

        Raises:
            BusyError: as many orders, or as many bytes of inputs, wait as may; or the key's quota is spent.
            DiskError: it could not be written down, and is not taken.
        """
        self._check_room(order)
        self._quotas.spend(order.owner, self.store.open_of(order.owner))
        task = Task(str(uuid.uuid4()), order, self.store.clock())
        self._taking, self._taking_bytes = self._taking + 1, self._taking_bytes + order.weight
        try:
            await self.store.add(task)
        finally:
            self._taking, self._taking_bytes = self._taking - 1, self._taking_bytes - order.weight
        await self._admit(task)
        return task

    def _check_room(self, order: Order) -> None:
        weight = self._line.weight + self._taking_bytes
        too_heavy = weight > 0 and weight + order.weight > self._limits.max_waiting_bytes
        # What a rehearsed latency holds back waits as well, as it would in a server that takes so long.
        if self.waiting + self._taking + self._held >= self._limits.max_waiting or too_heavy:
            raise BusyError("the queue is full", retry_after=1)

    async def _admit(self, task: Task) -> None:
        prepared = self._stepped is not None and bool(task.order.request.loras)
        if (task.order.to_fetch or prepared) and self._group is not None:
            self._fetching += 1
            self._group.create_task(self._fetch(task))
        else:
            await self._line.put(task)

    async def _fetch(self, task: Task) -> None:
        """Fetch the inputs of a task, then let it wait with the others: no engine waits for a slow host."""
        try:
            async with self._fetches:
                request = await self._with_inputs(task.order)
                if self._stepped is not None:
                    await self._stepped.prepare(request)
        except Exception as error:  # noqa: BLE001 - whatever a host does fails this task, no more
            await self._failed(task, error)
        else:
            task.order = replace(task.order, request=request, image_url=None, mask=None)
            await self._line.put(task)
        finally:
            self._fetching -= 1

    async def _with_inputs(self, order: Order) -> ImageRequest:
        request = order.request
        if order.image_url is not None:
            request = replace(request, image=await self.fetcher.fetch("image_url", order.image_url))
        if order.mask is not None:
            request = replace(request, mask=await self.fetcher.fetch("mask", order.mask))
        return request

    async def run(self) -> None:
        """Work until `close`, which lets what is under way be finished, or until cancelled."""
        pool = ThreadPoolExecutor(self._workers, thread_name_prefix="zbatch-engine")
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                for task in self.store.unfinished():
                    await self._admit(task)
                for _ in range(self._workers):
                    group.create_task(self._work(pool))
                group.create_task(self._sweep())
        finally:
            self._group = None
            pool.shutdown(wait=False, cancel_futures=True)

    def close(self) -> None:
        """Begin no more: `run` ends when what is under way is finished; the rest is for after a restart."""
        self._closing.set()
        for worker in self._idle:
            worker.cancel()

    async def _work(self, pool: ThreadPoolExecutor) -> None:
        me = asyncio.current_task()
        while me is not None and not self._closing.is_set():
            self._idle.add(me)
            try:
                task = await self._line.take()
            except asyncio.CancelledError:
                if self._closing.is_set():
                    return
                raise
            finally:
                self._idle.discard(me)
            await self._make(task, pool)

    async def _make(self, task: Task, pool: ThreadPoolExecutor) -> None:
        tasks = [task]
        if self._stepped is not None and self._stepped.max_batch > 1:
            key = self._stepped.batch_key
            tasks += await self._line.take_alike(
                task, self._stepped.max_batch - 1, lambda one: key(one.order.request)
            )
        dues = [self._due(one) for one in tasks]
        failing = [self._rehearsal.fail > 0 and self._chance.random() < self._rehearsal.fail for _ in tasks]
        made = [(one, due) for one, due, fails in zip(tasks, dues, failing, strict=True) if not fails]
        for one, due, fails in zip(tasks, dues, failing, strict=True):
            one.status = TaskStatus.PROCESSING
            if fails:
                await self._end(one, due, reason=REHEARSED)
        if made:
            began = time.monotonic()
            results = await self._generated([one for one, _ in made], pool)
            for _ in made:
                self._metrics.engine_seconds.observe((time.monotonic() - began) / len(made))
            for (one, due), result in zip(made, results, strict=True):
                if isinstance(result, Exception):
                    await self._failed(one, result)
                else:
                    await self._end(one, due, image=result)

    def _due(self, task: Task) -> float:
        latency = self._rehearsal.latency
        return task.accepted_at + (0.0 if latency is None else latency.draw(self._chance))

    async def _generated(
        self, tasks: Sequence[Task], pool: ThreadPoolExecutor
    ) -> Sequence[bytes | Exception]:
        """Have the engine make images; whatever it raises fails these tasks, no more."""
        loop, requests = asyncio.get_running_loop(), [task.order.request for task in tasks]
        watches = [task.watch for task in tasks]
        try:
            if self._stepped is None:
                return [await loop.run_in_executor(pool, self._engine.generate, requests[0])]
            return await loop.run_in_executor(pool, self._stepped.generate_many, requests, watches)
        except Exception as error:  # noqa: BLE001 - as the docstring says
            return [error] * len(tasks)
        except asyncio.CancelledError:
            for watch in watches:
                watch.given_up = True
            raise

    async def _end(self, task: Task, due: float, *, image: bytes | None = None, reason: str = "") -> None:
        """Give a task its end when that is due: a rehearsed wait takes no worker."""
        wait = due - self.store.clock()
        if wait > 0 and self._group is not None:
            self._group.create_task(self._end_later(task, wait, image, reason))
        else:
            await self._finish(task, image=image, reason=reason)

    async def _end_later(self, task: Task, wait: float, image: bytes | None, reason: str) -> None:
        self._held += 1
        try:
            # On the way out it is left open: made again after a restart.
            if await self._closing_within(wait):
                return
        finally:
            self._held -= 1
        await self._finish(task, image=image, reason=reason)

    async def _failed(self, task: Task, error: Exception) -> None:
        bug = isinstance(error, _BUGS)
        log.warning("task %s failed: %r", task.task_id, error, exc_info=error if bug else None)
        await self._finish(task, reason=_told(error))

    async def _finish(self, task: Task, *, image: bytes | None = None, reason: str = "") -> None:
        await self.store.finish(task, image=image, reason=reason)
        self._metrics.tasks.labels("failed" if image is None else "succeeded").inc()

    async def _sweep(self) -> None:
        while not self._closing.is_set():
            await self.store.sweep()
            await self._closing_within(_SWEEP_EVERY)

    async def _closing_within(self, seconds: float) -> bool:
        """Wait so long, or until the server is on its way out; tell whether it is."""
        closing = asyncio.ensure_future(self._closing.wait())
        try:
            await asyncio.wait([closing], timeout=seconds)
        finally:
            closing.cancel()
        return self._closing.is_set()


def _told(error: Exception) -> str:
    """Put into words for the caller why a task failed; what is only about this machine is left to its log."""
    if isinstance(error, _BUGS):
        return f"the server made a mistake ({type(error).__name__}); its log says which"
    if isinstance(error, OSError) and error.errno is not None:
        return f"the server could not do it: {error.strerror or type(error).__name__}"  # without the path
    return str(error)[:_MOST_WORDS] or type(error).__name__
