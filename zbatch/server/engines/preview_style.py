"""What a LoRA does to a preview: a colour ramp, a texture, steps of tone and ink lines, all out of its path.

Everything comes in continuously with the scale; at scale 0 there is nothing.
"""

from __future__ import annotations

import functools
import hashlib
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from zbatch.server.engines.preview_palette import ramp

if TYPE_CHECKING:
    import numpy.typing as npt

    from zbatch.model import Lora
    from zbatch.server.engines.preview_palette import Ramp

TILE: Final = 512
ROOM: Final = 38
"""How far texture may move a tone: less than the room the ramp leaves on either side."""

_RAMPS: Final = (
    "0f2a5c 2f5fa8 86a9c8 e9d9b8 fff6e0",  # cyanotype on cream
    "1b1712 6b4a2f b08a5a e0c896 fff4d8",  # sepia
    "141414 3c3a38 85807a cfc8ba fbf6e8",  # ink on paper
    "1f0b45 8a1f8c ff3d81 ff9f5a fff3b0",  # neon
    "123a3f 1f8078 f26a6a ffb59b fff2e2",  # teal and coral
    "142850 27496d d94f3d f2c48d fbf1dc",  # woodblock
    "0f1f14 35603c 8aa05a d9cf8a faf6d4",  # field guide
    "2a1a4a 6a4fa0 b39ad6 e6cfe6 fff6fb",  # lavender
    "1a0f0a 7a3b12 d18b2c f2cf6a fffadf",  # gold leaf
    "0a1a2a 0f5f8a 25b0c0 a8ecd8 fdfff0",  # lagoon
    "2b0a14 8c1c3c e0564f f7b267 fff1cf",  # autumn
    "10131f 2f3f6a 6a8ac0 e8a0b8 fff0f4",  # risograph
)


@dataclass(frozen=True, slots=True)
class Style:
    """The look of one LoRA at full weight."""

    colours: str
    turn: float
    texture: str
    amplitude: float
    levels: int
    outline: float
    variant: int


