"""The fields of requests, made and checked once for each combination of what they depend on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import orjson

from zbatch.api.contract import DEFAULTS, FIELDS, MODELS
from zbatch.expressions.loras import NamedLora
from zbatch.manifest.findings import Place
from zbatch.manifest.inputs import is_remote
from zbatch.manifest.pieces import Block, Dimension, Lookup, Piece, Points, SlowWayError, each, enclosed
from zbatch.manifest.problems import Problem
from zbatch.manifest.requests import HELD_STILL, derived_seed
from zbatch.manifest.stacking import lora_bodies
from zbatch.manifest.templates import ValueTemplate, needed_names
from zbatch.manifest.values import AxisValue
from zbatch.model import InputImage, canonical_number

BODY: Final = ("prompt", "size", "seed", "loras", "image_url", "strength", "mask", "output_format")
CANONICAL: Final = ("image_url", "loras", "mask", "output_format", "prompt", "seed", "size", "strength")
BASE64: Final = "enable_base64_output"
_ALWAYS: Final = frozenset({"seed", "size", "output_format", "loras"})
"""Those that every canonical request has."""

_LONGEST: Final = 8_000
"""Bytes of a field beyond which cells are made one by one: some thousand at once would fill the memory."""

_ABSENT: Final = Piece(b"", b"", None)

Images = Callable[[str, Place], InputImage]


class Context:
    """What templates see at a point, made of the dimensions a template needs and no others."""

    def __init__(self, name: str, block: Block, variables: tuple[tuple[str, ValueTemplate], ...]) -> None:
        self._name = name
        self._block = block
        self._where = block.where
        self._variables = variables
        self._by_name = dict(variables)

    def needed(self, names: Iterable[str]) -> frozenset[str]:
        """Close names over the vars among them."""
        return needed_names(names, self._by_name)

    def deps(self, names: Iterable[str]) -> set[int]:
        """Give the dimensions that decide what some names stand for."""
        return {self._where[name] for name in self.needed(names) if name in self._where}

    def values(self, steps: Mapping[int, int]) -> Mapping[str, AxisValue]:
        """Give the values of axes at a combination of dimensions."""
        if len(steps) == 1:
            ((dimension, step),) = steps.items()
            return self._block.dimensions[dimension].parts(step)
        found: dict[str, AxisValue] = {}
        for dimension, step in steps.items():
            found.update(self._block.dimensions[dimension].parts(step))
        return found

    def of(self, names: Iterable[str], values: Mapping[str, AxisValue]) -> dict[str, Any]:
        """Give what some names stand for, and the vars that they need."""
        context: dict[str, Any] = {axis: value.value for axis, value in values.items()}
        context["name"] = self._name
        context.setdefault("replica", 1)
        needed = self.needed(names)
        for variable, compiled in self._variables:
            if variable in needed:
                context[variable] = compiled.render(context)
        return context


class Fields:
    """The fields of one program's requests, as tables of pieces of JSON."""

    def __init__(
        self,
        block: Block,
        context: Context,
        loras: Mapping[str, NamedLora],
        unchecked: frozenset[str],
        image: Images,
    ) -> None:
        """Prepare. `image` reads a local input image written at a place.

        Raises:
            SlowWayError: the program is of a form that only the slow way takes.
        """
        self._program = block.program
        if not set(self._program.fields) <= set(MODELS[self._program.model]):
            raise SlowWayError
        self._block = block
        self._context = context
        self._loras = loras
        self._unchecked = unchecked
        self._image = image
        self._where = block.where
        self.tables = {field: self._table(field) for field in (*BODY, BASE64) if self._given(field)}
        if "prompt" not in self.tables:
            raise SlowWayError
        seeds = self.tables["seed"]
        self._chosen: Lookup[bool] = Lookup(
            seeds.deps, block.sizes, lambda points: [piece.value for piece in seeds.pick(points)]
        )

    def canonical(self) -> list[Lookup[bytes]]:
        """Give what makes the canonical request with its model, to be joined."""
        names = [name for name in CANONICAL if name in self.tables]
        # `loras` is always there; what comes before it brings its comma behind.
        parts = [self._text(name, 0, behind=name == "image_url", first=name == "loras") for name in names]
        head = b'{"model":' + orjson.dumps(self._program.model) + b',"request":{'
        return enclosed(head, parts, b"}}", self._block.sizes)

    def body(self) -> list[Lookup[bytes]]:
        """Give what makes the body as it is sent, to be joined."""
        names = [name for name in (*BODY, BASE64) if name in self.tables]
        parts = [self._text(name, 1, behind=False, first=name == "prompt") for name in names]
        return enclosed(b"{", parts, b"}", self._block.sizes)

    def check_together(self, points: Points) -> None:
        """Hold points against the rules across fields: strength and mask have their image.

        Raises:
            SlowWayError: one has not.
        """
        for name in ("strength", "mask"):
            if name not in self.tables:
                continue
            if "image_url" not in self.tables:
                images: list[Piece] = [_ABSENT] * len(points)
            else:
                images = self.tables["image_url"].pick(points)
            pieces = self.tables[name].pick(points)
            pairs = zip(pieces, images, strict=True)
            if any(piece.value is not None and image.value is None for piece, image in pairs):
                raise SlowWayError

    def seeds_chosen(self, points: Points) -> int:
        """Count the points whose seed zbatch chose."""
        return sum(self._chosen.pick(points))

    # ── what a field is made of ─────────────────────────────────────────────────────────────────────────

    def _given(self, field: str) -> bool:
        return field in self._program.fields or field in self._program.axes or field in _ALWAYS

    def _table(self, field: str) -> Lookup[Piece]:
        program = self._program
        deps: set[int] = set()
        if field in program.axes:
            deps = {self._where[self._axis(field)]}
        elif field in program.fields:
            deps = self._context.deps(program.fields[field].names)
        elif field == "seed":
            deps = {n for n, dimension in enumerate(self._block.dimensions) if _moves_seed(dimension)}
        if field == "seed" and "replica" in self._where and not program.seed_sees_replica:
            deps.add(self._where["replica"])
        return each(deps, self._block.sizes, lambda steps: self._make(field, steps))

    def _axis(self, field: str) -> str:
        return "lora" if field == "loras" and "lora" in self._where else field

    def _text(self, field: str, part: int, *, behind: bool, first: bool) -> Lookup[bytes]:
        lookup = self.tables[field]

        def make(points: Points) -> list[bytes]:
            texts = [piece.body if part else piece.canonical for piece in lookup.pick(points)]
            if first:
                return texts
            return [text and (text + b"," if behind else b"," + text) for text in texts]

        return Lookup(lookup.deps, self._block.sizes, make)

    def _make(self, field: str, steps: Mapping[int, int]) -> Piece:
        values = self._context.values(steps)
        value, chosen = self._value(field, values)
        if field == "loras":
            parsed = [part for part, _ in lora_bodies(value or [], (), self._loras)]
            if any(isinstance(part, Problem) for part in parsed):
                raise SlowWayError
            value = parsed
        if value is None:
            if field == "prompt":
                raise SlowWayError
            return _ABSENT
        if any(violation.liftable not in self._unchecked for violation in FIELDS[field](value)):
            raise SlowWayError
        piece = self._serialise(field, value, values)
        return piece._replace(value=chosen) if field == "seed" else piece

    def _value(self, field: str, values: Mapping[str, AxisValue]) -> tuple[Any, bool]:
        """Give the value of a field, and whether zbatch chose it."""
        program = self._program
        given: Any = None
        if field in program.axes:
            given = values[self._axis(field)].value
        elif field in program.fields:
            template = program.fields[field]
            given = template.render(self._context.of(template.names, values))
        if field == "seed":
            return self._seed(given, values)
        if field == "prompt" and isinstance(given, int | float) and not isinstance(given, bool):
            return str(given), False
        return (DEFAULTS.get(field) if given is None and field in ("size", "output_format") else given), False

    def _seed(self, given: Any, values: Mapping[str, AxisValue]) -> tuple[Any, bool]:
        replica = values["replica"].value if "replica" in values else 1
        if given is None:
            if "seed" in self._program.axes | self._program.fields.keys():
                raise SlowWayError  # null at some points only: there it depends on more than elsewhere
            coordinates = {name: at for value in values.values() for name, at in value.coordinates}
            return derived_seed(coordinates, replica), True
        if given == -1:
            raise SlowWayError
        if replica > 1 and not self._program.seed_sees_replica and isinstance(given, int) and given >= 0:
            return derived_seed({"seed": given}, replica), True
        return given, False

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
        if field == BASE64:
            return Piece(b"", label + b"true" if value else b"", value)
        piece = label + orjson.dumps(canonical_number(value) if isinstance(value, float) else value)
        if len(piece) > _LONGEST:
            raise SlowWayError
        return Piece(piece, piece, value)


def _moves_seed(dimension: Dimension) -> bool:
    names = [name for name, _ in dimension.values[0].coordinates]
    return any(name not in HELD_STILL and not name.startswith("lora.") for name in names)
