"""Where images are packed: what is packed, from where, into what; the same in this process and in another."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from zbatch.exports.columns import Columns
from zbatch.exports.entries import Chosen, Entry
from zbatch.exports.options import Options
from zbatch.exports.sources import Sources
from zbatch.exports.streams import Stream


class Room(NamedTuple):
    """Bytes that a shard takes beside its images: as a whole, and with each of them."""

    whole: int
    each: int
    times: int
    """How often what is said of an image is in there, at most."""
    named: int = 0
    """With each image whose name is long, or not of ASCII alone, that much more."""


class Lot(NamedTuple):
    """Images of one side that are packed together: `name` is their shard's, or none in a folder."""

    side: str
    name: str
    chosen: Chosen


class Target(Protocol):
    """What files are written into: a directory, or a place in a store."""

    links: bool
    linked: int
    copied: int
    loose: int

    def link(self, source: str, name: str, length: int, sha256: str, /) -> None:
        """Make a file that is the source by another name."""

    def copy(self, name: str, data: bytes, sha256: str, /) -> None:
        """Make a file of an image's bytes."""

    def put(self, name: str, data: bytes, /) -> None:
        """Make a small file."""

    def stream(self, name: str, /) -> contextlib.AbstractContextManager[Stream]:
        """Make a file piece by piece."""


@dataclass(slots=True)
class Desk:
    """One place where images are packed, and who is told of each that is."""

    columns: Columns
    options: Options
    sources: Sources
    target: Target
    tick: Callable[[int], None]

    def read(self, lot: Lot) -> Iterator[tuple[Entry, bytes]]:
        """Give images with their bytes, held against their hashes.

        Raises:
            DiskError: one is gone or was changed.
        """
        return self.sources.read_all(lot.chosen.entries())

    def place(self, lot: Lot) -> Iterator[Entry]:
        """Put images into their side's folder, under their names.

        Raises:
            DiskError: one is gone or was changed, or the disk is full.
        """
        target, side = self.target, lot.side
        linking = target.links and self.sources.here and not self.options.copy
        if linking and not self.options.check:
            for entry in lot.chosen.entries():
                target.link(self.sources.path(entry), f"{side}/{entry.name}", entry.length, entry.sha256)
                self.tick(1)
                yield entry
            return
        for entry, data in self.read(lot):
            if linking:
                target.link(self.sources.path(entry), f"{side}/{entry.name}", entry.length, entry.sha256)
            else:
                target.copy(f"{side}/{entry.name}", data, entry.sha256)
            self.tick(1)
            yield entry


class Packed(NamedTuple):
    """What came of a lot: its rows for who writes the tables; of a shard also its bytes and SHA-256."""

    rows: bytes = b""
    length: int = 0
    sha256: str = ""
