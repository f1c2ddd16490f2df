"""An image file read by itself, away from any run: what it is, and what it tells of its making."""

from __future__ import annotations

import hashlib
import io
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from PIL import Image

from zbatch.errors import DiskError, UsageError
from zbatch.model import EXTENSIONS, MEDIA_TYPES
from zbatch.provenance.embedding import find_words
from zbatch.provenance.record import Record, read_record

_LARGEST: Final = 512 * 1024 * 1024
"""Bytes; the largest picture that a run keeps is smaller."""

_HINT: Final = "pictures that zbatch makes are PNG, JPEG or WebP files"


@dataclass(frozen=True, slots=True)
class Told:
    """What a file tells. Sizes are in bytes and pixels; `whole` says whether every pixel of it decodes.

    `record` is zbatch's, `parameters` the text in AUTOMATIC1111's form, of zbatch or of another tool;
    `unread` says what is wrong with a record that is there and cannot be read.
    """

    path: Path
    bytes: int
    sha256: str
    media_type: str
    width: int
    height: int
    whole: bool
    record: Record | None
    parameters: str | None
    unread: str = ""


def read_picture(path: Path) -> Told:
    """Read a picture.

    Raises:
        UsageError: it is no PNG, JPEG or WebP file.
        DiskError: it cannot be read.
    """
    data = _read(path)
    words = find_words(data)
    if words is None:
        raise UsageError(f"{path} is {_kind(data)}", hint=_HINT)
    record, unread = None, ""
    if words.record is not None:
        try:
            record = read_record(words.record)
        except ValueError as error:
            unread = str(error)
    media_type, width, height, whole = _looked_at(data)
    sha256 = hashlib.sha256(data).hexdigest()
    parameters = words.parameters
    return Told(path, len(data), sha256, media_type, width, height, whole, record, parameters, unread)


def _read(path: Path) -> bytes:
    try:
        if path.is_dir():
            raise UsageError(f"{path} is a directory", hint="give an image's file")
        if not path.is_file():
            what = "is no plain file" if path.exists() else "is not there"
            raise UsageError(f"{path} {what}", hint="give an image's file")
        if path.stat().st_size > _LARGEST:
            raise UsageError(f"{path} has more than {_LARGEST // 2**20} MB", hint=_HINT)
        return path.read_bytes()
    except OSError as error:
        raise DiskError(f"cannot read {path}: {error.strerror or error}") from error
    except ValueError as error:  # a name with NUL in it
        raise UsageError(f"{str(path)!r} is no path: {error}") from error


def _kind(data: bytes) -> str:
    return "no PNG, JPEG or WebP picture" if data else "empty"


def _looked_at(data: bytes) -> tuple[str, int, int, bool]:
    """Give media type, width, height and whether it decodes; of what cannot be opened, zeros."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image = Image.open(io.BytesIO(data), formats=[name.upper() for name in EXTENSIONS])
    except Exception:  # noqa: BLE001 - Pillow raises whatever the damage leads to
        return "", 0, 0, False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image.load()
        whole = image.format != "PNG" or b"IEND\xaeB`\x82" in data
    except Exception:  # noqa: BLE001 - as above
        whole = False
    return MEDIA_TYPES.get(str(image.format).lower(), "image/jpeg"), image.width, image.height, whole
