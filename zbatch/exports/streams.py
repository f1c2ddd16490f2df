"""Files that are written in large blocks: while one is hashed and written, the next one fills."""

from __future__ import annotations

import hashlib
import mmap
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final, Protocol

_BLOCK: Final = 1 << 20
"""Bytes hashed and written at once: few calls, and the processor still has at hand what was put there."""


class Sink(Protocol):
    """What a stream writes into."""

    def write(self, data: memoryview, /) -> None:
        """Take a block, whole; what it lies in is used again."""


class Stream:
    """A file that is being written in blocks, each hashed and written beside the filling of the next one."""

    def __init__(self, file: Sink, threads: ThreadPoolExecutor) -> None:
        self._file = file
        self._threads = threads
        self._hash = hashlib.sha256()
        self._writing: Future[None] | None = None
        # Of whole pages, and so fit to go to a disk as they are; taken once they are filled.
        self._filling, self._other = (
            mmap.mmap(-1, _BLOCK, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) for _ in range(2)
        )
        self._filled = 0
        self.bytes = 0
        self.sha256 = ""
        """Of all of it, hex; known when it has ended."""

    def write(self, data: bytes | memoryview) -> int:
        """Write some bytes."""
        length, start = len(data), self._filled
        self.bytes += length
        if start + length < _BLOCK:
            self._filling[start : start + length] = data
            self._filled = start + length
            return length
        rest = memoryview(data)
        while rest:
            part = rest[: _BLOCK - self._filled]
            rest = rest[len(part) :]
            self._filling[self._filled : self._filled + len(part)] = part
            self._filled += len(part)
            if self._filled == _BLOCK:
                self._turn()
        return length

    def end(self) -> None:
        """Write what is held; from then on its SHA-256 is known."""
        self._turn()
        if self._writing is not None:
            self._writing.result()
        self.sha256 = self._hash.hexdigest()

    def _turn(self) -> None:
        """Have what was filled hashed and written, once what was before it is."""
        if self._writing is not None:
            self._writing.result()
        full, self._filling, self._other = self._filling, self._other, self._filling
        self._writing = self._threads.submit(self._out, memoryview(full)[: self._filled])
        self._filled = 0

    def _out(self, block: memoryview) -> None:
        self._hash.update(block)
        self._file.write(block)
