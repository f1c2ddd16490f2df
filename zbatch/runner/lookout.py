"""The look for pictures that were done and are gone, while the run goes on (see `zbatch.state.missing`)."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Callable

import orjson

from zbatch.errors import ZbatchError
from zbatch.runner.events import EventName
from zbatch.runner.wiring import Wiring
from zbatch.state.store import OpenTask, PendingJob, Store

_LINE_LIMIT = 1_000_000


class Lookout:
    """Looks once through the pictures that are done; `found` and `pending` take the jobs of those gone.

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
                await self._ask_again(said)
            elif isinstance(said, dict):
                self._tell(f"{said['unreadable']}; whether all pictures are there is not known")
                whole = True
        await process.wait()
        if not whole and not self._wiring.halt.draining:
            self._tell("the helper process that looks whether all pictures are there ended early")

    async def _ask_again(self, job_ids: list[int]) -> None:
        """Take jobs back and hand them on in one step, so that no page of pending jobs comes in between."""
        free = self._wiring.policy.free

        def step(store: Store) -> tuple[int, list[PendingJob], list[OpenTask]]:
            gone = [job_id for job_id in job_ids if store.ask_again(job_id, free=free)]
            pending = store.pending_among(gone) if free else []
            return len(gone), pending, [] if free else store.open_tasks(gone)

        gone, pending, tasks = await self._wiring.writer.commit(step)
        self._gone += gone
        self._wiring.tally.done -= gone
        for job in pending:
            self._pending(job)
        for task in tasks:
            self._wiring.limiter.adopt(1)
            self._found(task)

    def _tell(self, message: str) -> None:
        self._wiring.tell(EventName.NOTICE, None, "pictures", message)

    def _stop(self) -> None:
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
