"""Files put in place durably, many at a time: each is whole, on disk and under its name, or not there at all.

What costs is not the writing but the wait for the disk. So all parts are written, fsynced and moved, and then
each directory is fsynced once, those above it too: that one is there says nothing of whether its name is on
disk, as another process may have made it a moment ago. A quick disk is waited for file by file, a slow one
for all files at once: a file system commits what is asked of it together.
"""
# Paths are text here: this is done for every picture, and objects cost more than what is done with them.
# ruff: noqa: PTH103, PTH105, PTH108, PTH112, PTH118, PTH120

from __future__ import annotations

import contextlib
import errno
import os
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import lru_cache, partial

from zbatch.durable import sync_directory
from zbatch.errors import DiskError
from zbatch.state.directory import RunDirectory

_SYNCS_AT_ONCE = 32
_QUICK = 0.002
"""Seconds. Threads cost as much CPU as an fsync itself, so they only pay where one takes longer than this."""
_HINT = "its task is recorded: make room or mend what is in the way, then run again"


@dataclass(frozen=True, slots=True)
class Lying:
    """A whole file that lies elsewhere, to be put in place as it is: by a hard link, or else a copy.

    `mark` is what it was when it was looked at (see `mark_of`): one that is another by now is an error.
    """

    path: str
    mark: tuple[int, ...]

    def bring(self, part: str) -> int:
        """Make the part and give a descriptor of it.

        Raises:
            OSError: it could not be made, or the file is not what it was.
        """
        try:
            os.link(self.path, part, follow_symlinks=False)
        except OSError:  # another file system, one without links, somebody else's file, too many links
            return self._copy(part)
        descriptor = os.open(part, os.O_RDONLY | os.O_CLOEXEC)
        self._check(descriptor)
        return descriptor

    def _copy(self, part: str) -> int:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
        try:
            with open(self.path, "rb") as stream:  # noqa: PTH123 - paths are text here
                while piece := stream.read(1024 * 1024):
                    _write(descriptor, piece)
                self._check(stream.fileno())
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    def _check(self, descriptor: int) -> None:
        if mark_of(os.fstat(descriptor)) != self.mark:
            raise OSError(errno.ESTALE, f"{self.path} was changed meanwhile")


