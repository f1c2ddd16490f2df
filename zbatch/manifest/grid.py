"""The grid: what matrix, replicas, exclude and include together select, as a stream of points."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from zbatch.expressions import ExpressionError, Template
from zbatch.manifest.findings import Findings, Place, nearest
from zbatch.manifest.labels import comparable
from zbatch.manifest.loras import LoraValue
from zbatch.manifest.requests import RequestProgram
from zbatch.manifest.values import AxisValue, called, same
from zbatch.model import Coordinates


@dataclass(frozen=True, slots=True)
class Axis:
    """A named list of values."""

    name: str
    values: Sequence[AxisValue]
    place: Place

    @property
    def coordinate_names(self) -> tuple[str, ...]:
        """The coordinates its values give: `lora.name` and `lora.scale` for `lora`, else its own name."""
        return tuple(name for name, _ in self.values[0].coordinates) if len(self.values) else (self.name,)


@dataclass(frozen=True, slots=True)
class ExcludeRule:
    """One exclude rule. `conditions` hold the indexes of the values that match, by axis."""

    text: str
    place: Place
    conditions: tuple[tuple[int, frozenset[int]], ...]
    when: Template | None


@dataclass(frozen=True, slots=True)
class IncludeRow:
    """A row of include: fixed values, perhaps a matrix and a request of its own."""

    place: Place
    label: str | None
    values: tuple[AxisValue, ...]
    axes: tuple[Axis, ...]
    program: RequestProgram

    @property
    def count(self) -> int:
        """Cells it gives, before replicas."""
        return math.prod(len(axis.values) for axis in self.axes)


@dataclass(frozen=True, slots=True)
class Point:
    """A place in the grid before anything is rendered: the values, by axis name, and who made it."""

    values: Mapping[str, AxisValue]
    coordinates: Coordinates
    replica: int
    row: IncludeRow | None = None
    excluded_by: str | None = None


@dataclass(frozen=True, slots=True)
class Grid:
    """Axes, replicas, rules and rows. `points` streams in grid order, the first axis outermost."""

    axes: tuple[Axis, ...]
    replicas: int
    excludes: tuple[ExcludeRule, ...]
    rows: tuple[IncludeRow, ...]
    has_matrix: bool

    @property
    def count(self) -> int:
        """Cells that matrix and replicas give, counted, not expanded."""
        return math.prod(len(axis.values) for axis in self.axes) * self.replicas if self.has_matrix else 0

    def points(self, findings: Findings) -> Iterator[Point]:
        """Stream every point, excluded ones too (with their rule), then those that include adds.

        Rules that took out nothing are warnings at the end.
        """
        used = [0] * len(self.excludes)
        if self.has_matrix:
            yield from self._matrix_points(used, findings)
        for rule, count in zip(self.excludes, used, strict=True):
            said = any(not matching for _, matching in rule.conditions)
            if not count and not said and not findings.failed:
                findings.warning(rule.place, f"this exclude rule matches no cell: {rule.text}")
        for row in self.rows:
            yield from self._row_points(row)

    def _matrix_points(self, used: list[int], findings: Findings) -> Iterator[Point]:
        names = [axis.name for axis in self.axes]
        pools = [list(enumerate(axis.values)) for axis in self.axes]
        for combination in itertools.product(*pools):
            values = {name: value for name, (_, value) in zip(names, combination, strict=True)}
            coordinates = {key: part for value in values.values() for key, part in value.coordinates}
            for replica in range(1, self.replicas + 1):
                if self.replicas > 1:
                    coordinates = {**coordinates, "replica": replica}
                indexes = (*(index for index, _ in combination), replica - 1)
                excluded_by = None
                for number, rule in enumerate(self.excludes):
                    if _excludes(rule, indexes, values, replica, findings):
                        used[number] += 1
                        excluded_by = excluded_by or rule.text
                yield Point(values, coordinates, replica, None, excluded_by)

    def _row_points(self, row: IncludeRow) -> Iterator[Point]:
        order = {axis.name: number for number, axis in enumerate(self.axes)}
        names = [axis.name for axis in row.axes]
        for combination in itertools.product(*(axis.values for axis in row.axes)):
            values = {value_axis(value): value for value in row.values}
            values.update(zip(names, combination, strict=True))
            ordered = sorted(values.items(), key=lambda item: order.get(item[0], len(order)))
            coordinates = {key: part for _, value in ordered for key, part in value.coordinates}
            if row.label is not None:
                coordinates["include"] = row.label
            for replica in range(1, self.replicas + 1):
                if self.replicas > 1:
                    coordinates = {**coordinates, "replica": replica}
                yield Point(dict(ordered), coordinates, replica, row)


def value_axis(value: AxisValue) -> str:
    """Name the axis a value belongs to."""
    return (
        value.coordinates[0][0].partition(".")[0]
        if isinstance(value.value, LoraValue)
        else value.coordinates[0][0]
    )


def _excludes(
    rule: ExcludeRule,
    indexes: tuple[int, ...],
    values: Mapping[str, AxisValue],
    replica: int,
    findings: Findings,
) -> bool:
    if not all(indexes[axis] in matching for axis, matching in rule.conditions):
        return False
    if rule.when is None:
        return True
    context: dict[str, Any] = {name: comparable(value) for name, value in values.items()}
    context["replica"] = replica
    try:
        return bool(rule.when.render(context))
    except ExpressionError as error:
        cell = ", ".join(
            f"{name}={called(part)}" for value in values.values() for name, part in value.coordinates
        )
        findings.error(
            (*rule.place, "when"),
            f"the expression {error.message} in the cell {cell}",
            got=rule.when.source,
            hint=error.hint,
        )
        return False


def match_conditions(
    wanted: Mapping[str, Any], place: Place, axes: Sequence[Axis], replicas: int, findings: Findings
) -> tuple[tuple[int, frozenset[int]], ...]:
    """Turn a partial match into indexes by axis; a key that is no axis is an error."""
    conditions = []
    names = {name: number for number, axis in enumerate(axes) for name in axis.coordinate_names}
    names.update({axis.name: number for number, axis in enumerate(axes)})
    if replicas > 1:
        names["replica"] = len(axes)
    for key, value in wanted.items():
        if key not in names:
            findings.error((*place, key), f"{key!r} is no axis", hint=nearest(key, names), key=True)
            continue
        number = names[key]
        if key == "replica":
            matching = frozenset({value - 1} if isinstance(value, int) and 0 < value <= replicas else ())
        else:
            matching = frozenset(
                index
                for index, candidate in enumerate(axes[number].values)
                if _matches(candidate, key, axes[number].name, value)
            )
        if not matching:
            known = (
                [str(part) for candidate in axes[number].values[:200] for _, part in candidate.coordinates]
                if number < len(axes)
                else []
            )
            findings.warning(
                (*place, key),
                "no value of this axis is called so; the rule matches nothing",
                got=value,
                hint=nearest(str(value), known),
            )
        conditions.append((number, matching))
    return tuple(conditions)


def _matches(candidate: AxisValue, key: str, axis: str, wanted: Any) -> bool:
    if key == axis:
        return candidate.matches(wanted)
    if key == "lora.name" and isinstance(candidate.value, LoraValue) and wanted == candidate.value.name:
        return True
    return any(name == key and same(part, wanted) for name, part in candidate.coordinates)
