"""The landscape of a preview: sky, light, ridges and weather, painted in tones."""

from __future__ import annotations

import hashlib
import math
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw

if TYPE_CHECKING:
    import numpy.typing as npt

    from zbatch.server.engines.preview_words import Idea

    Tones = npt.NDArray[np.uint8]
    Line = npt.NDArray[np.float32]

TOP, BOTTOM = 214, 44


@dataclass(frozen=True, slots=True)
class Layout:
    """Where things stand, in shares of the picture: decided by seed, motif, place and light alone."""

    horizon: float
    sun_x: float
    sun_y: float
    sun_r: float
    motif_x: float
    flip: bool
    ridges: int
    shift: float
    dice: random.Random


def lay_out(idea: Idea, seed: int) -> Layout:
    """Decide the composition. Text seeds of `random.Random` are stable over Python's versions."""
    dice = random.Random(f"{seed}/{idea.motif}/{idea.place}")  # noqa: S311 - no secret is made of it
    side = dice.choice((-1, 1))
    motif_x = 0.5 + side * dice.uniform(0.02, 0.17)
    low_sun = idea.light in ("dawn", "dusk")
    rise = dice.random()
    return Layout(
        horizon=dice.uniform(0.5, 0.6),
        sun_x=0.5 - side * dice.uniform(0.06, 0.22),
        sun_y=(0.34 + 0.14 * rise) if low_sun else (0.15 + 0.13 * rise),
        sun_r=dice.uniform(0.1, 0.16) if low_sun else dice.uniform(0.065, 0.1),
        motif_x=motif_x,
        flip=dice.random() < 0.5,
        ridges=dice.choice((4, 5, 5, 6)),
        shift=dice.uniform(0, 100),
        dice=dice,
    )


