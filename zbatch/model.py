"""The records everything else speaks in, and the job's state machine.

All records are frozen: they are made once, at the edge, and only read afterwards.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, NamedTuple

import orjson

Scalar = str | int | float | bool | None
Coordinates = Mapping[str, Scalar]
"""The point `{axis: value}` a cell stands at; the label where the value has one."""


class JobState(StrEnum):
    """Where a job is in its life (`status` stays HTTP's word)."""

    PENDING = "pending"
    SUBMITTING = "submitting"
    SUBMITTED = "submitted"
    DONE = "done"
    FAILED = "failed"
    REJECTED = "rejected"
    UNKNOWN = "unknown"


TRANSITIONS: Final[Mapping[JobState, frozenset[JobState]]] = {
    # Unknown again: its resubmit was allowed, and the run ended before it. Done: see `--reuse`, as below.
    JobState.PENDING: frozenset({JobState.SUBMITTING, JobState.UNKNOWN, JobState.DONE}),
    JobState.SUBMITTING: frozenset(
        {JobState.PENDING, JobState.SUBMITTED, JobState.REJECTED, JobState.UNKNOWN}
    ),
    JobState.SUBMITTED: frozenset({JobState.DONE, JobState.FAILED, JobState.UNKNOWN}),
    # Its file is gone: the task is asked again, nothing is paid. Of one that was taken over there is none to
    # ask, and what is not paid by itself is unknown.
    JobState.DONE: frozenset({JobState.SUBMITTED, JobState.UNKNOWN}),
    JobState.FAILED: frozenset({JobState.PENDING, JobState.DONE}),
    JobState.REJECTED: frozenset({JobState.PENDING, JobState.DONE}),
    JobState.UNKNOWN: frozenset({JobState.PENDING, JobState.DONE}),
}
"""Every move a job may make; the store refuses any other."""

UNFINISHED: Final = (JobState.PENDING, JobState.SUBMITTING, JobState.SUBMITTED)
"""A run goes on with these by itself."""

RETRYABLE: Final = (JobState.FAILED, JobState.REJECTED, JobState.UNKNOWN)
"""A job ended so without a picture: it is submitted again where a person or the manifest says so."""


def canonical_number(value: float) -> int | float:
    """Give one spelling to equal numbers: `1.0` and `1` are `1`, `-0.0` is `0`."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def spelled(value: Scalar) -> str:
    """Write a coordinate as manifests and people do: true and null, not True and None."""
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else str(value)


@dataclass(frozen=True, slots=True)
class Lora:
    """One LoRA of a request: the path of its weights and its scale."""

    path: str
    scale: int | float = 1

    def body(self) -> dict[str, Any]:
        """Give it in the API's own field names."""
        return {"path": self.path, "scale": self.scale}


@dataclass(frozen=True, slots=True)
class InputImage:
    """A local input image: its path from the manifest's directory and the SHA-256 of its bytes.

    This is how it stands everywhere; the `data:` URI exists only while a request is sent.
    """

    file: str
    sha256: str

    def body(self) -> dict[str, str]:
        """Give it as it stands in the state, in `zbatch jobs` and in the sheet."""
        return {"file": self.file, "sha256": self.sha256}


@dataclass(frozen=True, slots=True)
class Request:
    """The body that goes to the API, documented defaults filled in.

    `size` is `"width*height"` in pixels; `seed` is always there and never -1.
    """

    prompt: str
    seed: int
    size: str = "1024*1024"
    loras: tuple[Lora, ...] = ()
    output_format: str = "webp"
    image_url: str | InputImage | None = None
    strength: int | float | None = None
    mask: str | InputImage | None = None
    enable_base64_output: bool = False

    def body(self) -> dict[str, Any]:
        """Give it in the API's own field names, without what it does not use.

        Local input images stand as `{"file", "sha256"}`.
        """
        body: dict[str, Any] = {"prompt": self.prompt, "size": self.size, "seed": self.seed}
        if self.loras:
            body["loras"] = [lora.body() for lora in self.loras]
        if self.image_url is not None:
            body["image_url"] = _image_body(self.image_url)
        if self.strength is not None:
            body["strength"] = self.strength
        if self.mask is not None:
            body["mask"] = _image_body(self.mask)
        body["output_format"] = self.output_format
        if self.enable_base64_output:
            body["enable_base64_output"] = True
        return body

    @classmethod
    def from_body(cls, body: Mapping[str, Any]) -> Request:
        """Read back what `body` gave."""
        return cls(
            prompt=body["prompt"],
            seed=body["seed"],
            size=body["size"],
            loras=tuple(Lora(lora["path"], lora["scale"]) for lora in body.get("loras", ())),
            output_format=body["output_format"],
            image_url=_image_from_body(body.get("image_url")),
            strength=body.get("strength"),
            mask=_image_from_body(body.get("mask")),
            enable_base64_output=body.get("enable_base64_output", False),
        )

    @property
    def pixels(self) -> tuple[int, int]:
        """Width and height that were asked for, in pixels."""
        width, _, height = self.size.partition("*")
        return int(width), int(height)


def _image_body(image: str | InputImage) -> str | dict[str, str]:
    return image.body() if isinstance(image, InputImage) else image


def _image_from_body(value: str | Mapping[str, str] | None) -> str | InputImage | None:
    return InputImage(value["file"], value["sha256"]) if isinstance(value, Mapping) else value


def job_key(model: str, request: Request) -> str:
    """SHA-256 (hex) of the model and the canonical request: the identity of a job for ever.

    Documented defaults are filled in, fields that have none stay out, `enable_base64_output` (how the
    picture travels, not what it is) is left out, and a local input image stands as the hash of its bytes,
    wherever the file lies.
    """
    body = request.body()
    body.pop("enable_base64_output", None)
    body["loras"] = body.get("loras", [])
    for name in ("image_url", "mask"):
        image = body.get(name)
        if isinstance(image, dict):
            body[name] = {"sha256": image["sha256"]}
    canonical = orjson.dumps({"model": model, "request": body}, option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(canonical).hexdigest()


@dataclass(frozen=True, slots=True)
class Job:
    """One distinct request: one image.

    `file` is the planned path inside the run directory, with the extension of the format asked for; the
    extension that counts in the end is that of the picture that came. `coordinates` are those of the first
    cell, in grid order, that shows the job.
    """

    key: str
    model: str
    request: Request
    file: str
    coordinates: Coordinates


@dataclass(frozen=True, slots=True)
class Cell:
    """One point of the grid. It shows one job, or none where an exclude rule took it out.

    `excluded_by` is the rule as written, for the sheet to say why.
    """

    coordinates: Coordinates
    key: str | None
    excluded_by: str | None = None


class Row(NamedTuple):
    """One cell as the state and `zbatch jobs` take it: JSON, no records.

    `request` and `file` are there where this cell is the first to show its job; `key` is not, where an
    exclude rule (`excluded_by`) took the cell out. `selected` says whether a run may newly submit the job.
    """

    coordinates: bytes
    key: str | None
    request: bytes | None = None
    file: str | None = None
    excluded_by: str | None = None
    selected: bool = True

    @classmethod
    def of(cls, cell: Cell, job: Job | None, *, selected: bool = True) -> Row:
        """Write a cell down, and its job where it is the first to show it."""
        return cls(
            orjson.dumps(cell.coordinates),
            cell.key,
            None if job is None else orjson.dumps(job.request.body()),
            None if job is None else job.file,
            cell.excluded_by,
            selected,
        )


@dataclass(frozen=True, slots=True)
class Artifact:
    """The image file of a job that is done.

    `file` is relative to the run directory; `sha256` and `bytes` describe the file as it lies,
    `received_sha256` the bytes as they came. `thumb` is relative too, with its own pixel size; of a picture
    that is no larger than a thumbnail it is the picture itself.
    """

    file: str
    sha256: str
    received_sha256: str
    bytes: int
    width: int
    height: int
    media_type: str
    thumb: str
    thumb_width: int
    thumb_height: int
    warnings: tuple[str, ...] = field(default=())


MEDIA_TYPES: Final[Mapping[str, str]] = {"jpeg": "image/jpeg", "png": "image/png", "webp": "image/webp"}
EXTENSIONS: Final[Mapping[str, str]] = {"jpeg": ".jpg", "png": ".png", "webp": ".webp"}
"""By `output_format`, which is also Pillow's name of the format in lower case."""


def media_type_of(file: str) -> str:
    """Give the media type of an image file of ours by its extension."""
    kinds = (MEDIA_TYPES[kind] for kind, extension in EXTENSIONS.items() if file.endswith(extension))
    return next(kinds, "application/octet-stream")


def thumb_file(key: str) -> str:
    """Give the name of a job's thumbnail in its run directory.

    Thumbnails are JPEGs: of all kinds they alone are decoded by browsers at the size in which they are shown,
    in a quarter of the memory.
    """
    return f"thumbs/{key[:16]}.jpg"


def fold(file: str) -> str:
    """Give the form in which two image files are one to some file system: no extension, NFC, case-folded."""
    # One extension only: whichever format the picture comes in, the same name gives the same fold.
    file = next((file.removesuffix(end) for end in EXTENSIONS.values() if file.endswith(end)), file)
    if file.isascii():
        return file.lower()  # the same, for nearly all names, in a fraction of the time
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", file).casefold())
