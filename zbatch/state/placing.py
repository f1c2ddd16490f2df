"""Files put in place durably, many at a time: each is whole, on disk and under its name, or not there at all.

What costs is not the writing but the wait for the disk, and many waits at once cost hardly more than one: a
file system commits what is asked of it together. So all parts are written, fsynced side by side, moved, and
then each directory is fsynced once, those above it too: that one is there says nothing of whether its name is
on disk, as another process may have made it a moment ago.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

from zbatch.errors import DiskError
from zbatch.state.directory import RunDirectory, sync_directory

T = TypeVar("T")

_SYNCS_AT_ONCE = 32
_HINT = "its task is recorded: make room or mend the permission, then run again"


@dataclass(slots=True)
class _Part:
    path: Path
    target: Path


@dataclass(slots=True)
class _Group:
    """The files of one picture: all of them, or none."""

    parts: list[_Part] = field(default_factory=list)
    error: DiskError | None = None

    def fail(self, target: Path, error: OSError) -> None:
        """Give it up, and its room back at once: others may need it."""
        self.error = self.error or DiskError(f"cannot write {target}: {error.strerror or error}", hint=_HINT)
        self.clear()

    def clear(self) -> None:
        """Drop what has not been moved."""
        for part in self.parts:
            with contextlib.suppress(OSError):
                part.path.unlink(missing_ok=True)


def place_all(
    directory: RunDirectory, groups: Iterable[Sequence[tuple[str, bytes]]]
) -> list[DiskError | None]:
    """Put groups of files, named from the run directory, in place; give each group's error, or `None`.

    When this returns, every file of a group without an error is on disk under its name.
    """
    placing: list[_Group] = []
    checked: set[Path] = set()
    number = 0
    try:
        for files in groups:
            group = _Group()
            placing.append(group)
            for file, data in files:
                number += 1
                # The part is not named after the target, whose name may be as long as a file system takes.
                part = _Part(directory.parts / f"{os.getpid()}-{number}.part", directory.path / file)
                group.parts.append(part)
                if not _write(directory, group, part, data, checked):
                    break
        _sync_parts(placing)
        _move(directory, placing)
    finally:
        for group in placing:
            group.clear()
    return [group.error for group in placing]


def _write(directory: RunDirectory, group: _Group, part: _Part, data: bytes, checked: set[Path]) -> bool:
    target = part.target
    try:
        with part.path.open("wb") as stream:
            if target.parent not in checked:
                # Before anything is made: a link in the way would have directories made elsewhere, too.
                if not target.parent.resolve().is_relative_to(directory.path.resolve()):
                    group.error = DiskError(
                        f"{target} leaves the run directory by a symbolic link; the picture was not written",
                        hint="remove the link and run again: the task is known and will be asked again",
                    )
                    return False
                target.parent.mkdir(parents=True, exist_ok=True)
                checked.add(target.parent)
            stream.write(data)
    except OSError as error:
        group.fail(target, error)
    return group.error is None


def _sync_parts(groups: Sequence[_Group]) -> None:
    jobs = [(group, part) for group in groups if group.error is None for part in group.parts]
    errors = _side_by_side(_sync_file, [part.path for _, part in jobs])
    for (group, part), error in zip(jobs, errors, strict=True):
        if error is not None:
            group.fail(part.target, error)


def _move(directory: RunDirectory, groups: Sequence[_Group]) -> None:
    """Give every file its name, then make the names durable, from the run directory down to the file's."""
    moved: dict[Path, list[tuple[_Group, _Part]]] = {}
    for group in groups:
        if group.error is not None:
            continue
        for part in group.parts:
            try:
                part.path.replace(part.target)
            except OSError as error:
                group.fail(part.target, error)
                break
            for above in part.target.relative_to(directory.path).parents:
                moved.setdefault(directory.path / above, []).append((group, part))
    for folder, problem in zip(moved, _side_by_side(sync_directory, list(moved)), strict=True):
        if problem is not None:
            for group, part in moved[folder]:
                group.fail(part.target, problem)


def _sync_file(path: Path) -> None:
    descriptor = os.open(path, os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _side_by_side(act: Callable[[T], None], things: Sequence[T]) -> list[OSError | None]:
    def tried(thing: T) -> OSError | None:
        try:
            act(thing)
        except OSError as error:
            return error
        return None

    if len(things) < 2:
        return [tried(thing) for thing in things]
    return list(_threads().map(tried, things))


@lru_cache(maxsize=1)
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(_SYNCS_AT_ONCE, thread_name_prefix="zbatch-sync")
