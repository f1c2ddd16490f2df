"""The fast way through a grid: what cells are made of is made once for each combination that it depends on.

The slow way (`zbatch.manifest.jobs`) renders, checks and serialises every cell by itself and explains what is
wrong. Here each field of the request becomes a piece of JSON for every combination of the dimensions it
depends on, and is checked then; so do file names, exclude rules and selections. A cell is only put together
from its pieces: joined, hashed, handed on, some thousands at a time. Whatever is not plainly right ends the
fast way with `SlowWayError`, and the slow way does it all again, in the same order, with the same results:
a property test holds the two together.
"""

from __future__ import annotations

import operator
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

import numpy as np

from zbatch.expressions.loras import NamedLora
from zbatch.manifest.fields import Context, Fields, Images
from zbatch.manifest.grid import Grid, Notes
from zbatch.manifest.naming import JobFiles
from zbatch.manifest.numbering import Numbering, halves
from zbatch.manifest.pieces import (
    BATCH,
    Block,
    Indexes,
    Lookup,
    Points,
    each,
    enclosed,
    points_of,
)
from zbatch.manifest.selection import Chosen
from zbatch.manifest.stems import CompiledFiles, Named
from zbatch.manifest.templates import ValueTemplate
from zbatch.manifest.verdicts import CompiledSelection, Verdicts
from zbatch.model import Row

_JUDGED = 16 * BATCH


@dataclass(frozen=True, slots=True)
class Frame:
    """What all blocks of an expansion share: the manifest's facts, and what was met so far."""

    name: str
    variables: tuple[tuple[str, ValueTemplate], ...]
    loras: Mapping[str, NamedLora]
    unchecked: frozenset[str]
    image: Images
    numbers: Numbering
    files: JobFiles
    chosen: Chosen


class CompiledBlock:
    """The cells of one block, put together many at a time."""

    def __init__(self, block: Block, frame: Frame) -> None:
        """Prepare.

        Raises:
            SlowWayError: the program is of a form that only the slow way takes.
        """
        context = Context(frame.name, block, frame.variables)
        self._block = block
        self._frame = frame
        self._fields = Fields(block, context, frame.loras, frame.unchecked, frame.image)
        self._files = CompiledFiles(frame.files, block, self._fields, context)
        self._selection = CompiledSelection(frame.chosen.selection, block)
        self._canonical = self._fields.canonical()
        self._body = self._fields.body()
        self._labels = _labels(block)
        self.seeds_chosen = 0

    def batches(self) -> Iterator[list[Row]]:
        """Stream the rows of all its points, some at a time.

        Raises:
            SlowWayError: a cell is not plainly right. Rows given before it stand.
        """
        for points in points_of(self._block, BATCH):
            yield self.rows(points, self.coordinates(points))

    def coordinates(self, points: Points) -> list[bytes]:
        """Give the coordinates of points, as JSON."""
        return _texts(self._labels, points)

    def rows(self, points: Points, coordinates: Sequence[bytes]) -> list[Row]:
        """Give the rows of points that no rule took out.

        Raises:
            SlowWayError: one is not plainly right.
        """
        self._fields.check_together(points)
        self.seeds_chosen += self._fields.seeds_chosen(points)
        texts = _texts(self._canonical, points)
        digests = [sha256(text).digest() for text in texts]
        high, low = halves(digests)
        numbers, new = self._frame.numbers.number_all(high, low)
        keys = _hexadecimal(digests)
        chosen = self._choose(points, numbers)
        if new.all():
            bodies = _texts(self._body, points)
            files = self._files.names(Named(points, keys, high, bodies))
            if chosen is None:
                return list(map(Row, coordinates, keys, bodies, files))
            nothing = [None] * len(keys)
            return list(map(Row, coordinates, keys, bodies, files, nothing, chosen))
        rows = list(map(Row, coordinates, keys))
        if new.any():
            fresh = points.some(new)
            bodies = _texts(self._body, fresh)
            firsts = np.flatnonzero(new).tolist()
            files = self._files.names(Named(fresh, [keys[n] for n in firsts], high[new], bodies))
            for place, body, file in zip(firsts, bodies, files, strict=True):
                rows[place] = Row(coordinates[place], keys[place], body, file)
        if chosen is None:
            return rows
        return [row._replace(selected=is_chosen) for row, is_chosen in zip(rows, chosen, strict=True)]

    def _choose(self, points: Points, numbers: Indexes) -> list[bool] | None:
        chosen = self._frame.chosen
        if chosen.selection.everything:
            return None
        pairs = zip(numbers.tolist(), self._selection.meant(points), strict=True)
        return [chosen.take(number, meant=meant) for number, meant in pairs]


