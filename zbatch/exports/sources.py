"""Reading the images of runs: each is held against what the state says of it, a few at a time ahead."""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self, TypeVar

from zbatch.errors import DiskError
from zbatch.exports.entries import Entry
from zbatch.exports.listing import listed

if TYPE_CHECKING:
    from zbatch.state.pictures import Pictures

_BATCH_BYTES: Final = 2_000_000


@dataclass(frozen=True, slots=True)
class _Pace:
    """How images are read: so many in a batch, batches under way `ahead`.

    Reading and hashing let go of the interpreter, and memory stays twenty megabytes. An image of less than
    `small` bytes is not worth a thread.
    """

    threads: int = 2
    batch: int = 32
    ahead: int = 4
    small: int = 64_000


_AFAR: Final = _Pace(threads=32, batch=1, ahead=64, small=0)
"""A store takes its time over each image, so many of them are under way."""

Read = tuple[Entry, bytes]
T = TypeVar("T")


class ChangedError(DiskError):
    """Images are not what they were when they were saved."""


class Sources:
    """The image files of runs, by the entries that name them."""

    def __init__(self, places: Sequence[str | Pictures], *, check: bool = True) -> None:
        """Name the directory of each run, or the pictures of one whose images lie in a store.

        Without `check` only lengths are held against the state, not hashes.
        """
        self._check = check
        self._stores = [None if isinstance(place, str) else place for place in places]
        self._roots = [place if isinstance(place, str) else place.place("") for place in places]
        self.here = not any(self._stores)
        """Whether all of them are files, and none lie in an object store."""
        self._pace = _Pace() if self.here else _AFAR

    @classmethod
    def of(cls, pictures: Sequence[Pictures], *, check: bool = True) -> Self:
        """Ask the pictures of runs where they lie."""
        return cls([one.place("") if one.location is None else one for one in pictures], check=check)

    @property
    def roots(self) -> list[str]:
        """Give what comes before every file of each run."""
        return self._roots

    def path(self, entry: Entry) -> str:
        """Give where an image lies: its path, or its URL."""
        return f"{self._roots[entry.run]}/{entry.file}"

    def read(self, entry: Entry) -> bytes:
        """Give an image's bytes, which are those that the state has the hash of, or as many.

        Raises:
            DiskError: it is gone, cannot be read, or was changed.
        """
        path, store = self.path(entry), self._stores[entry.run]
        try:
            data = _bytes_of(path, entry.length) if store is None else store.read(entry.file)
        except OSError as error:
            raise DiskError(
                f"cannot read the image {path}: {error.strerror or error}",
                hint="`zbatch run` with its manifest fetches what is gone; then give this command again"
                if isinstance(error, FileNotFoundError)
                else "let it be read, or mend the disk; then give this command again",
            ) from error
        same = hashlib.sha256(data).hexdigest() == entry.sha256 if self._check else len(data) == entry.length
        if not same:
            raise self._error([path])
        return data

    def read_all(self, entries: Iterable[Entry]) -> Iterator[Read]:
        """Give every entry with its bytes, in their order.

        Raises:
            DiskError: as `read`.
        """
        return self._each(entries, self.read)

    def all_changed(self, entries: Iterable[Entry], progress: Callable[[int], None]) -> ChangedError:
        """Read images of which one is known to be changed, and tell of all that are.

        Raises:
            DiskError: one is gone, or cannot be read.
        """
        paths = []
        for number, (entry, changed) in enumerate(self._each(entries, self._is_changed), 1):
            if changed:
                paths.append(self.path(entry))
            progress(number)
        return self._error(paths)

    def _error(self, paths: Sequence[str]) -> ChangedError:
        what = "SHA-256" if self._check else "length"
        words = f"the image {listed(paths)} is not what it was when it was saved (its {what} differs)"
        if len(paths) > 1:
            words = (
                f"{len(paths):,} images are not what they were when they were saved (the {what} of each "
                f"differs): {listed(paths)}"
            )
        return ChangedError(
            words,
            hint="zbatch verify names every such image, and --mend sets them aside for `zbatch run` to fetch "
            "again; then give this command again",
        )

    def _is_changed(self, entry: Entry) -> bool:
        try:
            self.read(entry)
        except ChangedError:
            return True
        return False

    def _each(self, entries: Iterable[Entry], do: Callable[[Entry], T]) -> Iterator[tuple[Entry, T]]:
        """Do something with every entry, a few at a time ahead; gives them in their order."""
        pace = self._pace

        def done(batch: Sequence[Entry]) -> list[tuple[Entry, T]]:
            return [(entry, do(entry)) for entry in batch]

        with ThreadPoolExecutor(pace.threads, thread_name_prefix="zbatch-read") as threads:
            under_way: deque[Future[list[tuple[Entry, T]]]] = deque()
            try:
                for batch in _batches(entries, pace.batch):
                    if not under_way and sum(entry.length for entry in batch) < pace.small * len(batch):
                        # Threads would wait for each other longer than for the disk.
                        yield from ((entry, do(entry)) for entry in batch)
                        continue
                    under_way.append(threads.submit(done, batch))
                    if len(under_way) >= pace.ahead:
                        yield from under_way.popleft().result()
                while under_way:
                    yield from under_way.popleft().result()
            finally:
                for future in under_way:
                    future.cancel()


def _bytes_of(path: str, length: int) -> bytes:
    """Read a file that is so long; of a longer one, enough to tell."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        data = os.read(descriptor, length + 1)
        if len(data) == length:
            return data
        with os.fdopen(descriptor, "rb", closefd=False) as stream:  # a signal, or not as it was
            return data + stream.read()
    finally:
        os.close(descriptor)


def _batches(entries: Iterable[Entry], most: int) -> Iterator[list[Entry]]:
    batch: list[Entry] = []
    size = 0
    for entry in entries:
        batch.append(entry)
        size += entry.length
        if size >= _BATCH_BYTES or len(batch) >= most:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
