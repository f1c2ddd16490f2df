"""The values of axes: plain ones, labelled ones, ranges in exact decimals, and LoRAs."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

import orjson

from zbatch.api.contract import MAX_SEED
from zbatch.manifest.findings import Findings, Place, nearest, shown
from zbatch.model import Coordinates, Scalar, canonical_number

RANGE_KEYS: Final = frozenset({"from", "to", "step", "count"})


@dataclass(frozen=True, slots=True)
class NamedLora:
    """A LoRA as `loras` names it."""

    name: str
    path: str
    trigger: str = ""


@dataclass(frozen=True, slots=True)
class LoraValue:
    """What `lora` is in templates: one LoRA, a stack of up to three, or none.

    At scale 0 a LoRA is off: its trigger is empty and it leaves the request; the coordinates stay.
    """

    parts: tuple[tuple[NamedLora, int | float], ...] = ()

    __template_fields__ = ("name", "scale", "path", "trigger", "stack")
    __template_text__ = True

    @property
    def name(self) -> str:
        """Name; `none` for no LoRA, names joined by `+` for a stack."""
        return "+".join(lora.name for lora, _ in self.parts) or "none"

    @property
    def scale(self) -> int | float | None:
        """Scale; 0 for no LoRA, `None` for a stack."""
        if len(self.parts) > 1:
            return None
        return self.parts[0][1] if self.parts else 0

    @property
    def path(self) -> str:
        """Path of the weights; a stack's joined by `+`, empty for no LoRA."""
        return "+".join(lora.path for lora, _ in self.parts)

    @property
    def trigger(self) -> str:
        """Trigger words of what is on, joined by `, `."""
        return ", ".join(lora.trigger for lora, scale in self.parts if scale and lora.trigger)

    @property
    def stack(self) -> tuple[LoraValue, ...]:
        """Each LoRA of it by itself."""
        return tuple(LoraValue((part,)) for part in self.parts)

    def __str__(self) -> str:
        return "+".join(f"{lora.name}@{scale}" for lora, scale in self.parts) or "none"

    @property
    def coordinates(self) -> tuple[tuple[str, Scalar], ...]:
        """Give `lora.name` and `lora.scale`."""
        name = str(self) if len(self.parts) > 1 else self.name
        return (("lora.name", name), ("lora.scale", self.scale))

    def body(self) -> list[dict[str, Any]]:
        """Give the `loras` of a request: what is on."""
        return [{"path": lora.path, "scale": scale} for lora, scale in self.parts if scale]


@dataclass(frozen=True, slots=True)
class AxisValue:
    """One value of an axis: what templates see, what the cell's coordinates say, and where it was written."""

    value: Any
    coordinates: tuple[tuple[str, Scalar], ...]
    place: Place
    label: str | None = None

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


class RangeValues(Sequence[AxisValue]):
    """The values of a range, made when asked for: a range of 10¹² is counted, not built."""

    def __init__(self, axis: str, place: Place, start: Fraction, step: Fraction, count: int) -> None:
        self._axis = axis
        self._place = place
        self._start = start
        self._step = step
        self._count = count

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(self._count))]
        if not 0 <= index < self._count:
            raise IndexError(index)
        number = _number(self._start + index * self._step)
        return AxisValue(number, ((self._axis, number),), self._place)


def _number(value: Fraction) -> int | float:
    return value.numerator if value.denominator == 1 else float(value)


def _exact(value: float) -> Fraction:
    # The shortest text of a float is what the person wrote, so this is the decimal itself.
    return Fraction(repr(value))


