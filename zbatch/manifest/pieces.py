"""The pieces a grid is put together from: loops, fields by what they depend on, and who shows a job first."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import orjson

from zbatch.manifest.grid import Grid
from zbatch.manifest.values import AxisValue, ZipRow

MOST_KEPT: Final = 50_000
"""Combinations of a field to keep; a field with more keeps only the last, which inner loops use again."""

CHUNK: Final = 2_000
"""Steps of the inner loop that are put together at once."""


class Dimension:
    """One loop of the grid: an axis, zip or the replicas. Each value gives axes their values.

    What a short one gives is made once; a range of a million values is never held as a whole.
    """

    def __init__(self, names: tuple[str, ...], values: Sequence[AxisValue | ZipRow]) -> None:
        self.names = names
        self.values = values
        short = len(values) <= CHUNK
        self._parts = [_parts(value) for value in values] if short else []
        self._labels = [_label(value) for value in values] if short else []

    def __len__(self) -> int:
        return len(self.values)

    def parts(self, index: int) -> Mapping[str, AxisValue]:
        """Give the values of one step of the loop, by axis."""
        return self._parts[index] if self._parts else _parts(self.values[index])

    def label(self, index: int) -> bytes:
        """Give the coordinates of one step of the loop: JSON without braces."""
        return self._labels[index] if self._labels else _label(self.values[index])


def _parts(value: AxisValue | ZipRow) -> dict[str, AxisValue]:
    return {part.axis: part for part in value.parts}


def _label(value: AxisValue | ZipRow) -> bytes:
    return orjson.dumps(dict(value.coordinates))[1:-1]


def dimensions_of(grid: Grid) -> list[Dimension]:
    """Give the loops of a grid, outermost first; one of one empty step where there is none."""
    found = [Dimension(axis.names, axis.values) for axis in grid.axes]
    if grid.replicas > 1:
        replicas = [AxisValue(number, (("replica", number),), ()) for number in range(1, grid.replicas + 1)]
        found.append(Dimension(("replica",), replicas))
    return found or [Dimension((), [ZipRow((), ())])]


class Piece(NamedTuple):
    """A field's JSON (`"name":value`) in the canonical request and in the body; empty where it is absent."""

    canonical: bytes
    body: bytes
    value: Any


class Column(NamedTuple):
    """A field's pieces along the inner loop, each part in a list of its own."""

    canonical: list[bytes]
    body: list[bytes]
    value: list[Any]


class FieldPieces:
    """One field: the dimensions it depends on, and its pieces by their indexes."""

    def __init__(
        self, deps: Iterable[int], sizes: Sequence[int], make: Callable[[dict[int, int]], Piece]
    ) -> None:
        self.deps = tuple(sorted(deps))
        self._make = make
        self._keep = math.prod(sizes[dep] for dep in self.deps) <= MOST_KEPT
        self._memo: dict[tuple[int, ...], Piece] = {}
        self._columns: dict[tuple[int, ...], Column] = {}

    def column(self, outer: Sequence[int], steps: range) -> Column:
        """Give the pieces along some steps of the inner loop, which the field depends on."""
        key = (*[outer[dep] for dep in self.deps[:-1]], steps.start)
        column = self._columns.get(key)
        if column is None:
            if not self._keep:
                self._columns.clear()
            pieces = [self.at([*outer, index]) for index in steps]
            column = self._columns[key] = Column(*(list(part) for part in zip(*pieces, strict=True)))
        return column

    def at(self, indexes: Sequence[int]) -> Piece:
        """Give the piece at a point of the grid."""
        key = tuple([indexes[dep] for dep in self.deps])
        piece = self._memo.get(key)
        if piece is None:
            if not self._keep:
                self._memo.clear()
            piece = self._memo[key] = self._make(dict(zip(self.deps, key, strict=True)))
        return piece


def values_of(column: Piece | Column) -> list[Any]:
    """Give the value of each cell, or the one of all."""
    return column.value if isinstance(column, Column) else [column.value]


def joined(columns: Sequence[Piece | Column], part: int, count: int, head: bytes, tail: bytes) -> list[bytes]:
    """Join the pieces of each cell; what does not change along the inner loop is joined once.

    `part` is 0 for the canonical request and 1 for the body.
    """
    varying = [column[part] for column in columns if isinstance(column, Column)]
    if not varying:
        pieces = [
            column.body if part else column.canonical for column in columns if isinstance(column, Piece)
        ]
        return [head + b",".join(filter(None, pieces)) + tail] * count
    if not all(all(pieces) for pieces in varying):
        lists = [column[part] if isinstance(column, Column) else [column[part]] * count for column in columns]
        return [head + b",".join(filter(None, pieces)) + tail for pieces in zip(*lists, strict=True)]
    texts, separate = [head], False
    for column in columns:
        if isinstance(column, Column):
            texts[-1] += b"," if separate else b""
            texts.append(b"")
            separate = True
        elif column[part]:
            texts[-1] += b"," + column[part] if separate else column[part]
            separate = True
    texts[-1] += tail
    if len(varying) == 1:
        before, after = texts
        return [before + piece + after for piece in varying[0]]
    return [
        b"".join([texts[0], *(b for pair in zip(pieces, texts[1:], strict=True) for b in pair)])
        for pieces in zip(*varying, strict=True)
    ]


class FirstShown:
    """Tells which cells are the first to show their job.

    Along an independent dimension requests always differ, so whether a cell is the first is decided by its
    other indexes alone, once, where the independent ones are all 0: that comes first in grid order.
    """

    def __init__(self, sizes: Sequence[int], independent: frozenset[int]) -> None:
        inner = len(sizes) - 1
        self._free = inner in independent
        self._others = [n for n in range(inner) if n not in independent]
        self._zeros = [n for n in range(inner) if n in independent]
        self._sizes = sizes
        self._inner = 1 if self._free else sizes[-1]
        self._flags = bytearray(self._inner * math.prod(sizes[n] for n in self._others))
        self._seen: set[bytes] = set()

    def shown(self, outer: Sequence[int], steps: range, digests: Sequence[bytes]) -> list[int]:
        """Decide for some cells of the inner loop, which must come in grid order."""
        place = 0
        for n in self._others:
            place = place * self._sizes[n] + outer[n]
        place *= self._inner
        deciding = all(outer[n] == 0 for n in self._zeros)
        if self._free:
            if deciding and steps.start == 0:
                self._flags[place] = self._is_new(digests[0])
            return [self._flags[place]] * len(digests)
        place += steps.start
        if deciding:
            self._flags[place : place + len(digests)] = bytes(map(self._is_new, digests))
        return list(self._flags[place : place + len(digests)])

    def _is_new(self, digest: bytes) -> bool:
        short = digest[:16]
        if short in self._seen:
            return False
        self._seen.add(short)
        return True
