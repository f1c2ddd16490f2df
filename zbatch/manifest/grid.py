"""The grid: what matrix, zip, replicas, exclude, sample and include select, as a stream of points."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from zbatch.manifest.findings import Findings, Place
from zbatch.manifest.requests import RequestProgram
from zbatch.manifest.rules import ExcludeRule, excludes
from zbatch.manifest.sampling import Cells, Mask, Sample, ranks, sample_pairwise, sample_random
from zbatch.manifest.values import Axis, AxisValue, ZipRow
from zbatch.model import Coordinates, Scalar

_LONG: Final = 10_000
"""Values an axis may have that are held while the grid is streamed; a range of a million is not."""


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


@dataclass(slots=True)
class Notes:
    """What streaming a grid found out: complete when the stream has ended.

    `pairs` are those of two values of two axes that the grid can show, `covered` those that the sample does.
    """

    excluded: dict[str, int] = field(default_factory=dict)
    sampled_out: int = 0
    pairs: int = 0
    covered: int = 0


@dataclass(frozen=True, slots=True)
class Grid:
    """Axes, replicas, rules, sample and rows. `points` streams in grid order, the first axis outermost."""

    axes: tuple[Axis, ...]
    replicas: int
    excludes: tuple[ExcludeRule, ...]
    rows: tuple[IncludeRow, ...]
    has_matrix: bool
    sample: Sample | None = None

    @property
    def count(self) -> int:
        """Cells that matrix, zip and replicas give, counted, not expanded."""
        return math.prod(len(axis.values) for axis in self.axes) * self.replicas if self.has_matrix else 0

    @property
    def most_cells(self) -> int:
        """Cells there may be in the end, those of rows among them, before rules take some out."""
        matrix = self.count if self.sample is None else min(self.count, self.sample.n)
        return matrix + sum(row.count for row in self.rows) * self.replicas

    def points(self, findings: Findings, notes: Notes) -> Iterator[Point]:
        """Stream every point, excluded ones too (with their rule), then those that include adds.

        Of a sampled grid only the points that are kept. Rules that took out nothing are warnings at the end.
        """
        used = [0] * len(self.excludes)
        if self.has_matrix:
            yield from (
                self._sampled(used, findings, notes) if self.sample else self._all(used, findings, notes)
            )
        self.warn_of_idle_rules(used, findings)
        for row in self.rows:
            yield from self.row_points(row)

    def warn_of_idle_rules(self, used: Sequence[int], findings: Findings) -> None:
        """Warn of rules that took out nothing; `used` says of each how often it matched."""
        for rule, count in zip(self.excludes, used, strict=True):
            said = any(not matching for _, matching in rule.conditions)
            if not count and not said and not findings.failed:
                findings.warning(rule.place, f"this exclude rule matches no cell: {rule.text}")

    def _all(self, used: list[int], findings: Findings, notes: Notes) -> Iterator[Point]:
        for indexes, combination in _combinations(self.axes):
            values, coordinates = _together(combination)
            for replica in range(1, self.replicas + 1):
                rule = self._excluded_by((*indexes, replica - 1), values, replica, used, findings)
                if rule is not None:
                    notes.excluded[rule] = notes.excluded.get(rule, 0) + 1
                yield Point(values, self._with_replica(coordinates, replica), replica, None, rule)

    def _sampled(self, used: list[int], findings: Findings, notes: Notes) -> Iterator[Point]:
        """Judge every cell by the rules, rank them, and stream those that are kept."""
        allowed = np.ones(self.count, np.bool_)
        if self.excludes:
            for number, point in enumerate(self._all(used, findings, notes)):
                allowed[number] = point.excluded_by is None
        for cell in self.kept(allowed, notes).tolist():
            rest, replica = divmod(cell, self.replicas)
            indexes = []
            for axis in reversed(self.axes):
                rest, index = divmod(rest, len(axis.values))
                indexes.append(index)
            chosen = (axis.values[index] for axis, index in zip(self.axes, reversed(indexes), strict=True))
            values, at = _together(chosen)
            yield Point(values, self._with_replica(at, replica + 1), replica + 1)

    def kept(self, allowed: Mask, notes: Notes) -> Cells:
        """Choose the cells that the sample keeps, by number in grid order, of those the rules allow."""
        if self.sample is None:
            raise AssertionError("the grid has no sample")
        order = ranks(self._coordinates(), self.sample.seed)
        if self.sample.method == "pairwise":
            sizes = [len(axis.values) for axis in self.axes] + ([self.replicas] if self.replicas > 1 else [])
            kept, notes.covered, notes.pairs = sample_pairwise(sizes, order, allowed, self.sample.n)
        else:
            kept = sample_random(order, allowed, self.sample.n)
        notes.sampled_out = int(allowed.sum()) - len(kept)
        return kept

    def _coordinates(self) -> Iterator[Iterable[tuple[tuple[str, Scalar], ...]]]:
        """Give those of the values of each axis, and the replicas, one at a time: there may be millions."""
        for axis in self.axes:
            yield (value.coordinates for value in axis.values)
        if self.replicas > 1:
            yield ((("replica", number),) for number in range(1, self.replicas + 1))

    def _excluded_by(
        self,
        indexes: tuple[int, ...],
        values: Mapping[str, AxisValue],
        replica: int,
        used: list[int],
        findings: Findings,
    ) -> str | None:
        found = None
        for number, rule in enumerate(self.excludes):
            if excludes(rule, indexes, values, replica, findings):
                used[number] += 1
                found = found or rule.text
        return found

    def _with_replica(self, coordinates: dict[str, Scalar], replica: int) -> Coordinates:
        return {**coordinates, "replica": replica} if self.replicas > 1 else coordinates

    def row_points(self, row: IncludeRow) -> Iterator[Point]:
        """Stream the points of a row of include."""
        order = {
            name: number for number, name in enumerate(name for axis in self.axes for name in axis.names)
        }
        for _, combination in _combinations(row.axes):
            values, _ = _together((*row.values, *combination))
            ordered = sorted(values.items(), key=lambda item: order.get(item[0], len(order)))
            coordinates = {key: part for _, value in ordered for key, part in value.coordinates}
            if row.label is not None:
                coordinates["include"] = row.label
            for replica in range(1, self.replicas + 1):
                yield Point(dict(ordered), self._with_replica(coordinates, replica), replica, row)


def _combinations(
    axes: Sequence[Axis],
) -> Iterator[tuple[tuple[int, ...], tuple[AxisValue | ZipRow, ...]]]:
    """Stream every combination of values with its indexes; long axes give theirs when their turn comes."""
    held = [axis.values if len(axis.values) > _LONG else list(axis.values) for axis in axes]
    for indexes in itertools.product(*(range(len(values)) for values in held)):
        yield indexes, tuple([values[index] for values, index in zip(held, indexes, strict=True)])


def _together(values: Iterable[AxisValue | ZipRow]) -> tuple[dict[str, AxisValue], dict[str, Scalar]]:
    """Give the values of one point by axis, and its coordinates."""
    parts = [part for value in values for part in value.parts]
    return {part.axis: part for part in parts}, {name: at for part in parts for name, at in part.coordinates}
