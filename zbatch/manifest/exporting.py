"""What exports need of a manifest, as plain data that a run directory keeps: they never read manifests."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from zbatch.expressions.loras import LoraValue
from zbatch.manifest.parser import Manifest
from zbatch.manifest.values import Axis, AxisValue, ValueList


def export_facts(manifest: Manifest) -> dict[str, Any]:
    """Give `export` as written, and what the templates of captions may name: vars, LoRAs, values.

    `values` leads the coordinates that are not the values themselves, labels and JSON, back to the values.
    """
    data = manifest.document.data
    export = manifest.export
    return {
        "caption": (data.get("export") or {}).get("caption"),
        "split": None
        if export.split is None
        else {"by": export.split.by, "test": export.split.test, "validation": export.split.validation},
        "vars": data.get("vars") or {},
        "loras": {
            name: {"path": lora.path, "trigger": lora.trigger} for name, lora in manifest.loras.items()
        },
        "values": _values(manifest),
        "sample": None if manifest.grid.sample is None else manifest.grid.sample.n,
    }


def _values(manifest: Manifest) -> dict[str, dict[str, Any]]:
    """Give, by axis and coordinate, the values that their coordinates do not say."""
    found: dict[str, dict[str, Any]] = {}
    for value in _spoken_for(manifest):
        at = value.coordinates[0][1]
        if isinstance(at, str) and (value.label is not None or not isinstance(value.value, str | LoraValue)):
            plain = value.value
            if isinstance(plain, LoraValue):
                plain = {"stack": [[lora.name, scale] for lora, scale in plain.parts]}
            # Of the values of one name those of the matrix come first, and count.
            found.setdefault(value.axis, {}).setdefault(at, plain)
    return found


def _spoken_for(manifest: Manifest) -> Iterator[AxisValue]:
    for axis in manifest.grid.axes:
        yield from _of_axis(axis)
    for row in manifest.grid.rows:
        yield from row.values
        for axis in row.axes:
            yield from _of_axis(axis)


def _of_axis(axis: Axis) -> Iterator[AxisValue]:
    for _, values in axis.columns():
        if isinstance(values, ValueList) and not values.plain:
            yield from _odd(values)


def _odd(values: Sequence[AxisValue]) -> Iterator[AxisValue]:
    return (value for value in values if value.label is not None or isinstance(value.value, list | dict))
