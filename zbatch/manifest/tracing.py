"""Where a job came from: for every field of its request, the values that made it and where they stand."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from zbatch.expressions.loras import LoraValue
from zbatch.manifest.findings import Findings, Mark, Place, dotted
from zbatch.manifest.grid import Notes, Point
from zbatch.manifest.jobs import Expansion
from zbatch.manifest.parser import Manifest
from zbatch.manifest.requests import HELD_STILL, RequestProgram, point_context
from zbatch.manifest.templates import ValueTemplate
from zbatch.manifest.values import AxisValue, called
from zbatch.model import Coordinates, Scalar

MOST_CELLS: Final = 1_000
"""Cells of one job that are traced; a baseline may be shown by a hundred thousand."""


@dataclass(frozen=True, slots=True)
class Origin:
    """One value on the way to a request: an axis's, a var's, a LoRA's, or a field of the request itself.

    `path` and `mark` say where it was written; nobody wrote it where `mark` is `None`, and `note` says who
    chose it. `written` is the template where it is one, `parts` what that template used.
    """

    name: str
    value: Any
    path: str = ""
    mark: Mark | None = None
    written: str | None = None
    note: str = ""
    parts: tuple[Origin, ...] = ()


@dataclass(frozen=True, slots=True)
class TracedCell:
    """A cell that shows the job: its coordinates, its values, and the include row that adds it."""

    coordinates: Coordinates
    values: tuple[Origin, ...]
    row: Origin | None


@dataclass(frozen=True, slots=True)
class Trace:
    """A job as a manifest gives it: its request, what made each field in its first cell, and its cells.

    `cells` are the first of `cell_count`.
    """

    key: str
    request: Mapping[str, Any]
    file: str
    fields: tuple[Origin, ...]
    cells: tuple[TracedCell, ...]
    cell_count: int


def trace_job(manifest: Manifest, key: str) -> Trace | None:
    """Find a job by its key in what a manifest gives, and trace it; `None` where it does not give it.

    Raises:
        ManifestError: the manifest's expansion is wrong.
    """
    shown: list[int] = []
    count, request, file = 0, b"", ""
    for number, row in enumerate(Expansion(manifest).rows()):
        if row.key != key:
            continue
        count += 1
        if len(shown) < MOST_CELLS:
            shown.append(number)
        if row.request is not None and row.file is not None:
            request, file = row.request, row.file
    if not shown:
        return None
    points = list(_points_at(manifest, shown))
    body = orjson.loads(request)
    tracer = _Tracer(manifest, points[0])
    return Trace(
        key=key,
        request=body,
        file=file,
        fields=tuple(tracer.field(field, value) for field, value in _all_fields(body)),
        cells=tuple(_Tracer(manifest, point).cell() for point in points),
        cell_count=count,
    )


def _points_at(manifest: Manifest, numbers: list[int]) -> Iterator[Point]:
    """Give the points at some places of grid order, which must ascend."""
    points = manifest.grid.points(Findings(), Notes())
    begin = 0
    for number in numbers:
        yield next(itertools.islice(points, number - begin, None))
        begin = number + 1


def _all_fields(body: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Give the fields of a request, that there are no LoRAs among them: why not is a question, too."""
    for field, value in body.items():
        yield field, value
        if field == "seed" and "loras" not in body:
            yield "loras", []


