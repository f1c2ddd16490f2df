"""A large file on its way to the disk, past the page cache where the system has that."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from io import FileIO
from typing import Final

_FLUSHED: Final = 1 << 25
"""Bytes through the page cache after which the disk is set to work: at the end less is left to wait for."""

_ALIGNED: Final = 1 << 12
"""Bytes that whatever goes past the page cache is a multiple of, and lies at, whatever the disk."""

_DIRECT: Final[int] = getattr(os, "O_DIRECT", 0)
_data_to_disk: Final[Callable[[int], None]] = getattr(os, "fdatasync", os.fsync)


class DiskFile:
    """A file that goes to the disk while more of it comes, so that at its end little is left to wait for.

    Whole blocks go there as they are. To have the page cache take a copy of what nobody reads soon costs
    more than to read the images, and pushes out what is read. Where the file system knows no such writing,
    and at the end, which is no whole block, the page cache is used.
    """

    def __init__(self, file: FileIO, threads: ThreadPoolExecutor) -> None:
        self._file = file
        self._threads = threads
        self._able = _DIRECT != 0
        self._direct = False
        self._fresh = 0
        self._flushing: Future[None] | None = None

    def write(self, data: memoryview) -> None:
        """Write a block, whole: it lies in pages of its own, and what is no multiple of them is the last."""
        self._choose(direct=self._able and len(data) % _ALIGNED == 0)
        rest = data
        while rest:
            try:
                rest = rest[self._file.write(rest) :]
            except OSError as error:
                if not self._direct or error.errno != errno.EINVAL:
                    raise
                self._able = False
                self._choose(direct=False)
        if not self._direct:
            self._flush(len(data))

    def end(self) -> None:
        """Wait until all of it is on disk."""
        self._settle()
        os.fsync(self._file.fileno())

    def _choose(self, *, direct: bool) -> None:
        """Write past the page cache from now on, or through it."""
        if direct == self._direct:
            return
        flags = fcntl.fcntl(self._file, fcntl.F_GETFL)
        try:
            fcntl.fcntl(self._file, fcntl.F_SETFL, flags | _DIRECT if direct else flags & ~_DIRECT)
        except OSError:  # the file system has no other way than through it
            self._able = False
        else:
            self._direct = direct

    def _flush(self, written: int) -> None:
        self._fresh += written
        if self._fresh >= _FLUSHED and (self._flushing is None or self._flushing.done()):
            self._settle()
            self._fresh = 0
            self._flushing = self._threads.submit(_data_to_disk, self._file.fileno())

    def _settle(self) -> None:
        """Hear of what went wrong: a file is told of it once, and by its end nobody would know."""
        if self._flushing is not None:
            self._flushing.result()
