"""The stages of a run, wired to each other and run until nothing is left: submit, poll, save, look."""

from __future__ import annotations

import asyncio
import contextlib

from zbatch.api.results import TaskResult
from zbatch.clock import clock_time, monotonic
from zbatch.errors import DiskError, ZbatchError
from zbatch.runner.events import EventName, Progress
from zbatch.runner.fetching import Fetcher
from zbatch.runner.lookout import Lookout
from zbatch.runner.memory import Memory
from zbatch.runner.order import Ending
from zbatch.runner.preparation import InterruptedEarlyError, Preparation
from zbatch.runner.submitting import Submitter
from zbatch.runner.watching import Watcher
from zbatch.runner.wiring import Wiring
from zbatch.state.store import OpenTask

_TICK = 0.5
_DOWNLOADS = 256
_LONG_PAUSE = 30.0
"""Seconds of a pause that is told as it begins."""


class Stages:
    """Runs the stages. A `preparation` that is given commits the grid while known tasks are polled already.

    Until then nothing is submitted, failed tasks are not put back (the preparation does that), and pictures
    wait, a bounded number of them, for the file names that the new grid gives them.
    """

    def __init__(self, wiring: Wiring, preparation: Preparation | None, memory: Memory) -> None:
        self._wiring = wiring
        self._memory = memory
        self._preparation = preparation
        self._ready = asyncio.Event()
        self._submitted = asyncio.Event()
        self._pause_told = 0.0
        self._renamed: dict[int, OpenTask] = {}
        self._fetcher = Fetcher(wiring, workers=_DOWNLOADS)
        self._watcher = Watcher(wiring, self._succeeded)
        self._submitter = Submitter(wiring, self._watcher.add)
        self._lookout = Lookout(wiring, self._gone, self._submitter.put_back)
        self.failure: Exception | None = None
        """What was wrong with the preparation: then nothing was submitted."""

    def adopt(self, tasks: list[OpenTask]) -> None:
        """Take over the tasks that earlier processes left: they are asked for at once."""
        self._wiring.limiter.adopt(len(tasks))
        for task in tasks:
            self._watcher.add(task, adopted=True)

    async def run(self, deadline: float | None) -> None:
        """Run until every task has ended and nothing can be submitted; `deadline` in seconds."""
        wiring = self._wiring
        async with asyncio.TaskGroup() as group:
            background = [
                group.create_task(self._fetcher.run()),
                group.create_task(self._ticks()),
                group.create_task(self._memory.keep_on()),
            ]
            if deadline is not None:
                background.append(group.create_task(self._deadline(deadline)))
            group.create_task(self._submit(group))
            await self._everything_settled()
            while self._may_look_once_more() and await self._lookout.look_once_more():
                self._submitted.clear()
                group.create_task(self._submit_rest())
                await self._everything_settled()
            for task in background:
                task.cancel()
        await self._memory.keep()
        wiring.listener.progress(wiring.snapshot())

    async def _everything_settled(self) -> None:
        await self._watcher.run(self._more_to_come)
        await self._submitted.wait()
        while self._fetcher.busy:
            self._wiring.settled.clear()
            await self._wiring.settled.wait()

    def _may_look_once_more(self) -> bool:
        wiring = self._wiring
        return self.failure is None and not wiring.halt.abandoned and wiring.lock.in_place()

    def _more_to_come(self) -> bool:
        return not self._submitted.is_set() or self._submitter.busy or self._lookout.busy

    def _others_busy(self) -> bool:
        return self._watcher.busy or self._fetcher.busy or self._lookout.busy

    async def _submit(self, group: asyncio.TaskGroup) -> None:
        try:
            if await self._prepared():
                self._ready.set()
                group.create_task(self._look())
                await self._submitter.run(self._others_busy)
            else:
                self._lookout.busy = False
        finally:
            self._ready.set()
            self._submitted.set()
            self._watcher.wake()

    async def _submit_rest(self) -> None:
        """Submit what became pending once more: at the built-in endpoint, what is made again."""
        try:
            await self._submitter.run(self._others_busy)
        finally:
            self._submitted.set()
            self._watcher.wake()

    async def _prepared(self) -> bool:
        """Have the grid committed; tell whether submitting may begin."""
        if self._preparation is None:
            self._watcher.submitter = self._submitter
            return True
        try:
            standing = await self._preparation.take_grid(self._wiring.writer)
            # From here on it is this stage that puts failed tasks back: nothing may come in between.
            self._watcher.submitter = self._submitter
            self._wiring.tally.recount(standing.tally)
            self._renamed = {task.id: task for task in standing.tasks}
            await asyncio.to_thread(self._preparation.finish, self._wiring.directory, standing.words)
        except InterruptedEarlyError:
            # The grid stays what it was, and what ends now is reported over all of it.
            with contextlib.suppress(ZbatchError):
                await self._wiring.writer.commit(lambda store: store.select_all())
            return False
        except ZbatchError as error:
            self.failure = error
            self._wiring.halt.abandon(error)
            return False
        return True

    async def _look(self) -> None:
        try:
            await self._lookout.run()
        finally:
            self._watcher.wake()

    def _gone(self, task: OpenTask) -> None:
        self._watcher.add(task, adopted=True)

    async def _succeeded(self, task: OpenTask, result: TaskResult) -> None:
        await self._ready.wait()
        await self._fetcher.put(self._renamed.get(task.id, task), result)

    async def _ticks(self) -> None:
        while True:
            progress = self._wiring.snapshot()
            self._wiring.listener.progress(progress)
            self._tell_pause(progress)
            self._check_state()
            await asyncio.sleep(_TICK)

    def _tell_pause(self, progress: Progress) -> None:
        """Say once that a long pause begins: the line that says how far a run is stands still in it."""
        pause, now = progress.paused_for, monotonic()
        if pause is None or pause < _LONG_PAUSE or now < self._pause_told:
            return
        self._pause_told = now + pause
        why = "the server asked for it" if progress.pause_asked else "the endpoint gave trouble"
        self._wiring.tell(
            EventName.NOTICE,
            None,
            "paused",
            f"no submits until {clock_time(pause)} ({why}); tasks in flight are finished meanwhile, and "
            "Ctrl-C stops: the same command goes on",
        )

    def _check_state(self) -> None:
        """SQLite writes on into a file that was deleted or moved: nothing is to be paid for on its word."""
        wiring = self._wiring
        if not wiring.halt.abandoned and not wiring.lock.in_place():
            # The session saves what SQLite still holds of it, and says where.
            wiring.halt.abandon(DiskError(f"the state {wiring.directory.state} was taken away"))

    async def _deadline(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        self._wiring.tell(EventName.DRAINING, reason=Ending.RUN_DEADLINE)
        self._wiring.halt.drain(Ending.RUN_DEADLINE)