@dataclass(frozen=True, slots=True)
class Look:
    """How a picture is to be finished: the styles of all its LoRAs, weighed and put together."""

    styles: tuple[tuple[Style, float], ...] = ()

    @property
    def outline(self) -> float:
        """Strength of ink lines round shapes, 0 to 1."""
        return min(1.0, sum(style.outline * weight for style, weight in self.styles))

    def coloured(self, base: Ramp, share: float = 1.0) -> Ramp:
        """Bend a ramp towards the styles' own, with `share` of their weight."""
        for style, weight in self.styles:
            pull = weight * share
            mixed = base + (ramp(style.colours, style.turn) - base) * np.float32(pull)
            if style.levels:
                mixed += (_stepped(mixed, style.levels) - mixed) * np.float32(0.9 * pull)
            base = mixed
        return base

    def texture(self, size: tuple[int, int]) -> npt.NDArray[np.uint8] | None:
        """Give what to add to the tones (modulo 256, never past `ROOM`), tiled over width and height."""
        if not self.styles:
            return None
        width, height = size
        tile = _tile(self.styles, round(max(3.0, min(width, height) / 120), 1))
        return np.tile(tile, (-(-height // TILE), -(-width // TILE)))[:height, :width]


def look_of(loras: Iterable[Lora]) -> Look:
    """Weigh the styles of a request's LoRAs; those at scale 0 are left out.

    The weight grows with the scale for ever, steeply up to 1 and slowly after: 0.2 gives 0.22, 1 gives 0.72.
    """
    used = ((lora.path, float(lora.scale)) for lora in loras if lora.scale > 0)
    return Look(tuple((_style(path), 1 - math.exp(-1.27 * scale)) for path, scale in used))


_WORDS: Final = {
    "grain": "grain", "film": "grain", "analog": "grain", "photo": "grain", "noise": "grain",
    "ink": "hatch", "sketch": "hatch", "pencil": "hatch", "manga": "halftone", "comic": "halftone",
    "pop": "halftone", "dot": "halftone", "riso": "halftone", "water": "wash", "paint": "brush",
    "oil": "brush", "brush": "brush", "linen": "weave", "canvas": "weave", "etch": "lines",
    "engrav": "lines", "wood": "lines", "line": "lines",
}  # fmt: skip
_TEXTURES: Final = ("grain", "hatch", "halftone", "wash", "brush", "weave", "lines")
_AMPLITUDES: Final = {
    "grain": 21.0, "hatch": 26.0, "halftone": 36.0, "wash": 19.0, "brush": 22.0, "weave": 24.0, "lines": 30.0,
}  # fmt: skip


@functools.lru_cache(maxsize=256)
def _style(path: str) -> Style:
    digest = hashlib.sha256(path.encode()).digest()
    named = next((texture for word, texture in _WORDS.items() if word in path.lower()), None)
    texture = named or _TEXTURES[digest[0] % len(_TEXTURES)]
    inked = texture in ("hatch", "halftone", "lines")
    colours = _RAMPS[digest[1] % len(_RAMPS)]
    if texture == "hatch" and named:
        colours = _RAMPS[(2, 0, 5, 7)[digest[1] % 4]]
    return Style(
        colours=colours,
        turn=(digest[2] / 255 - 0.5) * 0.08,
        texture=texture,
        amplitude=_AMPLITUDES[texture] * (0.85 + 0.3 * digest[3] / 255),
        levels=(0, 5, 6, 8)[digest[4] % 4] if not inked else (4, 5, 6, 5)[digest[4] % 4],
        outline=1.0 if inked else (0.0, 0.0, 0.35)[digest[5] % 3],
        variant=digest[6] % 8,
    )


def _stepped(colours: Ramp, levels: int) -> Ramp:
    """Flatten a ramp into steps, like a print in few inks."""
    positions = (np.floor(np.arange(256) * levels / 256) + 0.5) * 256 / levels
    stepped: Ramp = colours[positions.astype(np.intp)]
    return stepped


@functools.lru_cache(maxsize=64)
def _tile(styles: tuple[tuple[Style, float], ...], cell: float) -> npt.NDArray[np.uint8]:
    total = np.zeros((TILE, TILE), np.float32)
    for style, weight in styles:
        total += _texture(style.texture, style.variant, cell) * np.float32(style.amplitude * weight)
    tile: npt.NDArray[np.uint8] = np.rint(np.clip(total, -ROOM, ROOM)).astype(np.int8).view(np.uint8)
    return tile


@functools.lru_cache(maxsize=32)
def _texture(kind: str, variant: int, cell: float) -> npt.NDArray[np.float32]:
    """Make a tile that repeats without a seam, -1 to 1."""
    if kind == "halftone":
        a, b = _wave(cell * 1.25, 15 + 7 * variant)
        tile = np.cos(a) * np.cos(b)
    elif kind == "hatch":
        a, b = _wave(cell * 0.9, 38 + 5 * variant)
        tile = 0.75 * np.abs(((a / np.pi + _noise(variant, 40, 40) * 0.5) % 2) - 1) * 2 - 0.9
        tile = tile + 0.35 * np.cos(b * 0.5)
    elif kind == "lines":
        a, _ = _wave(cell * 1.1, 90 if variant % 2 else 0)
        tile = np.cos(a + 2.2 * _noise(variant, 60, 60))
    elif kind == "weave":
        a, b = _wave(cell * 0.75, 0)
        tile = np.where(np.cos(a / 2) * np.cos(b / 2) > 0, np.cos(a), np.cos(b)) * 0.8
        tile = tile + 0.35 * _noise(variant, 2, 2)
    elif kind == "brush":
        tile = 0.6 * _noise(variant, cell * 9, cell * 0.5) + 0.5 * _noise(variant + 9, cell * 5, cell * 1.6)
    elif kind == "wash":
        tile = 0.75 * _noise(variant, cell * 7, cell * 5) + 0.25 * _noise(variant + 9, 1.6, 1.6)
    else:
        tile = 0.62 * _noise(variant, 1.1, 1.1) + 0.3 * _noise(variant + 9, 2.6, 2.6)
    bounded: npt.NDArray[np.float32] = np.clip(tile, -1.2, 1.2).astype(np.float32)
    return bounded


def _wave(period: float, degrees: float) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Give two crossed phases, turned, with whole numbers of waves on the tile."""
    turn = math.radians(degrees)
    a, b = round(TILE / period * math.cos(turn)), round(TILE / period * math.sin(turn))
    y, x = np.mgrid[0:TILE, 0:TILE] * (2 * np.pi / TILE)
    return a * x + b * y, b * x - a * y


def _noise(variant: int, blur_x: float, blur_y: float) -> npt.NDArray[np.float64]:
    """Give seamless noise of unit spread, blurred by so many pixels; the same for ever."""
    raw = np.frombuffer(hashlib.shake_128(b"texture%d" % variant).digest(TILE * TILE), np.uint8)
    spectrum = np.fft.rfft2(raw.reshape(TILE, TILE) / 127.5 - 1)
    fy, fx = np.fft.fftfreq(TILE)[:, None], np.fft.rfftfreq(TILE)[None, :]
    spectrum *= np.exp(-2 * np.pi**2 * ((fx * blur_x) ** 2 + (fy * blur_y) ** 2) / 4)
    spectrum[0, 0] = 0
    field = np.fft.irfft2(spectrum, (TILE, TILE))
    spread: npt.NDArray[np.float64] = field / (field.std() * 1.6)
    return spread
