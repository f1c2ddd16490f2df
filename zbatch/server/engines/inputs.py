"""Input images, as every engine takes them."""

from __future__ import annotations

import contextlib
import ctypes
import io
import threading
from collections.abc import Iterator
from typing import Final

import numpy as np
from PIL import Image, ImageOps

FORMATS: Final = ("JPEG", "PNG", "WEBP", "GIF", "BMP")
"""Formats an input image may have."""
DEFAULT_STRENGTH: Final = 0.6
"""Strength of image-to-image where the request gives none; the API documents no default."""

_LARGE: Final = 8_000_000
"""Pixels. Decoded, with a copy in another mode, a picture takes eight bytes for each of them."""
_alone = threading.Lock()


def opened(data: bytes, mode: str, size: tuple[int, int]) -> Image.Image:
    """Decode an input, turn it upright, and bring it to the size of the picture.

    A mask (mode `L`) is brought to it without ringing or blur beyond its own pixels: what is black stays so.
    """
    with Image.open(io.BytesIO(data), formats=FORMATS) as image, decoding(image):
        ImageOps.exif_transpose(image, in_place=True)
        upright = _eight_bits(image).convert(mode)
        if upright.size == size:
            return upright
        return upright.resize(size, Image.Resampling.BOX if mode == "L" else Image.Resampling.LANCZOS)


@contextlib.contextmanager
def decoding(image: Image.Image) -> Iterator[None]:
    """Decode a large image only while nobody else does, and give its memory back to the system afterwards."""
    if image.width * image.height <= _LARGE:
        yield
        return
    with _alone:
        yield
        image.close()
    with contextlib.suppress(OSError, AttributeError):  # the GNU C library keeps what it was given back
        ctypes.CDLL(None).malloc_trim(0)


def _eight_bits(image: Image.Image) -> Image.Image:
    """Scale the greys of 16 bits: Pillow would cut them off at 255."""
    if not image.mode.startswith("I"):
        return image
    greys = np.asarray(image).astype(np.int64)
    return Image.fromarray(((np.clip(greys, 0, 65535) + 128) // 257).astype(np.uint8))
