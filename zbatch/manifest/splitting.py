"""The values that `export.split` names, held against those that its axis has."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, Final

from zbatch.manifest.findings import Findings, Place, nearest
from zbatch.manifest.grid import Grid
from zbatch.manifest.values import AxisValue, RangeValues, ValueList, called, same
from zbatch.model import Scalar

_OFFERED: Final = 10_000
"""Values that are looked at for a nearest spelling."""


class SplitValues:
    """The coordinates that cells of a grid may have under one name, those that a rule takes out too."""

    def __init__(self, grid: Grid, by: str) -> None:
        self._grid = grid
        self._by = by

    def named(self, wanted: Sequence[Any], place: Place, findings: Findings) -> tuple[Scalar, ...]:
        """Give the coordinates of the values that are named, by label or by themselves.

        One that nobody has is a warning: a matrix is made smaller for a while, and the split stays. Who
        exports is refused.
        """
        found: dict[tuple[bool, Scalar], Scalar] = {}
        for number, name in enumerate(wanted):
            meant = list(self._meant(name)) or self._as_number(name)
            if not meant:
                known = {called(at) for at in islice(self._all(), _OFFERED)}
                findings.warning(
                    (*place, number),
                    f"{called(name)} is no value of {self._by}",
                    hint=nearest(str(name), known),
                )
                meant = [name]
            found.update({(isinstance(at, bool), at): at for at in meant})
        return tuple(found.values())

    def _as_number(self, name: Any) -> list[Scalar]:
        """Give what text means that is a number: an export reads it so, from a command line."""
        for read in (int, float):
            with contextlib.suppress(ValueError, OverflowError):
                return list(self._meant(read(name))) if isinstance(name, str) else []
        return []

    def _meant(self, name: Any) -> Iterator[Scalar]:
        for axis, values in self._lists():
            if isinstance(values, RangeValues) or (isinstance(values, ValueList) and values.plain):
                yield from (values[index].coordinates[0][1] for index in values.matching(name))
            else:
                for value in values:
                    at = dict(value.coordinates)
                    if self._by in at and (
                        same(at[self._by], name) or (axis == self._by and value.matches(name))
                    ):
                        yield at[self._by]
        yield from (at for at in self._own() if same(at, name))

    def _all(self) -> Iterator[Scalar]:
        for _, values in self._lists():
            for value in values:
                yield from (at for name, at in value.coordinates if name == self._by)
        yield from self._own()

    def _own(self) -> Iterator[Scalar]:
        """Give what no axis gives: the number of a replica, the label of a row of include."""
        if self._by == "replica":
            yield from range(1, self._grid.replicas + 1)
        if self._by == "include":
            yield from (row.label for row in self._grid.rows if row.label is not None)

    def _lists(self) -> Iterator[tuple[str, Sequence[AxisValue]]]:
        axes = [*self._grid.axes, *(axis for row in self._grid.rows for axis in row.axes)]
        for axis in axes:
            for name, values in axis.columns():
                if self._by in (name, *(f"{name}.{part}" for part in ("name", "scale"))):
                    yield name, values
        for row in self._grid.rows:
            for value in row.values:
                yield value.axis, [value]
