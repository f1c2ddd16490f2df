"""A place in an object store: objects put, read, listed and moved, with time-outs and bounded retries."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import os
import time
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import urlsplit

from zbatch.errors import StorageError, UsageError
from zbatch.storage.location import Location
from zbatch.storage.words import storage_error

if TYPE_CHECKING:
    from obstore.store import AzureStore, GCSStore, S3Store

PATIENCE: Final = 120.0
"""Seconds for which what fails may be tried again: a store has its bad minutes."""

_CONNECT: Final = timedelta(seconds=10)
_READ: Final = timedelta(seconds=60)
"""Of silence; and for a part of an upload, 8 MiB, to be sent and answered."""
_REQUEST: Final = timedelta(minutes=10)
_MOST_TRIES: Final = 60
_PART: Final = 8 * 2**20
"""Bytes of a part of a large object, up and down."""
_PARTS_AT_ONCE: Final = 4
_PAUSE: Final = 0.2
_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})


class Stored(NamedTuple):
    """An object: its name from the place it was listed at, its bytes, and the store's tag of its content."""

    name: str
    length: int
    tag: str = ""


class Bucket:
    """Objects below one place. A name is that of an object from there. May be used by many threads at once.

    Every put is atomic: an object is there whole under its name, or as it was before.
    """

    def __init__(self, location: Location, *, patience: float = PATIENCE) -> None:
        """Open it, with the credentials of the environment; nobody is asked yet.

        Raises:
            UsageError: the package obstore is not installed.
            StorageError: the environment lacks what such a store needs.
        """
        self.location = location
        self._patience = patience
        self._api, self._store = _open(location, patience)

    def put(self, name: str, data: bytes, *, media_type: str | None = None) -> None:
        """Put an object, whatever was there before; in parts where it is large.

        It returns when the store has acknowledged it and what lies there is it: by the MD5 that the store
        gives, or where it gives none, by its length.

        Raises:
            StorageError: it did not come to be; what was there before is untouched.
        """
        with self._told(f"write {self.location.url(name)}"):
            answer = self._api.put(
                self._store, name, data, attributes=_attributes(media_type), chunk_size=_PART
            )
        if (answer["e_tag"] or "").strip('"') != hashlib.md5(data, usedforsecurity=False).hexdigest():
            self._check_length(name, len(data))

    def put_pieces(self, name: str, pieces: Iterable[bytes], *, media_type: str | None = None) -> int:
        """Put a large object as it is made, in parts; gives its bytes. Where `pieces` raises there is none.

        Raises:
            StorageError: as `put`.
        """
        rest, head, length = iter(pieces), b"", 0
        while len(head) <= _PART:
            if (piece := next(rest, None)) is None:
                self.put(name, head, media_type=media_type)  # it is not large, and may be empty
                return len(head)
            head += piece

        def counted() -> Iterator[bytes]:
            nonlocal length
            for piece in itertools.chain([head], rest):
                length += len(piece)
                yield piece

        with self._told(f"write {self.location.url(name)}"):
            self._api.put(
                self._store, name, counted(), attributes=_attributes(media_type), chunk_size=_PART,
                max_concurrency=_PARTS_AT_ONCE,
            )  # fmt: skip
        self._check_length(name, length)
        return length

    def create(self, name: str, data: bytes) -> bool:
        """Put a small object where there is none; tells whether it was put.

        Where the answer did not come, that it was put may not be known: then it is said that it was not.

        Raises:
            StorageError: as `put`.
        """
        from obstore.exceptions import AlreadyExistsError, GenericError, NotSupportedError  # noqa: PLC0415 - optional

        until = time.monotonic() + self._patience
        with self._told(f"write {self.location.url(name)}"):
            while True:
                try:
                    self._api.put(self._store, name, data, mode="create", use_multipart=False)
                except AlreadyExistsError:
                    return False
                except NotSupportedError:  # by a store that knows no conditions
                    if self.length(name) is not None:
                        return False
                    self.put(name, data)
                except GenericError as error:
                    # Not repeated by itself, as it is not the same twice; what it says is.
                    if "HTTP error" not in str(error) or time.monotonic() > until:
                        raise
                    time.sleep(_PAUSE)
                    continue
                return True

    def get(self, name: str) -> bytes | None:
        """Read an object whole; `None` where there is none.

        Raises:
            StorageError: it cannot be read.
        """
        with self._told(f"read {self.location.url(name)}"):
            try:
                return self._api.get(self._store, name).bytes().to_bytes()  # type: ignore[no-any-return]
            except FileNotFoundError as error:
                self._check_bucket(error)
                return None

    def pieces(self, name: str) -> Iterator[bytes]:
        """Read an object in parts, each asked for by itself; nothing where there is none.

        Raises:
            StorageError: it cannot be read, or was replaced meanwhile.
        """
        with self._told(f"read {self.location.url(name)}"):
            try:
                first = self._api.get(self._store, name, options={"range": (0, _PART)})
            except FileNotFoundError as error:
                self._check_bucket(error)
                return
            except Exception as error:
                if "416" not in str(error):  # an empty one has no ranges
                    raise
                return
            length, tag = first.meta["size"], first.meta["e_tag"]
            yield first.bytes().to_bytes()
            for start in range(_PART, length, _PART):
                options = {"range": (start, min(start + _PART, length)), "if_match": tag}
                yield self._api.get(self._store, name, options=options).bytes().to_bytes()

    def length(self, name: str) -> int | None:
        """Give an object's bytes; `None` where there is none.

        Raises:
            StorageError: it cannot be looked at.
        """
        with self._told(f"look at {self.location.url(name)}"):
            try:
                return int(self._api.head(self._store, name)["size"])
            except FileNotFoundError:
                return None

    def list(self, prefix: str = "") -> Iterator[Stored]:
        """Give every object below a prefix that ends with no slash, by name.

        Raises:
            StorageError: it cannot be listed.
        """
        with self._told(f"list {self.location.url(prefix) if prefix else self.location}"):
            for page in self._api.list(self._store, prefix or None):
                for one in page:
                    yield Stored(one["path"], one["size"], (one["e_tag"] or "").strip('"'))

    def move(self, name: str, to: str) -> None:
        """Copy an object within the place, then delete it under its old name.

        Raises:
            StorageError: it cannot be moved; it is still there under its old name.
        """
        with self._told(f"move {self.location.url(name)}"):
            self._api.copy(self._store, name, to)
            self._api.delete(self._store, name)

    def delete(self, name: str) -> None:
        """Delete an object, if there is one.

        Raises:
            StorageError: it could not be deleted.
        """
        with self._told(f"delete {self.location.url(name)}"), contextlib.suppress(FileNotFoundError):
            self._api.delete(self._store, name)

    def _check_length(self, name: str, length: int) -> None:
        there = self.length(name)
        if there != length:
            found = "nothing" if there is None else f"{there:,} bytes"
            raise StorageError(
                f"{self.location.url(name)} was put and is not what was sent: {found} instead of {length:,}",
                hint="another program writes there, or the store is damaged; run again",
            )

    def _check_bucket(self, error: Exception) -> None:
        """A bucket that is not there is no object that is not there."""
        if "NoSuchBucket" in str(error) or "ContainerNotFound" in str(error):
            raise error

    @contextlib.contextmanager
    def _told(self, doing: str) -> Iterator[None]:
        from obstore.exceptions import BaseError  # noqa: PLC0415 - optional

        try:
            yield
        except StorageError:
            raise
        except (BaseError, FileNotFoundError) as error:
            raise storage_error(error, self.location, doing) from None


