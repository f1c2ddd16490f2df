"""Colour of the preview engine: pictures are painted in tones, and a ramp of 256 colours makes them RGB."""

from __future__ import annotations

import colorsys
import functools
from typing import TYPE_CHECKING, Final

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    import numpy.typing as npt

    Ramp = npt.NDArray[np.float32]
    Tones = npt.NDArray[np.uint8]

LOW, HIGH = 40, 215
"""The tones a picture is painted in. What is left on both sides is room for texture."""

_STOPS: Final = np.array([LOW - 10, 84, 128, 172, HIGH], dtype=np.float32)

RAMPS: Final = {
    "dawn": "2b2746 6d5a8c d18b9f f6c3a4 fff1d8",
    "noon": "17403b 3d7f6b 86bfae bfe4ea fdf9e6",
    "dusk": "1e1238 5e2b69 c24d6d f3925f ffe0a3",
    "night": "060a1f 142450 2a4b80 5f86b4 e6efff",
    "rain": "11181f 2b3a46 546874 8ea2aa dfe7e6",
    "fog": "2c3a40 5f7479 93a6a6 c3cfca f4f3ea",
    "desert": "3c1322 8f322d d8703b f1b36a fff0cf",
    "canyon": "33121b 7d2a2a c75a3a efa46c ffe9c8",
    "sea": "06222f 0f4f6b 2a8c9d 95d1cc fdf4da",
    "tundra": "1b2a4a 4b6b96 97b7d3 d7e6ef ffffff",
    "forest": "0b2018 204c36 588651 b6c67c f8f3c8",
    "space": "090618 231547 5a2f86 b86bb0 ffe3ee",
    "city": "14142b 3a2f5b 8a4f7d e08e79 ffe2b0",
    "meadow": "163a2c 3f7a46 93b455 e3d98a fffbe0",
    "mountains": "1a2238 3d5479 7d95b5 d3b9b5 fff0de",
    "hills": "1d2b3a 3f6468 87a68a e2c98c fff4d6",
}

_COATS: Final = {
    "fox": "3a1410 a5381a e2692a f6a45c fff3e2",
    "tiger": "2b120c a44a12 ea8a24 f7bd5e fff6e4",
    "lion": "3b1c10 8c4a1c d3923c efc572 fff4d8",
    "owl": "21160f 5f4128 a07444 d6b37c fff4d9",
    "bear": "1d130e 4a2f20 7d5336 b48b62 f3e2c8",
    "deer": "2a170f 6e3f24 b07143 dcae7c fff1dc",
    "horse": "1d1110 5a2e22 94543a c99468 f7e4cf",
    "wolf": "161b24 3d4858 727f8f b0bac3 f8fafb",
    "raccoon": "14161c 3c4049 71767d aeb1b3 f4f3ef",
    "rabbit": "2b2320 77665c b5a396 dccfc3 fffaf4",
    "cat": "15151b 3a3540 6d6370 ab9fa6 f6eee8",
    "dog": "24150e 70462a b47d4c dfb988 fff4e2",
    "penguin": "0b0f18 1f2a3c 3f5068 f2c14e ffffff",
    "whale": "081a2c 1c466b 3c7ca6 8fbfd8 f6fbff",
    "fish": "3d0f14 a8271f ea5a2c f8b04f fff5e0",
    "bird": "10202f 20547a 3b8fb5 f0a65a fff6e6",
    "duck": "12241b 1f5a43 4c8b63 e7a83b fff7e2",
    "butterfly": "1b0f30 5b2a8c c04fa0 f5a04f fff0c9",
    "tree": "14210f 2f5424 5f8a35 a5bf57 eef0b4",
    "pine": "0a1f1a 184636 32735a 77a981 dff0cf",
    "house": "22130f 6b2f22 b4573a e3a267 fff0b8",
    "lighthouse": "1d1a22 8e2426 d1403a e9c9b5 fff6d5",
    "castle": "1c1a2b 4a4568 837d9d beb6c4 fff0c4",
    "boat": "1c1a22 7c2a2b d2693f f0cfa2 fffaf0",
    "flower": "2a0f24 8e1f54 df4b7b f99f9d fff0d0",
    "balloon": "2a1020 a32638 e8623c f8bf54 fff7dd",
    "figure": "140f1f 4b2342 98394d e08b57 ffefb5",
    "robot": "10202a 2b5560 5b929a a9cfca fff3c0",
    "rocket": "1a1a2b 8e2c3a d86a4f d9dbe0 fff4c8",
    "car": "121824 8f1f2b d9433c b9d3d8 fffbe8",
    "cup": "1d1512 27566b 4f95a3 c9dcd2 fff8ea",
    "crystal": "1a1040 3f3a9c 5f87d8 9fdcf0 f6ffff",
    "planet": "1d0f2e 6b2f6b cf6a6a f2b77c fff2d4",
    "arch": "1f1820 5a4650 9b8078 e8b76a fff3bf",
    "totem": "18191d 45484f 7d7f82 b9b5ab f6efe0",
    "sprig": "0e2420 1f5f4a 4f9a62 a8cc7a f7f6cf",
}

