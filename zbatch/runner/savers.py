"""The pool of helper processes that save pictures."""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections import deque
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

from zbatch.errors import SurroundingsError
from zbatch.exhaustion import OUT_OF_MEMORY, helper_code
from zbatch.model import Artifact
from zbatch.state.artifacts import Asked
from zbatch.state.directory import RunDirectory
from zbatch.state.saver import BATCH, EMBED, TO, frame, read_answer
from zbatch.storage import Location

_PIECE = 256 * 1024
"""Bytes of answers taken at once."""
_PICTURES = 2 * BATCH
_BYTES = 16 * 1024 * 1024
"""What one helper has at most before others wait: a batch in its hands, and the next."""


class _Helper:
    """One helper process, and who waits for its answers, in their order."""

    def __init__(self, process: Process, answered: Callable[[], None]) -> None:
        self.process = process
        self.error: SurroundingsError | None = None
        self._answered = answered
        self._waiting: deque[tuple[asyncio.Future[bytes], int]] = deque()
        self._bytes = 0
        self._unsent: list[bytes] = []
        self.reading = asyncio.create_task(self._read())

    @property
    def load(self) -> int:
        """How many pictures it has."""
        return len(self._waiting)

    @property
    def full(self) -> bool:
        """Tell whether to hold the next picture back."""
        return self.load >= _PICTURES or self._bytes >= _BYTES

    def ask(self, request: bytes) -> asyncio.Future[bytes]:
        """Hand a frame over; its answer comes in its turn, whether somebody still waits for it or not."""
        if self.process.stdin is None:
            raise AssertionError("the saver was started without pipes")
        future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._waiting.append((future, len(request)))
        self._bytes += len(request)
        if not self._unsent:
            # What is asked in one turn of the loop is sent in one piece: every write wakes the process up.
            asyncio.get_running_loop().call_soon(self._send, self.process.stdin)
        self._unsent.append(request)
        return future

    def _send(self, pipe: asyncio.StreamWriter) -> None:
        pipe.write(b"".join(self._unsent))
        self._unsent.clear()

    async def _read(self) -> None:
        if self.process.stdout is None:
            raise AssertionError("the saver was started without pipes")
        rest = b""
        while piece := await self.process.stdout.read(_PIECE):
            *lines, rest = (rest + piece).split(b"\n")
            for line in lines:
                future, size = self._waiting.popleft()
                self._bytes -= size
                if not future.done():
                    future.set_result(line)
            self._answered()
        code = await self.process.wait()
        self.error = SurroundingsError(
            "memory ran out in a helper process that saves pictures"
            if code == OUT_OF_MEMORY
            else f"a helper process that saves pictures ended (exit {code})",
            hint="nothing is lost: every task is recorded; run again to fetch their pictures",
        )
        for future, _ in self._waiting:
            if not future.done():
                future.set_exception(self.error)
        self._answered()


class SaverPool:
    """Saves pictures in helper processes, a bounded number of them on their way to each.

    With `embed`, what the state knows of a job is written into its picture. `to` is a place in an object
    store that they go to, which is tried for so many seconds.
    """

    def __init__(
        self,
        directory: RunDirectory,
        processes: int | None = None,
        *,
        embed: bool = False,
        to: tuple[Location, float] | None = None,
    ) -> None:
        self._directory = directory
        self._options = [EMBED] if embed else []
        if to is not None:
            location, seconds = to
            self._options += [TO, str(location), str(seconds)]
        self._count = processes or max(1, min(4, os.cpu_count() or 1))
        self._helpers: list[_Helper] = []
        self._room = asyncio.Event()

    async def __aenter__(self) -> Self:
        try:
            for _ in range(self._count):
                self._helpers.append(_Helper(await _start(self._directory, self._options), self._room.set))
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
        for helper in self._helpers:
            if helper.process.stdin is not None:
                helper.process.stdin.close()
        for helper in self._helpers:
            try:
                async with asyncio.timeout(10):
                    await helper.process.wait()
            except TimeoutError:
                helper.process.kill()
                await helper.process.wait()
            await helper.reading

    async def save(self, asked: Asked, data: bytes) -> Artifact:
        """Save one picture.

        Raises:
            BadImageError: the bytes are no whole picture.
            DiskError: it could not be written.
            SurroundingsError: a helper process ended.
        """
        helper = self._least()
        while helper.full:
            self._room.clear()
            await self._room.wait()
            helper = self._least()
        return read_answer(await helper.ask(frame(asked, data)))

    def _least(self) -> _Helper:
        """Give the helper with the least to do. One that has ended is an error to everybody."""
        for helper in self._helpers:
            if helper.error is not None:
                raise helper.error
        return min(self._helpers, key=lambda helper: helper.load)


async def _start(directory: RunDirectory, options: Sequence[str]) -> Process:
    # In a session of its own: Ctrl-C and a closed terminal are the parent's to answer, from the first moment.
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",
        "-c",
        helper_code("zbatch.state.saver"),
        str(directory.path),
        *options,
        stdin=PIPE,
        stdout=PIPE,
        start_new_session=True,
    )
