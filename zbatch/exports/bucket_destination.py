"""An export into an object store: nothing there can be renamed, so what is not whole says so.

    PREFIX/_unfinished/plan.json    which export this is; put first, taken away last
    PREFIX/_unfinished/NAME.json    a large file that is whole, so that it is not made again
    PREFIX/…                        the files, each there whole or not at all
    PREFIX/export.json              put when all others are there

It gets the same bytes as a directory does.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import itertools
import re
from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any, Final, Self

import orjson

from zbatch.errors import DiskError, StorageError, UsageError
from zbatch.exports.about import ABOUT, about_of, told_of
from zbatch.exports.aside import cannot_keep, open_aside
from zbatch.exports.checksums import CHECKSUMS
from zbatch.exports.destination import Destination, Shard
from zbatch.exports.lengths import LENGTHS, Shortfall
from zbatch.exports.streams import Stream
from zbatch.exports.upload import Upload
from zbatch.model import EXTENSIONS, media_type_of
from zbatch.storage import PATIENCE, Bucket, Location

UNFINISHED: Final = "_unfinished"
PLAN: Final = f"{UNFINISHED}/plan.json"

_AT_ONCE: Final = 32
"""Objects on their way: a store takes its time over each."""
_WAITING: Final = 4 * _AT_ONCE
_BYTES: Final = 64_000_000
"""What may wait for its turn or be on its way, beside one large file."""
_MD5: Final = re.compile(r"[0-9a-f]{32}")
_MEDIA_TYPES: Final = {
    ".tar": "application/x-tar",
    ".json": "application/json",
    ".jsonl": "application/jsonl",
    ".parquet": "application/vnd.apache.parquet",
    ".txt": "text/plain; charset=utf-8",
    ".md": "text/markdown; charset=utf-8",
    ".csv": "text/csv; charset=utf-8",
}


class BucketDestination(Destination):
    """A place in an object store that an export goes to. Use it as a context manager."""

    links = False

    def __init__(self, location: Location, digest: str, about: Mapping[str, Any]) -> None:
        """Name the place; `digest` tells this export apart from any other, `about` says what it is.

        Raises:
            UsageError: the package for object stores is not installed.
            StorageError: the environment lacks what such a store needs.
        """
        super().__init__(digest, about)
        self.path: str = str(location)
        self._bucket = Bucket(location, patience=PATIENCE)
        self._there: dict[str, tuple[int, str]] = {}
        self._last: bytes | None = None
        self._threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="zbatch-put")
        self._under_way: deque[tuple[Future[None], int]] = deque()
        self._held = 0

    def complete(self) -> bool:
        """Tell whether this very export lies there already.

        Raises:
            UsageError: something else does.
            StorageError: it cannot be looked at.
        """
        there = self._read(ABOUT)
        unfinished = self._read(PLAN)
        if there is None and unfinished is None:
            if (first := next(self._bucket.list(), None)) is None:
                return False
            raise UsageError(
                f"{self.path} is not empty: it holds {first.name}", hint="give another place with -o"
            )
        known = there if unfinished is None else unfinished
        if known is None or known.get("digest") != self._digest:
            what = "another export" if unfinished is None else "another export, unfinished"
            raise UsageError(
                f"{self.path} holds {what}{told_of(known)}", hint="give another place with -o, or delete it"
            )
        if unfinished is not None:
            return False
        self._check_whole()
        return True

    def _check_whole(self) -> None:
        """Look whether the objects of the export are there, and as long, by the store's listing."""
        there = {one.name: one.length for one in self._bucket.list()}
        shortfall = Shortfall()
        shortfall.look(self._bucket.get(CHECKSUMS), self._bucket.get(LENGTHS), there.get)
        shortfall.complain(self.path, "place")

    def __enter__(self) -> Self:
        """Take the place, with what an interrupted run of this very export left there.

        Raises:
            UsageError: another export was begun there a moment ago.
            StorageError: it cannot be written.
        """
        plan = orjson.dumps({"digest": self._digest, **self._about})
        if not self._bucket.create(PLAN, plan):
            there = self._read(PLAN) or {}
            if there.get("digest") != self._digest:
                raise UsageError(
                    f"another export was begun in {self.path}", hint="give another place with -o"
                )
            self._there = {one.name: (one.length, one.tag) for one in self._bucket.list()}
            self.resumed = len(self._there) > 1
        self._sums = open_aside()
        self._lengths = open_aside()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._threads.shutdown(wait=True, cancel_futures=True)
        if self._sums is not None:
            self._sums.close()
        if self._lengths is not None:
            self._lengths.close()

    @property
    def target(self) -> Self:
        """The place itself."""
        return self

    def link(self, source: str, name: str, length: int, sha256: str) -> None:
        """Nothing in a store is a link."""
        raise AssertionError(f"{name} cannot be a link to {source}: {length} bytes, {sha256}")

    def copy(self, name: str, data: bytes, sha256: str) -> None:
        """Make a file of an image's bytes; one that an interrupted run left whole stays.

        Raises:
            StorageError: it, or one before it, could not be put.
        """
        self.copied += 1
        self._send(name, data)
        self.note(name, len(data), sha256)

    def put(self, name: str, data: bytes) -> None:
        """Make a small file.

        Raises:
            StorageError: as `copy`.
        """
        if name == ABOUT:
            self._last = data
        else:
            self._send(name, data)
        self.note(name, len(data), hashlib.sha256(data).hexdigest())

    @contextlib.contextmanager
    def stream(self, name: str) -> Iterator[Stream]:
        """Make a file piece by piece, in parts; it is there when the block ends well, and not before.

        Raises:
            StorageError: as `copy`.
        """
        with self._told(), ThreadPoolExecutor(1, thread_name_prefix="zbatch-hash") as threads:
            upload = Upload(lambda pieces: self._bucket.put_pieces(name, pieces, media_type=_type_of(name)))
            try:
                stream = Stream(upload, threads)
                yield stream
                stream.end()
            except BaseException:
                upload.abandon()
                raise
            upload.close()
            self.note(name, stream.bytes, stream.sha256)

    def keep_shard(self, shard: Shard) -> None:
        """Have a run that goes on with this one find a large file whole.

        Raises:
            StorageError: that could not be put.
        """
        note = dataclasses.asdict(shard)
        del note["name"]  # the note has it
        with self._told():
            self._bucket.put(_shard_note(shard.name), orjson.dumps(note))

    def shard(self, name: str) -> Shard | None:
        """Give a large file that an interrupted run left whole.

        Raises:
            StorageError: it cannot be looked at.
        """
        if name not in self._there or _shard_note(name) not in self._there:
            return None
        told = self._read(_shard_note(name))
        try:
            shard = Shard(name, **(told or {}))
        except TypeError:
            return None
        if shard.bytes != self._there[name][0]:
            return None
        return shard

    def finish(self) -> None:
        """Put what says that the export is whole, when it is.

        Raises:
            StorageError: something could not be put; what was stays there.
        """
        if self._sums is None or self._last is None:
            raise AssertionError("the destination was not entered, or was told nothing of what it holds")
        with self._told():
            self._settle(0, 0)
            self._sums.seek(0)
            self._bucket.put_pieces(CHECKSUMS, iter(self._read_sums, b""))
            self._bucket.put(ABOUT, self._last, media_type=_type_of(ABOUT))
            for one in list(self._bucket.list(UNFINISHED)):
                if one.name != PLAN:
                    self._bucket.delete(one.name)
            self._bucket.delete(PLAN)

    @property
    def aside(self) -> str:
        """What says that the place is not whole."""
        return UNFINISHED

    def _leave(self) -> str:
        """Keep whatever was put, and the mark with it; a mark alone goes."""
        self._threads.shutdown(wait=True, cancel_futures=True)
        with contextlib.suppress(StorageError):
            if [one.name for one in itertools.islice(self._bucket.list(), 2)] == [PLAN]:
                self._bucket.delete(PLAN)
                return ""
        return f"what is done stays in {self.path}, marked by {UNFINISHED}/: the same command goes on with it"

    def _read_sums(self) -> bytes:
        return b"" if self._sums is None else self._sums.read(1 << 20)

    def _read(self, name: str) -> dict[str, Any] | None:
        data = self._bucket.get(name)
        if data is None:
            return None
        return about_of(data) or {}

    def _send(self, name: str, data: bytes) -> None:
        with self._told():
            self._settle(_WAITING - 1, _BYTES - len(data))
            future = self._threads.submit(self._put, name, data)
            self._under_way.append((future, len(data)))
            self._held += len(data)

    def _put(self, name: str, data: bytes) -> None:
        if not self._is_there(name, data):
            self._bucket.put(name, data, media_type=_type_of(name))

    def _is_there(self, name: str, data: bytes) -> bool:
        """Tell whether this very export put it before: an object that is there is whole."""
        length, tag = self._there.get(name, (-1, ""))
        if length != len(data):
            return False
        return not _MD5.fullmatch(tag) or tag == hashlib.md5(data, usedforsecurity=False).hexdigest()

    def _settle(self, files: int, length: int) -> None:
        """Wait until no more are on their way; the first that failed fails all."""
        while self._under_way and (len(self._under_way) > files or self._held > max(0, length)):
            future, size = self._under_way.popleft()
            self._held -= size
            future.result()

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except StorageError as error:
            if UNFINISHED in error.hint:  # of a file within a file, and said
                raise
            kept = f"what is done stays in {self.path}, marked by {UNFINISHED}/: the same command goes on"
            raise StorageError(error.message, hint=f"{error.hint}; {kept}") from error.__cause__

    def _sums_failed(self, error: OSError) -> DiskError:
        return cannot_keep(error)


def _type_of(name: str) -> str | None:
    if name.endswith(tuple(EXTENSIONS.values())):
        return media_type_of(name)
    return _MEDIA_TYPES.get(name[name.rfind(".") :])


def _shard_note(name: str) -> str:
    return f"{UNFINISHED}/{name.replace('/', '__')}.json"
