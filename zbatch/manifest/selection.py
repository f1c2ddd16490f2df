"""`--only` and `--first`: which jobs a run may newly submit."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from zbatch.errors import UsageError
from zbatch.expressions.loras import LoraValue
from zbatch.manifest.findings import nearest
from zbatch.manifest.grid import Point
from zbatch.manifest.parser import Manifest
from zbatch.model import Scalar


@dataclass(frozen=True, slots=True)
class Selection:
    """Conditions on coordinates, all of which must hold, each with values of which one must match."""

    conditions: tuple[tuple[str, tuple[str, ...]], ...] = ()
    first: int | None = None

    @classmethod
    def parse(cls, only: Iterable[str], first: int | None, manifest: Manifest) -> Selection:
        """Read `axis=value[,value]` as the command line gives it.

        Raises:
            UsageError: no such axis, or not of that form.
        """
        if first is not None and first < 1:
            raise UsageError(f"--first takes a number of at least 1 (got {first})")
        known = set(manifest.coordinate_names) | {name for axis in manifest.grid.axes for name in axis.names}
        conditions = []
        for text in only:
            name, equals, values = text.partition("=")
            name = name.strip()
            if not equals or not values:
                raise UsageError(f"--only takes axis=value[,value] (got {text!r})")
            if name not in known:
                raise UsageError(f"--only: {name!r} is no axis of this manifest", hint=nearest(name, known))
            conditions.append((name, listed_values(values)))
        return cls(tuple(conditions), first)

    @property
    def everything(self) -> bool:
        """Tell whether every job is selected."""
        return not self.conditions and self.first is None

    def matches(self, point: Point) -> bool:
        """Tell whether a cell is meant, by label or by value."""
        return all(meets(point, name, values) for name, values in self.conditions)


_FIELD: Final = re.compile(r'\s*"((?:[^"]|"")*)"\s*(?:,|\Z)|([^,]*)(?:,|\Z)')


def listed_values(text: str) -> tuple[str, ...]:
    """Read `value,value`, as in CSV: in double quotes a value stands as it is, with `""` for a quote."""
    fields = [match for match in _FIELD.finditer(text) if match.start() < len(text)]
    values = [
        quoted.replace('""', '"') if quoted is not None else plain.strip()
        for quoted, plain in (field.groups() for field in fields)
    ]
    if all(field[1] is None for field in fields):
        values.insert(0, text.strip())  # a value may have a comma of its own: the whole text is tried too
    return tuple(dict.fromkeys(values))


class Chosen:
    """The jobs that a selection chose, by their numbers: those of the first cells that are meant."""

    def __init__(self, selection: Selection) -> None:
        self.selection = selection
        self._chosen = bytearray()
        self.count = 0

    def take(self, number: int, *, meant: bool) -> bool:
        """Tell whether a job is chosen, at one of its cells, in grid order; `meant` says if that cell is."""
        if number < len(self._chosen) and self._chosen[number]:
            return True
        first = self.selection.first
        if not meant or (first is not None and self.count >= first):
            return False
        if number >= len(self._chosen):
            self._chosen.extend(bytes(number + 1_000 - len(self._chosen)))
        self._chosen[number] = 1
        self.count += 1
        return True


def meets(point: Point, name: str, values: Iterable[str]) -> bool:
    """Tell whether a cell meets one condition."""
    return any(_matches(point, name, wanted) for wanted in values)


def _matches(point: Point, name: str, wanted: str) -> bool:
    value = point.values.get(name)
    if value is not None:
        if value.label is not None and value.label == wanted:
            return True
        if isinstance(value.value, LoraValue):
            return wanted in (value.value.name, str(value.value))
        if isinstance(value.value, str | int | float | None) and _reads_as(value.value, wanted):
            return True
    lora = point.values.get("lora")
    named = name == "lora.name" and lora is not None and isinstance(lora.value, LoraValue)
    if named and lora is not None and wanted == lora.value.name:
        return True
    return name in point.coordinates and _reads_as(point.coordinates[name], wanted)


def _reads_as(value: Scalar, wanted: str) -> bool:
    if isinstance(value, bool) or value is None:
        return wanted.lower() == {True: "true", False: "false", None: "null"}[value]
    if isinstance(value, str):
        return value == wanted
    try:
        return value == (
            int(wanted) if isinstance(value, int) and wanted.lstrip("-").isdigit() else float(wanted)
        )
    except ValueError:
        return False
