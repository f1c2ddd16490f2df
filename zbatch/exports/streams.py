"""Files that are written in large pieces, and hashed beside it."""

from __future__ import annotations

import hashlib
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final, Protocol

_PIECE: Final = 1 << 20
"""Bytes written at once."""


class Sink(Protocol):
    """What a stream writes into."""

    def write(self, data: memoryview, /) -> int:
        """Take some bytes; gives how many."""


class Stream:
    """A file that is being written in large pieces, each hashed beside the next one's coming."""

    def __init__(self, file: Sink, threads: ThreadPoolExecutor) -> None:
        self._file = file
        self._threads = threads
        self._hash = hashlib.sha256()
        self._hashing: Future[None] | None = None
        self._pieces: list[bytes] = []
        self._held = 0
        self.bytes = 0

    def write(self, data: bytes) -> int:
        """Write some bytes."""
        self._pieces.append(data)
        self._held += len(data)
        self.bytes += len(data)
        if self._held >= _PIECE:
            self._pour()
        return len(data)

    def end(self) -> str:
        """Write what is held and give the SHA-256 of all, hex."""
        self._pour()
        if self._hashing is not None:
            self._hashing.result()
        return self._hash.hexdigest()

    def _pour(self) -> None:
        data = b"".join(self._pieces)
        self._pieces.clear()
        self._held = 0
        if self._hashing is not None:
            self._hashing.result()
        self._hashing = self._threads.submit(self._hash.update, data)
        rest = memoryview(data)
        while rest:
            rest = rest[self._file.write(rest) :]
