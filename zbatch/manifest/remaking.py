"""A manifest written for one image that tells what made it: run, it makes that image again."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import PurePosixPath
from typing import Any, Final

from zbatch.api.contract import DEFAULTS, MODELS, check_body
from zbatch.api.endpoint import parse_endpoint
from zbatch.errors import UsageError
from zbatch.manifest.inputs import is_remote
from zbatch.model import InputImage
from zbatch.provenance import Record
from zbatch.provenance.parameters import lora_name

_IMAGES: Final = ("image_url", "mask")
_NO_SLUG: Final = re.compile(r"[^A-Za-z0-9._-]+")
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_TEMPLATE: Final = re.compile(r"\{(?=[{%#\r])|\r")
"""What Jinja would not leave as it is: the beginnings of its own signs, and line ends of other systems."""


@dataclass(frozen=True, slots=True)
class Remake:
    """A manifest's text, and the local input images that must lie where it names them.

    `shortened` are fields whose URL lost what may have been secret: with them as they are, it is another job.
    """

    text: str
    inputs: tuple[InputImage, ...]
    shortened: tuple[str, ...]


def remake(record: Record, title: str) -> Remake:
    """Write the manifest that makes an image again; `title` is what the image is called, on one line.

    Raises:
        UsageError: the record holds no request that a manifest can ask for.
    """
    request, origin = _checked(record), record.origin
    places = _places(request)
    loras = _loras(request)
    lines = [
        f"# Makes {title} again: job {_plain(record.key[:16])} of {_plain(origin.manifest)}",
        f"# (manifest {_plain(origin.manifest_sha256[:16])}), made by zbatch {_plain(origin.version)}.",
        *(
            f"# {_plain(field)} lost its query or password, which may be a secret: put it back."
            for field in record.shortened
        ),
        "version: 1",
        f"name: {_name(record)}",
        f"endpoint: {_text(_endpoint(record))}",
        f"model: {record.model}",
        *_loras_section(loras),
        "request:",
        *(f"  {field}: {_value(field, value, places, loras)}" for field, value in request.items()),
        *_unchecked(request, record.model),
    ]
    return Remake("\n".join(lines) + "\n", tuple(places.values()), record.shortened)


def template_of(text: str) -> str:
    """Give the template that renders to a text, whatever it holds."""
    return _TEMPLATE.sub(lambda match: "{{ " + ("'{'" if match[0] == "{" else "'\\r'") + " }}", text)


def _checked(record: Record) -> dict[str, Any]:
    """Give the request, held against the rules of the API: an image may come from anywhere.

    Raises:
        UsageError: it breaks one that nothing lifts.
    """
    problems = []
    if record.model not in MODELS:
        raise UsageError(f"its model {record.model[:80]!r} is none that this zbatch knows")
    body = dict(record.request)
    for field in _IMAGES:
        value = body.get(field)
        if isinstance(value, Mapping):
            file, sha256 = value.get("file"), value.get("sha256")
            if not isinstance(file, str) or not isinstance(sha256, str) or not _SHA256.fullmatch(sha256):
                problems.append(f"{field} names no file")
            body[field] = "file"
        elif value is not None and not (isinstance(value, str) and is_remote(value)):
            problems.append(f"{field} is no URL")
    problems += [
        f"{violation.field} {violation.message}"
        for violation in check_body(body, record.model)
        if violation.liftable is None
    ]
    if "seed" not in body or body["seed"] == -1:
        problems.append("seed is not told")
    if problems:
        raise UsageError(f"what it tells is no request that can be made: {problems[0]}")
    return dict(record.request)


def _places(request: Mapping[str, Any]) -> dict[str, InputImage]:
    """Give, by field, where local input images are to lie: below the manifest, each file at one place."""
    places: dict[str, InputImage] = {}
    for field in _IMAGES:
        value = request.get(field)
        if isinstance(value, Mapping):
            path = PurePosixPath(value["file"])
            if path.is_absolute() or ".." in path.parts or not path.name or not value["file"].isprintable():
                path = PurePosixPath("inputs", _NO_SLUG.sub("_", path.name) or field)
            taken = {image.file: image.sha256 for image in places.values()}
            if taken.get(str(path), value["sha256"]) != value["sha256"]:
                path = path.with_name(f"{field}-{path.name}")
            places[field] = InputImage(str(path), value["sha256"])
    return places


def _loras(request: Mapping[str, Any]) -> dict[str, str]:
    """Give names to LoRAs, by path."""
    names: dict[str, str] = {}
    for lora in request.get("loras", ()):
        if lora["path"] not in names:
            name = lora_name(lora["path"])
            name = name if name[0].isalnum() and name != "none" else f"lora-{name}"
            candidates = (name, *(f"{name}-{n}" for n in (2, 3)))
            names[lora["path"]] = next(one for one in candidates if one not in names.values())
    return names


def _loras_section(loras: Mapping[str, str]) -> Iterator[str]:
    if loras:
        yield "loras:"
    for path, name in loras.items():
        yield f"  {_text(name)}: {{path: {_text(path)}}}"


def _value(field: str, value: Any, places: Mapping[str, InputImage], loras: Mapping[str, str]) -> str:
    if field in places:
        return _text(template_of(places[field].file))
    if field == "loras":
        stack = [
            f"{{name: {_text(loras[one['path']])}, scale: {_number(one.get('scale', 1))}}}" for one in value
        ]
        return f"[{', '.join(stack)}]"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return _number(value)
    return value if field in ("size", "output_format") else _text(template_of(value))


def _unchecked(request: Mapping[str, Any], model: str) -> Iterator[str]:
    plain = {**DEFAULTS, **{name: request[name] for name in ("prompt", "size", "loras") if name in request}}
    if "loras" not in MODELS[model]:
        plain.pop("loras")
    lifted = {violation.liftable for violation in check_body(plain, model)} - {None}
    if lifted:
        yield f"limits: {{unchecked: [{', '.join(sorted(map(str, lifted)))}]}}"


def _endpoint(record: Record) -> str:
    """Give the endpoint, where it is one.

    Raises:
        UsageError: it is none.
    """
    return parse_endpoint(record.origin.endpoint).url


def _name(record: Record) -> str:
    """Name it unlike the manifest it comes from, whose run is not to be mixed with."""
    name = _NO_SLUG.sub("-", record.origin.manifest).strip("-._")[:80] or "image"
    return _text(f"{name}-{_NO_SLUG.sub('', record.key[:8]) or 'again'}")


def _number(value: float) -> str:
    """Write a number as YAML takes it: without an exponent."""
    return str(value) if isinstance(value, int) else f"{Decimal(repr(value)):f}"


def _text(text: str) -> str:
    """Write a text in double quotes, and what does not show as an escape."""
    quoted = json.dumps(text, ensure_ascii=False)
    return "".join(c if c.isprintable() else f"\\U{ord(c):08x}" for c in quoted)


def _plain(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text)[:200]
