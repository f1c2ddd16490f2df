"""Where an export goes: what any such place is asked for, and what is counted of the files made there."""

from __future__ import annotations

import contextlib
import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Final, Self

from zbatch.errors import DiskError, ZbatchError
from zbatch.exports.aside import cannot_keep
from zbatch.exports.desk import Target
from zbatch.exports.lengths import LENGTHS
from zbatch.exports.streams import Stream

_PIECE: Final = 1 << 20
"""Bytes of the lengths that are copied at once."""


@dataclass(frozen=True, slots=True)
class Shard:
    """A large file that is whole: its name, images, bytes and SHA-256.

    `tool` is the package that wrote it, with its version, where one did: those of another may be other bytes.
    """

    name: str
    images: int
    bytes: int
    sha256: str
    tool: str = ""


class Destination(ABC):
    """A place for one export, which is whole there or says that it is not. Use it as a context manager."""

    links: bool
    """Whether a file there may be another name of the run's own."""
    path: Path | str

    def __init__(self, digest: str, about: Mapping[str, Any]) -> None:
        """Begin; `digest` tells this export apart from any other, `about` says what it is."""
        self.resumed = False
        """Whether an interrupted run of this very export is gone on with."""
        self.discarded = False
        """Whether what another export left half done was dropped."""
        self.files = 0
        self.bytes = 0
        self.linked = 0
        self.copied = 0
        self.loose = 0
        self._digest = digest
        self._about = about
        self._sums: BinaryIO | None = None
        """The checksums as they are written; there once the place is entered."""
        self._lengths: BinaryIO | None = None
        """The lengths as they are known, in a file without a name; there once the place is entered."""

    @abstractmethod
    def complete(self) -> bool:
        """Tell whether this very export lies there already.

        Raises:
            UsageError: something else does.
            DiskError: it cannot be looked at.
        """

    @abstractmethod
    def __enter__(self) -> Self:
        """Take the place, with what an interrupted run of this very export left there."""

    @abstractmethod
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    @property
    @abstractmethod
    def target(self) -> Target:
        """What this process packs images into; another may have one of its own."""

    @abstractmethod
    def put(self, name: str, data: bytes) -> None:
        """Make a small file.

        Raises:
            DiskError: it cannot be.
        """

    @abstractmethod
    def stream(self, name: str) -> AbstractContextManager[Stream]:
        """Make a file piece by piece; it is there when the block ends well.

        Raises:
            DiskError: it cannot be.
        """

    @abstractmethod
    def shard(self, name: str) -> Shard | None:
        """Give a large file that an interrupted run left whole, and that is so still."""

    @abstractmethod
    def keep_shard(self, shard: Shard) -> None:
        """Have a run that goes on with this one find a large file whole.

        Raises:
            DiskError: that cannot be written.
        """

    def put_lengths(self) -> None:
        """Make the file of the lengths of all that was made so far.

        Raises:
            DiskError: it cannot be.
        """
        if self._lengths is None:
            raise AssertionError("the destination was not entered")
        with self.stream(LENGTHS) as stream:
            self._lengths.flush()
            end = self._lengths.tell()
            for start in range(0, end, _PIECE):
                stream.write(os.pread(self._lengths.fileno(), min(_PIECE, end - start), start))

    @abstractmethod
    def finish(self) -> None:
        """Have the export count as whole.

        Raises:
            DiskError: it cannot be; what is done is kept.
        """

    @contextlib.contextmanager
    def left_behind(self) -> Iterator[None]:
        """Have an error in the block say what is left of the export, where it does not say so itself."""
        try:
            yield
        except ZbatchError as error:
            if self.aside not in str(error) and (left := self._leave()):
                error.hint = f"{error.hint}; {left}" if error.hint else left
            raise

    @property
    @abstractmethod
    def aside(self) -> str:
        """What says in words where an export lies that is not whole."""

    @abstractmethod
    def _leave(self) -> str:
        """Say what is kept for the same command to go on with; where nothing is worth it, take it away."""

    def note(self, name: str, length: int, sha256: str) -> None:
        """Count a file that is whole, and write its checksum down.

        Raises:
            DiskError: the disk is full.
        """
        self.files += 1
        self.bytes += length
        if self._sums is None or self._lengths is None:
            raise AssertionError("the destination was not entered")
        try:
            self._sums.write(f"{sha256}  {name}\n".encode())
        except OSError as error:
            raise self._sums_failed(error) from error
        try:
            self._lengths.write(f"{length}  {name}\n".encode())
        except OSError as error:
            raise cannot_keep(error) from error

    @abstractmethod
    def _sums_failed(self, error: OSError) -> DiskError:
        """Say that the checksums cannot be written."""
