"""Files that are written in large pieces, and hashed beside it."""

from __future__ import annotations

import hashlib
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final, Protocol

_PIECE: Final = 1 << 20
"""Bytes hashed at once, beside the writing of what comes next."""

_LARGE: Final = 1 << 16
"""Bytes that are written as they come; less is put together first: to copy costs less than to write often."""


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
        self._small: list[bytes] = []
        self._held = 0
        self._unhashed: list[bytes] = []
        self._waiting = 0
        self.bytes = 0
        self.sha256 = ""
        """Of all of it, hex; known when it has ended."""

    def write(self, data: bytes) -> int:
        """Write some bytes."""
        length = len(data)
        self.bytes += length
        if length >= _LARGE:
            self._pour()
            self._send(data)
        else:
            self._small.append(data)
            self._held += length
            if self._held >= _PIECE:
                self._pour()
        return length

    def end(self) -> None:
        """Write what is held; from then on its SHA-256 is known."""
        self._pour()
        self._digest()
        if self._hashing is not None:
            self._hashing.result()
        self.sha256 = self._hash.hexdigest()

    def _pour(self) -> None:
        """Write the small pieces that are held, as one."""
        if self._small:
            data = b"".join(self._small)
            self._small.clear()
            self._held = 0
            self._send(data)

    def _send(self, data: bytes) -> None:
        self._unhashed.append(data)
        self._waiting += len(data)
        if self._waiting >= _PIECE:
            self._digest()
        rest = memoryview(data)
        while rest:
            rest = rest[self._file.write(rest) :]

    def _digest(self) -> None:
        """Have what was not hashed hashed, once what was before it is."""
        if self._hashing is not None:
            self._hashing.result()
        pieces, self._unhashed, self._waiting = self._unhashed, [], 0
        self._hashing = self._threads.submit(self._update, pieces)

    def _update(self, pieces: list[bytes]) -> None:
        for piece in pieces:
            self._hash.update(piece)
