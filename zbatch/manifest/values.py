"""The values of axes: plain ones, labelled ones, ranges in exact decimals, and LoRAs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

import orjson

from zbatch.manifest.columns import column_values, row_place
from zbatch.manifest.datafiles import read_rows
from zbatch.manifest.findings import LOST, Findings, Place, shown
from zbatch.manifest.loras import LoraValue, NamedLora, lora_value, named_lora
from zbatch.manifest.ranges import Progression, random_seeds, read_range
from zbatch.model import Scalar, canonical_number

_MOST_SCALES: Final = 100_000
"""Scales are held in memory for every name; more of them are a mistake."""


@dataclass(frozen=True, slots=True)
class AxisValue:
    """One value of an axis: what templates see, what the cell's coordinates say, and where it was written."""

    value: Any
    coordinates: tuple[tuple[str, Scalar], ...]
    place: Place
    label: str | None = None

    @property
    def axis(self) -> str:
        """Name of the axis it is of."""
        name = self.coordinates[0][0]
        return name.partition(".")[0] if isinstance(self.value, LoraValue) else name

    @property
    def parts(self) -> tuple[AxisValue, ...]:
        """The value itself: what a row of zip has several of."""
        return (self,)

    def matches(self, wanted: Any) -> bool:
        """Tell whether a rule that names `wanted` means this value, by its label or by itself."""
        if isinstance(self.value, LoraValue):
            return wanted in (self.value.name, str(self.value)) or wanted == self.label
        return same(self.value, wanted) or (self.label is not None and wanted == self.label)


def same(left: Any, right: Any) -> bool:
    """Compare as manifests mean it: 1 and 1.0 are one value, 1 and true are not."""
    return bool(left == right) and isinstance(left, bool) == isinstance(right, bool)


def coordinate(value: Any) -> Scalar:
    """Give a value's coordinate: itself, or its JSON where it is a list or a map."""
    if isinstance(value, float):
        return canonical_number(value)
    if value is None or isinstance(value, str | int):
        return value
    return orjson.dumps(value).decode()


@dataclass(frozen=True, slots=True)
class ZipRow:
    """One row of zip: a value for each of its axes, walking together."""

    parts: tuple[AxisValue, ...]
    place: Place

    @property
    def coordinates(self) -> tuple[tuple[str, Scalar], ...]:
        """Those of all its values."""
        return tuple(pair for part in self.parts for pair in part.coordinates)


class RowList(list[ZipRow]):
    """The rows of zip."""


@dataclass(frozen=True, slots=True)
class Axis:
    """A named list of values; zip is one whose rows give several axes their values."""

    name: str
    values: Sequence[AxisValue | ZipRow]
    place: Place

    @property
    def names(self) -> tuple[str, ...]:
        """The axes it gives values to: itself, or the columns of zip."""
        return tuple(part.axis for part in self.values[0].parts) if len(self.values) else (self.name,)

    @property
    def coordinate_names(self) -> tuple[str, ...]:
        """The coordinates its values give: `lora.name` and `lora.scale` for `lora`, else its own name."""
        return tuple(name for name, _ in self.values[0].coordinates) if len(self.values) else (self.name,)

    def columns(self) -> Iterator[tuple[str, Sequence[AxisValue]]]:
        """Each axis it gives values to, with those values."""
        if isinstance(self.values, RowList):
            for number, name in enumerate(self.names):
                yield name, [row.parts[number] for row in self.values]
        else:
            yield self.name, cast("Sequence[AxisValue]", self.values)


class RangeValues(Sequence[AxisValue]):
    """The values of a range, made when asked for: a range of 10¹² is counted, not built."""

    def __init__(self, axis: str, place: Place, numbers: Progression) -> None:
        self._axis = axis
        self._place = place
        self._numbers = numbers

    def __len__(self) -> int:
        return self._numbers.count

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        number = self._numbers.number(range(len(self))[index])
        return AxisValue(number, ((self._axis, number),), self._place)


def axis_values(
    axis: str, spec: Any, place: Place, loras: Mapping[str, NamedLora], findings: Findings
) -> Sequence[AxisValue]:
    """Read an axis: a list of values, a range, or random seeds; the `lora` axis by its own rules."""
    if isinstance(spec, Mapping) and "file" in spec:
        return distinct(_file_values(axis, spec, place, loras, findings), findings)
    if axis == "lora":
        return distinct(_lora_values(spec, place, loras, findings), findings)
    if isinstance(spec, Mapping):
        if "random" in spec:
            if axis != "seed":
                findings.error(place, "only the seed axis takes random values")
                return ()
            return [AxisValue(seed, ((axis, seed),), place) for seed in random_seeds(spec)]
        numbers = read_range(spec, place, findings)
        return () if numbers is None else RangeValues(axis, place, numbers)
    values = [
        axis_value(axis, item, (*place, n), findings) for n, item in enumerate(spec) if item is not LOST
    ]
    return distinct(values, findings)


def _file_values(
    axis: str, spec: Mapping[str, Any], place: Place, loras: Mapping[str, NamedLora], findings: Findings
) -> list[AxisValue]:
    rows = read_rows(spec["file"], (*place, "file"), findings)
    found = []
    for number, row in enumerate(column_values(axis, rows or [], spec.get("column"), place, findings)):
        where = row_place((*place, "file"), number, row, findings)
        value = one_value(axis, row.value, where, loras, findings)
        if value is not None:
            found.append(value)
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


def distinct(values: Iterable[AxisValue], findings: Findings) -> list[AxisValue]:
    """Keep each value once: a repeated one is a warning, two values under one coordinate an error."""
    seen: dict[tuple[Any, ...], AxisValue] = {}
    for value in values:
        where = tuple((name, isinstance(part, bool), part) for name, part in value.coordinates)
        first = seen.setdefault(where, value)
        if first is value:
            continue
        name = value.label or ", ".join(called(part) for _, part in value.coordinates)
        if same(first.value, value.value):
            findings.warning(value.place, f"is there twice: {name} counts once")
        else:
            findings.error(
                value.place, f"two values of this axis are called {name}", hint="give each its own label"
            )
    return list(seen.values())


def called(part: Scalar) -> str:
    """Write a coordinate as a manifest does: null and true, not None and True."""
    return part if isinstance(part, str) and part == part.strip() != "" else shown(part)


# ── LoRAs ────────────────────────────────────────────────────────────────────────────────────────────────


def _lora_values(
    spec: Any, place: Place, loras: Mapping[str, NamedLora], findings: Findings
) -> list[AxisValue]:
    if not isinstance(spec, Mapping):
        given = [(n, item) for n, item in enumerate(spec) if item is not LOST]
        values = [lora_axis_value(item, (*place, n), loras, findings) for n, item in given]
        return [value for value in values if value is not None]
    names = spec["name"] if isinstance(spec["name"], list) else [spec["name"]]
    scales = _scales(spec.get("scale", 1), (*place, "scale"), findings)
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