def range_values(axis: str, spec: Mapping[str, Any], place: Place, findings: Findings) -> RangeValues | None:
    """Read `{from, to, step}`, `{from, to, count}` or `{from, count}` (with a step of 1), all inclusive.

    Gives `None` after adding a finding where the range does not hold together.
    """
    start = _exact(spec["from"])
    end = _exact(spec["to"]) if "to" in spec else None
    step = _exact(spec["step"]) if "step" in spec else None
    count = spec.get("count")
    if end is not None and step is not None and count is None:
        return _stepped(axis, place, start, end, step, findings)
    if end is not None and count is not None and step is None:
        if count == 1 and end != start:
            findings.error((*place, "count"), "one value cannot reach from one number to another", got=count)
            return None
        return RangeValues(axis, place, start, (end - start) / max(1, count - 1), count)
    if end is None and count is not None:
        return RangeValues(axis, place, start, Fraction(1) if step is None else step, count)
    findings.error(
        place,
        "is no whole range",
        got=dict(spec),
        hint="write {from, to, step}, {from, to, count} or {from, count}",
    )
    return None


def _stepped(
    axis: str, place: Place, start: Fraction, end: Fraction, step: Fraction, findings: Findings
) -> RangeValues | None:
    where = (*place, "step")
    if step == 0:
        findings.error(where, "must not be 0", got=0)
        return None
    steps = (end - start) / step
    if steps < 0:
        findings.error(where, "goes away from `to`", got=_number(step), hint=f"write step: {_number(-step)}")
        return None
    if steps.denominator != 1:
        below = start + math.floor(steps) * step
        findings.error(
            where,
            f"does not land on `to`: {_number(start)} by {_number(step)} gives {_number(below)} "
            f"and {_number(below + step)}, not {_number(end)}",
            hint=f"write to: {_number(below)} or to: {_number(below + step)}, or say how many with count",
        )
        return None
    return RangeValues(axis, place, start, step, int(steps) + 1)


def random_seeds(spec: Mapping[str, Any]) -> list[int]:
    """Draw seeds from a seed: the same ones for ever, all different, and the first n of any more."""
    found: dict[int, None] = {}
    counter = 0
    while len(found) < spec["random"]:
        digest = hashlib.sha256(f"zbatch seeds {spec['seed']} {counter}".encode()).digest()
        found.setdefault(int.from_bytes(digest[:4], "big") & MAX_SEED)
        counter += 1
    return list(found)


def axis_values(
    axis: str, spec: Any, place: Place, loras: Mapping[str, NamedLora], findings: Findings
) -> Sequence[AxisValue]:
    """Read an axis: a list of values, a range, or random seeds; the `lora` axis by its own rules."""
    if axis == "lora":
        return distinct(_lora_values(spec, place, loras, findings), findings)
    if isinstance(spec, Mapping):
        if "random" in spec:
            if axis != "seed":
                findings.error(place, "only the seed axis takes random values")
                return ()
            return [AxisValue(seed, ((axis, seed),), place) for seed in random_seeds(spec)]
        return range_values(axis, spec, place, findings) or ()
    return distinct([axis_value(axis, item, (*place, n), findings) for n, item in enumerate(spec)], findings)


def axis_value(axis: str, item: Any, place: Place, findings: Findings) -> AxisValue:
    """Read one value, plain or `{label, value}`."""
    label = None
    if isinstance(item, Mapping) and item.keys() == {"label", "value"}:
        label, item = item["label"], item["value"]
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


def distinct(values: Iterable[AxisValue], findings: Findings) -> list[AxisValue]:
    """Keep each value once: a repeated one is a warning, two values under one coordinate an error."""
    seen: dict[tuple[Any, ...], AxisValue] = {}
    for value in values:
        where = tuple((name, isinstance(part, bool), part) for name, part in value.coordinates)
        first = seen.setdefault(where, value)
        if first is value:
            continue
        name = value.label or ", ".join(str(part) for _, part in value.coordinates)
        if same(first.value, value.value):
            findings.warning(value.place, f"is there twice: {name} counts once")
        else:
            findings.error(
                value.place, f"two values of this axis are called {name}", hint="give each its own label"
            )
    return list(seen.values())


# ── LoRAs ────────────────────────────────────────────────────────────────────────────────────────────────


