"""What a file is that is not what it should be: for a person who wonders what happened to it."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import Final, NamedTuple

from PIL import Image, UnidentifiedImageError

from zbatch.model import EXTENSIONS

_HEAD: Final = 4096
_MOST: Final = 64_000_000
"""Bytes of a file that is decoded to see whether it is whole, and pixels: a picture of ours has far fewer."""

_NAMES: Final = {"webp": "WebP", "png": "PNG", "jpeg": "JPEG"}
_BEGINNINGS: Final = (
    (b"version https://git-lfs", "a pointer of Git LFS"),
    (b"<!doctype html", "an HTML page"),
    (b"<html", "an HTML page"),
    (b"gif8", "a GIF picture"),
    (b"%pdf", "a PDF file"),
    (b"pk\x03\x04", "a zip archive"),
)


class Sniffed(NamedTuple):
    """What a file seems to be, in words. `other` says that it is of another type than it should be."""

    words: str = ""
    other: bool = False
    whole: bool = False


def sniff(path: Path) -> Sniffed:
    """Say what a file holds that should be a picture of the type its name says."""
    try:
        with path.open("rb") as stream:
            head = stream.read(_HEAD)
            data = head + stream.read(_MOST)
    except OSError:
        return Sniffed()
    if not head:
        return Sniffed("an empty file")
    if not head.strip(b"\0"):
        return Sniffed("zeros from its beginning on, as a crash of the machine can leave them")
    start = head[:64].lstrip().lower()
    for beginning, words in _BEGINNINGS:
        if start.startswith(beginning):
            return Sniffed(words, other=True)
    magic = _magic(head)
    if magic is None:
        return Sniffed("no PNG, JPEG or WebP picture")
    return _picture(data, magic, other=EXTENSIONS[magic] != path.suffix)


def _magic(head: bytes) -> str | None:
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "webp"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    return "jpeg" if head.startswith(b"\xff\xd8\xff") else None


def _picture(data: bytes, magic: str, *, other: bool) -> Sniffed:
    name = f"a {_NAMES[magic]} picture"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(data), formats=[magic.upper()])
            name += f" of {image.width}*{image.height}"
            if image.width * image.height <= _MOST:
                image.load()
    except UnidentifiedImageError:
        return Sniffed(f"the beginning of {name}", other)
    except Exception:  # noqa: BLE001 - a damaged picture makes Pillow raise many things
        return Sniffed(f"{name} that does not decode to its end", other)
    return Sniffed(f"{name} that decodes", other, whole=True)
