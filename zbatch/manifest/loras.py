"""Reading the values of a `lora` axis: LoRAs that the manifest names, with their scales."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from zbatch.expressions.loras import LoraValue, NamedLora
from zbatch.manifest.findings import Findings, Place, nearest, shown
from zbatch.manifest.scalars import MAX_EXACT
from zbatch.model import canonical_number

_SCALE: Final = re.compile(r"[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)")


def read_scale(text: str) -> int | float | None:
    """Read what stands after `@`: a decimal; `None` where it is anything else."""
    if len(text) > 40 or not _SCALE.fullmatch(text) or abs(float(text)) > MAX_EXACT:
        return None
    return canonical_number(float(text))


def lora_value(
    item: Any, place: Place, loras: Mapping[str, NamedLora], findings: Findings
) -> LoraValue | None:
    """Read `film@0.8`, `{name, scale}`, `none`, or a list of up to three of them."""
    if isinstance(item, list):
        parts = [_lora_part(part, (*place, n), loras, findings) for n, part in enumerate(item)]
        return None if None in parts else LoraValue(tuple(part for part in parts if part is not None))
    if item == "none":
        return LoraValue()
    part = _lora_part(item, place, loras, findings)
    return None if part is None else LoraValue((part,))


def _lora_part(
    item: Any, place: Place, loras: Mapping[str, NamedLora], findings: Findings
) -> tuple[NamedLora, int | float] | None:
    if isinstance(item, Mapping) and isinstance(item.get("name"), str):
        return _lora_map(item, place, loras, findings)
    if not isinstance(item, str):
        findings.error(place, "must be name@scale, {name, scale}, none, or a list of up to three", got=item)
        return None
    name, at, text = item.partition("@")
    lora = named_lora(name, place, loras, findings)
    if lora is None:
        return None
    scale = read_scale(text) if at else 1
    if scale is None:
        findings.error(place, "the scale after @ must be a number", got=item, hint=f"write {name}@0.8")
        return None
    return (lora, scale)


def _lora_map(
    item: Mapping[str, Any], place: Place, loras: Mapping[str, NamedLora], findings: Findings
) -> tuple[NamedLora, int | float] | None:
    lora = named_lora(item["name"], (*place, "name"), loras, findings)
    scale = item.get("scale", 1)
    unknown = [name for name in item if name not in ("name", "scale")]
    if unknown:
        hint = nearest(str(unknown[0]), ("name", "scale"))
        findings.error((*place, unknown[0]), f"unknown key {unknown[0]!r}", hint=hint, key=True)
    elif isinstance(scale, bool) or not isinstance(scale, int | float):
        findings.error((*place, "scale"), "must be a number", got=scale)
    elif lora is not None:
        return lora, canonical_number(scale)
    return None


def named_lora(
    name: str, place: Place, loras: Mapping[str, NamedLora], findings: Findings
) -> NamedLora | None:
    """Look a LoRA up by its name; `None` after a finding where there is none."""
    if name not in loras:
        if name == "none":
            findings.error(place, "none is no LoRA and takes no scale", hint="write none by itself")
            return None
        hint = "name it under loras: {" + name + ": {path: ...}}"
        if loras:
            hint = "" if findings.full else nearest(name, loras)
        findings.error(place, f"no LoRA is named {shown(name)}", hint=hint)
        return None
    return loras[name]
