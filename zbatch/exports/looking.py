"""The helper process that looks at thumbnails: lines of paths come in, hashes and verdicts go out.

The perceptual hash is the usual one: the signs, about their median, of the 8 x 8 lowest frequencies (DCT-II)
of the image at 32 x 32 grey pixels. ImageHash gives the same; here it is made for many images at once.
"""

from __future__ import annotations

import io
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import orjson
from numpy.typing import NDArray
from PIL import Image

ITEM: Final = 9
"""Bytes of an answer: the hash, and one of the verdicts."""

SEEN: Final = 0
BLANK: Final = 1
UNREADABLE: Final = 2

_SIDE: Final = 32
_LOW: Final = 8
_FLAT: Final = 6
"""Levels of grey, of 256, that an image of one colour may have because of how it was saved."""


def _cosines() -> NDArray[np.float64]:
    at = np.arange(_SIDE)
    return np.cos(np.pi * np.arange(_LOW)[:, None] * (2 * at + 1) / (2 * _SIDE))


_COSINES: Final = _cosines()


def hashes_of(small: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Give the hashes, eight bytes each, of grey images of 32 x 32."""
    low = _COSINES @ small @ _COSINES.T
    flat = low.reshape(len(small), -1)
    signs = flat > np.median(flat, axis=1, keepdims=True)
    return np.packbits(signs, axis=1)


def shrunk(data: bytes) -> Image.Image:
    """Decode an image as 32 x 32 grey pixels; a JPEG is decoded no larger than it takes."""
    opened = Image.open(io.BytesIO(data))
    opened.draft("L", (2 * _SIDE, 2 * _SIDE))
    image: Image.Image = opened
    if image.mode not in ("L", "RGB"):
        image = image.convert("RGB")
    factor = max(1, min(image.size) // (4 * _SIDE))
    if factor > 1:
        image = image.reduce(factor)
    return image.convert("L").resize((_SIDE, _SIDE), Image.Resampling.LANCZOS)


def look(paths: Sequence[Sequence[str]]) -> bytes:
    """Answer for some images, each with the files to try one after the other."""
    small = np.zeros((len(paths), _SIDE, _SIDE))
    verdicts = np.full((len(paths), 1), UNREADABLE, np.uint8)
    for number, files in enumerate(paths):
        for file in files:
            try:
                pixels = np.asarray(shrunk(Path(file).read_bytes()))
            except Exception:  # noqa: BLE001, S112 - whatever is wrong with a file: the next one, or a verdict
                continue
            small[number] = pixels
            verdicts[number] = BLANK if int(pixels.max()) - int(pixels.min()) <= _FLAT else SEEN
            break
    return np.concatenate([hashes_of(small), verdicts], axis=1).tobytes()


def main() -> None:
    """Answer until nobody asks any more."""
    warnings.simplefilter("ignore")
    for line in sys.stdin.buffer:
        sys.stdout.buffer.write(look(orjson.loads(line)))
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
