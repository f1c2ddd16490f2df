"""Reading include into rows: what each gives of the axes and fields, and the axes of its own."""

from __future__ import annotations

from collections.abc import Collection, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from zbatch.api.contract import FIELDS
from zbatch.expressions.loras import NamedLora
from zbatch.manifest.axes import parse_axes
from zbatch.manifest.findings import Findings, Place, nearest
from zbatch.manifest.grid import IncludeRow
from zbatch.manifest.reading import one_value
from zbatch.manifest.requests import build_program
from zbatch.manifest.templates import ValueTemplate
from zbatch.manifest.values import Axis, AxisValue, ValueList

_OWN: Final = frozenset({"label", "request", "matrix"})
"""Keys of a row that are no values."""


def parse_includes(
    rows: Sequence[tuple[int, Mapping[str, Any], Mapping[str, ValueTemplate]]],
    axes: Sequence[Axis],
    lost: Container[str],
    loras: Mapping[str, NamedLora],
    request: Mapping[str, ValueTemplate],
    variables: tuple[tuple[str, ValueTemplate], ...],
    model: str,
    findings: Findings,
) -> tuple[IncludeRow, ...]:
    """Read the rows of include, each with its own request compiled, and with the program that it makes."""
    columns = dict(column for axis in axes for column in axis.columns())
    reader = _RowReader(columns, {name for name, _ in variables}, lost, loras, findings)
    mentioned = {
        name for template in (*request.values(), *dict(variables).values()) for name in template.names
    }
    parsed = []
    for number, row, own in rows:
        place: Place = ("include", number)
        own_axes = parse_axes(row.get("matrix", {}), loras, findings, (*place, "matrix"))
        own_names = {name for axis in own_axes for name in axis.names}
        used = mentioned | {name for template in own.values() for name in template.names}
        known = columns.keys() | FIELDS.keys() | {"lora"} | used
        values = tuple(reader.values(row, place, known, own_names))
        names = {name for name in row if name in known} | own_names
        program = build_program(model, request, own, names, variables)
        parsed.append(IncludeRow(place, row.get("label"), values, tuple(own_axes), program))
    return tuple(parsed)


@dataclass(frozen=True, slots=True)
class _RowReader:
    """Reads the values of rows; `columns` are those of the matrix, by the names of its axes."""

    columns: Mapping[str, Sequence[AxisValue]]
    variables: Collection[str]
    lost: Container[str]
    loras: Mapping[str, NamedLora]
    findings: Findings

    def values(
        self, row: Mapping[str, Any], place: Place, known: Container[str], own_names: Container[str]
    ) -> Iterator[AxisValue]:
        """Give the values that can be read; `known` names mean something, `own_names` are the row's axes."""
        for name, item in row.items():
            where = (*place, name)
            if name in _OWN or not self._may_stand(name, where, known, own_names):
                continue
            value = self._value(name, item, where)
            if value is not None:
                yield value

    def _may_stand(self, name: str, where: Place, known: Container[str], own_names: Container[str]) -> bool:
        """Tell whether a row may give a value of that name; where it may not, there is a finding."""
        if name in own_names or name in self.variables:
            what = "an axis of this row's own matrix" if name in own_names else "one of vars"
            self.findings.error(where, f"{name!r} is {what} already", key=True)
            return False
        if name in self.lost:
            return False
        if name in known and name != "loras":
            return True
        if self.findings.full:
            self.findings.left_out += 1
            return False
        offered = (self.columns.keys() | FIELDS.keys() | {"lora"} | _OWN) - {"loras"}
        hint = nearest(name, offered)
        self.findings.error(where, f"{name!r} is no axis, and nothing uses it", hint=hint, key=True)
        return False

    def _value(self, name: str, item: Any, where: Place) -> AxisValue | None:
        """Read a value, by its label where the axis has such a one."""
        values = self.columns.get(name)
        if name != "lora" and isinstance(values, ValueList) and not isinstance(item, Mapping | list):
            known = values.labelled(item)
            if known is not None:
                return known
        return one_value(name, item, where, self.loras, self.findings)
