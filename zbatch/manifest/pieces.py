"""What a grid is put together from: its loops, its points some at a time, and tables of what depends on few.

A table holds what is made for each combination of the dimensions it depends on. It is made when it is asked
for, once, and asked for all points of a batch together.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
import orjson

from zbatch.manifest.grid import Grid, IncludeRow
from zbatch.manifest.requests import RequestProgram
from zbatch.manifest.values import AxisValue, ZipRow

T = TypeVar("T")
Indexes = npt.NDArray[np.int64]

MOST_KEPT: Final = 50_000
"""Combinations a table keeps; beyond it, it begins anew."""

BATCH: Final = 4_000
"""Points that are put together at once."""

_WORTH: Final = 4
"""How often a combination must be used for joining it beforehand to be worth it."""


class SlowWayError(Exception):
    """Something here needs the slow way: a problem to explain, or a form not worth a fast one."""


class Dimension:
    """One loop of the grid: an axis, zip or the replicas. Each value gives axes their values.

    What was asked for lately is kept; a range of a million values is never held as a whole.
    """

    def __init__(self, names: tuple[str, ...], values: Sequence[AxisValue | ZipRow]) -> None:
        self.names = names
        self.values = values
        self._parts: dict[int, Mapping[str, AxisValue]] = {}

    def __len__(self) -> int:
        return len(self.values)

    def parts(self, index: int) -> Mapping[str, AxisValue]:
        """Give the values of one step of the loop, by axis."""
        parts = self._parts.get(index)
        if parts is None:
            if len(self._parts) >= BATCH:
                self._parts.clear()
            parts = self._parts[index] = {part.axis: part for part in self.values[index].parts}
        return parts

    def label(self, index: int) -> bytes:
        """Give the coordinates of one step of the loop: JSON without braces."""
        return orjson.dumps(dict(self.values[index].coordinates))[1:-1]


@dataclass(frozen=True, slots=True)
class Block:
    """Points that one program makes: their loops, outermost first, and the order of their coordinates."""

    program: RequestProgram
    dimensions: tuple[Dimension, ...]
    labels: tuple[int, ...]

    @property
    def count(self) -> int:
        """Points it has."""
        return math.prod(self.sizes)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Steps of each loop."""
        return tuple(len(dimension) for dimension in self.dimensions)

    @property
    def where(self) -> dict[str, int]:
        """The dimension that gives each axis its value."""
        return {axis: n for n, dimension in enumerate(self.dimensions) for axis in dimension.names}


def matrix_block(grid: Grid, program: RequestProgram) -> Block:
    """Give the points of matrix, zip and replicas: a dimension for each axis, then that of the replicas."""
    dimensions = [Dimension(axis.names, axis.values) for axis in grid.axes]
    dimensions += _replicas(grid.replicas)
    dimensions = dimensions or [Dimension((), [ZipRow((), ())])]
    return Block(program, tuple(dimensions), tuple(range(len(dimensions))))


def row_block(row: IncludeRow, grid: Grid) -> Block:
    """Give the points of a row of include; coordinates come in the order of the grid's axes, then its own."""
    given = [Dimension((value.axis,), [value]) for value in row.values]
    given += [Dimension(axis.names, axis.values) for axis in row.axes]
    order = {name: n for n, name in enumerate(name for axis in grid.axes for name in axis.names)}
    labels = sorted(range(len(given)), key=lambda n: order.get(given[n].names[0], len(order)))
    rest = [] if row.label is None else [Dimension(("include",), [_constant("include", row.label)])]
    rest += _replicas(grid.replicas)
    dimensions = [*given, *rest] or [Dimension((), [ZipRow((), ())])]
    return Block(row.program, tuple(dimensions), (*labels, *range(len(given), len(dimensions))))


def _replicas(count: int) -> list[Dimension]:
    values = [_constant("replica", number) for number in range(1, count + 1)]
    return [Dimension(("replica",), values)] if count > 1 else []


def _constant(name: str, value: str | int) -> AxisValue:
    return AxisValue(value, ((name, value),), ())


class Points:
    """Some points of a grid, by their numbers in grid order."""

    def __init__(self, numbers: Indexes, sizes: Sequence[int]) -> None:
        self.numbers = numbers
        self._sizes = sizes
        self._steps: dict[int, Indexes] = {}

    def __len__(self) -> int:
        return len(self.numbers)

    def some(self, chosen: Any) -> Points:
        """Give those that are chosen, by a mask or by their places here."""
        return Points(self.numbers[chosen], self._sizes)

    def steps(self, dimension: int) -> Indexes:
        """Give the step of a loop that each point is at."""
        found = self._steps.get(dimension)
        if found is None:
            found = self.numbers // math.prod(self._sizes[dimension + 1 :])
            found = self._steps[dimension] = found % self._sizes[dimension] if dimension else found
        return found

    def combined(self, dimensions: Sequence[int]) -> Indexes:
        """Number the combination of some dimensions that each point has."""
        total = np.zeros(len(self.numbers), np.int64)
        for dimension in dimensions:
            total = total * self._sizes[dimension] + self.steps(dimension)
        return total

    def each(self, dimensions: Sequence[int]) -> Iterator[dict[int, int]]:
        """Give, point by point, the steps of some dimensions."""
        if not dimensions:
            return itertools.repeat({}, len(self))
        columns = [self.steps(dimension).tolist() for dimension in dimensions]
        return (dict(zip(dimensions, row, strict=True)) for row in zip(*columns, strict=True))


