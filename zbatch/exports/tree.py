"""The files of an export on this machine while it is written aside: links, copies, small and large ones."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from zbatch.errors import DiskError
from zbatch.exports.disk_file import DiskFile
from zbatch.exports.streams import Stream

_NO_LINKS: Final = frozenset({errno.EXDEV, errno.EMLINK, errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS})

Note = Callable[[str, int, str], None]
"""Told of each file that is whole: its name, its bytes, its SHA-256."""


class Tree:
    """Writes files below a directory; several processes may, each with a tree of its own."""

    links = True
    """Whether a file in it may be another name of the run's own."""

    def __init__(self, root: str, note: Note, *, resumed: bool) -> None:
        """Name the directory; `resumed` says that an interrupted export may have left files there."""
        self.root = root
        self._note = note
        self._resumed = resumed
        self._folders: set[str] = set()
        self.linked = 0
        self.copied = 0
        self.loose = 0
        """Files that are written, and of which nobody knows whether they are on disk."""

    def link(self, source: str, name: str, length: int, sha256: str) -> None:
        """Make a file that is the source itself by another name, or a copy where that cannot be.

        Raises:
            DiskError: the disk is full, or takes no file of that name.
        """
        target = self._target(name)
        try:
            try:
                os.link(source, target)
            except FileExistsError:
                if not os.path.samefile(source, target):  # noqa: PTH121 - of a hundred thousand
                    os.unlink(target)  # noqa: PTH108 - as above
                    os.link(source, target)
            self.linked += 1
        except OSError as error:
            if error.errno == errno.ENOENT and not os.path.lexists(source):
                raise DiskError(f"cannot read the image {source}: {error.strerror}") from error
            if error.errno not in _NO_LINKS:
                raise self._failed(error, target) from error
            try:
                self._give_way(target)
                shutil.copyfile(source, target)
            except OSError as problem:
                raise self._failed(problem, target) from problem
            self.copied += 1
            self.loose += 1
        self._note(name, length, sha256)

    def copy(self, name: str, data: bytes, sha256: str) -> None:
        """Make a file of an image's bytes; one that an interrupted run left whole stays.

        Raises:
            DiskError: as `link`.
        """
        target = self._target(name)
        if not (self._resumed and _is_copy(target, data)):
            self._write(target, data)
        self.copied += 1
        self._note(name, len(data), sha256)

    def put(self, name: str, data: bytes) -> None:
        """Make a small file.

        Raises:
            DiskError: as `link`.
        """
        self._write(self._target(name), data)
        self._note(name, len(data), hashlib.sha256(data).hexdigest())

    @contextlib.contextmanager
    def stream(self, name: str) -> Iterator[Stream]:
        """Make a file piece by piece; it counts when the block ends well, and is on disk then.

        Raises:
            DiskError: as `link`.
        """
        target = self._target(name)
        try:
            self._give_way(target)
            with (
                open(target, "wb", buffering=0) as file,  # noqa: PTH123 - text, as everywhere here
                ThreadPoolExecutor(2, thread_name_prefix="zbatch-stream") as threads,
            ):
                on_disk = DiskFile(file, threads)
                stream = Stream(on_disk, threads)
                yield stream
                stream.end()
                on_disk.end()
        except OSError as error:
            raise self._failed(error, target) from error
        self._note(name, stream.bytes, stream.sha256)

    def _target(self, name: str) -> str:
        target = f"{self.root}/{name}"
        folder = os.path.dirname(target)  # noqa: PTH120 - of a hundred thousand files
        if folder != self.root and folder not in self._folders:
            try:
                os.makedirs(folder, exist_ok=True)  # noqa: PTH103 - text
            except OSError as error:
                raise self._failed(error, folder) from error
            self._folders.add(folder)
        return target

    def _write(self, target: str, data: bytes) -> None:
        self.loose += 1
        try:
            self._give_way(target)
            with open(target, "wb", buffering=0) as stream:  # noqa: PTH123 - of a hundred thousand
                rest = memoryview(data)
                while rest:
                    rest = rest[stream.write(rest) :]
        except OSError as error:
            raise self._failed(error, target) from error

    def _give_way(self, target: str) -> None:
        """Take away what an interrupted run left: it may be a link, and its other name is the run's image."""
        if self._resumed:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(target)  # noqa: PTH108 - of a hundred thousand

    def _failed(self, error: OSError, path: str) -> DiskError:
        return cannot_write(error, path, Path(self.root).parent)


def cannot_write(error: OSError, path: str | Path, partial: Path) -> DiskError:
    """Say that a file cannot be written, and what is safe in the place aside."""
    kept = os.path.lexists(partial)  # which raises nothing
    hint = "choose a writable place with -o"
    if kept:
        hint = f"what is done is kept in {partial}: mend that and give the same command again"
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            hint = f"what is done is kept in {partial}: make room and give the same command again"
    return DiskError(f"cannot write {path}: {error.strerror or error}", hint=hint)


def _is_copy(target: str, data: bytes) -> bool:
    """Tell whether a file holds some bytes, and is no other file's second name."""
    try:
        with open(target, "rb", buffering=0) as stream:  # noqa: PTH123 - of a hundred thousand
            return os.fstat(stream.fileno()).st_nlink == 1 and stream.read() == data
    except OSError:
        return False