class CompiledGrid:
    """The cells of a matrix, zip and replicas, as rows in grid order; excluded ones among them."""

    def __init__(self, grid: Grid, block: Block, frame: Frame) -> None:
        """Prepare.

        Raises:
            SlowWayError: the program is of a form that only the slow way takes.
        """
        self._grid = grid
        self._block = block
        self._compiled = CompiledBlock(block, frame)
        self._verdicts = Verdicts(grid.excludes, block)
        self.notes = Notes()
        self.cells = 0

    @property
    def seeds_chosen(self) -> int:
        """Cells whose seed zbatch chose."""
        return self._compiled.seeds_chosen

    @property
    def used(self) -> Sequence[int]:
        """How many cells each exclude rule matched."""
        return self._verdicts.used

    def batches(self) -> Iterator[list[Row]]:
        """Stream the rows, some at a time.

        Raises:
            SlowWayError: a cell is not plainly right. Rows given before it stand.
        """
        if self._grid.sample is not None:
            kept = self._grid.kept(self._allowed(), self.notes)
            for begin in range(0, len(kept), BATCH):
                yield self._live(Points(kept[begin : begin + BATCH], self._block.sizes))
            return
        for points in points_of(self._block, BATCH):
            yield self._judged(points) if self._grid.excludes else self._live(points)

    def _live(self, points: Points) -> list[Row]:
        self.cells += len(points)
        return self._compiled.rows(points, self._compiled.coordinates(points))

    def _judged(self, points: Points) -> list[Row]:
        """Give the rows of points some of which a rule may take out."""
        verdicts = self._verdicts.of(points)
        live = verdicts == self._verdicts.none
        if live.all():
            return self._live(points)
        self._note(verdicts[~live])
        coordinates = self._compiled.coordinates(points)
        chosen = [coordinates[n] for n in np.flatnonzero(live).tolist()]
        self.cells += len(chosen)
        rows = iter(self._compiled.rows(points.some(live), chosen) if chosen else ())
        texts = [rule.text for rule in self._grid.excludes]
        return [
            next(rows) if verdict == self._verdicts.none else Row(text, None, excluded_by=texts[verdict])
            for text, verdict in zip(coordinates, verdicts.tolist(), strict=True)
        ]

    def _allowed(self) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """Judge every cell, for the sample to choose among those that are left."""
        allowed = np.ones(self._block.count, np.bool_)
        for points in points_of(self._block, _JUDGED) if self._grid.excludes else ():
            verdicts = self._verdicts.of(points)
            left = verdicts == self._verdicts.none
            self._note(verdicts[~left])
            allowed[points.numbers] = left
        return allowed

    def _note(self, verdicts: np.ndarray[tuple[int], np.dtype[np.int32]]) -> None:
        for number, count in Counter(verdicts.tolist()).items():
            rule = self._grid.excludes[number].text
            self.notes.excluded[rule] = self.notes.excluded.get(rule, 0) + count


def _labels(block: Block) -> list[Lookup[bytes]]:
    """Give tables that make coordinates: their texts, joined, are the inside of the braces."""

    def table(place: int, dimension: int) -> Lookup[bytes]:
        comma = b"," if place else b""
        loop = block.dimensions[dimension]
        return each((dimension,), block.sizes, lambda steps: comma + loop.label(steps[dimension]))

    tables = [table(place, dimension) for place, dimension in enumerate(block.labels)]
    return enclosed(b"{", tables, b"}", block.sizes)


def _texts(lookups: Sequence[Lookup[bytes]], points: Points) -> list[bytes]:
    """Join what lookups give each point."""
    lists = [lookup.pick(points) for lookup in lookups]
    if len(lists) == 1:
        return lists[0]
    if len(lists) == 2:
        return list(map(operator.add, *lists))
    return list(map(b"".join, zip(*lists, strict=True)))


def _hexadecimal(digests: Sequence[bytes]) -> list[str]:
    text = b"".join(digests).hex()
    return [text[begin : begin + 64] for begin in range(0, len(text), 64)]
