"""LoRAs as templates know them: in a manifest, and in the captions of its run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from zbatch.model import Scalar


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