class _Tracer:
    """Traces one cell."""

    def __init__(self, manifest: Manifest, point: Point) -> None:
        self._manifest = manifest
        self._document = manifest.document
        self._point = point
        self._program: RequestProgram = point.row.program if point.row else manifest.program
        self._vars = dict(manifest.variables)
        self._context = point_context(manifest.name, point.values, point.replica, self._program)

    def cell(self) -> TracedCell:
        """Give the cell with the values it stands at."""
        point = self._point
        row = None
        if point.row is not None:
            name = point.row.label or dotted(point.row.place)
            row = Origin("include", name, dotted(point.row.place), self._document.mark(point.row.place))
        return TracedCell(point.coordinates, tuple(self._axis(value) for value in point.values.values()), row)

    def field(self, field: str, value: Any) -> Origin:
        """Say what made one field of the request."""
        axis = "lora" if field == "loras" and "lora" in self._point.values else field
        if field in self._program.axes:
            part = self._axis(self._point.values[axis])
            return Origin(field, value, note=self._replacing(field, axis), parts=(part,))
        template = self._program.fields.get(field)
        if template is None:
            return Origin(field, value, note=self._unwritten(field))
        note = "" if field != "seed" or template.render(self._context) == value else self._unwritten(field)
        return Origin(
            field,
            value,
            dotted(template.place),
            self._document.mark(template.place),
            self._written(template),
            note,
            self._parts(template),
        )

    def _replacing(self, field: str, axis: str) -> str:
        if field == "seed" and self._point.values[axis].value is None:
            return self._unwritten(field)
        if field == "seed" and self._point.replica > 1:
            return f"chosen by zbatch from this seed for replica {self._point.replica}"
        if field not in (self._document.data.get("request") or {}):
            return ""
        mark = self._document.mark(("request", field))
        return f"the axis fills it; request.{field} ({mark.file}:{mark.line}) is not used"

    def _unwritten(self, field: str) -> str:
        if field != "seed":
            return "nothing sets it" if field == "loras" else "the API's default"
        held = {
            name: at
            for name, at in self._point.coordinates.items()
            if name not in HELD_STILL and not name.startswith("lora.")
        }
        cell = ", ".join(f"{name}={called(at)}" for name, at in held.items())
        return f"chosen by zbatch from the cell: {cell}" if cell else "chosen by zbatch"

    def _parts(self, template: ValueTemplate) -> tuple[Origin, ...]:
        return tuple(
            part for name in sorted(template.names) for part in [self._named(name)] if part is not None
        )

    def _named(self, name: str) -> Origin | None:
        """Say where what a template calls `name` comes from."""
        if name in self._point.values:
            return self._axis(self._point.values[name])
        if name in self._vars:
            variable = self._vars[name]
            return Origin(
                name,
                self._context.get(name),
                dotted(variable.place),
                self._document.mark(variable.place),
                self._written(variable),
                "",
                self._parts(variable),
            )
        if name == "name":
            return Origin(name, self._manifest.name, "name", self._document.mark(("name",)))
        if name == "replica":
            return Origin(name, self._point.replica, "replicas", self._document.mark(("replicas",)))
        return None

    def _written(self, template: ValueTemplate) -> str | None:
        """Give a template as it was written; `None` where it is none."""
        if template.constant:
            return None
        value = self._at(template.place)
        return value if isinstance(value, str) else orjson.dumps(value).decode()

    def _at(self, place: Place) -> Any:
        value = self._document.data
        for part in place:
            value = value[part]
        return value

    def _axis(self, value: AxisValue) -> Origin:
        place, content = value.place, value.value
        note = f"labelled {value.label}" if value.label is not None else ""
        parts: tuple[Origin, ...] = ()
        if isinstance(content, LoraValue):
            parts = tuple(itertools.chain(self._lora_name(place, content), self._loras(content)))
            content = str(content)
        return Origin(value.axis, content, dotted(place), self._document.mark(place), None, note, parts)

    def _lora_name(self, place: Place, value: LoraValue) -> Iterator[Origin]:
        """Say where the name stands, where names and scales have lists of their own."""
        if "scale" not in place or place[place.index("scale") - 1] != "lora":
            return
        where: Place = (*place[: place.index("scale")], "name")
        names = self._at(where)
        if isinstance(names, list):
            where = (*where, names.index(value.name))
        yield Origin("lora.name", value.name, dotted(where), self._document.mark(where))

    def _loras(self, value: LoraValue) -> Iterator[Origin]:
        for lora, scale in value.parts:
            place: Place = ("loras", lora.name)
            trigger = f"trigger {lora.trigger}" if lora.trigger else ""
            note = trigger if scale else "scale 0: off, its trigger is empty"
            yield Origin(dotted(place), lora.path, dotted(place), self._document.mark(place), None, note)


def differing(first: Coordinates, other: Coordinates) -> dict[str, Scalar]:
    """Give the coordinates of a cell that are not those of another."""
    return {name: at for name, at in other.items() if name not in first or first[name] != at}