def _lora_values(
    spec: Any, place: Place, loras: Mapping[str, NamedLora], findings: Findings
) -> list[AxisValue]:
    if not isinstance(spec, Mapping):
        values = [lora_axis_value(item, (*place, n), loras, findings) for n, item in enumerate(spec)]
        return [value for value in values if value is not None]
    names = spec["name"] if isinstance(spec["name"], list) else [spec["name"]]
    scales = _scales(spec.get("scale", 1), (*place, "scale"), findings)
    found = []
    for index, name in enumerate(names):
        where: Place = (*place, "name", index) if isinstance(spec["name"], list) else (*place, "name")
        if name == "none":
            found.append(_lora_axis_value(LoraValue(), where))
            continue
        lora = _named(name, where, loras, findings)
        if lora is not None:
            found.extend(_lora_axis_value(LoraValue(((lora, scale),)), place_) for scale, place_ in scales)
    return found


def _scales(spec: Any, place: Place, findings: Findings) -> list[tuple[int | float, Place]]:
    if isinstance(spec, Mapping):
        values = range_values("scale", spec, place, findings) or ()
        return [(value.value, value.place) for value in values]
    if isinstance(spec, list):
        return [(canonical_number(scale), (*place, n)) for n, scale in enumerate(spec)]
    return [(canonical_number(spec), place)]


def lora_axis_value(
    item: Any, place: Place, loras: Mapping[str, NamedLora], findings: Findings
) -> AxisValue | None:
    """Read one value of the `lora` axis, with or without a label."""
    label = None
    if isinstance(item, Mapping) and "value" in item:
        label, item = item.get("label"), item["value"]
        place = (*place, "value")
    value = lora_value(item, place, loras, findings)
    return None if value is None else _lora_axis_value(value, place, label)


def _lora_axis_value(value: LoraValue, place: Place, label: str | None = None) -> AxisValue:
    coordinates = value.coordinates
    if label is not None:
        coordinates = (("lora.name", label), coordinates[1])
    return AxisValue(value, coordinates, place, label)


def lora_value(
    item: Any, place: Place, loras: Mapping[str, NamedLora], findings: Findings
) -> LoraValue | None:
    """Read `film@0.8`, `{name, scale}`, `none`, or a list of up to three of them."""
    if isinstance(item, list):
        parts = [_lora_part(part, (*place, n), loras, findings) for n, part in enumerate(item)]
        if len(item) > 3:
            findings.error(place, "a stack holds at most 3 LoRAs", got=len(item))
            return None
        return None if None in parts else LoraValue(tuple(part for part in parts if part is not None))
    if item == "none":
        return LoraValue()
    part = _lora_part(item, place, loras, findings)
    return None if part is None else LoraValue((part,))


def _lora_part(
    item: Any, place: Place, loras: Mapping[str, NamedLora], findings: Findings
) -> tuple[NamedLora, int | float] | None:
    if isinstance(item, Mapping) and isinstance(item.get("name"), str):
        lora = _named(item["name"], (*place, "name"), loras, findings)
        return None if lora is None else (lora, canonical_number(item.get("scale", 1)))
    if not isinstance(item, str):
        findings.error(place, "must be name@scale, {name, scale}, none, or a list of up to three", got=item)
        return None
    name, at, text = item.partition("@")
    lora = _named(name, place, loras, findings)
    try:
        scale = float(text) if at else 1.0
    except ValueError:
        scale = math.nan
    if not math.isfinite(scale):
        findings.error(place, "the scale after @ must be a number", got=item, hint=f"write {name}@0.8")
        return None
    return None if lora is None else (lora, canonical_number(scale))


def _named(name: str, place: Place, loras: Mapping[str, NamedLora], findings: Findings) -> NamedLora | None:
    if name not in loras:
        hint = nearest(name, loras) if loras else "name it under loras: {" + name + ": {path: ...}}"
        findings.error(place, f"no LoRA is named {shown(name)}", hint=hint)
        return None
    return loras[name]


def as_coordinates(values: Iterable[AxisValue]) -> Coordinates:
    """Give the point that values stand at together."""
    return {name: part for value in values for name, part in value.coordinates}
