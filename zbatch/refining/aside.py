"""A manifest beside where it will lie: names in it are looked up from there, so it is checked there.

It is locked for as long as it is there. What a process that was killed left behind is locked by nobody, and
the next one that writes there takes it away.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

from zbatch.durable import settle
from zbatch.errors import DiskError

_END: Final = ".part.yaml"


@contextlib.contextmanager
def aside(target: Path, text: str) -> Iterator[Path]:
    """Put a text beside where it will lie, for as long as it is looked at.

    Raises:
        DiskError: it could not be written.
    """
    with _written(target, text) as (_, part):
        yield part


def put(target: Path, text: str) -> None:
    """Write a text where it belongs, durably; another file there is replaced whole.

    Raises:
        DiskError: it could not be written; what was there is untouched.
    """
    with _written(target, text) as (stream, part):
        settle(stream, part, target)


@contextlib.contextmanager
def _written(target: Path, text: str) -> Iterator[tuple[BinaryIO, Path]]:
    part = target.with_name(f"{_begin(target)}{os.getpid()}{_END}")
    try:
        with contextlib.suppress(OSError):  # a directory may be written and not read
            _clear(target)
        with _opened(part) as stream:
            stream.write(text.encode())
            stream.flush()
            yield stream, part
    except OSError as error:
        raise DiskError(f"cannot write {target}: {error.strerror or error}") from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def _opened(part: Path) -> BinaryIO:
    """Open a file that is there and locked: another process may take it away before it is."""
    while True:
        stream = part.open("wb")
        _lock(stream.fileno())
        if os.fstat(stream.fileno()).st_nlink:
            return stream
        stream.close()


def _begin(target: Path) -> str:
    return f".{target.stem[:100]}."  # with the rest it is no longer than a name may be


def _clear(target: Path) -> None:
    """Take away what nobody writes any more."""
    begin = _begin(target)
    for path in list(target.parent.iterdir()):
        middle = path.name.removeprefix(begin).removesuffix(_END)
        if path.name != f"{begin}{middle}{_END}" or not middle.isdecimal():
            continue
        with contextlib.suppress(OSError):
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                if _lock(descriptor):
                    path.unlink()
            finally:
                os.close(descriptor)


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # somebody has it, or the file system knows no locks
        return False
    return True
