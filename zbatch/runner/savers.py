"""The pool of helper processes that save pictures."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from asyncio.subprocess import PIPE, Process
from types import TracebackType
from typing import Self

from zbatch.errors import SurroundingsError
from zbatch.model import Artifact
from zbatch.state.artifacts import Asked
from zbatch.state.directory import RunDirectory
from zbatch.state.saver import frame, read_answer

_LINE_LIMIT = 1_000_000


class SaverPool:
    """Saves pictures in helper processes, one picture at a time each."""

    def __init__(self, directory: RunDirectory, processes: int | None = None) -> None:
        self._directory = directory
        self._count = processes or max(1, min(4, os.cpu_count() or 1))
        self._processes: list[Process] = []
        self._idle: asyncio.Queue[Process] = asyncio.Queue()

    @property
    def size(self) -> int:
        """How many there are."""
        return self._count

    async def __aenter__(self) -> Self:
        try:
            for _ in range(self._count):
                process = await _start()
                self._processes.append(process)
                self._idle.put_nowait(process)
        except BaseException as error:
            await self._end()
            if isinstance(error, OSError):
                raise SurroundingsError(
                    f"cannot start the helper process that saves pictures: {error.strerror or error}",
                    hint="nothing was submitted by this run",
                ) from error
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._end()

    async def _end(self) -> None:
        for process in self._processes:
            if process.stdin is not None:
                process.stdin.close()
        for process in self._processes:
            try:
                async with asyncio.timeout(10):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()

    async def save(self, asked: Asked, data: bytes) -> Artifact:
        """Save one picture.

        Raises:
            BadImageError: the bytes are no whole picture.
            DiskError: it could not be written.
            SurroundingsError: the helper process ended.
        """
        process = await self._idle.get()
        try:
            answer = await self._ask(process, frame(self._directory, asked, data))
        except asyncio.CancelledError:
            # Its answer to this frame is still to come: it cannot take another.
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            raise
        finally:
            # A dead one too: whoever waits for it learns at once that it is, instead of waiting for ever.
            self._idle.put_nowait(process)
        return read_answer(answer)

    async def _ask(self, process: Process, request: bytes) -> bytes:
        if process.stdin is None or process.stdout is None:
            raise AssertionError("the saver was started without pipes")
        try:
            process.stdin.write(request)
            await process.stdin.drain()
            answer = await process.stdout.readline()
        except (BrokenPipeError, ConnectionError):
            answer = b""
        if not answer.endswith(b"\n"):
            code = await process.wait()
            raise SurroundingsError(
                f"a helper process that saves pictures ended (exit {code})",
                hint="nothing is lost: every task is recorded; run again to fetch their pictures",
            )
        return answer


async def _start() -> Process:
    # In a session of its own: Ctrl-C and a closed terminal are the parent's to answer, from the first moment.
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",
        "-m",
        "zbatch.state.saver",
        stdin=PIPE,
        stdout=PIPE,
        limit=_LINE_LIMIT,
        start_new_session=True,
    )
