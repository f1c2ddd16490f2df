"""The first stage: pending jobs become tasks, each intent on disk before a byte leaves."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from zbatch.api.errors import (
    NO_CONNECTION,
    AccountRefusedError,
    NotAcceptedError,
    OutcomeUnknownError,
    RejectedError,
    ThrottledError,
    WrongAddressError,
)
from zbatch.errors import DiskError, EndpointError, StorageError, SurroundingsError, ZbatchError
from zbatch.manifest.inputs import InputChangedError, data_uri
from zbatch.model import InputImage, JobState, Request
from zbatch.runner.access import refusal
from zbatch.runner.events import EventName
from zbatch.runner.limiter import Slot
from zbatch.runner.order import Ending
from zbatch.runner.wiring import Wiring
from zbatch.state.advances import Advance, Submitted, Submitting
from zbatch.state.store import OpenTask, PendingJob, Store
from zbatch.storage import MAX_URL

_PAGE = 500
_WRITE_TRIES = 8


class Submitter:
    """Feeds pending jobs to the endpoint as fast as the limiter allows.

    `accepted` is called with every task the server took.
    """

    def __init__(self, wiring: Wiring, accepted: Callable[[OpenTask], None]) -> None:
        self._wiring = wiring
        self._accepted = accepted
        self._again: deque[PendingJob] = deque()
        self._page: deque[PendingJob] = deque()
        self._last_position = -1
        self._exhausted = False
        self._under_way = 0
        self._put_back: set[int] = set()

    @property
    def busy(self) -> bool:
        """Tell whether submits are under way whose outcome is not written yet."""
        return self._under_way > 0

    def put_back(self, job: PendingJob) -> None:
        """Take a job that is pending again."""
        if job.position > self._last_position:
            # The pages still to come would bring it once more.
            self._put_back.add(job.id)
        self._again.append(job)
        self._wiring.tally.pending += 1
        self._wiring.settled.set()

    async def run(self, others_busy: Callable[[], bool]) -> None:
        """Submit until nothing is pending and nothing in flight can become pending again, or draining.

        Submits under way are always finished: their outcome is written down before this returns.
        """
        wiring = self._wiring
        async with asyncio.TaskGroup() as group:
            while not wiring.halt.draining:
                wiring.settled.clear()
                job = await self._next()
                if job is None:
                    if not self._under_way and not others_busy():
                        return
                    await wiring.settled.wait()
                    continue
                if not self._affordable():
                    if not self._under_way:
                        wiring.halt.drain(Ending.MAX_COST)
                        return
                    # One of those under way may prove never accepted, and leave its money to this one.
                    self._again.appendleft(job)
                    await wiring.settled.wait()
                    continue
                slot = await wiring.limiter.take()
                if slot is None:
                    return
                wiring.tally.attempts += 1
                wiring.tally.pending -= 1
                self._under_way += 1
                group.create_task(self._submit(job, slot))

    async def _next(self) -> PendingJob | None:
        if self._again:
            return self._again.popleft()
        while not self._page and not self._exhausted:
            await self._turn_page()
        return self._page.popleft() if self._page else None

    async def _turn_page(self) -> None:
        after = self._last_position
        page = await self._wiring.writer.commit(lambda store: store.next_pending(after, _PAGE))
        if error := await asyncio.to_thread(self._closed, page):
            # Better said before these are paid for. What is in flight still comes.
            self._wiring.halt.drain("disk", error)
            self._exhausted = True
            return
        self._page.extend(job for job in page if job.id not in self._put_back)
        if page:
            self._last_position = page[-1].position
        else:
            self._exhausted = True

    def _closed(self, page: Sequence[PendingJob]) -> DiskError | None:
        directory = self._wiring.directory
        if (location := self._wiring.location) is not None:
            longest = max((job.file for job in page), key=lambda file: len(file.encode()), default="")
            if len(location.url(longest).encode()) <= MAX_URL:
                return None
            return StorageError(
                f"the name {location.url(longest)} is longer than object stores take",
                hint="what it is for was not submitted; shorten output.file and run again",
            )
        folders = {str((directory.path / job.file).parent) for job in page}
        return next(
            (
                error
                for folder in sorted(folders)
                if (
                    error := directory.closed(
                        folder, "what it is for was not submitted; mend that and run again"
                    )
                )
            ),
            None,
        )

    def _affordable(self) -> bool:
        policy = self._wiring.policy
        cost = self._wiring.tally.cost_with(1)
        return policy.max_cost is None or cost is None or cost <= policy.max_cost

    async def _submit(self, job: PendingJob, slot: Slot) -> None:
        try:
            await self._attempt(job, slot)
        finally:
            self._under_way -= 1
            self._wiring.settled.set()

    async def _attempt(self, job: PendingJob, slot: Slot) -> None:
        wiring = self._wiring
        try:
            await wiring.writer.commit(Submitting(job.id))
        except ZbatchError as error:
            self._release(refund=True)
            wiring.halt.abandon(error)
            return
        wiring.tell(EventName.SUBMITTING, job.key)
        try:
            body = _sendable(job.request, self._wiring)
            task_id = await wiring.client.submit(body)
        except InputChangedError as error:
            await self._back(job, "input_changed", error.message, again=False)
        except ThrottledError as error:
            wiring.reach.answered()
            pause = wiring.limiter.refused(slot, error.retry_after)
            wiring.tell(
                EventName.THROTTLED, job.key, error.reason, f"{error.message} (pause of {pause:.1f} s)"
            )
            await self._back(job, error.reason, error.message)
        except NotAcceptedError as error:
            self._not_accepted(error)
            await self._back(job, error.reason, error.message)
        except AccountRefusedError as error:
            wiring.halt.drain("account", refusal(error, "nothing was lost, nothing is paid twice"))
            await self._back(job, error.reason, error.message, again=False)
        except WrongAddressError as error:
            hint = "is the base URL right? The path /v3/async/... is added to it"
            wiring.halt.drain("endpoint", EndpointError(f"no such API there: {error.message}", hint=hint))
            await self._back(job, error.reason, error.message, again=False)
        except RejectedError as error:
            await self._rejected(job, error)
        except OutcomeUnknownError as error:
            await self._unknown(job, error)
        else:
            wiring.reach.answered()
            wiring.limiter.accepted(slot)
            await self._write(Submitted(job.id, task_id), task_id=task_id)
            wiring.tell(EventName.SUBMITTED, job.key, message=task_id)
            self._accepted(OpenTask(job.id, job.key, task_id, job.request, job.file, succeeded=False))

    def _release(self, *, refund: bool) -> None:
        self._wiring.limiter.give()
        if refund:
            self._wiring.tally.attempts -= 1

    def _not_accepted(self, error: NotAcceptedError) -> None:
        wiring = self._wiring
        pause = wiring.limiter.trouble(error.retry_after)
        wiring.tell(EventName.NOTICE, None, error.reason, f"{error.message} (next try in {pause:.1f} s)")
        if error.reason == NO_CONNECTION:
            wiring.unreached(error.message)
        else:
            wiring.reach.answered()

    async def _back(self, job: PendingJob, reason: str, message: str, *, again: bool = True) -> None:
        """Take the intent back on disk before anything waits."""
        await self._write(lambda store: store.set_back(job.id, reason, message))
        self._release(refund=True)
        self._wiring.tell(EventName.BACK, job.key, reason, message)
        if again:
            self.put_back(job)

    async def _rejected(self, job: PendingJob, error: RejectedError) -> None:
        wiring = self._wiring
        wiring.reach.answered()
        await self._write(lambda store: store.set_rejected(job.id, error.reason, error.message))
        self._release(refund=True)
        wiring.tally.failed += 1
        wiring.tell(EventName.REJECTED, job.key, error.reason, error.message)

    async def _unknown(self, job: PendingJob, error: OutcomeUnknownError) -> None:
        wiring = self._wiring
        await self._write(lambda store: store.set_unknown(job.id, error.reason, error.message))
        wiring.limiter.give()
        wiring.tell(EventName.UNKNOWN, job.key, error.reason, error.message)
        if wiring.policy.resubmit_unknown and await self.try_again(job.id, JobState.UNKNOWN):
            return
        wiring.tally.failed += 1

    async def try_again(self, job_id: int, state: JobState) -> bool:
        """Put a failed or unknown job back where it has attempts left; tell whether it had."""
        policy = self._wiring.policy
        attempts = policy.unknown_attempts if state is JobState.UNKNOWN else policy.attempts

        def step(store: Store) -> list[PendingJob]:
            # As it is now: a grid that was taken over meanwhile may have given it another file and place.
            return store.pending_among([job_id]) if store.try_again(job_id, attempts, state) else []

        again = await self._write(step)
        for pending in again or ():
            self.put_back(pending)
        return bool(again)

    async def _write(self, step: Callable[[Store], Any] | Advance, *, task_id: str = "") -> Any:
        """Write what the server answered; it cannot be asked again, so a sick disk is tried several times."""
        for number in range(_WRITE_TRIES):
            try:
                return await self._wiring.writer.commit(step)
            except SurroundingsError as error:
                self._wiring.halt.abandon(error)
                # A task id that is not written down is a picture that is paid and lost.
                self._wiring.directory.give_reserve()
                if number + 1 < _WRITE_TRIES:
                    await asyncio.sleep(0.25 * 2**number)
                elif task_id:
                    message = (
                        f"the task {task_id} was accepted and could not be written down: {error.message}"
                    )
                    self._wiring.tell(EventName.NOTICE, None, "DISK", message)
        return None


def _sendable(request: Request, wiring: Wiring) -> dict[str, Any]:
    """Give the body as it is sent: local input images become `data:` URIs here and nowhere else."""
    body = request.body()
    for name, image in (("image_url", request.image_url), ("mask", request.mask)):
        if isinstance(image, InputImage):
            body[name] = data_uri(image, wiring.policy.inputs_root)
    return body
