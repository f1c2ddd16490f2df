"""Exclude rules: partial matches on coordinates, and `when`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from zbatch.expressions import ExpressionError, Template
from zbatch.expressions.loras import LoraValue
from zbatch.manifest.findings import Findings, Place, nearest
from zbatch.manifest.labels import comparable
from zbatch.manifest.values import Axis, AxisValue, RangeValues, ValueList, ZipRow, called, same


@dataclass(frozen=True, slots=True)
class ExcludeRule:
    """One exclude rule. `conditions` hold the indexes of the values that match, by axis."""

    text: str
    place: Place
    conditions: tuple[tuple[int, frozenset[int]], ...]
    when: Template | None


def excludes(
    rule: ExcludeRule,
    indexes: tuple[int, ...],
    values: Mapping[str, AxisValue],
    replica: int,
    findings: Findings,
) -> bool:
    """Tell whether a rule takes out the cell at these indexes (one an axis, the replica's last)."""
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
    names.update({name: number for number, axis in enumerate(axes) for name in axis.names})
    if replicas > 1:
        names["replica"] = len(axes)
    for key, value in wanted.items():
        if key not in names:
            hint = "" if findings.full else nearest(key, names)
            findings.error((*place, key), f"{key!r} is no axis", hint=hint, key=True)
            continue
        number = names[key]
        if key == "replica":
            matching = frozenset({value - 1} if isinstance(value, int) and 0 < value <= replicas else ())
        else:
            matching = _matching(axes[number], key, value)
        if not matching and not findings.enough("warning"):
            known = (
                [
                    str(at)
                    for candidate in axes[number].values[:200]
                    for part in candidate.parts
                    for name, at in part.coordinates
                    if key in (name, part.axis)
                ]
                if number < len(axes)
                else []
            )
            findings.warning(
                (*place, key),
                "no value of this axis is called so; the rule matches nothing",
                got=value,
                hint="a rule names one value: write one rule for each"
                if isinstance(value, list | dict)
                else nearest(str(value), known),
            )
        conditions.append((number, matching))
    return tuple(conditions)


def _matching(axis: Axis, key: str, wanted: Any) -> frozenset[int]:
    """Give the indexes of the values that a condition means, at once where the list knows where they are."""
    for name, values in axis.columns():
        if name == key and isinstance(values, ValueList | RangeValues):
            return values.matching(wanted)
    return frozenset(index for index, candidate in enumerate(axis.values) if _matches(candidate, key, wanted))


def _matches(candidate: AxisValue | ZipRow, key: str, wanted: Any) -> bool:
    return any(_part_matches(part, key, wanted) for part in candidate.parts)


def _part_matches(part: AxisValue, key: str, wanted: Any) -> bool:
    if key == part.axis:
        return part.matches(wanted)
    if key == "lora.name" and isinstance(part.value, LoraValue) and wanted == part.value.name:
        return True
    return any(name == key and same(at, wanted) for name, at in part.coordinates)