def mark_of(status: os.stat_result) -> tuple[int, ...]:
    """Give what tells a file from another, and from itself before it was written to."""
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _write(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


@dataclass(slots=True)
class _Part:
    path: str
    target: str
    descriptor: int
    linked: bool = False

    def close(self) -> None:
        """Close the file. What was fsynced is on disk whatever this says, and nothing else counts."""
        if self.descriptor >= 0:
            with contextlib.suppress(OSError):
                os.close(self.descriptor)
            self.descriptor = -1


@dataclass(slots=True)
class _Group:
    """The files of one picture: all of them, or none."""

    parts: list[_Part] = field(default_factory=list)
    error: DiskError | None = None

    def fail(self, target: str, error: OSError) -> None:
        """Give it up, and its room back at once: others may need it."""
        self.error = self.error or DiskError(f"cannot write {target}: {error.strerror or error}", hint=_HINT)
        self.clear()

    def clear(self) -> None:
        """Drop what has not been moved."""
        for part in self.parts:
            part.close()
            with contextlib.suppress(OSError):
                os.unlink(part.path)
        self.parts.clear()


def place_all(
    directory: RunDirectory, groups: Iterable[Sequence[tuple[str, bytes | Lying]]]
) -> list[DiskError | None]:
    """Put groups of files, named from the run directory, in place; give each group's error, or `None`.

    Of each file its bytes are given, or where they lie.

    When this returns, every file of a group without an error is on disk under its name.
    """
    placing = _Placing(directory)
    try:
        for files in groups:
            placing.write(files)
        placing.sync()
        placing.move()
    finally:
        for group in placing.groups:
            group.clear()
    return [group.error for group in placing.groups]


class _Placing:
    """One batch on its way."""

    def __init__(self, directory: RunDirectory) -> None:
        self.groups: list[_Group] = []
        self._directory = directory
        self._root = os.fspath(directory.path)
        # Parts are not named after their targets, whose names may be as long as a file system takes.
        self._part = os.path.join(directory.parts, f"{os.getpid()}-")
        self._number = 0
        self._checked: set[str] = set()

    def write(self, files: Sequence[tuple[str, bytes | Lying]]) -> None:
        """Write a group's parts, as far as they can be written."""
        group = _Group()
        self.groups.append(group)
        for file, data in files:
            target = os.path.join(self._root, file)
            try:
                error = self._refused(target)
                if error is not None:
                    group.error = error
                    group.clear()
                    return
                self._number += 1
                path = f"{self._part}{self._number}.part"
                if isinstance(data, Lying):
                    group.parts.append(_Part(path, target, -1, linked=True))  # cleared whatever comes of it
                    group.parts[-1].descriptor = data.bring(path)
                    continue
                descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
                group.parts.append(_Part(path, target, descriptor))
                _write(descriptor, data)
            except OSError as problem:
                group.fail(target, problem)
                return

    def _refused(self, target: str) -> DiskError | None:
        """Make the target's directory, unless something is in its way."""
        folder = os.path.dirname(target)
        if folder in self._checked:
            return None
        if error := self._directory.closed(folder, _HINT):
            return error
        os.makedirs(folder, exist_ok=True)
        self._checked.add(folder)
        return None

    def sync(self) -> None:
        """Have every part on disk."""
        parts = [(group, part) for group in self.groups for part in group.parts]
        errors = _synced([partial(os.fsync, part.descriptor) for _, part in parts])
        for (group, part), error in zip(parts, errors, strict=True):
            part.close()
            if error is not None:
                group.fail(part.target, error)

    def move(self) -> None:
        """Give every file its name, then have the names on disk, from the run directory down."""
        moved: dict[str, list[tuple[_Group, str]]] = {}
        for group in self.groups:
            if group.error is not None:
                group.clear()
            while group.parts:
                part = group.parts[0]
                try:
                    self._move(part)
                except OSError as error:
                    group.fail(part.target, error)
                    break
                del group.parts[0]
                moved.setdefault(os.path.dirname(part.target), []).append((group, part.target))
        above: dict[str, list[tuple[_Group, str]]] = {}
        for folder, those in moved.items():
            for one in self._from_root(folder):
                above.setdefault(one, []).extend(those)
        errors = _synced([partial(self._sync, folder) for folder in above])
        for those, problem in zip(above.values(), errors, strict=True):
            if problem is not None:
                for group, target in those:
                    group.fail(target, problem)

    def _move(self, part: _Part) -> None:
        if part.linked and _same_file(part.path, part.target):
            os.unlink(part.path)  # there already: of two names of one file, a move takes neither away
            return
        try:
            os.replace(part.path, part.target)
        except FileNotFoundError:
            # Somebody took the folder away a moment ago.
            if not os.path.isdir(self._root):
                raise
            os.makedirs(os.path.dirname(part.target), exist_ok=True)
            os.replace(part.path, part.target)

    def _sync(self, folder: str) -> None:
        try:
            sync_directory(folder)
        except FileNotFoundError:
            # Taken away with what was in it: as where that is done later, the run finds its pictures gone.
            if not os.path.isdir(self._root):
                raise

    def _from_root(self, folder: str) -> list[str]:
        """Give the run directory and those below it that lead to a folder."""
        folders = [folder]
        while folders[-1] != self._root:
            folders.append(os.path.dirname(folders[-1]))
        return folders


def _same_file(path: str, other: str) -> bool:
    try:
        return os.path.samestat(os.lstat(path), os.lstat(other))
    except OSError:
        return False


def _synced(syncs: Sequence[Callable[[], None]]) -> list[OSError | None]:
    """Wait for the disk; once it proves slow, for all that is left at once."""
    errors: list[OSError | None] = []
    for number, sync in enumerate(syncs):
        began = time.monotonic()
        errors.append(_tried(sync))
        if time.monotonic() - began > _QUICK:
            errors += _threads().map(_tried, syncs[number + 1 :])
            break
    return errors


def _tried(sync: Callable[[], None]) -> OSError | None:
    try:
        sync()
    except OSError as error:
        return error
    return None


@lru_cache(maxsize=1)
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(_SYNCS_AT_ONCE, thread_name_prefix="zbatch-sync")
