"""LoRAs: those that a manifest names, and what the `lora` axis holds of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from zbatch.manifest.findings import Findings, Place, nearest, shown
from zbatch.manifest.scalars import MAX_EXACT
from zbatch.model import Scalar, canonical_number

_SCALE: Final = re.compile(r"[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)")


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
