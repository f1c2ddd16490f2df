"""A submitted body becomes an order: checked by the contract, defaults filled in, inputs looked at."""

from __future__ import annotations

import json
import secrets
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

import orjson

from zbatch.api.contract import DEFAULTS, MAX_SEED, Violation, check_body
from zbatch.model import Lora
from zbatch.server.answers import RefusedError, invalid_body, violations_message
from zbatch.server.engines import ImageRequest
from zbatch.server.fetch import InputError
from zbatch.server.tasks import Order

if TYPE_CHECKING:
    from zbatch.server.fetch import Fetcher


LONGEST: Final = {"prompt": 100_000, "image_url": 8192, "mask": 8192}
"""Characters that a text may have, `data:` URIs apart. The vendor documents no limit; tasks are kept long.

It is far above what any text encoder reads.
"""
LONGEST_PATH: Final = 4096


async def read_order(model: str, owner: str, raw: bytes, fetcher: Fetcher) -> Order:
    """Read the body of a submit call.

    Optional fields that are null count as absent: independent clients send them.

    Raises:
        RefusedError: 400, where it is no JSON object or breaks a rule of the API; names every field.
    """
    body = _without_nulls(_json_object(raw))
    violations = check_body(body, model) or list(_too_long(body))
    if violations:
        raise invalid_body(violations_message(violations))
    try:
        image = await _inline(body, "image_url", fetcher)
        mask = await _inline(body, "mask", fetcher)
    except InputError as error:
        raise RefusedError(400, error.reason, str(error)) from error
    width, _, height = body.get("size", DEFAULTS["size"]).partition("*")
    request = ImageRequest(
        prompt=body["prompt"],
        seed=_seed(body),
        width=int(width),
        height=int(height),
        loras=tuple(
            Lora(lora["path"], lora.get("scale", 1)) for lora in body.get("loras", DEFAULTS["loras"])
        ),
        output_format=body.get("output_format", DEFAULTS["output_format"]),
        image=image,
        strength=body.get("strength"),
        mask=mask,
    )
    return Order(
        model=model,
        request=request,
        owner=owner,
        image_url=body.get("image_url") if image is None else None,
        mask=body.get("mask") if mask is None else None,
        base64=body.get("enable_base64_output", DEFAULTS["enable_base64_output"]),
    )


def _json_object(raw: bytes) -> Mapping[str, Any]:
    """Read JSON as RFC 8259 has it, in UTF-8 without a mark; NaN, 1e400 and half a surrogate pair are none.

    A field that is given twice is refused, though the vendor's answer to it is not known: most readers keep
    the last one in silence, some the first, and what was meant is anybody's guess.
    """
    try:
        body = orjson.loads(raw)
        # Only for names that come twice; numbers stay text, which costs nothing.
        json.loads(raw, object_pairs_hook=_once, parse_int=str, parse_float=str)
    except orjson.JSONDecodeError as error:
        raise invalid_body(f"the body must be JSON: {error}") from error
    except RecursionError as error:
        raise invalid_body("the body must be JSON: depth limit exceeded") from error
    if not isinstance(body, dict):
        raise invalid_body("the body must be a JSON object")
    return body


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        counted = Counter(name for name, _ in pairs)
        twice = next(name for name, number in counted.items() if number > 1)
        raise invalid_body(f"{twice[:80]} is given twice")
    return found


def _too_long(body: Mapping[str, Any]) -> Iterator[Violation]:
    for name, most in LONGEST.items():
        text = body.get(name, "")
        if len(text) > most and (name == "prompt" or text[:5].lower() != "data:"):
            yield Violation(name, f"must have at most {most} characters, not {len(text)}")
    for index, lora in enumerate(body.get("loras", ())):
        if len(lora["path"]) > LONGEST_PATH:
            yield Violation(f"loras[{index}].path", f"must have at most {LONGEST_PATH} characters")


def _without_nulls(body: Mapping[str, Any]) -> dict[str, Any]:
    present = {name: value for name, value in body.items() if value is not None}
    seed = present.get("seed")
    if isinstance(seed, float) and seed.is_integer():
        # 7.0 is an integer by JSON Schema, and so by our OpenAPI document; the vendor's answer is unknown.
        present["seed"] = int(seed)
    if isinstance(present.get("loras"), list):
        present["loras"] = [
            {name: value for name, value in lora.items() if value is not None}
            if isinstance(lora, dict)
            else lora
            for lora in present["loras"]
        ]
    return present


def _seed(body: Mapping[str, Any]) -> int:
    seed: int = body.get("seed", -1)
    return secrets.randbelow(MAX_SEED + 1) if seed == -1 else seed


async def _inline(body: Mapping[str, Any], field: str, fetcher: Fetcher) -> bytes | None:
    return await fetcher.inline(field, body[field]) if field in body else None
