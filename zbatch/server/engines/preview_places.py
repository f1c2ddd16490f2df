"""The places of the preview engine: the lines of their ridges, far to near, and what lies on them."""

from __future__ import annotations

import math
import random
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from zbatch.server.engines.preview_scene import Layout, Scene
    from zbatch.server.engines.preview_words import Idea

    Line = npt.NDArray[np.float32]
    Profile = Callable[[Line, random.Random, float], Line]


def _waves(u: Line, dice: random.Random, frequency: float, octaves: int = 3) -> Line:
    line = np.zeros_like(u)
    for octave in range(octaves):
        phase, stretch = dice.uniform(0, 2 * math.pi), dice.uniform(0.8, 1.25)
        line += np.sin(u * np.float32(frequency * stretch * 2.1**octave * 2 * math.pi) + phase) / 2.3**octave
    return line


def _hills(u: Line, dice: random.Random, near: float) -> Line:
    return 0.075 * _waves(u, dice, 0.55 + 0.25 * near)


def _mountains(u: Line, dice: random.Random, near: float) -> Line:
    if near > 0.65:
        return _hills(u, dice, near)
    line = 0.1 * _waves(u, dice, 0.7, 1)
    for octave in range(5):
        phase, frequency = dice.random(), 1.1 * 1.9**octave * dice.uniform(0.85, 1.2)
        line += (0.2 - 0.1 * near) / 1.85**octave * (np.abs((u * frequency + phase) % 1 - 0.5) * 4 - 1)
    return line


def _desert(u: Line, dice: random.Random, _: float) -> Line:
    phase, frequency = dice.random(), dice.uniform(0.55, 0.8)
    wave = (u * frequency + phase + 0.06 * _waves(u, dice, 0.5, 1)) % 1
    rise = np.where(wave < 0.68, wave / 0.68, (1 - wave) / 0.32)
    line: Line = -0.15 * (rise**1.7) + 0.05 + 0.03 * _waves(u, dice, 0.6, 2)
    return line


def _canyon(u: Line, dice: random.Random, near: float) -> Line:
    if near > 0.65:
        return _hills(u, dice, near)
    mesa = np.clip(2.6 * _waves(u, dice, 0.7, 2), -1, 1)
    line: Line = 0.12 * np.round(mesa * 1.5) / 1.5 + 0.03 * mesa + 0.008 * _waves(u, dice, 6, 2)
    return line


def _forest(u: Line, dice: random.Random, near: float) -> Line:
    ground = _hills(u, dice, near) * 0.7
    if near > 0.92:
        return ground
    dense = 13 - 7 * near
    at = u * dense + 50
    cell = np.floor(at)
    spread = np.array([dice.random() for _ in range(64)], dtype=np.float32)
    height = 0.5 + 0.7 * spread[cell.astype(np.intp) % 64]
    within = np.abs(at - cell - 0.5) * 2
    spikes = np.clip(1 - within, 0, 1)
    boughs = 0.1 * np.abs((spikes * 4.5) % 1 - 0.5)
    line: Line = ground - (0.062 + 0.07 * near) * height * np.clip(spikes**0.9 - boughs, 0, 1)
    return line


def _city(u: Line, dice: random.Random, near: float) -> Line:
    if near > 0.8:
        return _hills(u, dice, near) * 0.5
    wide = 9 - 4 * near
    cell = np.floor(u * wide + 50).astype(np.intp) % 64
    heights = np.array([dice.random() ** 1.8 for _ in range(64)], dtype=np.float32)
    within = (u * wide + 50) % 1
    spire = np.where((np.abs(within - 0.5) < 0.04) & (heights[cell] > 0.5), 0.06, 0)
    step = np.where((within < 0.28) & (heights[cell] > 0.25), 0.05, 0)
    line: Line = -(0.36 - 0.16 * near) * heights[cell] - spire + step
    return line.astype(np.float32)


def _tundra(u: Line, dice: random.Random, near: float) -> Line:
    return 0.045 * _waves(u, dice, 0.4 + 0.2 * near, 2) if near > 0.3 else _mountains(u, dice, 0.3) * 0.6


