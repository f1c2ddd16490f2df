"""Input images, as every engine takes them."""

from __future__ import annotations

import io
from typing import Final

from PIL import Image, ImageOps

FORMATS: Final = ("JPEG", "PNG", "WEBP", "GIF", "BMP")
"""Formats an input image may have."""
DEFAULT_STRENGTH: Final = 0.6
"""Strength of image-to-image where the request gives none; the API documents no default."""


def opened(data: bytes, mode: str, size: tuple[int, int]) -> Image.Image:
    """Decode an input, turn it upright, and bring it to the size of the picture."""
    with Image.open(io.BytesIO(data), formats=FORMATS) as image:
        upright = ImageOps.exif_transpose(image).convert(mode)
    return upright if upright.size == size else upright.resize(size, Image.Resampling.LANCZOS)
