"""What lies at a path: its bytes, their SHA-256, or why there are none. Many files at a time, in order."""

from __future__ import annotations

import errno
import hashlib
import itertools
import os
import stat
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Generic, NamedTuple, TypeVar

T = TypeVar("T")

_CHUNK: Final = 1 << 20
"""Bytes read and hashed at a time: few calls for a picture, and little memory for a tar of gigabytes."""

_BATCH: Final = 32
"""Files a thread takes at a time: handing one over costs as much as hashing a small picture."""

_AHEAD: Final = 4
"""Batches that wait for each thread at most: what bounds the memory."""

_THREADS: Final = 2
"""For each core: while one waits for the disk the other hashes, which does not hold the interpreter."""

_GONE: Final = frozenset({errno.ENOENT, errno.ENOTDIR})
_NO_FILE: Final = frozenset({errno.EISDIR, errno.ENXIO, errno.ELOOP})


class Lying(StrEnum):
    """What is at a path."""

    FILE = "file"
    NOTHING = "nothing"
    NO_FILE = "no_file"  # a directory, a pipe, a device
    UNREADABLE = "unreadable"


class Found(NamedTuple):
    """What was found at a path. `length` is in bytes, `words` says what is there instead of a file."""

    lying: Lying
    length: int = 0
    sha256: str = ""
    words: str = ""


def look_at(path: str) -> Found:
    """Read and hash what lies at a path; whatever is in the way is found, never raised."""
    try:
        # Without O_NONBLOCK a pipe that nobody writes into would be waited for.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except OSError as error:
        return _in_the_way(error)
    except ValueError as error:  # a name with NUL in it
        return Found(Lying.NOTHING, words=str(error))
    try:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode):
            return Found(Lying.NO_FILE, words="a directory" if stat.S_ISDIR(mode) else "a pipe or a device")
        return _hashed(descriptor)
    except OSError as error:
        return _in_the_way(error)
    finally:
        os.close(descriptor)


class _Buffer(threading.local):
    """A buffer for each thread."""

    def __init__(self) -> None:
        self.view = memoryview(bytearray(_CHUNK))


_BUFFER: Final = _Buffer()


def _hashed(descriptor: int) -> Found:
    digest, length, view = hashlib.sha256(), 0, _BUFFER.view
    while count := os.readv(descriptor, [view]):
        digest.update(view[:count])
        length += count
    return Found(Lying.FILE, length, digest.hexdigest())


def _in_the_way(error: OSError) -> Found:
    words = error.strerror or str(error)
    if error.errno in _GONE:
        return Found(Lying.NOTHING)
    return Found(Lying.NO_FILE if error.errno in _NO_FILE else Lying.UNREADABLE, words=words)


class Looked(NamedTuple, Generic[T]):
    """A file that was to be looked at, and what was found."""

    item: T
    found: Found


@dataclass(frozen=True, slots=True)
class Seen(Generic[T]):
    """Some files that were looked at, one after the other: how many, their bytes, and those that are odd."""

    files: int
    length: int
    odd: list[Looked[T]]


def look_at_all(
    items: Iterable[tuple[T, str]],
    is_whole: Callable[[T, Found], bool],
    *,
    look: Callable[[str], Found] = look_at,
    threads: int | None = None,
) -> Iterator[Seen[T]]:
    """Look at what lies at many paths, in parallel, in bounded memory and in their order.

    What `is_whole` is not true of is odd; it is asked by the threads, so that what is whole, nearly always
    all of it, costs the caller nothing. `look` looks at one.
    """
    workers = threads or max(2, _THREADS * (os.cpu_count() or 1))
    waiting: deque[Future[Seen[T]]] = deque()
    pool = ThreadPoolExecutor(workers, thread_name_prefix="zbatch-verify")
    try:
        for batch in _batches(items):
            waiting.append(pool.submit(_look, batch, is_whole, look))
            if len(waiting) > workers * _AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        # Ctrl-C ends it here: what is under way is a moment's work, what waits is let go of.
        pool.shutdown(cancel_futures=True)


def _look(
    batch: Sequence[tuple[T, str]], is_whole: Callable[[T, Found], bool], look: Callable[[str], Found]
) -> Seen[T]:
    length, odd = 0, []
    for item, path in batch:
        found = look(path)
        length += found.length
        if not is_whole(item, found):
            odd.append(Looked(item, found))
    return Seen(len(batch), length, odd)


def _batches(items: Iterable[tuple[T, str]]) -> Iterator[list[tuple[T, str]]]:
    left = iter(items)
    while batch := list(itertools.islice(left, _BATCH)):
        yield batch