def _attributes(media_type: str | None) -> dict[str, str] | None:
    return None if media_type is None else {"Content-Type": media_type}


def _open(location: Location, patience: float) -> tuple[Any, S3Store | GCSStore | AzureStore]:
    try:
        import obstore  # noqa: PLC0415 - optional
        from obstore import store  # noqa: PLC0415
        from obstore.exceptions import BaseError  # noqa: PLC0415
    except ImportError as error:
        raise UsageError(
            f"{location} needs the package obstore, which is not installed",
            hint="pip install 'zbatch[cloud]'",
        ) from error
    kinds = {"s3": store.S3Store, "gs": store.GCSStore, "az": store.AzureStore}
    backoff = {"init_backoff": timedelta(milliseconds=200), "max_backoff": timedelta(seconds=5), "base": 2}
    client: dict[str, Any] = {"connect_timeout": _CONNECT, "read_timeout": _READ, "timeout": _REQUEST}
    if location.scheme == "s3" and _endpoint_is_here():
        client["allow_http"] = True
    try:
        return obstore, kinds[location.scheme](
            location.bucket,
            prefix=location.prefix or None,
            client_options=client,
            retry_config={
                "max_retries": _MOST_TRIES,
                "retry_timeout": timedelta(seconds=patience),
                "backoff": backoff,
            },
        )
    except BaseError as error:
        raise storage_error(error, location, f"open {location}") from None


def _endpoint_is_here() -> bool:
    """Tell whether the variables name an endpoint on this machine: plain http to it leaves nobody's house."""
    for name in ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"):
        if url := os.environ.get(name):
            return urlsplit(url).hostname in _LOOPBACK
    return False
