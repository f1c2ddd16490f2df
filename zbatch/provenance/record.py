"""The record: what zbatch says of a picture, as JSON, at the moment of its making."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import orjson

SHAPE: Final = 1
"""Version of the record's shape; it grows by names, which older readers pass over."""

MOST_COORDINATES: Final = 8_000
"""Bytes of coordinates that go into a picture: those of more cells are left out, and counted."""

_HARMLESS: Final = frozenset({"type", "format", "size", "fp", "download"})
"""What addresses of LoRAs have in their queries that says which file is meant, and no more."""

# JSON may have these as they are and XML may not: as escapes both may.
_NOT_IN_XML: Final = {number: f"\\u{number:04x}" for number in (*range(0x7F, 0xA0), 0xFFFE, 0xFFFF)}


@dataclass(frozen=True, slots=True)
class Origin:
    """Of what run a picture is: the manifest it was made from, and the endpoint (never a key) that made it.

    `endpoint_kind` is preview, local or hosted; `endpoint` its base URL, or `preview`.
    """

    manifest: str
    manifest_sha256: str
    endpoint_kind: str
    endpoint: str
    version: str


@dataclass(frozen=True, slots=True)
class Record:
    """What a picture tells of itself.

    `request` is the body as it was sent, local input images as `{file, sha256}`, and of URLs no more than
    what is no secret: `shortened` names the fields that lost something so. `coordinates` are those of the
    first cells that showed it, of `cells` in all. `received_sha256` is of the bytes as they came.
    """

    key: str
    model: str
    request: Mapping[str, Any]
    coordinates: tuple[Mapping[str, Any], ...]
    cells: int
    origin: Origin
    received_sha256: str
    shortened: tuple[str, ...] = ()


def record_text(record: Record) -> str:
    """Write a record as JSON that XML may hold, too."""
    text = orjson.dumps(record_body(record)).decode()
    return text if text.isascii() and "\x7f" not in text else text.translate(_NOT_IN_XML)


def record_body(record: Record) -> dict[str, Any]:
    """Give a record as it is written: no secret of its request, and the coordinates there is room for."""
    origin = record.origin
    shortened = list(record.shortened)
    told = dict(_told(record.request, shortened))
    return {
        "zbatch": SHAPE,
        "key": record.key,
        "model": record.model,
        "request": told,
        **({"shortened": shortened} if shortened else {}),
        "coordinates": list(_bounded(record.coordinates)),
        "cells": record.cells,
        "manifest": {"name": origin.manifest, "sha256": origin.manifest_sha256},
        "endpoint": {"kind": origin.endpoint_kind, "url": origin.endpoint},
        "version": origin.version,
        "received_sha256": record.received_sha256,
    }


def read_record(text: str) -> Record:
    """Read a record.

    Raises:
        ValueError: it is none, or of a shape that this zbatch does not know.
    """
    try:
        body = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise ValueError(f"it is damaged ({error})") from error
    if not isinstance(body, dict) or body.get("zbatch") != SHAPE:
        raise ValueError("it is no record that this zbatch knows")
    try:
        manifest, endpoint = body["manifest"], body["endpoint"]
        return Record(
            key=_text(body["key"]),
            model=_text(body["model"]),
            request=_map(body["request"]),
            coordinates=tuple(_map(at) for at in body["coordinates"]),
            cells=int(body["cells"]),
            origin=Origin(
                _text(manifest["name"]),
                _text(manifest["sha256"]),
                _text(endpoint["kind"]),
                _text(endpoint["url"]),
                _text(body["version"]),
            ),
            received_sha256=_text(body["received_sha256"]),
            shortened=tuple(map(_text, body.get("shortened", ()))),
        )
    except (KeyError, TypeError) as error:
        raise ValueError(f"it is damaged ({error})") from error


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("text is missing")
    return value


def _map(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise TypeError("a map is missing")
    return value


def _bounded(coordinates: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    left = MOST_COORDINATES
    for at in coordinates:
        left -= len(orjson.dumps(at))
        if left < 0:
            return
        yield at


def _told(request: Mapping[str, Any], shortened: list[str]) -> Iterator[tuple[str, Any]]:
    """Give the fields of a request without what may be secret in them: what opens a URL to its holder."""
    for field, value in request.items():
        if field in ("image_url", "mask") and isinstance(value, str):
            yield field, _shortened(value, frozenset(), field, shortened)
        elif field == "loras" and isinstance(value, list):
            yield field, [_lora(lora, f"loras[{n}].path", shortened) for n, lora in enumerate(value)]
        else:
            yield field, value


def _lora(lora: Any, field: str, shortened: list[str]) -> Any:
    if not isinstance(lora, Mapping) or not isinstance(lora.get("path"), str):
        return lora
    return {**lora, "path": _shortened(lora["path"], _HARMLESS, field, shortened)}


def _shortened(url: str, harmless: frozenset[str], field: str, shortened: list[str]) -> str:
    if not url.lower().startswith(("http://", "https://")) or not any(sign in url for sign in "?#@"):
        return url
    try:
        parts = urlsplit(url)
        named = parse_qsl(parts.query, keep_blank_values=True)
    except ValueError:
        shortened.append(field)
        return url.partition("?")[0].partition("#")[0].rpartition("@")[2]
    kept = [(name, value) for name, value in named if name.lower() in harmless]
    host = parts.netloc.rpartition("@")[2]
    if len(kept) == len(named) and host == parts.netloc and not parts.fragment:
        return url
    shortened.append(field)
    return urlunsplit((parts.scheme, host, parts.path, urlencode(kept), ""))
