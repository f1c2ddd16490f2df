"""Reading axes: plain values, labelled ones, ranges in exact decimals, data files, and LoRAs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from zbatch.expressions.loras import LoraValue, NamedLora
from zbatch.manifest.columns import attach_rows, column_values, may_take
from zbatch.manifest.datafiles import read_table
from zbatch.manifest.findings import LOST, Findings, Place
from zbatch.manifest.loras import lora_value, named_lora
from zbatch.manifest.ranges import random_seeds, read_range
from zbatch.manifest.values import (
    PLAIN,
    AxisValue,
    RangeValues,
    ValueList,
    called,
    coordinate,
    key_of,
    same,
)
from zbatch.model import canonical_number

_MOST_SCALES: Final = 100_000
_MOST_VALUES: Final = 1_000_000
"""Scales are held in memory for every name; more of them are a mistake."""

_SIMPLE: Final = PLAIN | {bool}


def axis_values(
    axis: str, spec: Any, place: Place, loras: Mapping[str, NamedLora], findings: Findings
) -> Sequence[AxisValue]:
    """Read an axis: a list of values, a range, or random seeds; the `lora` axis by its own rules."""
    if isinstance(spec, Mapping) and "file" in spec:
        return _file_values(axis, spec, place, loras, findings)
    if isinstance(spec, Mapping):
        if axis == "lora":
            values = _lora_values(spec, place, loras, findings)
            return [values[number] for number in distinct(values, findings)]
        if "random" in spec:
            if axis != "seed":
                findings.error(place, "only the seed axis takes random values")
                return ()
            return ValueList(axis, random_seeds(spec), None, place)
        numbers = read_range(spec, place, findings)
        return () if numbers is None else RangeValues(axis, place, numbers)
    return _listed(axis, spec, place, loras, findings)


def _listed(
    axis: str, spec: Sequence[Any], place: Place, loras: Mapping[str, NamedLora], findings: Findings
) -> ValueList:
    held = read_all(axis, spec, range(len(spec)), place, loras, findings)
    values = ValueList(axis, held, range(len(held)), place)
    if LOST in held:
        values = values.kept([number for number, value in enumerate(held) if value is not LOST])
    indexes = distinct(values, findings)
    return values if len(indexes) == len(values) else values.kept(indexes)


def _file_values(
    axis: str, spec: Mapping[str, Any], place: Place, loras: Mapping[str, NamedLora], findings: Findings
) -> Sequence[AxisValue]:
    place = (*place, "file")
    table = read_table(spec["file"], place, findings)
    if table is None or not may_take(table, place, findings):
        return ()
    column = column_values(axis, table, spec.get("column"), place[:-1], findings)
    attach_rows(place, column.marks, findings)
    return _listed(axis, column.values, place, loras, findings)


def read_all(
    axis: str,
    items: Sequence[Any],
    numbers: Sequence[int],
    place: Place,
    loras: Mapping[str, NamedLora],
    findings: Findings,
    tail: Place = (),
) -> list[Any]:
    """Read the values of one axis as `ValueList` holds them; `LOST` where a finding says what is wrong."""
    simple = _SIMPLE if axis != "lora" else frozenset[Any]()
    known: dict[str, Any] = {}  # names of LoRAs, which a column repeats
    found: list[Any] = []
    for number, item in zip(numbers, items, strict=True):
        if (type(item) in simple and (type(item) is not str or "{{" not in item)) or item is LOST:
            found.append(item)
        elif type(item) is str and item in known:
            found.append(known[item])
        else:
            where = (*place, number, *tail)
            value = one_value(axis, item, where, loras, findings)
            if value is None:
                found.append(LOST)
            elif value.label is not None or value.place != where:
                found.append(value)
            else:
                found.append(value.value)
                if axis == "lora" and type(item) is str:
                    known[item] = value.value
    return found


def one_value(
    axis: str, item: Any, place: Place, loras: Mapping[str, NamedLora], findings: Findings
) -> AxisValue | None:
    """Read one value of an axis, the `lora` axis by its own rules."""
    if axis == "lora":
        return lora_axis_value(item, place, loras, findings)
    return axis_value(axis, item, place, findings)


def axis_value(axis: str, item: Any, place: Place, findings: Findings) -> AxisValue:
    """Read one value, plain or `{label, value}`."""
    label = None
    if isinstance(item, Mapping) and item.keys() == {"label", "value"}:
        label, item = _label(item["label"], place, findings), item["value"]
        place = (*place, "value")
    if isinstance(item, str) and "{{" in item:
        findings.warning(
            place,
            "holds {{, and values are never templates",
            got=item,
            hint="put the template into request or vars",
        )
    if isinstance(item, float):
        item = canonical_number(item)
    return AxisValue(item, ((axis, label if label is not None else coordinate(item)),), place, label)


def _label(label: Any, place: Place, findings: Findings) -> str:
    """Hold a label against what the schema says of those in matrix: zip, include and data files are free."""
    if isinstance(label, str) and label:
        return label
    findings.error((*place, "label"), "a label must be text", got=label, hint="quote it")
    return str(label)


def distinct(values: Sequence[AxisValue], findings: Findings) -> Sequence[int]:
    """Say which values to keep, each once: a repeated one is a warning, two under one coordinate an error."""
    if isinstance(values, ValueList) and values.plain and len(set(values.held)) == len(values):
        return range(len(values))
    seen: dict[tuple[Any, ...], AxisValue] = {}
    kept = []
    for number, value in enumerate(values):
        first = seen.setdefault(key_of(value.coordinates), value)
        if first is value:
            kept.append(number)
            continue
        name = value.label or ", ".join(called(part) for _, part in value.coordinates)
        if same(first.value, value.value) and findings.enough("warning"):
            continue
        if same(first.value, value.value):
            findings.warning(value.place, f"is there twice: {name} counts once")
        else:
            findings.error(
                value.place, f"two values of this axis are called {name}", hint="give each its own label"
            )
    return kept


# ── LoRAs ────────────────────────────────────────────────────────────────────────────────────────────────


def _lora_values(
    spec: Mapping[str, Any], place: Place, loras: Mapping[str, NamedLora], findings: Findings
) -> list[AxisValue]:
    names = spec["name"] if isinstance(spec["name"], list) else [spec["name"]]
    scales = _scales(spec.get("scale", 1), (*place, "scale"), findings)
    if len(names) * len(scales) > _MOST_VALUES:
        message = f"gives more than {_MOST_VALUES:,} LoRAs: {len(names):,} names x {len(scales):,} scales"
        findings.error(place, message, hint="give fewer scales")
        return []
    found = []
    for index, name in enumerate(names):
        where: Place = (*place, "name", index) if isinstance(spec["name"], list) else (*place, "name")
        if name == "none":
            found.append(_lora_axis_value(LoraValue(), where))
            continue
        lora = named_lora(name, where, loras, findings)
        if lora is not None:
            found.extend(_lora_axis_value(LoraValue(((lora, scale),)), place_) for scale, place_ in scales)
    return found


def _scales(spec: Any, place: Place, findings: Findings) -> list[tuple[int | float, Place]]:
    if isinstance(spec, Mapping):
        numbers = read_range(spec, place, findings)
        if numbers is None:
            return []
        if numbers.count > _MOST_SCALES:
            findings.error(place, f"gives more than {_MOST_SCALES:,} scales", got=numbers.count)
            return []
        return [(numbers.number(index), place) for index in range(numbers.count)]
    if isinstance(spec, list):
        return [(canonical_number(scale), (*place, n)) for n, scale in enumerate(spec)]
    return [(canonical_number(spec), place)]


def lora_axis_value(
    item: Any, place: Place, loras: Mapping[str, NamedLora], findings: Findings
) -> AxisValue | None:
    """Read one value of the `lora` axis, with or without a label."""
    label = None
    if isinstance(item, Mapping) and "value" in item:
        label = _label(item["label"], place, findings) if "label" in item else None
        item = item["value"]
        place = (*place, "value")
    value = lora_value(item, place, loras, findings)
    return None if value is None else _lora_axis_value(value, place, label)


def _lora_axis_value(value: LoraValue, place: Place, label: str | None = None) -> AxisValue:
    coordinates = value.coordinates
    if label is not None:
        coordinates = (("lora.name", label), coordinates[1])
    return AxisValue(value, coordinates, place, label)
