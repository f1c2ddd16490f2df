"""Response curves: how far pictures move from their baseline along an axis, over all that else varies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import quantiles

from zbatch.model import Scalar
from zbatch.sheet.axes import ABSENT, Axis
from zbatch.sheet.change import Changes
from zbatch.sheet.data import SheetData


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
        values = [point.value for point in self.points if isinstance(point.value, int | float)]
        if len(values) < 4 or len(values) < len(self.points):
            return None
        first, last = self.points[0].middle, self.points[-1].middle
        span, rise = values[-1] - values[0], last - first
        if rise <= 0:
            return None
        above = [
            (point.middle - first) / rise - (value - values[0]) / span
            for point, value in zip(self.points, values, strict=True)
        ]
        top = max(above)
        return values[above.index(top)] if top >= 0.1 else None


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


def _points(
    data: SheetData, axis: Axis, column: Sequence[float | None], cells: Sequence[int]
) -> tuple[Point, ...]:
    values = data.cells.coordinates[data.axes.index(axis)]
    heaps: list[list[float]] = [[] for _ in axis.values]
    for cell in cells:
        change = column[job] if (job := data.cells.job[cell]) != ABSENT else None
        if change is not None and values[cell] != ABSENT:
            heaps[values[cell]].append(change)
    return tuple(_point(value, heap) for value, heap in zip(axis.values, heaps, strict=True) if heap)


def _point(value: Scalar, heap: Sequence[float]) -> Point:
    tenths = quantiles(heap, n=10, method="inclusive") if len(heap) > 1 else [heap[0]] * 9
    return Point(value, tenths[0], tenths[4], tenths[8], len(heap))
