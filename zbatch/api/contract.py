"""The rules of the API, each with its source, shared by the loader, the client and the server.

Sources: *seed* is the vendor's page of `POST /v3/async/z-image-turbo-lora`; *sister* are the vendor's pages
of models of the same family; *observed* is what recorded answers of the platform show.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from zbatch.spelling import nearest_word

RESULT_PATH: Final = "/v3/async/task-result"
"""`GET {base}/v3/async/task-result?task_id=ID` (seed: "Query Task Result API"; path observed)."""

VENDOR_HOSTS: Final = frozenset(
    {"api.highwayapi.ai", "api.jiekou.ai", "api.ppinfra.com", "api.ppio.com", "api.novita.ai"}
)
"""The platform's own hosts (seed, and the brands it also answers under): the key may go to these."""

MAX_SEED: Final = 2_147_483_647
MAX_LORAS: Final = 3
MAX_SCALE: Final = 4
MIN_SIDE: Final = 256
MAX_SIDE: Final = 1536
OUTPUT_FORMATS: Final = ("jpeg", "png", "webp")

DEFAULTS: Final[Mapping[str, Any]] = {
    "size": "1024*1024",  # seed
    "loras": (),  # seed
    "output_format": "webp",  # vendor's page; the seed page names the values only
    "enable_base64_output": False,  # seed
}
"""Documented defaults. `seed` has one too (-1, random), which zbatch never relies on."""

Liftable = Literal["size", "scale"]
"""Rules that come from sister documents only, and that `limits: {unchecked: [...]}` lifts."""


def submit_path(model: str) -> str:
    """Path of the submit call of a model: its name is the last segment."""
    return f"/v3/async/{model}"


@dataclass(frozen=True, slots=True)
class Violation:
    """One rule a request body breaks. `field` is dotted (`loras[1].scale`)."""

    field: str
    message: str
    got: Any = None
    hint: str = ""
    liftable: Liftable | None = None


_SIZE = re.compile(r"([1-9][0-9]{0,4})\*([1-9][0-9]{0,4})")
_BLANK = re.compile(r"[\s\ufeff]*")
"""What a request may not consist of: a byte order mark is no word either, though Python strips none."""
_SIZE_LIKE = re.compile(r"\s*([0-9]+)\s*[xX\u00d7*,/]\s*([0-9]+)\s*(px)?\s*")


