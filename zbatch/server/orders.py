"""A submitted body becomes an order: checked by the contract, defaults filled in, inputs looked at."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import orjson

from zbatch.api.contract import DEFAULTS, MAX_SEED, check_body
from zbatch.model import Lora
from zbatch.server.answers import RefusedError, invalid_body, violations_message
from zbatch.server.engines import ImageRequest
from zbatch.server.fetch import InputError
from zbatch.server.tasks import Order

if TYPE_CHECKING:
    from zbatch.server.fetch import Fetcher


async def read_order(model: str, owner: str, raw: bytes, fetcher: Fetcher) -> Order:
    """Read the body of a submit call.

    Optional fields that are null count as absent: independent clients send them.

    Raises:
        RefusedError: 400, where it is no JSON object or breaks a rule of the API; names every field.
    """
    body = _without_nulls(_json_object(raw))
    violations = check_body(body, model)
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
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise invalid_body(f"the body must be JSON: {error}") from error
    if not isinstance(body, dict):
        raise invalid_body("the body must be a JSON object")
    return body


def _without_nulls(body: Mapping[str, Any]) -> dict[str, Any]:
    present = {name: value for name, value in body.items() if value is not None}
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
