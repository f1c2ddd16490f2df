"""The looks for pictures that were done and are gone: as a run goes on, and before it counts as complete."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Callable

import orjson

from zbatch.errors import DiskError, ZbatchError
from zbatch.runner.events import EventName
from zbatch.runner.wiring import Wiring
from zbatch.state.missing import missing_names
from zbatch.state.store import OpenTask, PendingJob, Store

_LINE_LIMIT = 1_000_000


class Lookout:
    """Looks through the pictures that are done; `found` and `pending` take the jobs of those gone.

    Once as the run begins, with their sizes, in a process of its own (see `zbatch.state.missing`), and by
    their names alone when nothing is left to do.

    Asking their tasks again costs nothing. Only at the built-in endpoint, where nothing is left to ask, such
    jobs are pending again.
    """

    def __init__(
        self, wiring: Wiring, found: Callable[[OpenTask], None], pending: Callable[[PendingJob], None]
    ) -> None:
        self._wiring = wiring
        self._found = found
        self._pending = pending
        self._process: Process | None = None
        self._gone = 0
        self._once_more: set[int] = set()
        self.busy = True

    async def run(self) -> None:
        """Look through everything, or until draining begins."""
        halt = self._wiring.halt
        halt.when_draining(self._stop)
        try:
            if self._wiring.tally.done and not halt.draining:
                await self._look()
        except ZbatchError as error:
            halt.abandon(error)
        except OSError as error:
            self._tell(f"cannot look whether all pictures are there: {error.strerror or error}")
        finally:
            self.busy = False
            self._stop()
            self._wiring.settled.set()
        if self._gone:
            self._tell(
                f"{self._gone} pictures that were done are gone or changed; "
                "their tasks are asked for them again"
            )

    async def look_once_more(self) -> bool:
        """Look whether what is done is still there; tells whether there is something to do again.

        A job is handed on at most once, so that this ends. What is gone after that, or while draining, is
        taken back and left to the next run: then this one is not complete.
        """
        wiring, again, left = self._wiring, 0, 0
        if wiring.location is not None:
            return False  # an object store does not lose a folder by a slip; to list it all takes its time
        try:
            pages = await asyncio.to_thread(lambda: list(filter(None, missing_names(wiring.directory))))
            for page in pages:
                first = set() if wiring.halt.draining else set(page) - self._once_more
                self._once_more |= first
                again += await self._ask_again(list(first))
                left += await self._ask_again(
                    [job_id for job_id in page if job_id not in first], hand_on=False
                )
        except DiskError as error:
            self._tell(f"{error.message}; whether all pictures are there is not known")
        except ZbatchError as error:
            wiring.halt.abandon(error)
        if again:
            self._tell(
                f"{again} pictures that were done are gone from images/; their tasks are asked for them again"
            )
        if left:
            self._tell(
                f"{left} pictures that were done are gone from images/: run again, their tasks are asked "
                "for them, nothing is paid"
            )
        return bool(again)

    async def _look(self) -> None:
        self._process = process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",
            "-m",
            "zbatch.state.missing",
            str(self._wiring.directory.path),
            stdin=DEVNULL,
            stdout=PIPE,
            limit=_LINE_LIMIT,
            start_new_session=True,
        )
        if process.stdout is None:
            raise AssertionError("the lookout was started without a pipe")
        if self._wiring.halt.draining:
            self._stop()
        whole = False
        async for line in process.stdout:
            said = orjson.loads(line)
            whole = whole or said == "whole"
            if isinstance(said, list):
                self._gone += await self._ask_again(said)
            elif isinstance(said, dict):
                self._tell(f"{said['unreadable']}; whether all pictures are there is not known")
                whole = True
        await process.wait()
        if not whole and not self._wiring.halt.draining:
            self._tell("the helper process that looks whether all pictures are there ended early")

    async def _ask_again(self, job_ids: list[int], *, hand_on: bool = True) -> int:
        """Take jobs back and hand them on in one step, so that no page of pending jobs comes in between.

        Gives how many were taken back and are asked for, or made, again.
        """
        if not job_ids:
            return 0
        free = self._wiring.policy.free

        def step(store: Store) -> tuple[int, int, list[PendingJob], list[OpenTask]]:
            gone = [job_id for job_id in job_ids if store.ask_again(job_id, free=free)]
            pending = store.pending_among(gone) if hand_on and free else []
            tasks = store.open_tasks(gone) if hand_on and not free else []
            return len(gone), store.held_among(gone), pending, tasks

        gone, held, pending, tasks = await self._wiring.writer.commit(step)
        self._wiring.tally.done -= gone
        self._wiring.tally.failed += held
        if held:
            self._tell(
                f"{held} pictures that were taken over from another run are gone or changed: they are held; "
                "--reuse takes them over again, and --retry unknown has them made"
            )
        for job in pending:
            self._pending(job)
        for task in tasks:
            self._wiring.limiter.adopt(1)
            self._found(task)
        return gone - held

    def _tell(self, message: str) -> None:
        self._wiring.tell(EventName.NOTICE, None, "pictures", message)

    def _stop(self) -> None:
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
