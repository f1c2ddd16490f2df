"""What the formats have in common: the work at hand, and images put one by one where they go."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from zbatch.exports.bucket_destination import BucketDestination
from zbatch.exports.destination import Destination
from zbatch.exports.entries import Entry
from zbatch.exports.names import Names, extension
from zbatch.exports.options import Options
from zbatch.exports.selection import Selection
from zbatch.exports.sources import Read, Sources

_TOLD: Final = 50
"""Images after which it is told how far it is."""


@dataclass(slots=True)
class Work:
    """One export on its way: what to write, from where, to where, and who is told how far it is."""

    selection: Selection
    sources: Sources
    destination: Destination | BucketDestination
    progress: Callable[[int, int], None]
    total: int
    done: int = 0
    last_shard: int = 0
    """Number of the last shard for training, for the card to say."""

    @property
    def options(self) -> Options:
        """What was asked for."""
        return self.selection.options

    def tick(self, images: int = 1) -> None:
        """Count images that are done."""
        self.done += images
        if self.done % _TOLD == 0 or self.done == self.total:
            self.progress(self.done, self.total)

    def read(self, entries: Iterator[Entry]) -> Iterator[Read]:
        """Give images with their bytes, held against their hashes.

        Raises:
            DiskError: one is gone or was changed.
        """
        return self.sources.read_all(entries)

    def shards(self, side: str, overhead: int) -> list[int]:
        """Say how many images each shard of a side holds; `overhead` bytes come with each."""
        options = self.options
        counts: list[int] = []
        size = 0
        for length in self.selection.lengths(side):
            size += length + overhead
            if not counts or counts[-1] >= options.shard_count or size > options.shard_bytes:
                counts.append(0)
                size = length + overhead
            counts[-1] += 1
        return counts

    def place(self, side: str, names: Names) -> Iterator[tuple[Entry, str]]:
        """Put the images of a side into its folder; gives each with its name there.

        Raises:
            DiskError: one is gone or was changed, or the disk is full.
        """
        destination, options = self.destination, self.options
        entries = self.selection.entries(side)
        linking = destination.links and self.sources.here and not options.copy
        if linking and not options.check:
            for entry in entries:
                name = names.stem(entry) + extension(entry)
                destination.link(self.sources.path(entry), f"{side}/{name}", entry.length, entry.sha256)
                self.tick()
                yield entry, name
            return
        for entry, data in self.read(entries):
            name = names.stem(entry) + extension(entry)
            if linking:
                destination.link(self.sources.path(entry), f"{side}/{name}", entry.length, entry.sha256)
            else:
                destination.copy(f"{side}/{name}", data, entry.sha256)
            self.tick()
            yield entry, name