def points_of(block: Block, step: int) -> Iterator[Points]:
    """Give all points of a block in grid order, some at a time."""
    for begin in range(0, block.count, step):
        yield Points(np.arange(begin, min(begin + step, block.count), dtype=np.int64), block.sizes)


class Lookup(Generic[T]):
    """What is made for each combination of the dimensions it depends on, once, and looked up from then on.

    `make` is handed points that have the combinations to make.
    """

    def __init__(
        self, deps: Iterable[int], sizes: Sequence[int], make: Callable[[Points], Sequence[T]]
    ) -> None:
        self.deps = tuple(sorted(dep for dep in set(deps) if sizes[dep] > 1))
        self._make = make
        self._found: dict[int, T] = {}
        loops = [n for n, size in enumerate(sizes) if size > 1]
        # What depends on the outermost loops alone is never needed again once they have gone on.
        self._keep = BATCH if list(self.deps) == loops[: len(self.deps)] else MOST_KEPT

    def pick(self, points: Points) -> list[T]:
        """Give what belongs to each of some points."""
        if not self.deps:
            if not self._found:
                self._found[0] = self._make(points.some(slice(1)))[0]
            return [self._found[0]] * len(points)
        combinations = points.combined(self.deps)
        firsts, which = _distinct(combinations)
        numbers = combinations[firsts].tolist()
        found = self._found
        missing = [n for n, number in enumerate(numbers) if number not in found]
        if len(found) + len(missing) > self._keep:
            found.clear()
            missing = list(range(len(numbers)))
        if missing:
            made = self._make(points.some(firsts[missing]))
            found.update(zip([numbers[n] for n in missing], made, strict=True))
        values = list(map(found.__getitem__, numbers))
        return list(map(values.__getitem__, which.tolist()))


def _distinct(numbers: Indexes) -> tuple[Indexes, Indexes]:
    """Give where each distinct number is first, and which of them each number is."""
    if (numbers[1:] >= numbers[:-1]).all():
        change = numbers[1:] != numbers[:-1]
        firsts = np.concatenate([[0], np.flatnonzero(change) + 1])
        return firsts, np.concatenate([[0], np.cumsum(change)])
    _, firsts, which = np.unique(numbers, return_index=True, return_inverse=True)
    return firsts, which


def each(deps: Iterable[int], sizes: Sequence[int], make: Callable[[Mapping[int, int]], T]) -> Lookup[T]:
    """Give a lookup whose combinations are made one by one, from the steps of the dimensions."""
    dimensions = sorted(set(deps))
    return Lookup(dimensions, sizes, lambda points: [make(steps) for steps in points.each(dimensions)])


def fused(
    lookups: Sequence[Lookup[T]], sizes: Sequence[int], join: Callable[[Iterable[T]], T]
) -> list[Lookup[T]]:
    """Join neighbours beforehand where the combinations of both are few for the points that use them."""
    groups: list[list[Lookup[T]]] = []
    for lookup in lookups:
        if groups:
            deps = {dep for member in (*groups[-1], lookup) for dep in member.deps}
            if math.prod(sizes[dep] for dep in deps) * _WORTH <= math.prod(sizes) or not deps:
                groups[-1].append(lookup)
                continue
        groups.append([lookup])
    return [group[0] if len(group) == 1 else _joined(group, sizes, join) for group in groups]


def enclosed(
    head: bytes, lookups: Sequence[Lookup[bytes]], tail: bytes, sizes: Sequence[int]
) -> list[Lookup[bytes]]:
    """Join neighbours beforehand, with what comes before the first of them and after the last."""
    ends = [_always(text, sizes) for text in (head, tail)]
    return fused([ends[0], *lookups, ends[1]], sizes, b"".join)


def _always(value: T, sizes: Sequence[int]) -> Lookup[T]:
    return Lookup((), sizes, lambda _: [value])


def _joined(group: Sequence[Lookup[T]], sizes: Sequence[int], join: Callable[[Iterable[T]], T]) -> Lookup[T]:
    def make(points: Points) -> list[T]:
        return list(map(join, zip(*[lookup.pick(points) for lookup in group], strict=True)))

    return Lookup({dep for lookup in group for dep in lookup.deps}, sizes, make)


class Piece(NamedTuple):
    """A field's JSON (`"name":value`) in the canonical request and in the body; empty where it is absent.

    `value` is that of the field, `None` where it is absent; of a seed, whether zbatch chose it.
    """

    canonical: bytes
    body: bytes
    value: Any
