"""What can be refined of a manifest: its axes, that of LoRAs as its names and its scales, zip by its rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from zbatch.api.contract import MAX_SCALE
from zbatch.expressions import compile_template
from zbatch.expressions.loras import LoraValue
from zbatch.manifest.findings import printable
from zbatch.manifest.parser import Manifest
from zbatch.manifest.values import Axis, AxisValue, ZipRow, called, key_of
from zbatch.model import Coordinates, Scalar
from zbatch.refining.density import Span

Key = tuple[tuple[str, bool, Scalar], ...]
"""What tells a value from the others of its dimension, by its coordinates."""

_PATHS: Final = ("image_url", "mask")
"""Fields of a request that name a file; the path of a LoRA does so, too."""

MOST_VALUES: Final = 100_000
"""Values a dimension may have: nobody has looked at more."""


_LONGEST: Final = 48
"""Characters of a value where many are listed."""


@dataclass(frozen=True, slots=True)
class Value:
    """One value: its coordinates, the axis value it comes from, and what it is called."""

    key: Key
    source: AxisValue | ZipRow

    @property
    def text(self) -> str:
        """What a person calls it."""
        if (
            isinstance(self.source, AxisValue)
            and isinstance(self.source.value, LoraValue)
            and len(self.key) > 1
        ):
            return self.source.label or str(self.source.value)
        return " ".join(called(at) for _, _, at in self.key)

    @property
    def line(self) -> str:
        """The same on one line that no terminal minds."""
        return printable(" ".join(self.text.split()))

    @property
    def short(self) -> str:
        """The same where many are listed."""
        return self.line if len(self.line) <= _LONGEST else self.line[: _LONGEST - 3] + "..."

    @property
    def number(self) -> int | float | None:
        """Itself, where it is a number."""
        at = self.key[0][2]
        return at if len(self.key) == 1 and isinstance(at, int | float) and not isinstance(at, bool) else None


@dataclass(frozen=True, slots=True)
class Dimension:
    """A list of values that is refined for itself. `names` are its coordinates, `axis` where it is written.

    `span` is there where values may come new between its own, `lora_span` where scales of listed LoRAs may.
    With `names_files`, which it does as part of a path, only those there are can be had.
    """

    name: str
    axis: Axis
    names: tuple[str, ...]
    values: tuple[Value, ...]
    span: Span | None = None
    lora_span: Span | None = None
    names_files: bool = False

    @property
    def numeric(self) -> bool:
        """Tell whether it may get denser."""
        return self.span is not None

    @property
    def last(self) -> bool:
        """Tell whether it is judged by the images of what stays of the others: numbers are, and seeds."""
        return self.numeric or self.name == "seed"

    def key_at(self, coordinates: Coordinates) -> Key | None:
        """Give the key of the value at which a cell stands; `None` where it has no such coordinate."""
        if not all(name in coordinates for name in self.names):
            return None
        if self.name == "lora.scale" and coordinates.get("lora.name") == "none":
            return None  # its scale is no value of the axis
        return key_of((name, coordinates[name]) for name in self.names)


def dimensions(manifest: Manifest) -> list[Dimension]:
    """Give the dimensions of a manifest that have a choice in them, outermost first."""
    found = []
    for axis in manifest.grid.axes:
        if len(axis.values) <= MOST_VALUES:
            found += [one for one in _of_axis(axis, manifest) if len(one.values) > 1]
    return found


def _of_axis(axis: Axis, manifest: Manifest) -> Iterator[Dimension]:
    spec = written_as(manifest, axis)
    if axis.name == "lora" and isinstance(spec, Mapping) and "name" in spec:
        for part in ("lora.name", "lora.scale"):
            given = [value for value in axis.values if part == "lora.name" or _has_scale(value)]
            values = _distinct(given, (part,))
            yield Dimension(part, axis, (part,), values, _span(part, values, manifest))
        return
    names = axis.coordinate_names
    values = _distinct(axis.values, names)
    names_files = axis.name in _in_paths(manifest.document.data)
    plain = axis.name not in ("seed", "zip", "lora") and not names_files
    span = _span(axis.name, values, manifest) if plain else None
    listed = axis.name == "lora" and isinstance(spec, list)
    yield Dimension(axis.name, axis, names, values, span, _scales(manifest) if listed else None, names_files)


def _in_paths(data: Mapping[str, Any]) -> set[str]:
    """Give the names that the paths of LoRAs and input images are made of, through `vars` too."""
    request, variables = data.get("request") or {}, data.get("vars") or {}
    paths = [request.get(field) for field in _PATHS]
    loras = request.get("loras")
    if isinstance(loras, list):
        paths += [lora.get("path") for lora in loras if isinstance(lora, Mapping)]
    found: set[str] = set()
    waiting = [name for path in paths for name in _names_in(path)]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += _names_in(variables.get(name))
    return found


def _names_in(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield from compile_template(value).names
    elif isinstance(value, Mapping | list):
        for part in value.values() if isinstance(value, Mapping) else value:
            yield from _names_in(part)


def _has_scale(value: AxisValue | ZipRow) -> bool:
    """Tell `none` from a LoRA at scale 0."""
    return isinstance(value, AxisValue) and isinstance(value.value, LoraValue) and bool(value.value.parts)


def written_as(manifest: Manifest, axis: Axis) -> Any:
    """Give an axis as the manifest has it, resolved."""
    data = manifest.document.data
    return data.get("zip") if axis.name == "zip" else data["matrix"][axis.name]


def _distinct(values: Sequence[AxisValue | ZipRow], names: tuple[str, ...]) -> tuple[Value, ...]:
    found: dict[Key, Value] = {}
    for value in values:
        key = key_of((name, at) for name, at in value.coordinates if name in names)
        found.setdefault(key, Value(key, value))
    return tuple(found.values())


def _span(name: str, values: Sequence[Value], manifest: Manifest) -> Span | None:
    """Say what may come between the values of a dimension of numbers."""
    numbers = [value.number for value in values]
    labelled = any(getattr(value.source, "label", None) is not None for value in values)
    if None in numbers or labelled or name == "lora.name":
        return None
    if name == "lora.scale":
        return _scales(manifest)
    if name == "strength":
        return Span(beyond=True, low=0, high=1)
    return Span(whole=all(isinstance(number, int) for number in numbers))


def _scales(manifest: Manifest) -> Span:
    lifted = "scale" in manifest.limits.unchecked
    return Span(beyond=True, low=None if lifted else 0, high=None if lifted else MAX_SCALE)


def single_lora(value: Value) -> tuple[str, int | float] | None:
    """Give name and scale of a value that is one LoRA, without a label of its own."""
    source = value.source
    if (
        not isinstance(source, AxisValue)
        or not isinstance(source.value, LoraValue)
        or source.label is not None
    ):
        return None
    parts = source.value.parts
    return (parts[0][0].name, parts[0][1]) if len(parts) == 1 else None


def lora_text(value: LoraValue) -> str | list[str]:
    """Write a LoRA as the axis takes it: `name@scale`, `none`, or a stack of them."""
    parts = [f"{lora.name}@{scale}" for lora, scale in value.parts]
    return parts if len(parts) > 1 else parts[0] if parts else "none"
