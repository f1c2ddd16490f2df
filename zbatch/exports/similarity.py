"""How far two pictures are from each other: in pixels, and as an eye would see it.

The perceptual measure is SSIM, the structural similarity of Wang, Bovik, Sheikh and Simoncelli ("Image
quality assessment: from error visibility to structural similarity", 2004), on luma with their Gaussian window
(11 pixels, sigma 1.5), their constants, and their own averaging down of large pictures: 1 is the same, above
0.98 hardly anybody sees a difference, below 0.8 anybody does, and near 0 the two have nothing in common.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from zbatch.difference import difference, small

Floats = NDArray[np.float64]

_SIDE: Final = 256
"""The side, in pixels, to about which a picture is averaged down before it is compared."""
_WINDOW: Final = 11
_SIGMA: Final = 1.5
_C1: Final = (0.01 * 255) ** 2
_C2: Final = (0.03 * 255) ** 2


@dataclass(frozen=True, slots=True)
class Similarity:
    """How alike two pictures of one size are.

    `largest` and `mean` are differences of a channel, from 0 to 255; `differing` is the share of pixels that
    differ at all; `ssim` is 1 for the same and falls to about 0; `flip` is the measure of the sheet (see
    `zbatch.difference`), 0 for the same, `None` where the package that measures it is not there.
    """

    ssim: float
    largest: int
    mean: float
    differing: float
    flip: float | None = None

    @property
    def words(self) -> str:
        """Say it as a person would."""
        if self.ssim >= 0.98:
            return "hardly to be told apart"
        if self.ssim >= 0.8:
            return "alike, and visibly not the same"
        return "another picture"

    def to_json(self) -> dict[str, Any]:
        """Give the shape of `zbatch verify --reproduce --json`."""
        return {
            "ssim": round(self.ssim, 5),
            "flip": None if self.flip is None else round(self.flip, 5),
            "largest_difference": self.largest,
            "mean_difference": round(self.mean, 5),
            "pixels_differing": round(self.differing, 6),
        }


def similarity(one: Image.Image, other: Image.Image) -> Similarity | None:
    """Compare two pictures pixel by pixel; `None` where they are the same.

    Raises:
        ValueError: their sizes differ.
    """
    if one.size != other.size:
        raise ValueError("pictures of two sizes have no pixels to compare")
    mode = "RGBA" if _has_alpha(one) or _has_alpha(other) else "RGB"
    left, right = (np.asarray(image.convert(mode), np.int16) for image in (one, other))
    apart = np.abs(left - right)
    if not apart.any():
        return None
    return Similarity(
        ssim=ssim(*(np.asarray(image.convert("RGB").convert("L"), np.float64) for image in (one, other))),
        largest=int(apart.max()),
        mean=float(apart.mean()),
        differing=float(apart.any(axis=2).mean()),
        flip=difference(small(one), small(other)),
    )


def _has_alpha(image: Image.Image) -> bool:
    return image.has_transparency_data


def ssim(one: Floats, other: Floats) -> float:
    """Give the mean structural similarity of two grey pictures, from 0 to 255 each."""
    factor = max(1, round(min(one.shape) / _SIDE))
    one, other = _averaged(one, factor), _averaged(other, factor)
    kernel = _kernel(min(_WINDOW, *one.shape))
    mean_one, mean_other = _blurred(one, kernel), _blurred(other, kernel)
    var_one = _blurred(one * one, kernel) - mean_one**2
    var_other = _blurred(other * other, kernel) - mean_other**2
    both = _blurred(one * other, kernel) - mean_one * mean_other
    above = (2 * mean_one * mean_other + _C1) * (2 * both + _C2)
    below = (mean_one**2 + mean_other**2 + _C1) * (var_one + var_other + _C2)
    return float((above / below).mean())


def _averaged(grey: Floats, factor: int) -> Floats:
    if factor == 1:
        return grey
    height, width = (side - side % factor for side in grey.shape)
    blocks = grey[:height, :width].reshape(height // factor, factor, width // factor, factor)
    return np.asarray(blocks.mean(axis=(1, 3)))


def _kernel(size: int) -> Floats:
    weights = np.exp(-((np.arange(size) - (size - 1) / 2) ** 2) / (2 * _SIGMA**2))
    return np.asarray(weights / weights.sum())


def _blurred(grey: Floats, kernel: Floats) -> Floats:
    """Weigh each window that lies wholly within: rows, then columns."""
    rows = np.lib.stride_tricks.sliding_window_view(grey, len(kernel), axis=1) @ kernel
    return np.asarray(np.lib.stride_tricks.sliding_window_view(rows, len(kernel), axis=0) @ kernel)
