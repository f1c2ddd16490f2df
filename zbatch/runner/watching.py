"""The second stage: tasks in flight are asked for until they end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from zbatch.api.errors import NO_CONNECTION, AccountRefusedError, ApiError, TaskLostError, ThrottledError
from zbatch.api.results import TaskResult, TaskStatus
from zbatch.clock import monotonic
from zbatch.errors import ZbatchError
from zbatch.model import JobState
from zbatch.runner.access import refusal
from zbatch.runner.events import EventName
from zbatch.runner.loss import loss_of
from zbatch.runner.poller import Watch
from zbatch.runner.submitting import Submitter
from zbatch.runner.wiring import Wiring
from zbatch.state.advances import Advance, Succeeded
from zbatch.state.store import OpenTask, Store

_POLLS_AT_ONCE = 64
_REFUSALS = 3
_LONGEST_PAUSE = 60.0
"""Seconds. A task is forgotten by its server in half an hour: no answer may hold back a poll for long."""
_SHORTEST_POLL, _LONGEST_POLL = 20.0, 60.0
"""Seconds that a poll may take, to the last byte: until its task's deadline, within these."""


class Watcher:
    """Polls every task the server knows; hands succeeded ones on with `succeeded`."""

    def __init__(self, wiring: Wiring, succeeded: Callable[[OpenTask, TaskResult], Awaitable[None]]) -> None:
        self._wiring = wiring
        self._succeeded = succeeded
        self._schedule = wiring.schedule
        self._asking: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()
        self._strange: set[str] = set()
        self.submitter: Submitter | None = None
        wiring.halt.when_draining(self._wake.set)

    @property
    def busy(self) -> bool:
        """Tell whether there are tasks that have not ended."""
        return bool(len(self._schedule) or self._asking)

    def add(self, task: OpenTask, *, adopted: bool = False) -> None:
        """Begin to watch a task; `adopted` ones come from an earlier process."""
        accepted_at = monotonic() - (task.age if adopted else 0.0)
        deadline = accepted_at + self._wiring.policy.job_deadline
        self._schedule.add(Watch(task, accepted_at, deadline, adopted=adopted))
        self._wake.set()

    async def run(self, more_to_come: Callable[[], bool]) -> None:
        """Poll until every task has ended and no more can come, or until the run is abandoned."""
        async with asyncio.TaskGroup() as group:
            while not self._wiring.halt.abandoned and (self.busy or more_to_come()):
                self._wake.clear()
                watch = self._schedule.due() if len(self._asking) < _POLLS_AT_ONCE else None
                if watch is None:
                    await self._rest()
                    continue
                task = group.create_task(self._ask(watch))
                self._asking.add(task)
                task.add_done_callback(self._asked)
            for task in set(self._asking):
                task.cancel()

    def wake(self) -> None:
        """Look again: something elsewhere has ended."""
        self._wake.set()

    def _asked(self, task: asyncio.Task[None]) -> None:
        self._asking.discard(task)
        self._wake.set()
        self._wiring.settled.set()

    async def _rest(self) -> None:
        next_at = self._schedule.next_at()
        room = len(self._asking) < _POLLS_AT_ONCE
        delay = max(0.0, next_at - monotonic()) if next_at is not None and room else None
        try:
            async with asyncio.timeout(delay):
                await self._wake.wait()
        except TimeoutError:
            return

    async def _ask(self, watch: Watch) -> None:
        wiring = self._wiring
        watch.polls += 1
        wiring.tally.polls += 1
        try:
            within = min(_LONGEST_POLL, max(_SHORTEST_POLL, watch.deadline - monotonic()))
            result = await wiring.client.result(watch.task.task_id, within=within)
        except TaskLostError as error:
            await self._lost(watch, error)
        except ThrottledError as error:
            wiring.reach.answered()
            pause = wiring.limiter.poll_refused(error.retry_after)
            wiring.tell(EventName.THROTTLED, watch.task.key, error.reason, error.message)
            await self._later(watch, pause, error)
        except AccountRefusedError as error:
            await self._refused(watch, error)
        except ApiError as error:
            await self._trouble(watch, error)
        else:
            watch.troubles = watch.refusals = watch.not_found = 0
            wiring.reach.answered()
            await self._answered(watch, result)

    async def _trouble(self, watch: Watch, error: ApiError) -> None:
        wiring = self._wiring
        watch.troubles += 1
        wiring.tell(EventName.POLL_PROBLEM, watch.task.key, error.reason, error.message)
        if error.reason != NO_CONNECTION:
            wiring.reach.answered()
        elif wiring.unreached(error.message):
            await self._give_up(watch, "unreached", error.message)
            return
        await self._later(watch, min(30.0, 0.25 * 2.0 ** min(watch.troubles, 7)), error)

    async def _answered(self, watch: Watch, result: TaskResult) -> None:
        wiring, task = self._wiring, watch.task
        if result.status == TaskStatus.SUCCEED:
            self._schedule.ended(watch)
            if not task.succeeded:
                if not await self._noted(Succeeded(task.id)):
                    return
                wiring.tell(EventName.SUCCEEDED, task.key)
            wiring.limiter.finished()
            await self._succeeded(task, result)
        elif result.status == TaskStatus.FAILED:
            self._schedule.ended(watch)
            wiring.limiter.finished()
            await self._failed(task, result)
        else:
            self._schedule.running(watch)
            if (
                result.status not in (TaskStatus.QUEUED, TaskStatus.PROCESSING)
                and result.status not in self._strange
            ):
                self._strange.add(result.status)
                wiring.tell(EventName.STRANGE_STATUS, task.key, result.status[:80], "taken as not final yet")
            await self._later(watch, None, None)

    async def _failed(self, task: OpenTask, result: TaskResult) -> None:
        wiring = self._wiring
        message = result.reason or "the server gave no reason"
        if not await self._noted(lambda store: store.set_failed(task.id, "TASK_STATUS_FAILED", message)):
            return
        wiring.tell(EventName.FAILED, task.key, "TASK_STATUS_FAILED", message)
        await self._again_or_count(task, JobState.FAILED)

    async def _lost(self, watch: Watch, error: TaskLostError) -> None:
        wiring, task = self._wiring, watch.task
        wiring.reach.answered()
        watch.not_found += 1
        patience = wiring.policy.patience
        young = not task.succeeded and monotonic() - watch.accepted_at < patience.lost_after
        if young or watch.not_found < patience.lost_answers:
            # A task can be unknown for a moment after its submit, or to one machine of many; only what stays
            # unknown is lost.
            wiring.tell(EventName.POLL_PROBLEM, task.key, error.reason, error.message)
            await self._later(watch, 0.5 * watch.not_found if not young else None, error)
            return
        wiring.limiter.finished()
        reason, message = loss_of(error, succeeded=task.succeeded)
        if not await self._noted(lambda store: store.set_unknown(task.id, reason, message)):
            return
        wiring.tell(EventName.UNKNOWN, task.key, reason, message)
        if wiring.policy.resubmit_unknown and not task.succeeded:
            await self._again_or_count(task, JobState.UNKNOWN)
        else:
            wiring.tally.failed += 1

    async def _again_or_count(self, task: OpenTask, state: JobState) -> None:
        if self.submitter is None or not await self.submitter.try_again(task.id, state):
            self._wiring.tally.failed += 1

    async def _refused(self, watch: Watch, error: AccountRefusedError) -> None:
        """The account may not even ask: stop submitting, try a few times more, then leave the task known."""
        watch.refusals += 1
        self._wiring.reach.answered()
        safe = "the tasks in flight are recorded and will be asked again"
        self._wiring.halt.drain("account", refusal(error, safe))
        if watch.refusals <= _REFUSALS:
            await self._later(watch, 1.0, error)
        else:
            await self._give_up(watch, error.reason, error.message)

    async def _later(self, watch: Watch, delay: float | None, error: ApiError | None) -> None:
        now = monotonic()
        if watch.overdue(now, answered=error is None):
            words = f"not finished after {self._wiring.policy.job_deadline:.0f} s"
            reason, message = "job_deadline", f"{words} ({error.message})" if error else words
            if watch.task.succeeded and isinstance(error, TaskLostError):
                reason, message = loss_of(error, succeeded=True)
            await self._give_up(watch, reason, message)
            return
        if delay is not None:
            pause = self._wiring.limiter.paused_until - now
            delay = min(max(delay, pause), _LONGEST_PAUSE)
            if now < watch.deadline:
                # Once more at the deadline itself, then never.
                delay = min(delay, max(0.05, watch.deadline - now))
        self._schedule.again(watch, after=delay)

    async def _give_up(self, watch: Watch, reason: str, message: str) -> None:
        wiring, task = self._wiring, watch.task
        wiring.limiter.finished()
        await self._noted(lambda store: store.note(task.id, reason, message))
        wiring.tally.failed += 1
        wiring.tell(EventName.GIVEN_UP, task.key, reason, message)

    async def _noted(self, step: Callable[[Store], object] | Advance) -> bool:
        """Write a step down; where the disk does not take it, stop: the server will say the same again."""
        try:
            await self._wiring.writer.commit(step)
        except ZbatchError as error:
            self._wiring.halt.abandon(error)
            return False
        return True
