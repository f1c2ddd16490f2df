"""The sections of a manifest, each as far as it could be read: one mistake is told once."""

from __future__ import annotations

from collections.abc import Collection, Container, Mapping
from typing import Any, Final

from zbatch.expressions.loras import NamedLora
from zbatch.manifest.document import Document
from zbatch.manifest.findings import LOST, Findings, Place
from zbatch.manifest.inputs import InputImages
from zbatch.manifest.templates import ValueTemplate, check_vars, compile_value, order_vars, unknown_value
from zbatch.manifest.values import Axis

_UNREAD: Final = "(unread)"
"""The path of a LoRA that a finding has told of already."""


class Sections:
    """The sections of one document; what the schema refused is left out, so that it is told once."""

    def __init__(
        self, document: Document, broken: Collection[Place], findings: Findings, inputs: InputImages
    ) -> None:
        self.document = document
        self.findings = findings
        self.raw: dict[str, Any] = document.data
        items = {place[:3] for place in broken if self._is_item(place)}
        self._lost_items = items
        self.broken = {place[:2] for place in broken if not self._is_item(place)}
        self.zip_lost = False
        self.inputs = inputs

    def section(self, name: str) -> dict[str, Any]:
        """Give a map section without its broken entries."""
        value = self.raw.get(name)
        if (name,) in self.broken or not isinstance(value, dict):
            return {}
        return {
            key: self._whole(item, (name, key))
            for key, item in value.items()
            if (name, key) not in self.broken
        }

    def _is_item(self, place: Place) -> bool:
        """Tell whether a broken place lies in one item of a list of values: the others can be read."""
        if len(place) < 3 or place[0] not in ("matrix", "request"):
            return False
        section = self.raw[str(place[0])]
        return isinstance(section, dict) and isinstance(section.get(place[1]), list)

    def _whole(self, value: Any, place: Place) -> Any:
        if not isinstance(value, list) or not self._lost_items:
            return value
        return [LOST if (*place, n) in self._lost_items else item for n, item in enumerate(value)]

    def rows(self, name: str) -> list[tuple[int, dict[str, Any]]]:
        """Give a list section as numbered maps without its broken rows."""
        value = self.raw.get(name)
        if (name,) in self.broken or not isinstance(value, list):
            return []
        return [
            (n, item)
            for n, item in enumerate(value)
            if (name, n) not in self.broken and isinstance(item, dict)
        ]

    def scalar(self, name: str, default: Any) -> Any:
        """Give a scalar at the top, or its default."""
        return default if (name,) in self.broken else self.raw.get(name, default)

    def lost(self, axes: Collection[Axis]) -> Container[str]:
        """Names that are written down and could not be read: whoever uses them is not wrong too."""
        if (
            self.zip_lost
            or ("matrix",) in self.broken
            or ("vars",) in self.broken
            or ("include",) in self.broken
        ):
            return _Everything()
        names = {name for n in range(len(self.raw.get("include") or ())) for name in self._broken_row(n)}
        return (names | (self.raw.get("matrix") or {}).keys()) - {
            name for axis in axes for name in axis.names
        }

    def _broken_row(self, number: int) -> set[str]:
        row = self.raw["include"][number]
        return set(row) if ("include", number) in self.broken and isinstance(row, dict) else set()

    def templates(self, name: str) -> dict[str, ValueTemplate]:
        """Compile a section; what is broken in it stands as a value nobody knows."""
        if (name,) in self.broken:
            return {"prompt": unknown_value((name,))}
        broken = [str(place[1]) for place in self.broken if len(place) == 2 and place[0] == name]
        compiled = self.compiled(self.section(name), (name,))
        return {**compiled, **{key: unknown_value((name, key)) for key in broken}}

    def compiled(self, section: Mapping[str, Any], place: Place) -> dict[str, ValueTemplate]:
        """Compile every value of a map."""
        return {
            name: compile_value(value, (*place, name), self.findings) or unknown_value((*place, name))
            for name, value in section.items()
        }

    def variables(self) -> tuple[tuple[str, ValueTemplate], ...]:
        """Compile `vars`, in an order in which each comes after those it uses."""
        templates = self.templates("vars") if ("vars",) not in self.broken else {}
        matrix = self.raw.get("matrix")
        check_vars(templates, matrix if isinstance(matrix, dict) else (), self.findings)
        return order_vars(templates, self.findings)

    def loras(self) -> dict[str, NamedLora]:
        """Read `loras`; those that could not be read are known by their names."""
        if ("loras",) in self.broken:
            return _AnyLora()
        broken = [name for name in self.raw.get("loras") or () if ("loras", name) in self.broken]
        if "none" in (self.raw.get("loras") or ()):
            self.findings.error(
                ("loras", "none"),
                "a LoRA cannot be called none",
                hint="that is the word for no LoRA",
                key=True,
            )
        return {**_parse_loras(self.section("loras")), **{name: NamedLora(name, _UNREAD) for name in broken}}


class _Everything:
    """Holds every name: what stands for a section nothing of which could be read."""

    def __contains__(self, name: object) -> bool:
        return True


class _AnyLora(dict[str, NamedLora]):
    """Knows every name, where `loras` itself could not be read."""

    def __contains__(self, name: object) -> bool:
        return True

    def __missing__(self, name: str) -> NamedLora:
        return NamedLora(name, _UNREAD)


def _parse_loras(section: Mapping[str, Any]) -> dict[str, NamedLora]:
    return {
        name: NamedLora(name, spec)
        if isinstance(spec, str)
        else NamedLora(name, spec["path"], spec.get("trigger", ""))
        for name, spec in section.items()
    }
