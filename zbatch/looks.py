"""What a picture looks like, in 64 bits: two whose perceptual hashes differ in a few of them look alike.

The hash is the usual one: the signs, about their median, of the 8 x 8 lowest frequencies (DCT-II) of the
picture at 32 x 32 grey pixels. Of the same pixels ImageHash gives the same; here it is made for many pictures
at once, and of the thumbnail, not of the picture in full: a few of the bits may differ for that. A thumbnail
carries it: that costs next to nothing while the picture is decoded anyway, and to decode very many thumbnails
again takes minutes.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

LOOK_BYTES: Final = 9
"""A look: the hash, and how many levels of grey, of 256, lie between the darkest and the lightest."""

_SIDE: Final = 32
_LOW: Final = 8
_MARK: Final = b"zbatch-look-1:"
_HEAD: Final = 256
_UNIQUE_ID: Final = 0xA420
"""EXIF's ImageUniqueID."""


def _cosines() -> NDArray[np.float64]:
    at = np.arange(_SIDE)
    return np.cos(np.pi * np.arange(_LOW)[:, None] * (2 * at + 1) / (2 * _SIDE))


_COSINES: Final = _cosines()


def looks_of(small: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Give the looks, `LOOK_BYTES` each, of pictures that were shrunk."""
    # Rounded, so that what is nothing is nothing on every machine.
    low = np.round(_COSINES @ small.astype(np.float64) @ _COSINES.T, 6)
    flat = low.reshape(len(small), -1)
    signs = flat > np.median(flat, axis=1, keepdims=True)
    levels = small.reshape(len(small), -1)
    spread = levels.max(axis=1) - levels.min(axis=1)
    return np.concatenate([np.packbits(signs, axis=1), spread[:, None]], axis=1)


def shrunk(image: Image.Image) -> NDArray[np.uint8]:
    """Give a picture as 32 x 32 levels of grey; a JPEG that is not decoded yet is decoded no larger."""
    if (draft := getattr(image, "draft", None)) is not None:
        draft("L", (2 * _SIDE, 2 * _SIDE))
    if image.mode not in ("L", "RGB"):
        image = image.convert("RGB")
    factor = max(1, min(image.size) // (4 * _SIDE))
    if factor > 1:
        image = image.reduce(factor)
    return np.asarray(image.convert("L").resize((_SIDE, _SIDE), Image.Resampling.LANCZOS))


def mark_of(image: Image.Image) -> bytes:
    """Give the EXIF data by which a thumbnail carries its look."""
    exif = Image.Exif()
    exif[_UNIQUE_ID] = (_MARK + looks_of(shrunk(image)[None]).tobytes().hex().encode()).decode()
    return exif.tobytes()


def carried_look(data: bytes) -> bytes | None:
    """Give the look that a thumbnail carries, near the start of its file; `None` where it carries none."""
    at = data.find(_MARK, 0, _HEAD)
    if at < 0:
        return None
    start = at + len(_MARK)
    try:
        look = bytes.fromhex(data[start : start + 2 * LOOK_BYTES].decode("ascii"))
    except ValueError:
        return None
    return look if len(look) == LOOK_BYTES else None