def _is_number(value: Any) -> bool:
    """A number that JSON can carry: finite, and no integer beyond what a double holds exactly."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= 2**53


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _check_prompt(value: Any) -> Iterator[Violation]:
    if not isinstance(value, str):
        yield Violation("prompt", "must be text", value)
    elif _BLANK.fullmatch(value):
        yield Violation("prompt", "must not be empty", value)


def _check_size(value: Any) -> Iterator[Violation]:
    match = _SIZE.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        hint = "write width*height in pixels, such as 1024*1024"
        like = _SIZE_LIKE.fullmatch(value) if isinstance(value, str) and len(value) < 40 else None
        if like and int(like[1]) and int(like[2]):
            hint = f"write {int(like[1])}*{int(like[2])}"
        yield Violation("size", 'must be "width*height"', value, hint)
        return
    if not all(MIN_SIDE <= int(side) <= MAX_SIDE for side in match.groups()):
        yield Violation(
            "size",
            f"must be {MIN_SIDE} to {MAX_SIDE} pixels a side",
            value,
            "limits: {unchecked: [size]} lifts this rule, which the vendor documents for a sister model",
            liftable="size",
        )


def _check_seed(value: Any) -> Iterator[Violation]:
    if not _is_integer(value):
        yield Violation("seed", "must be an integer", value)
    elif not -1 <= value <= MAX_SEED:
        yield Violation("seed", f"must be 0 to {MAX_SEED}, or -1 for a random one", value)


def _check_loras(value: Any) -> Iterator[Violation]:
    if not isinstance(value, list | tuple):
        yield Violation("loras", "must be a list of {path, scale}", value)
        return
    if len(value) > MAX_LORAS:
        yield Violation("loras", f"must hold at most {MAX_LORAS} LoRAs", len(value))
    for index, lora in enumerate(value):
        yield from _check_lora(f"loras[{index}]", lora)


def _check_lora(where: str, lora: Any) -> Iterator[Violation]:
    if not isinstance(lora, Mapping):
        yield Violation(where, "must be {path, scale}", lora)
        return
    for name in lora:
        if name not in ("path", "scale"):
            yield Violation(
                f"{where}.{name}", "is not a field of a LoRA", name, _nearest(name, ("path", "scale"))
            )
    path = lora.get("path")
    if "path" not in lora:
        yield Violation(f"{where}.path", "is required")
    elif not isinstance(path, str) or _BLANK.fullmatch(path):
        yield Violation(f"{where}.path", "must be the URL or path of the weights", path)
    scale = lora.get("scale", 1)
    if not _is_number(scale):
        yield Violation(f"{where}.scale", "must be a number", scale)
    elif not 0 <= scale <= MAX_SCALE:
        yield Violation(
            f"{where}.scale",
            f"must be 0 to {MAX_SCALE}",
            scale,
            "limits: {unchecked: [scale]} lifts this rule, which the vendor documents for a sister model",
            liftable="scale",
        )


def _check_strength(value: Any) -> Iterator[Violation]:
    if not _is_number(value) or not 0 <= value <= 1:
        yield Violation("strength", "must be a number from 0 to 1", value)


def _check_image(field: str) -> Callable[[Any], Iterator[Violation]]:
    def check(value: Any) -> Iterator[Violation]:
        if not isinstance(value, str) or _BLANK.fullmatch(value):
            yield Violation(field, "must be an image URL", value)

    return check


def _check_format(value: Any) -> Iterator[Violation]:
    if value not in OUTPUT_FORMATS:
        yield Violation(
            "output_format",
            f"must be one of {', '.join(OUTPUT_FORMATS)}",
            value,
            "write jpeg" if value == "jpg" else _nearest(value, OUTPUT_FORMATS),
        )


def _check_boolean(value: Any) -> Iterator[Violation]:
    if not isinstance(value, bool):
        yield Violation("enable_base64_output", "must be true or false", value)


FIELDS: Final[Mapping[str, Callable[[Any], Iterator[Violation]]]] = {
    "prompt": _check_prompt,  # seed: string, required
    "size": _check_size,  # seed: width*height; the range is the sister's
    "seed": _check_seed,  # seed: [-1, 2147483647]
    "loras": _check_loras,  # seed: length 0 to 3; the range of scale is the sister's
    "image_url": _check_image("image_url"),  # seed
    "strength": _check_strength,  # seed: [0, 1]
    "mask": _check_image("mask"),  # seed
    "output_format": _check_format,  # seed: jpeg, png, webp
    "enable_base64_output": _check_boolean,  # seed
}
"""Every field of the request body and its own rule."""

MODELS: Final[Mapping[str, tuple[str, ...]]] = {
    "z-image-turbo-lora": tuple(FIELDS),
    "z-image-turbo": tuple(name for name in FIELDS if name != "loras"),
}
"""Each model and the fields it takes (the sister takes the same ones without `loras`)."""


def check_body(
    body: Mapping[str, Any], model: str = "z-image-turbo-lora", unchecked: Collection[str] = ()
) -> list[Violation]:
    """Hold a request body against every rule of the API and list what it breaks.

    `unchecked` names liftable rules to leave out. Image fields are checked as the text that is sent; a local
    input image must already have been replaced by a URI or stand as any non-empty text.
    """
    fields = MODELS[model]
    violations: list[Violation] = []
    if "prompt" not in body:
        violations.append(Violation("prompt", "is required"))
    for name, value in body.items():
        if name in fields:
            violations.extend(FIELDS[name](value))
        elif name in FIELDS:
            violations.append(Violation(name, f"is not a field of {model}", hint="z-image-turbo-lora has it"))
        else:
            violations.append(Violation(name, f"is not a field of {model}", hint=_nearest(name, fields)))
    violations.extend(
        Violation(name, "needs image_url", body[name], "give image_url, the picture to start from")
        for name in ("strength", "mask")
        if body.get(name) is not None and not body.get("image_url")
    )
    return [violation for violation in violations if violation.liftable not in unchecked]


def _nearest(word: Any, words: Collection[str]) -> str:
    close = nearest_word(str(word), words)
    return f"did you mean {close}?" if close else ""


def is_loopback(url: str) -> bool:
    """Tell whether a URL's host is this machine itself (`localhost`, 127.0.0.0/8, `::1`)."""
    host = (urlsplit(url).hostname or "").lower()
    return host in ("localhost", "::1") or re.fullmatch(r"127\.\d{1,3}\.\d{1,3}\.\d{1,3}", host) is not None


def is_vendor(url: str) -> bool:
    """Tell whether a URL's host is one of the platform's own."""
    return (urlsplit(url).hostname or "").lower() in VENDOR_HOSTS