_TINTS: Final = {
    "red": "3a0c0f 9c1f1f d9432f f08a5c ffecd6", "orange": "3a1408 a8440f e87a1e f9b45a fff2da",
    "yellow": "3a2608 9c6a10 dcaa24 f5d568 fffbe0", "green": "0c2415 1f5c36 46965a 98ca86 f2fadc",
    "blue": "0a1736 1d4288 3c7ac8 8bbbe8 f2faff", "purple": "1c0f36 4a2787 8350bf bf97e2 f8f0ff",
    "pink": "3a0f28 a3265f e6589a f6a3c0 fff0f2", "white": "4a4f5c 8b929e c3c8cd e6e8e8 ffffff",
    "black": "08080c 18181f 31323b 6a6c75 e9e6df", "brown": "20120b 59351f 926040 c69b72 fbead2",
    "grey": "16191e 42474e 7b8085 b3b6b7 f5f4f0",
}  # fmt: skip


@functools.lru_cache(maxsize=256)
def ramp(stops: str, turn: float = 0.0) -> Ramp:
    """Make 256 colours of five hexadecimal ones, dark to light; `turn` shifts the hue (1 is a full circle).

    The array is shared: it must not be written to.
    """
    colours = np.array([_turned(stop, turn) for stop in stops.split()], dtype=np.float32)
    tones = np.arange(256, dtype=np.float32)
    table = np.stack([np.interp(tones, _STOPS, colours[:, channel]) for channel in range(3)], axis=1)
    # Beyond the painted tones the ramp goes on a little, so that texture shows in shadows and lights too.
    dark, light = np.clip(LOW - tones, 0, None) / LOW, np.clip(tones - HIGH, 0, None) / (255 - HIGH)
    table = table * (1 - 0.55 * dark[:, None]) + (255 - table) * (0.6 * light[:, None])
    colours_of_tones = table.astype(np.float32)
    colours_of_tones.setflags(write=False)
    return colours_of_tones


def lifted(colours: Ramp, share: float) -> Ramp:
    """Move colours towards white by a share, or towards black where it is negative."""
    return colours + ((255 if share > 0 else 0) - colours) * np.float32(abs(share))


def coat(motif: str, tint: str | None, turn: float) -> Ramp:
    """Give the ramp of a motif, in the colour the prompt names if it names one."""
    return ramp(_TINTS[tint] if tint else _COATS[motif], turn * 0.35)


def paint(tones: Tones, colours: Ramp) -> Image.Image:
    """Turn tones into RGB through a ramp."""
    height, width = tones.shape
    picture = Image.frombuffer("P", (width, height), np.ascontiguousarray(tones), "raw", "P", 0, 1)
    picture.putpalette(np.clip(np.rint(colours), 0, 255).astype(np.uint8).tobytes())
    return picture.convert("RGB")


def _turned(colour: str, turn: float) -> tuple[float, float, float]:
    red, green, blue = (int(colour[at : at + 2], 16) / 255 for at in (0, 2, 4))
    hue, light, saturation = colorsys.rgb_to_hls(red, green, blue)
    turned = colorsys.hls_to_rgb((hue + turn) % 1, light, saturation)
    return turned[0] * 255, turned[1] * 255, turned[2] * 255
