"""The stamp of the preview engine: "preview", the seed and the LoRAs, small, where there is room."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Final

import numpy as np
from PIL import Image, ImageDraw, ImageFont

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from zbatch.model import Lora

_MARGIN: Final = 0.014


def stamp(picture: Image.Image, seed: int, loras: Sequence[Lora], repainted: Image.Image | None) -> None:
    """Write the stamp into a picture: bottom left, or where the repainted area has room for it.

    `repainted` is the mask (255 is repainted) or `None` for all. Where the words do not fit, fewer are
    written, and none where not even the shortest fits.
    """
    size = max(9, round(min(picture.size) / 82))
    free = None if repainted is None else np.asarray(repainted) == 255
    for text in _wordings(seed, loras):
        label = _label(text, size)
        place = _place(picture.size, label.size, free)
        if place is not None:
            picture.paste((255, 255, 255), place, label.getchannel("A"))
            picture.paste((24, 22, 30), place, label.getchannel("L"))
            return


def _wordings(seed: int, loras: Sequence[Lora]) -> list[str]:
    used = [f"{_short(lora.path)} {lora.scale:g}" for lora in loras if lora.scale > 0]
    head = f"preview · seed {seed}"
    return [" · ".join([head, *used]), head, "preview"] if used else [head, "preview"]


def _short(path: str) -> str:
    name = path.split("?", maxsplit=1)[0].rstrip("/").rsplit("/", 1)[-1]
    name = name.removesuffix(".safetensors").encode("latin-1", "replace").decode("latin-1")
    return name if len(name) <= 24 else name[:23] + "…"


@functools.lru_cache(maxsize=8)
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def _label(text: str, size: int) -> Image.Image:
    """Draw a pale pill (channel A: how much of it) with dark words (channel L)."""
    font = _font(size)
    left, top, right, bottom = font.getbbox(text)
    pad_x, pad_y = round(size * 0.7), round(size * 0.45)
    width, height = int(right - left) + 2 * pad_x, round(size * 1.0) + 2 * pad_y
    pill = Image.new("L", (2 * width, 2 * height))
    ImageDraw.Draw(pill).rounded_rectangle((0, 0, 2 * width - 1, 2 * height - 1), radius=height, fill=120)
    words = Image.new("L", (width, height))
    baseline = (height - int(bottom - top)) / 2 - top
    ImageDraw.Draw(words).text((pad_x - left, baseline), text, fill=225, font=font)
    return Image.merge("LA", (words, pill.reduce(2)))


def _place(
    picture: tuple[int, int], label: tuple[int, int], free: npt.NDArray[np.bool_] | None
) -> tuple[int, int] | None:
    """Find the top left corner for a label, or `None`."""
    margin = round(min(picture) * _MARGIN)
    (width, height), (wide, tall) = picture, label
    x, y = margin, height - tall - margin
    if wide + 2 * margin > width or tall + 2 * margin > height:
        return None
    if free is None or free[y : y + tall, x : x + wide].all():
        return x, y
    # A summed-area table tells for every rectangle at once whether all of it is free.
    table = np.zeros((height + 1, width + 1), np.int32)
    table[1:, 1:] = free.cumsum(0, dtype=np.int32).cumsum(1, dtype=np.int32)
    inside = table[tall:, wide:] - table[:-tall, wide:] - table[tall:, :-wide] + table[:-tall, :-wide]
    rows, columns = np.nonzero(inside == wide * tall)
    if not rows.size:
        return None
    return int(columns[-1]), int(rows[-1])
