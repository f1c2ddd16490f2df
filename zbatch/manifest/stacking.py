"""The `loras` of a request, in every form that people write, as the bodies that the API takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zbatch.expressions.loras import LoraValue, NamedLora
from zbatch.manifest.findings import LOST, Place, nearest, shown
from zbatch.manifest.loras import read_scale
from zbatch.manifest.problems import Problem
from zbatch.model import canonical_number


def lora_bodies(
    value: Any, place: Place, loras: Mapping[str, NamedLora]
) -> list[tuple[dict[str, Any] | Problem, Place]]:
    """Read the `loras` of a request in any form people write, each with its place; scale 0 leaves."""
    if isinstance(value, LoraValue):
        return [(entry, place) for entry in value.body()]
    if isinstance(value, str):
        value = [value]
    if not isinstance(value, list):
        problem = Problem(place, "must be a list of up to three LoRAs", value, "", rendered=False)
        return [(problem, place)]
    found: list[tuple[dict[str, Any] | Problem, Place]] = []
    for number, item in enumerate(value):
        where = (*place, number)
        part = _lora_body(item, where, loras)
        if isinstance(part, Problem):
            found.append((part, where))
        else:
            found += [(entry, where) for entry in part if entry["scale"] != 0]
    return found


def _lora_body(item: Any, place: Place, loras: Mapping[str, NamedLora]) -> list[dict[str, Any]] | Problem:
    if isinstance(item, LoraValue):
        return item.body()
    if item in ("none", None) or item is LOST:
        return []
    if isinstance(item, str):
        name, at, text = item.partition("@")
        item = {"name": name}
        if at:
            item["scale"] = read_scale(text)
            if item["scale"] is None:
                return Problem(
                    place,
                    "the scale after @ must be a number",
                    f"{name}@{text}",
                    f"write {name}@0.8",
                    rendered=False,
                )
    if not isinstance(item, Mapping):
        return Problem(place, "must be name@scale, {name, scale} or {path, scale}", item, "", rendered=False)
    entry = dict(item)
    if "name" in entry:
        name = entry.pop("name")
        if "path" in entry:
            return Problem(place, "takes a name or a path, not both", item, "", rendered=False)
        if name not in loras:
            hint = nearest(str(name), loras) or f"name it under loras: {{{name}: {{path: ...}}}}"
            return Problem(place, f"no LoRA is named {shown(name)}", None, hint, rendered=False)
        entry["path"] = loras[name].path
    scale = entry.get("scale", 1)
    entry["scale"] = canonical_number(scale) if isinstance(scale, int | float) else scale
    return [entry]
