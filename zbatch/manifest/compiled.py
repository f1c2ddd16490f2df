"""The fast way through a matrix: each field is made once for each combination of values it depends on.

The slow way (`zbatch.manifest.jobs`) renders, checks and serialises every cell by itself and explains what is
wrong. Here each field of the request becomes a piece of JSON for every combination of the dimensions it
depends on, and is checked then; a cell is only put together from its pieces: joined, hashed, handed on.
Whatever is not plainly right ends the fast way with `SlowWayError`, and the slow way does it all again, in
the same order, with the same results: a property test holds the two together.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any, Final

import orjson

from zbatch.api.contract import DEFAULTS, FIELDS, MODELS
from zbatch.errors import ZbatchError
from zbatch.manifest.findings import Place
from zbatch.manifest.grid import Grid
from zbatch.manifest.inputs import is_remote
from zbatch.manifest.loras import NamedLora
from zbatch.manifest.pieces import (
    CHUNK,
    MOST_KEPT,
    Column,
    Dimension,
    FieldPieces,
    FirstShown,
    Piece,
    dimensions_of,
    joined,
    values_of,
)
from zbatch.manifest.requests import HELD_STILL, Problem, RequestProgram, derived_seed, lora_bodies
from zbatch.manifest.templates import ValueTemplate, needed_names
from zbatch.manifest.values import AxisValue, RangeValues
from zbatch.model import EXTENSIONS, InputImage, Row, canonical_number

_BODY: Final = ("prompt", "size", "seed", "loras", "image_url", "strength", "mask", "output_format")
_CANONICAL: Final = ("image_url", "loras", "mask", "output_format", "prompt", "seed", "size", "strength")
_BASE64: Final = "enable_base64_output"


class SlowWayError(Exception):
    """Something here needs the slow way: a problem to explain, or a form not worth a fast one."""


class CompiledGrid:
    """All points of a matrix without rules, sample, rows or file template, as rows in grid order."""

    def __init__(
        self,
        name: str,
        program: RequestProgram,
        grid: Grid,
        loras: Mapping[str, NamedLora],
        unchecked: frozenset[str],
        image: Callable[[str, Place], InputImage],
    ) -> None:
        """Prepare. `image` reads a local input image written at a place.

        Raises:
            SlowWayError: the program or the grid is of a form that only the slow way takes.
        """
        plain = grid.has_matrix and not (grid.excludes or grid.sample or grid.rows)
        if not plain or not set(program.fields) <= set(MODELS[program.model]):
            raise SlowWayError
        self._name = name
        self._program = program
        self._dimensions = dimensions_of(grid)
        self._loras = loras
        self._unchecked = unchecked
        self._image = image
        self._sizes = [len(dimension) for dimension in self._dimensions]
        self._where = {axis: n for n, dimension in enumerate(self._dimensions) for axis in dimension.names}
        self._variables = dict(program.variables)
        self._fields = {field: self._field(field) for field in (*_BODY, _BASE64) if self._given(field)}
        self.count = math.prod(self._sizes)
        self.seeds_chosen = 0

    # ── what a field is made of ─────────────────────────────────────────────────────────────────────────

    def _given(self, field: str) -> bool:
        if field in self._program.fields or field in self._program.axes:
            return True
        return field in ("seed", "size", "output_format", "loras")  # `loras` is in every canonical request

    def _field(self, field: str) -> FieldPieces:
        program = self._program
        deps: set[int] = set()
        if field in program.axes:
            deps = {self._where["lora" if field == "loras" and "lora" in self._where else field]}
        elif field in program.fields:
            needed = needed_names(program.fields[field].names, self._variables)
            deps = {self._where[name] for name in needed if name in self._where}
        elif field == "seed":
            deps = {n for n, dimension in enumerate(self._dimensions) if _moves_seed(dimension)}
        if field == "seed" and "replica" in self._where and not program.seed_sees_replica:
            deps.add(self._where["replica"])
        return FieldPieces(deps, self._sizes, lambda at: self._make(field, at))

    def _make(self, field: str, at: Mapping[int, int]) -> Piece:
        values: dict[str, AxisValue] = {}
        for dimension, index in at.items():
            values.update(self._dimensions[dimension].parts(index))
        value = self._value(field, values)
        if field == "loras":
            parsed = [part for part, _ in lora_bodies(value or [], (), self._loras)]
            if any(isinstance(part, Problem) for part in parsed):
                raise SlowWayError
            value = parsed
        if value is None:
            return Piece(b"", b"", None)
        if any(violation.liftable not in self._unchecked for violation in FIELDS[field](value)):
            raise SlowWayError
        return self._serialise(field, value, values)

    def _value(self, field: str, values: Mapping[str, AxisValue]) -> Any:
        program = self._program
        replica = values["replica"].value if "replica" in values else 1
        given: Any = None
        if field in program.axes:
            given = values["lora" if field == "loras" and "lora" in values else field].value
        elif field in program.fields:
            template = program.fields[field]
            given = template.render(self._context(template, values, replica))
        if field == "seed":
            return self._seed(given, values, replica)
        if field == "prompt" and isinstance(given, int | float) and not isinstance(given, bool):
            return str(given)
        return DEFAULTS.get(field) if given is None and field in ("size", "output_format") else given

    def _seed(self, given: Any, values: Mapping[str, AxisValue], replica: int) -> Any:
        if given is None:
            return derived_seed(self._coordinates(values), replica)
        if given == -1:
            raise SlowWayError
        if replica > 1 and not self._program.seed_sees_replica and isinstance(given, int) and given >= 0:
            return derived_seed({"seed": given}, replica)
        return given

    def _coordinates(self, values: Mapping[str, AxisValue]) -> dict[str, Any]:
        return {name: at for value in values.values() for name, at in value.coordinates}

    def _context(
        self, template: ValueTemplate, values: Mapping[str, AxisValue], replica: int
    ) -> dict[str, Any]:
        context: dict[str, Any] = {axis: value.value for axis, value in values.items()}
        context["name"] = self._name
        context["replica"] = replica
        needed = needed_names(template.names, self._variables)
        for variable, compiled in self._program.variables:
            if variable in needed:
                context[variable] = compiled.render(context)
        return context

    def _serialise(self, field: str, value: Any, values: Mapping[str, AxisValue]) -> Piece:
        label = b'"' + field.encode() + b'":'
        if field == "loras":
            loras = [
                {"path": lora["path"], "scale": canonical_number(lora.get("scale", 1))} for lora in value
            ]
            piece = label + orjson.dumps(loras)
            return Piece(piece, piece if loras else b"", value)
        if field in ("image_url", "mask") and not is_remote(value):
            program = self._program
            place = values[field].place if field in program.axes else program.fields[field].place
            image = self._image(value, place)
            hashed = label + orjson.dumps({"sha256": image.sha256})
            return Piece(hashed, label + orjson.dumps(image.body()), value)
        if field == _BASE64:
            return Piece(b"", label + b"true" if value else b"", value)
        piece = label + orjson.dumps(canonical_number(value) if isinstance(value, float) else value)
        return Piece(piece, piece, value)

    # ── the loops ───────────────────────────────────────────────────────────────────────────────────────

    def batches(self) -> Iterator[list[Row]]:
        """Stream the rows, some at a time.

        Raises:
            SlowWayError: a cell is not plainly right. Rows given before it stand.
        """
        try:
            yield from self._batches()
        except (ZbatchError, KeyError) as error:
            raise SlowWayError from error
        if "seed" not in self._program.axes and "seed" not in self._program.fields:
            self.seeds_chosen = self.count
        elif "replica" in self._where and not self._program.seed_sees_replica:
            self.seeds_chosen = self.count - self.count // self._sizes[self._where["replica"]]

    def _batches(self) -> Iterator[list[Row]]:
        *loops, inner = self._dimensions
        first = FirstShown(self._sizes, self._independent())
        chunks = [range(a, min(a + CHUNK, len(inner))) for a in range(0, len(inner), CHUNK)]
        comma = b"," if loops else b""
        for outer in itertools.product(*(range(len(loop)) for loop in loops)):
            begin = b"{" + b",".join([loop.label(index) for loop, index in zip(loops, outer, strict=True)])
            for steps in chunks:
                ends = [comma + inner.label(index) + b"}" for index in steps]
                yield self._batch(outer, steps, begin, ends, first)

    def _batch(
        self, outer: tuple[int, ...], steps: range, begin: bytes, ends: list[bytes], first: FirstShown
    ) -> list[Row]:
        columns = self._columns(outer, steps)
        _check_together(columns)
        head = b'{"model":' + orjson.dumps(self._program.model) + b',"request":{'
        canonical = [columns[name] for name in _CANONICAL if name in columns]
        body = [columns[name] for name in (*_BODY, _BASE64) if name in columns]
        digests = [sha256(text).digest() for text in joined(canonical, 0, len(ends), head, b"}}")]
        bodies = joined(body, 1, len(ends), b"{", b"}")
        formats = values_of(columns["output_format"])
        extensions = [EXTENSIONS[name] for name in formats * (1 if len(formats) > 1 else len(ends))]
        shown = first.shown(outer, steps, digests)
        return [
            Row(begin + end, key, text, f"images/{key[:16]}{extension}") if shows else Row(begin + end, key)
            for end, key, text, extension, shows in zip(
                ends, [digest.hex() for digest in digests], bodies, extensions, shown, strict=True
            )
        ]

    def _columns(self, outer: Sequence[int], steps: range) -> dict[str, Piece | Column]:
        """Give each field's piece for some cells of the inner loop; a column where they differ along it."""
        last = len(self._sizes) - 1
        return {
            name: field.column(outer, steps) if last in field.deps else field.at(outer)
            for name, field in self._fields.items()
        }

    def _independent(self) -> frozenset[int]:
        """Give the dimensions of which any two values always make two requests, whatever the others are."""
        found = set()
        for name, field in self._fields.items():
            if len(field.deps) == 1 and name != _BASE64 and self._differs(name, field, field.deps[0]):
                found.add(field.deps[0])
        return frozenset(found)

    def _differs(self, name: str, field: FieldPieces, dimension: int) -> bool:
        size = self._sizes[dimension]
        if size > MOST_KEPT:
            # Too many to look at each; those of a range that fills its field differ by what a range is.
            values = self._dimensions[dimension].values
            return name in self._program.axes and isinstance(values, RangeValues) and values[0] != values[1]
        indexes = [0] * len(self._sizes)
        pieces = set()
        for index in range(size):
            indexes[dimension] = index
            pieces.add(field.at(indexes).canonical)
        return len(pieces) == size


def _check_together(columns: Mapping[str, Piece | Column]) -> None:
    """Hold cells against the rules across fields: prompt is there, strength and mask have their image."""
    if "prompt" not in columns or not all(value is not None for value in values_of(columns["prompt"])):
        raise SlowWayError
    for name in ("strength", "mask"):
        if name not in columns or all(value is None for value in values_of(columns[name])):
            continue
        # Where one cell of the loop has it, the image must be there in all: rarely otherwise, and then
        # the slow way looks at each.
        if "image_url" not in columns or None in values_of(columns["image_url"]):
            raise SlowWayError


def _moves_seed(dimension: Dimension) -> bool:
    names = [name for name, _ in dimension.values[0].coordinates]
    return any(name not in HELD_STILL and not name.startswith("lora.") for name in names)
