"""The axes of a run as a sheet shows them, and the view it opens with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from zbatch.model import Scalar

ABSENT: Final = -1
"""Index of a value where a cell has no such coordinate (or a null one: the scale of a stack)."""

WIDE: Final = 24
"""More columns than this read better as rows."""


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis: its values in the order a sheet shows them, numbers ascending, words as they came."""

    name: str
    values: tuple[Scalar, ...]
    numeric: bool

    @property
    def varies(self) -> bool:
        """Tell whether there is anything to compare along it."""
        return len(self.values) > 1


@dataclass(frozen=True, slots=True)
class View:
    """Which axes run along columns and rows, and by which the grid is cut into sections.

    Without `x` and `y` the sheet is a flat wall.
    """

    x: str | None
    y: str | None
    group: tuple[str, ...]


class AxisBuilder:
    """Collects the values of one axis in the order they come, then numbers them in the order shown."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.column: list[int] = []
        self._index: dict[tuple[bool, Scalar], int] = {}

    def add(self, position: int, value: Scalar) -> None:
        """Note the value of the cell at `position`; cells that were passed over have none."""
        self.pad(position)
        if value is None:
            self.column.append(ABSENT)
        else:
            # `True == 1` in Python, but they are two values in a manifest.
            self.column.append(self._index.setdefault((isinstance(value, bool), value), len(self._index)))

    def pad(self, length: int) -> None:
        """Fill up to `length` cells with "absent"."""
        self.column.extend([ABSENT] * (length - len(self.column)))

    def build(self) -> tuple[Axis, list[int]]:
        """Give the axis and the column of value numbers, one a cell."""
        values = [value for _, value in self._index]
        numbers = [
            value for value in values if isinstance(value, int | float) and not isinstance(value, bool)
        ]
        if not numbers or len(numbers) < len(values):
            return Axis(self.name, tuple(values), numeric=False), self.column
        order = sorted(range(len(numbers)), key=numbers.__getitem__)
        place = {old: new for new, old in enumerate(order)} | {ABSENT: ABSENT}
        axis = Axis(self.name, tuple(numbers[number] for number in order), numeric=True)
        return axis, [place[number] for number in self.column]


def choose_view(axes: Sequence[Axis], wanted: Mapping[str, Any]) -> View:
    """Choose the view a sheet opens with: what the manifest's `report` wants, sensible choices for the rest.

    Columns: the scale of a LoRA, else another number, else the seed, else the innermost axis. Rows: the seed,
    else the innermost of the others. Sections: whatever else varies. One axis alone makes a wall.
    """
    known = {axis.name: axis for axis in axes}
    free = [axis for axis in axes if axis.varies]
    x = known.get(str(wanted.get("x")))
    y = known.get(str(wanted.get("y")))
    groups = [known[name] for name in _names(wanted.get("group")) if name in known]
    taken = {axis.name for axis in (x, y, *groups) if axis is not None}
    free = [axis for axis in free if axis.name not in taken]
    asked = x is not None or y is not None
    if x is None and len(free) + asked > 1:
        x = _pick(free, _column_rank)
    if y is None and (asked or x is not None):
        y = _pick(free, _row_rank)
    if not asked and x is not None and y is not None and len(x.values) > max(WIDE, len(y.values)):
        x, y = y, x
    if "group" not in wanted or wanted["group"] is None:
        groups += free if x is not None or y is not None else []
    return View(_name(x), _name(y), tuple(axis.name for axis in groups))


def _names(group: Any) -> Iterable[str]:
    return [group] if isinstance(group, str) else list(group or ())


def _name(axis: Axis | None) -> str | None:
    return None if axis is None else axis.name


def _pick(free: list[Axis], rank: Any) -> Axis | None:
    """Take the best axis out of `free`; of equals the innermost, which is the last."""
    if not free:
        return None
    best = min(reversed(free), key=rank)
    free.remove(best)
    return best


def _column_rank(axis: Axis) -> int:
    if axis.name == "lora.scale":
        return 0
    if axis.numeric and axis.name not in {"seed", "replica"}:
        return 1
    return 2 if axis.name in {"seed", "replica"} else 3


def _row_rank(axis: Axis) -> int:
    return 0 if axis.name in {"seed", "replica"} else 1