def _space(u: Line, dice: random.Random, _: float) -> Line:
    line: Line = 0.05 * _waves(u, dice, 0.5, 2) + 0.25 * (u - u.mean()) ** 2
    return line


def _sea(u: Line, dice: random.Random, near: float) -> Line:
    return 0.012 * _waves(u, dice, 1.6 + near, 2)


_PROFILES: Final[dict[str, Profile]] = {
    "hills": _hills, "meadow": _hills, "mountains": _mountains, "sea": _sea, "forest": _forest,
    "city": _city, "tundra": _tundra, "desert": _desert, "canyon": _canyon, "space": _space,
}  # fmt: skip

_TONES: Final = {"night": (104, 50), "rain": (142, 54), "fog": (182, 74), "noon": (160, 62)}


def paint_place(scene: Scene, idea: Idea, layout: Layout, seed: int, stand: Callable[[Line], None]) -> None:
    """Paint ridges from far to near.

    `stand` is called when the motif is to be painted, with the line that it stands behind. A line is the
    height of a ridge, in pixels from the top, for every column.
    """
    count = 2 if idea.place == "space" else layout.ridges
    far, near = _TONES.get(idea.light, (158, 52))
    if idea.place == "tundra":
        far, near = far + 26, near + 58
    pixels = np.arange(scene.width, dtype=np.float32) - np.float32(scene.width / 2)
    for index in range(count):
        depth = index / (count - 1)
        dice = random.Random(f"{seed}/{idea.place}/{index}")  # noqa: S311 - no secret is made of it
        u = pixels / np.float32(scene.unit) + np.float32(layout.shift + 3.7 * index)
        base = layout.horizon + (0.93 - layout.horizon) * depth**1.25
        line = np.float32(base * scene.height) + np.float32(scene.reach) * _PROFILES[idea.place](
            u, dice, depth
        )
        line = line.astype(np.float32)
        if index == count - 1:
            stand(line)
        scene.ridge(line, far + (near - far) * depth**0.85, 34 * (1 - depth) + 4)
        if idea.place == "sea" and index == 0:
            _glints(scene, layout, line)
        if idea.place == "city" and depth < 0.8:
            _windows(scene, dice, line, depth)
        if idea.place == "meadow" and index >= count - 2:
            _blossoms(scene, dice, line, depth)


def _glints(scene: Scene, layout: Layout, line: Line) -> None:
    """Lay the light of the sun on the water."""
    top = int(line.max()) + 2
    dice = random.Random(layout.shift)  # noqa: S311 - no secret is made of it
    for _ in range(70):
        down = dice.random() ** 1.6
        y = int(top + down * (scene.height - top))
        spread = (0.05 + 0.28 * down) * scene.unit
        x = layout.sun_x * scene.width + dice.uniform(-1, 1) * spread
        long = (0.02 + 0.11 * dice.random() * (0.4 + down)) * scene.unit
        tall = max(1, round(scene.unit / 420 * (0.5 + 1.6 * down)))
        part = scene.tones[y : y + tall, max(0, int(x - long)) : max(0, int(x + long))]
        np.maximum(part, np.uint8(186 - 30 * down), out=part)


def _windows(scene: Scene, dice: random.Random, line: Line, depth: float) -> None:
    """Light some windows."""
    side = max(1, round(scene.unit / 230 * (0.7 + depth)))
    for _ in range(90):
        x = int(dice.random() * (scene.width - side))
        under = float(line[x : x + side].max())
        y = int(under + side * (2 + 2 * int(dice.random() ** 1.5 * 14)))
        scene.tones[y : y + side + side // 2, x : x + side] = 205


def _blossoms(scene: Scene, dice: random.Random, line: Line, depth: float) -> None:
    """Strew blossoms over the grass."""
    for _ in range(70):
        x = dice.random()
        below = dice.random()
        y = float(line[int(x * (scene.width - 1))]) / scene.height + 0.012 + 0.13 * below
        scene.disc(x, y, (0.002 + 0.0035 * below) * (0.7 + depth), 206 - int(40 * dice.random()), 0.4)
