"""Files and names that are on disk when that is said."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from zbatch.errors import DiskError


def make_durable_directory(path: Path, *, mode: int = 0o777) -> None:
    """Make a directory and its parents, each name on disk before the next; `mode` is of those made.

    So of those that are there only the last one's name may not be on disk, where whoever made it was killed.
    """
    missing = []
    while not path.is_dir():
        missing.append(path)
        path = path.parent
    with contextlib.suppress(PermissionError):  # of another's home: nothing of ours was made there
        sync_directory(path.parent)
    for directory in reversed(missing):
        directory.mkdir(mode, exist_ok=True)
        sync_directory(directory.parent)


def sync_directory(path: str | Path) -> None:
    """Make names in a directory durable: a file that is fsynced but whose name is not can vanish."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def settle(stream: BinaryIO, part: Path, path: Path) -> None:
    """Give a file that was written aside its name: first its bytes are on disk, then the name is."""
    stream.flush()
    os.fsync(stream.fileno())
    part.replace(path)
    sync_directory(path.parent)


@contextlib.contextmanager
def replacing(path: Path, *, hint: str = "") -> Iterator[BinaryIO]:
    """Replace a file whole: what is written goes aside, is fsynced, then moved into place, name and all.

    Where anything goes wrong the old file is untouched and nothing is left beside it.

    Raises:
        DiskError: naming the file, with `hint`.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as stream:
            yield stream
            settle(stream, part, path)
    except OSError as error:
        raise DiskError(f"cannot write {path}: {error.strerror or error}", hint=hint) from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def write_aside(path: Path, data: bytes) -> None:
    """Replace a file whole with some bytes (see `replacing`).

    Raises:
        DiskError: naming the file; the old one is untouched.
    """
    with replacing(path) as stream:
        stream.write(data)
