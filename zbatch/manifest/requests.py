"""From a point of the grid to a request: axes and templates fill the API's fields, the API's rules judge."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import orjson

from zbatch.api.contract import DEFAULTS, FIELDS, MAX_SEED, MODELS, check_body
from zbatch.expressions.loras import NamedLora
from zbatch.manifest.findings import Place
from zbatch.manifest.problems import Problem
from zbatch.manifest.stacking import lora_bodies
from zbatch.manifest.templates import RenderError, ValueTemplate, needed_names
from zbatch.manifest.values import AxisValue
from zbatch.model import Coordinates, Lora, Request, canonical_number

_TEXT_FIELDS: Final = frozenset({"prompt"})
HELD_STILL: Final = frozenset({"size", "strength", "output_format"})
"""Coordinates a derived seed does not see, so that comparisons along them hold it still (and `lora.*`)."""


NOT_MADE: Final = "(not made)"
"""What stands for fields that others need, where making them failed: that is told already."""

_NEEDED: Final = frozenset({"prompt", "image_url"})


@dataclass(frozen=True, slots=True)
class RequestProgram:
    """How the fields of requests are made for all points of one kind.

    `fields` are templates; `axes` the fields that an axis fills itself; `variables` the vars they need, in an
    order in which each can be rendered.
    """

    model: str
    fields: Mapping[str, ValueTemplate]
    axes: frozenset[str]
    variables: tuple[tuple[str, ValueTemplate], ...]
    seed_sees_replica: bool

    @property
    def names(self) -> frozenset[str]:
        """Every name its templates need, directly or through vars."""
        direct = {name for template in self.fields.values() for name in template.names}
        return needed_names(direct, dict(self.variables))


def build_program(
    model: str,
    request: Mapping[str, ValueTemplate],
    own: Mapping[str, ValueTemplate],
    axes: Collection[str],
    variables: tuple[tuple[str, ValueTemplate], ...],
) -> RequestProgram:
    """Decide, field by field, who fills it: a row's own request, the axis of that name, or the request.

    Where the request's template for a field mentions that field's own axis, directly or through a var, the
    template decides.
    """
    named = dict(variables)
    fields: dict[str, ValueTemplate] = {}
    filled: set[str] = set()
    for field in FIELDS:
        axis = "lora" if field == "loras" and "lora" in axes else field
        template = request.get(field)
        if field in own:
            fields[field] = own[field]
        elif axis in axes and (template is None or axis not in needed_names(template.names, named)):
            filled.add(field)
        elif template is not None:
            fields[field] = template
    needed = needed_names((name for template in fields.values() for name in template.names), named)
    seed = fields.get("seed")
    return RequestProgram(
        model,
        fields,
        frozenset(filled),
        tuple((name, template) for name, template in variables if name in needed),
        seed is not None and "replica" in needed_names(seed.names, named),
    )


@dataclass(frozen=True, slots=True)
class Rendered:
    """A rendered body, not yet judged: `sources` say where each field came from."""

    body: dict[str, Any]
    sources: Mapping[str, Place]
    from_template: frozenset[str]
    seed_chosen: bool
    problems: tuple[Problem, ...] = ()
    """LoRAs that could not be read; `judge` tells of them."""
    failures: tuple[RenderError, ...] = ()
    """Templates that failed on these values; their fields are not judged."""


def point_context(
    name: str, values: Mapping[str, AxisValue], replica: int, program: RequestProgram
) -> dict[str, Any]:
    """Give the names templates see at one point: axes, `lora`, `replica`, `name`, and the vars in use."""
    context: dict[str, Any] = {axis: value.value for axis, value in values.items()}
    context["name"] = name
    context["replica"] = replica
    for variable, template in program.variables:
        context[variable] = template.render(context)
    return context


def render_body(
    program: RequestProgram,
    context: Mapping[str, Any],
    values: Mapping[str, AxisValue],
    coordinates: Coordinates,
    replica: int,
    loras: Mapping[str, NamedLora],
) -> Rendered:
    """Fill the fields of one request, seed included."""
    body: dict[str, Any] = {}
    sources: dict[str, Place] = {}
    failures: list[RenderError] = []
    for field in MODELS[program.model] if "loras" not in program.fields else FIELDS:
        if field in program.axes:
            value = values["lora" if field == "loras" and "lora" in values else field]
            body[field], sources[field] = value.value, value.place
        elif field in program.fields:
            template = program.fields[field]
            sources[field] = template.place
            try:
                body[field] = template.render(context)
            except RenderError as error:
                failures.append(error)
                body[field] = NOT_MADE if field in _NEEDED else None
    body = {field: value for field, value in body.items() if value is not None}
    for field in _TEXT_FIELDS & body.keys():
        text = body[field]
        number = isinstance(text, int | float) and not isinstance(text, bool)
        if number or hasattr(text, "__template_text__"):
            body[field] = str(text)
    problems: tuple[Problem, ...] = ()
    if "loras" in body:
        parsed = lora_bodies(body["loras"], sources["loras"], loras)
        problems = tuple(part for part, _ in parsed if isinstance(part, Problem))
        whole = [(part, place) for part, place in parsed if not isinstance(part, Problem)]
        body["loras"] = [part for part, _ in whole]
        sources.update({f"loras[{n}]": place for n, (_, place) in enumerate(whole)})
    chosen = _fill_seed(program, body, coordinates, replica)
    templates = frozenset(f for f, template in program.fields.items() if not template.constant)
    return Rendered(body, sources, templates, chosen, problems, tuple(failures))


def _fill_seed(program: RequestProgram, body: dict[str, Any], coordinates: Coordinates, replica: int) -> bool:
    if "seed" not in body:
        body["seed"] = derived_seed(coordinates, replica)
        return True
    seed = body["seed"]
    if replica > 1 and not program.seed_sees_replica and isinstance(seed, int) and seed >= 0:
        # The first replica has the seed that was given; the others must differ from it and from each other,
        # and `seed + 1` would meet the next seed of the axis.
        body["seed"] = derived_seed({"seed": seed}, replica)
        return True
    return False


def derived_seed(coordinates: Coordinates, replica: int) -> int:
    """Choose the seed of a cell: of its coordinates without those that comparisons hold it still along."""
    held = {
        name: value
        for name, value in coordinates.items()
        if name not in HELD_STILL and name != "replica" and not name.startswith("lora.")
    }
    digest = hashlib.sha256(orjson.dumps([held, replica], option=orjson.OPT_SORT_KEYS)).digest()
    return int.from_bytes(digest[:4], "big") & MAX_SEED


def judge(rendered: Rendered, model: str, unchecked: Collection[str]) -> list[Problem]:
    """Hold a rendered body against the API's rules and zbatch's own: the seed is never -1."""
    problems = [replace(problem, rendered="loras" in rendered.from_template) for problem in rendered.problems]
    for violation in check_body(rendered.body, model, unchecked):
        place = _place(violation.field, rendered)
        if place is not None:
            field = re.split(r"[.\[]", violation.field)[0]
            problems.append(
                Problem(
                    place, violation.message, violation.got, violation.hint, field in rendered.from_template
                )
            )
        else:
            problems.append(
                Problem(
                    ("request",),
                    f"{violation.field} {violation.message}",
                    violation.got,
                    violation.hint,
                    rendered=False,
                )
            )
    if rendered.body.get("seed") == -1:
        hint = "leave seed out: zbatch chooses one per cell, sends it and writes it down; or give a seed axis"
        problems.append(
            Problem(
                rendered.sources["seed"],
                "must not be -1: a random seed cannot be made again",
                -1,
                hint,
                rendered=False,
            )
        )
    return problems


def _place(field: str, rendered: Rendered) -> Place | None:
    root, *rest = re.findall(r"[^.\[\]]+", field)
    place = rendered.sources.get(root)
    if rest and f"{root}[{rest[0]}]" in rendered.sources:  # counted without those that are off
        place = rendered.sources[f"{root}[{rest.pop(0)}]"]
    if place is None or not rest or (place[0] != "request" and "request" not in place):
        return place
    return (*place, *(int(part) if part.isdigit() else part for part in rest))


def to_request(body: Mapping[str, Any], images: Mapping[str, Any]) -> Request:
    """Freeze a body that passed; `images` are its image fields, local ones resolved."""
    strength = body.get("strength")
    return Request(
        prompt=body["prompt"],
        seed=body["seed"],
        size=body.get("size", DEFAULTS["size"]),
        loras=tuple(
            Lora(lora["path"], canonical_number(lora.get("scale", 1))) for lora in body.get("loras", ())
        ),
        output_format=body.get("output_format", DEFAULTS["output_format"]),
        image_url=images.get("image_url"),
        strength=None if strength is None else canonical_number(strength),
        mask=images.get("mask"),
        enable_base64_output=body.get("enable_base64_output", False),
    )
