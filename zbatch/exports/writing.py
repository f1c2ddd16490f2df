"""The work at hand: a selection cut into lots, packed here or by other processes, put down in order."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Final

from zbatch.exports.crew import Crew, Hand, processors
from zbatch.exports.desk import Desk, Lot, Packed, Room, Target
from zbatch.exports.destination import Destination, Shard
from zbatch.exports.directory_destination import DirectoryDestination
from zbatch.exports.entries import Entry
from zbatch.exports.options import Options
from zbatch.exports.packing import PACKERS, Order, Written, have_packed, packer
from zbatch.exports.parquet import arrow_version
from zbatch.exports.selection import Selection
from zbatch.exports.sources import Sources

_TOLD: Final = 50
"""Images after which it is told how far it is."""

_STRETCH: Final = 500
"""Images of a folder that are packed together."""

_WORTH: Final = 2_000
"""Images for which other processes are worth their start."""

_MOST: Final = 4
"""Processes at most: by then the disk is what all of them wait for, and each takes some 30 MB."""

_MOST_WITH_ARROW: Final = 2
"""As `_MOST`, where each loads pyarrow and holds row groups several times over: some 70 MB."""


@dataclass(slots=True)
class Work:
    """One export on its way: what to write, from where, to where, and who is told how far it is."""

    selection: Selection
    sources: Sources
    destination: Destination
    progress: Callable[[int, int], None]
    total: int
    processes: int | None = None
    """How many pack; `None` takes what is worth its start, 0 packs here."""
    done: int = 0
    last_shard: int = 0
    """Number of the last shard for training, for the card to say."""

    @property
    def options(self) -> Options:
        """What was asked for."""
        return self.selection.options

    def tick(self, images: int = 1) -> None:
        """Count images that are done."""
        before = self.done
        self.done += images
        if before // _TOLD != self.done // _TOLD or self.done == self.total:
            self.progress(self.done, self.total)

    def shards(self, side: str, room: Room) -> list[int]:
        """Say how many images each shard of a side holds; one that is too large for any has its own."""
        options = self.options
        counts: list[int] = []
        size = 0
        for image, said, plain in self.selection.lengths(side):
            length = image + room.each + room.times * said + (0 if plain else room.named)
            size += length
            if not counts or counts[-1] >= options.shard_count or size > options.shard_bytes:
                counts.append(0)
                size = room.whole + length
            counts[-1] += 1
        return counts

    def lots(self, side: str, counts: Iterable[int], names: Iterable[str]) -> Iterator[Lot]:
        """Give the images of a side in shards of these names."""
        for name, chosen in zip(names, self.selection.chosen(side, counts), strict=True):
            yield Lot(side, name, chosen)

    def stretches(self, side: str) -> Iterator[Lot]:
        """Give the images of a side in stretches of its folder."""
        count = self.selection.count(side)
        counts = [min(_STRETCH, count - first) for first in range(0, count, _STRETCH)]
        return self.lots(side, counts, [""] * len(counts))

    def place(self, side: str) -> Iterator[Entry]:
        """Put the images of a side into its folder, in this process.

        Raises:
            DiskError: one is gone or was changed, or the disk is full.
        """
        desk = self._desk()
        for lot in self.stretches(side):
            yield from desk.place(lot)
        self._add_up(desk.target)

    def checked(self, side: str) -> Iterator[Entry]:
        """Give the images of a side for a table, each held against the hash that the table says of it.

        Raises:
            DiskError: one is gone or was changed.
        """
        entries = self.selection.entries(side)
        return (entry for entry, _ in self.sources.read_all(entries)) if self.options.check else entries

    def packed(self, lots: Iterable[Lot]) -> Iterator[Packed]:
        """Have lots packed, in their order; shards that an interrupted run left whole are not packed again.

        Raises:
            DiskError: an image is gone or was changed, or the disk is full.
            SurroundingsError: a process that packs ended.
        """
        lots = list(lots)
        count = self._hands(len(lots))
        if count and isinstance(self.destination, DirectoryDestination):
            yield from self._packed_elsewhere(count, self.destination, lots)
            return
        desk, pack = self._desk(), PACKERS[self.options.format]
        for lot in lots:
            whole = self._whole(lot)
            packed = pack(desk, lot) if whole is None else self._taken(whole)
            if whole is None:
                self._keep(lot, packed)
            yield packed
        self._add_up(desk.target)

    def _packed_elsewhere(
        self, count: int, destination: DirectoryDestination, lots: Sequence[Lot]
    ) -> Iterator[Packed]:
        ticks: SimpleQueue[int] = SimpleQueue()

        def ask(hand: Hand, lot: Lot) -> Written | Shard:
            return self._whole(lot) or have_packed(hand, lot, ticks.put)

        def told() -> None:
            while not ticks.empty():
                self.tick(ticks.get())

        order = Order(
            self.selection.columns,
            self.options,
            self.sources.roots,
            os.fspath(destination.tree.root),
            destination.resumed,
        )
        files = (self.selection.file, destination.lock)
        with Crew(lambda: packer(order, files), count) as crew:
            for lot, answer in zip(lots, crew.answers(lots, ask, told), strict=True):
                if isinstance(answer, Shard):
                    yield self._taken(answer)
                    continue
                for file in answer.files:
                    destination.note(*file)
                self._add(answer.linked, answer.copied, answer.loose)
                self._keep(lot, answer.packed)
                told()
                yield answer.packed

    def _hands(self, lots: int) -> int:
        """Say how many other processes are to pack; none where one would have all to do."""
        count = self.processes
        if count is None:
            most = _MOST_WITH_ARROW if self.options.needs_arrow else _MOST
            count = min(processors(), most) if self.total >= _WORTH and self.sources.here else 0
        return min(count, lots) if lots > 1 and count > 1 else 0

    def _desk(self) -> Desk:
        columns, target = self.selection.columns, self.destination.target
        return Desk(columns, self.options, self.sources, target, self.tick)

    def _whole(self, lot: Lot) -> Shard | None:
        shard = self.destination.shard(lot.name) if lot.name else None
        return shard if shard is not None and shard.tool == self._tool else None

    @property
    def _tool(self) -> str:
        return arrow_version() if self.options.needs_arrow else ""

    def _taken(self, shard: Shard) -> Packed:
        """Take a shard as it lies there."""
        self.destination.note(shard.name, shard.bytes, shard.sha256)
        self.tick(shard.images)
        return Packed(b"", shard.bytes, shard.sha256)

    def _keep(self, lot: Lot, packed: Packed) -> None:
        if lot.name:
            images, length, sha256 = lot.chosen.images, packed.length, packed.sha256
            self.destination.keep_shard(Shard(lot.name, images, length, sha256, self._tool))

    def _add_up(self, target: Target) -> None:
        """Count what was made here, and counted there; a place in a store is its own target."""
        made = (target.linked, target.copied, target.loose)
        target.linked = target.copied = target.loose = 0
        self._add(*made)

    def _add(self, linked: int, copied: int, loose: int) -> None:
        """Count files by how they were made."""
        self.destination.linked += linked
        self.destination.copied += copied
        self.destination.loose += loose