class Scene:
    """A picture in tones, painted from far to near."""

    def __init__(self, idea: Idea, layout: Layout, size: tuple[int, int], ink: float) -> None:
        self.width, self.height = size
        self.unit = min(self.width, self.height)
        self.reach = min(self.height, 1.5 * self.unit)
        self._idea, self._layout, self._ink = idea, layout, ink
        self._dice = layout.dice
        self.tones: Tones = self._sky()
        self._lights()

    def _sky(self) -> Tones:
        """Paint a small sky and blow it up: a gradient, a glow round the light, long soft clouds."""
        wide, tall = 48, 48
        layout, light = self._layout, self._idea.light
        y, x = np.mgrid[0:tall, 0:wide].astype(np.float32)
        x, y = (x + 0.5) / wide, (y + 0.5) / tall
        top, low = {"night": (70, 128), "rain": (112, 176), "fog": (150, 196), "noon": (150, 192)}.get(
            light, (104, 190)
        )
        if self._idea.place == "space":
            top, low = 58, 100
        field = top + (low - top) * np.clip(y / layout.horizon, 0, 1.1) ** 1.15
        distance = np.hypot(
            (x - layout.sun_x) * self.width / self.unit, (y - layout.sun_y) * self.height / self.unit
        )
        glow = {"night": 46, "rain": 14, "fog": 22, "noon": 26}.get(light, 44)
        field += glow * np.exp(-((distance / 0.34) ** 2)) + glow * 0.5 * np.exp(-distance / 0.5)
        field += self._clouds(tall, wide) * {"rain": 24, "fog": 14, "night": 9}.get(light, 15)
        small = Image.fromarray(np.clip(np.rint(field), BOTTOM, TOP).astype(np.uint8))
        # Two steps cost half of one: smooth where it is small, straight where it is large.
        middle = small.resize((min(256, self.width), min(256, self.height)), Image.Resampling.BICUBIC)
        return np.array(middle.resize((self.width, self.height), Image.Resampling.BILINEAR))

    def _clouds(self, tall: int, wide: int) -> npt.NDArray[np.float32]:
        key = f"{self._layout.shift}".encode()
        raw = np.frombuffer(hashlib.shake_128(key).digest(14 * 5), np.uint8).reshape(14, 5)
        soft = Image.fromarray(raw).resize((wide, tall), Image.Resampling.BICUBIC)
        clouds: npt.NDArray[np.float32] = np.asarray(soft).astype(np.float32) / 127.5 - 1
        return clouds

    def _lights(self) -> None:
        """Put up the stars and the sun or the moon."""
        layout, light = self._layout, self._idea.light
        if light == "night" or self._idea.place == "space":
            self._stars(260 if self._idea.place == "space" else 150)
        if light in ("rain", "fog"):
            self.disc(layout.sun_x, layout.sun_y, layout.sun_r * 0.9, 203 if light == "fog" else 188, 0.35)
        else:
            self.disc(layout.sun_x, layout.sun_y, layout.sun_r, TOP, 0.03)
        if light == "night":
            for dx, dy, r in ((-0.3, -0.2, 0.22), (0.28, 0.3, 0.16), (0.1, -0.45, 0.1)):
                radius = layout.sun_r * self.unit
                x, y = layout.sun_x + dx * radius / self.width, layout.sun_y + dy * radius / self.height
                self.disc(x, y, layout.sun_r * r, 196, 0.12)

    def _stars(self, count: int) -> None:
        for _ in range(count):
            x, y = self._dice.random(), self._dice.random() ** 1.3 * self._layout.horizon
            big = self._dice.random()
            wide = max(1, round(self.unit / 1024 * (2 + 3 * big * big)))
            at_x, at_y = int(x * self.width), int(y * self.height)
            patch = self.tones[at_y : at_y + wide, at_x : at_x + wide]
            np.maximum(patch, np.uint8(150 + 60 * big), out=patch)

    def disc(self, x: float, y: float, r: float, tone: int, softness: float) -> None:
        """Paint a disc: `x`, `y` in shares of the picture, `r` of its shorter side, `softness` of `r`."""
        radius = r * self.unit
        edge = max(1.0, softness * radius)
        cx, cy, half = x * self.width, y * self.height, radius + edge
        left, right = max(0, int(cx - half)), min(self.width, int(cx + half) + 1)
        top, bottom = max(0, int(cy - half)), min(self.height, int(cy + half) + 1)
        if left >= right or top >= bottom:
            return
        dx = (np.arange(left, right, dtype=np.float32) + np.float32(0.5 - cx)) ** 2
        dy = (np.arange(top, bottom, dtype=np.float32) + np.float32(0.5 - cy)) ** 2
        cover: Line = np.clip((radius - np.sqrt(dx[None, :] + dy[:, None])) / edge + 0.5, 0, 1)
        _blend(self.tones[top:bottom, left:right], cover, np.float32(tone))

    def ridge(self, line: Line, tone: float, fade: float) -> None:
        """Paint all below a line (its height in pixels in every column), paler as it goes down by `fade`."""
        top = max(0, min(self.height, math.floor(float(line.min())) - 1))
        full = max(top, min(self.height, math.ceil(float(line.max())) + 2))
        rows = np.arange(top, self.height, dtype=np.float32)
        depth = np.clip((rows - top) / (0.34 * self.reach), 0, 1)
        gradient = np.clip(tone + fade * depth, BOTTOM, TOP).astype(np.float32)
        cover = (rows[: full - top, None] + np.float32(0.5)) - line[None, :]
        np.clip(cover, 0, 1, out=cover)
        _blend(self.tones[top:full], cover, gradient[: full - top, None])
        self.tones[full:] = np.rint(gradient[full - top :, None]).astype(np.uint8)
        if self._ink > 0:
            self._inked(line)

    def _inked(self, line: Line) -> None:
        """Draw an ink line along a ridge, pixel by pixel downwards from it in every column at once."""
        thick = max(1.5, self.unit / 300)
        first = np.floor(line).astype(np.intp)
        columns = np.arange(self.width)
        for step in range(math.ceil(thick) + 1):
            rows = first + step
            cover = self._ink * np.clip(np.minimum(rows + 1 - line, line + thick - rows), 0, 1)
            inside = (rows >= 0) & (rows < self.height)
            at = rows[inside], columns[inside]
            old = self.tones[at]
            self.tones[at] = np.rint(old + (BOTTOM - old.astype(np.float32)) * cover[inside]).astype(np.uint8)

    def weather(self) -> None:
        """Let it rain or snow, over everything painted so far."""
        if self._idea.snow:
            self._snow()
        if self._idea.light == "rain":
            picture = Image.fromarray(self.tones)
            pen = ImageDraw.Draw(picture)
            for _ in range(190):
                x, y = self._dice.uniform(-0.1, 1) * self.width, self._dice.uniform(-0.1, 1) * self.height
                long = self._dice.uniform(0.02, 0.06) * self.unit
                pen.line((x, y, x + long * 0.22, y + long), fill=170, width=max(1, self.unit // 700))
            self.tones = np.asarray(picture).copy()

    def _snow(self) -> None:
        for _ in range(90):
            near = self._dice.random() ** 3
            self.disc(self._dice.random(), self._dice.random(), 0.0016 + 0.006 * near, TOP, 0.5)


def _blend(part: Tones, cover: Line, tone: Line | np.float32) -> None:
    """Move tones towards another by the share that covers them; rounds halves up."""
    mixed = tone - part.astype(np.float32)
    mixed *= cover
    mixed += part
    mixed += np.float32(0.5)
    np.copyto(part, mixed, casting="unsafe")
