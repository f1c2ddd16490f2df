"""Response curves: how far pictures move from their baseline along an axis, over all that else varies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import quantiles
from typing import Final

from zbatch.model import Scalar
from zbatch.sheet.axes import ABSENT, Axis
from zbatch.sheet.change import Changes
from zbatch.sheet.data import SheetData

BEND: Final = 0.1
"""How far a curve stands off its chord, as a share of its rise, before it is said to bend."""

UPTURN: Final = 0.2
"""Share of the whole rise that comes after the knee, before that is said to turn up."""


@dataclass(frozen=True, slots=True)
class Point:
    """What the pictures at one value do: median and deciles of their change, and of how many."""

    value: Scalar
    low: float
    middle: float
    high: float
    many: int


@dataclass(frozen=True, slots=True)
class Curve:
    """The response along an axis; of one LoRA or stack, where the axis is the scale of several."""

    axis: str
    lora: str | None
    points: tuple[Point, ...]

    @property
    def knee(self) -> Scalar | None:
        """The value after which more of it does less: where the medians stand highest above their chord.

        None where there is no such place: the curve is straight, or bends the other way.
        """
        at = self._knee
        return None if at is None else self.points[at].value

    @property
    def share(self) -> float | None:
        """Share of the whole way, 0 to 1, that has been gone at the knee."""
        at = self._knee
        if at is None:
            return None
        first = self.points[0].middle
        return (self.points[at].middle - first) / (self.points[-1].middle - first)

    @property
    def upturn(self) -> Scalar | None:
        """The value after which, beyond the knee, more of it does more again, as where pictures burn out.

        It is where the medians from the knee on stand lowest below the chord of these. What comes there must
        be a fifth of the whole way at least: the last bit of a curve that is level is no upturn.
        """
        at = self._knee
        if at is None:
            return None
        rest = self.points[at:]
        whole, late = self.points[-1].middle - self.points[0].middle, rest[-1].middle - rest[0].middle
        if len(rest) < 3 or late < UPTURN * whole:
            return None
        lowest = min(above := _above_chord(rest))
        return rest[above.index(lowest)].value if lowest <= -BEND else None

    @property
    def _knee(self) -> int | None:
        points = self.points
        if len(points) < 4 or not all(isinstance(point.value, int | float) for point in points):
            return None
        if points[-1].middle <= points[0].middle:
            return None
        top = max(above := _above_chord(points))
        return above.index(top) if top >= BEND else None


def curves(data: SheetData, changes: Changes) -> Iterator[Curve]:
    """Give the curves of a run, axis by axis, LoRA by LoRA."""
    names = next((axis for axis in data.axes if axis.name == "lora.name"), None)
    for axis in data.axes:
        column = changes.get(axis.name)
        if column is None or not axis.numeric or not axis.varies:
            continue
        if axis.name != "lora.scale" or names is None:
            yield Curve(axis.name, None, _points(data, axis, column, range(len(data.cells.job))))
            continue
        kinds = data.cells.coordinates[data.axes.index(names)]
        for number, name in enumerate(names.values):
            cells = [cell for cell, kind in enumerate(kinds) if kind == number]
            points = _points(data, axis, column, cells)
            if len(points) > 1:
                yield Curve(axis.name, str(name), points)


def _above_chord(points: Sequence[Point]) -> list[float]:
    """Say how far each median stands above the line from the first to the last, in shares of its rise."""
    values = [float(point.value) for point in points]  # type: ignore[arg-type]
    first, rise = points[0].middle, points[-1].middle - points[0].middle
    span = values[-1] - values[0]
    return [
        (point.middle - first) / rise - (value - values[0]) / span
        for point, value in zip(points, values, strict=True)
    ]


def _points(
    data: SheetData, axis: Axis, column: Sequence[float | None], cells: Sequence[int]
) -> tuple[Point, ...]:
    values = data.cells.coordinates[data.axes.index(axis)]
    heaps: list[list[float]] = [[] for _ in axis.values]
    for cell in cells:
        change = column[job] if (job := data.cells.job[cell]) != ABSENT else None
        if change is not None and values[cell] != ABSENT:
            heaps[values[cell]].append(round(1000 * change) / 1000)  # as the page has it: one curve, one knee
    return tuple(_point(value, heap) for value, heap in zip(axis.values, heaps, strict=True) if heap)


def _point(value: Scalar, heap: Sequence[float]) -> Point:
    tenths = quantiles(heap, n=10, method="inclusive") if len(heap) > 1 else [heap[0]] * 9
    return Point(value, tenths[0], tenths[4], tenths[8], len(heap))
