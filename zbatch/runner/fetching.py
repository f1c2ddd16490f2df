"""The third stage: pictures of succeeded tasks are fetched whole and saved; only then is a job done."""

from __future__ import annotations

import asyncio

from zbatch.api.errors import TOO_LARGE, ApiError, BadAnswerError, GoneError, TaskLostError, ThrottledError
from zbatch.api.pictures import MAX_IMAGE
from zbatch.api.results import ResultImage, TaskResult, TaskStatus
from zbatch.clock import monotonic
from zbatch.errors import SurroundingsError, ZbatchError
from zbatch.model import Artifact
from zbatch.runner.events import EventName
from zbatch.runner.loss import loss_of
from zbatch.runner.room import Room
from zbatch.runner.wiring import Wiring
from zbatch.state.advances import Done
from zbatch.state.artifacts import Asked, BadImageError
from zbatch.state.retries import NOT_SAVED
from zbatch.state.store import OpenTask

_QUEUE = 64
_ROOM = 512 * 1024 * 1024
"""Bytes of the pictures on their way, from the first byte until they are saved."""
_SLACK = 64 * 1024
"""Bytes that a file may have on top of its pixels: its head, a profile, words."""
_LONGEST_PAUSE = 60.0
"""Seconds a host of pictures may ask for: the link does not live for ever."""
_LONG_PUT = 15.0
"""Seconds after which it is said that an object store takes long."""
_SHORTEST_FETCH = 60.0
"""Seconds that a picture may take, to the last byte, however soon its job's deadline is."""


class Fetcher:
    """Downloads and saves with a bounded queue and a fixed number of workers."""

    def __init__(self, wiring: Wiring, workers: int) -> None:
        self._wiring = wiring
        self._workers = workers
        self._queue: asyncio.Queue[tuple[OpenTask, TaskResult]] = asyncio.Queue(_QUEUE)
        self._room = Room(_ROOM)
        self._open = 0
        self._told_of_store = False

    @property
    def busy(self) -> bool:
        """Tell whether pictures are still to be saved."""
        return self._open > 0

    async def put(self, task: OpenTask, result: TaskResult) -> None:
        """Take a succeeded task; waits while the queue is full."""
        self._open += 1
        try:
            await self._queue.put((task, result))
        except asyncio.CancelledError:
            self._open -= 1
            raise

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as group:
            for _ in range(self._workers):
                group.create_task(self._work())

    async def _work(self) -> None:
        while True:
            task, result = await self._queue.get()
            try:
                if not self._wiring.halt.abandoned:
                    await self._fetch(task, result)
            except ZbatchError as error:
                self._wiring.halt.abandon(error)
            finally:
                self._open -= 1
                self._wiring.settled.set()

    async def _fetch(self, task: OpenTask, result: TaskResult) -> None:
        wiring = self._wiring
        reason, message = "no_image", "the task succeeded without an image"
        patience = wiring.policy.patience
        deadline = monotonic() + wiring.policy.job_deadline
        asked_to_wait = 0.0
        for number in range(patience.picture_tries):
            if number:
                await asyncio.sleep(
                    max(asked_to_wait, min(8.0, patience.picture_pause * 2.0 ** (number - 1)))
                )
                if wiring.halt.abandoned or monotonic() > deadline:
                    break
                # Whether asking again gives a fresh URL is not documented; it costs nothing.
                fresh = await self._ask_again(task)
                if isinstance(fresh, TaskLostError):
                    await self._out_of_reach(task, fresh)
                    return
                result = fresh or result
            if not result.images:
                continue
            try:
                await self._bring(task, result.images[0], max(_SHORTEST_FETCH, deadline - monotonic()))
            except (ApiError, BadImageError) as error:
                reason = error.reason if isinstance(error, ApiError) else "bad_image"
                message = error.message if isinstance(error, ApiError) else str(error)
                said = error.retry_after if isinstance(error, ThrottledError) else None
                asked_to_wait = min(_LONGEST_PAUSE, said or 0.0)
                if isinstance(error, GoneError):
                    message = f"the image URL is gone: {message}"
                wiring.tell(EventName.PICTURE_PROBLEM, task.key, reason, message)
            else:
                return
        await wiring.writer.commit(lambda store: store.note(task.id, reason, message))
        wiring.tally.failed += 1
        wiring.tell(EventName.GIVEN_UP, task.key, reason, f"{message}; the next run asks again")

    async def _ask_again(self, task: OpenTask) -> TaskResult | TaskLostError | None:
        try:
            result = await self._wiring.client.result(task.task_id, within=_SHORTEST_FETCH)
        except TaskLostError as error:
            return error
        except ApiError:
            return None
        return result if result.status == TaskStatus.SUCCEED else None

    async def _out_of_reach(self, task: OpenTask, error: TaskLostError) -> None:
        """The task succeeded and is gone: never submitted again by itself, so a person has to say so."""
        reason, message = loss_of(error, succeeded=True)
        await self._wiring.writer.commit(lambda store: store.set_unknown(task.id, reason, message))
        self._wiring.tally.failed += 1
        self._wiring.tell(EventName.UNKNOWN, task.key, reason, message)

    async def _bring(self, task: OpenTask, image: ResultImage, within: float) -> None:
        """Download a picture, `within` seconds, and save it.

        There is room for as much as its pixels are when nothing is packed.
        What proves larger is asked for once more, with room for the largest there may be.
        """
        width, height = task.request.pixels
        for size in (min(MAX_IMAGE, 4 * width * height + _SLACK), MAX_IMAGE):
            await self._room.take(size)
            try:
                data = await self._wiring.client.download(image.image_url, max_bytes=size, within=within)
                await self._save(task, data, image)
            except BadAnswerError as error:
                if error.reason != TOO_LARGE or size == MAX_IMAGE:
                    raise
            else:
                return
            finally:
                self._room.give(size)

    async def _kept(self, asked: Asked, data: bytes) -> Artifact:
        """Have a picture saved; where that takes long because a store does, say so once."""
        wiring = self._wiring
        if wiring.location is None:
            return await wiring.savers.save(asked, data)
        telling = asyncio.get_running_loop().call_later(_LONG_PUT, self._tell_of_store)
        try:
            artifact = await wiring.savers.save(asked, data)
        finally:
            telling.cancel()
        self._told_of_store = False
        return artifact

    def _tell_of_store(self) -> None:
        if not self._told_of_store:
            self._told_of_store = True
            minutes = self._wiring.policy.patience.unstored / 60
            self._wiring.tell(
                EventName.NOTICE,
                None,
                "store",
                f"{self._wiring.location} takes long over pictures, or fails; each is tried again for up to "
                f"{minutes:.0f} minutes",
            )

    async def _save(self, task: OpenTask, data: bytes, image: ResultImage) -> None:
        wiring = self._wiring
        width, height = task.request.pixels
        asked = Asked(task.key, task.file, task.request.output_format, width, height)
        try:
            artifact = await self._kept(asked, data)
        except SurroundingsError as error:
            message = f"its picture could not be saved: {error.message}"
            await wiring.writer.commit(lambda store: store.note(task.id, NOT_SAVED, message))
            raise
        await wiring.writer.commit(Done(task.id, artifact, image.nsfw))
        wiring.tally.done += 1
        wiring.tally.made_now += 1
        wiring.tell(EventName.DONE, task.key, message="; ".join(artifact.warnings))
