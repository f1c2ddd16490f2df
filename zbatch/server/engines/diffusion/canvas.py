"""Sizes and pixels around the model: what it paints on, and what of that is given out.

The model paints in steps of so many pixels a side. Where the size that was asked for is none of those, the
next larger one is painted and its edges are cut off: no pixel is scaled, and the picture has the size that
was asked for. A source is placed the same way, its edges drawn out, so that it comes back where it was.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from PIL import Image


@dataclass(frozen=True, slots=True)
class Canvas:
    """The size that was asked for inside the size that is painted."""

    asked: tuple[int, int]
    painted: tuple[int, int]

    @classmethod
    def of(cls, width: int, height: int, step: int) -> Self:
        """Give the smallest canvas in whole steps."""
        return cls((width, height), (-(-width // step) * step, -(-height // step) * step))

    @property
    def exact(self) -> bool:
        """Tell whether what is painted is what was asked for."""
        return self.asked == self.painted

    @property
    def _place(self) -> tuple[int, int]:
        return (self.painted[0] - self.asked[0]) // 2, (self.painted[1] - self.asked[1]) // 2

    def cut(self, picture: Image.Image) -> Image.Image:
        """Cut what was asked for out of what was painted."""
        if self.exact:
            return picture
        left, top = self._place
        return picture.crop((left, top, left + self.asked[0], top + self.asked[1]))

    def placed(self, picture: Image.Image) -> Image.Image:
        """Place a picture of the size asked for, its edges drawn out to the borders."""
        if self.exact:
            return picture
        (left, top), (width, height) = self._place, self.asked
        sides = ((top, self.painted[1] - height - top), (left, self.painted[0] - width - left))
        pixels = np.asarray(picture)
        return Image.fromarray(np.pad(pixels, sides + ((0, 0),) * (pixels.ndim - 2), mode="edge"))


def coarse_mask(mask: Image.Image, cell: int) -> Image.Image:
    """Widen a mask to the model's cells: one that is repainted anywhere is repainted whole.

    The model looks at one pixel of each cell, so thin lines would be lost. What is widened comes to nothing
    in the picture: the source is put back over all that the mask keeps.
    """
    pixels = np.asarray(mask) > 0
    rows, columns = pixels.shape
    cells = pixels.reshape(rows // cell, cell, columns // cell, cell).any(axis=(1, 3))
    return Image.fromarray((cells.repeat(cell, 0).repeat(cell, 1) * np.uint8(255)).astype(np.uint8))


def kept(picture: Image.Image, source: Image.Image, mask: Image.Image | None) -> Image.Image:
    """Put the source back where the mask is black, to the pixel; grey mixes the two."""
    return picture if mask is None else Image.composite(picture, source, mask)
