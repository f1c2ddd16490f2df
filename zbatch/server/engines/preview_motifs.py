"""The motifs of the preview engine by name, and how one is placed in a scene."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from PIL import Image

from zbatch.server.engines import preview_animals as animals
from zbatch.server.engines import preview_things as things
from zbatch.server.engines.preview_palette import HIGH, LOW
from zbatch.server.engines.preview_shapes import Shape, draw

if TYPE_CHECKING:
    import numpy.typing as npt

    from zbatch.server.engines.preview_scene import Layout, Scene
    from zbatch.server.engines.preview_words import Idea

    Line = npt.NDArray[np.float32]
    Tones = npt.NDArray[np.uint8]

_DRAWN: Final[dict[str, Callable[[], Iterable[Shape]]]] = {
    **{name: functools.partial(animals.sitter, kind) for name, kind in animals.SITTERS.items()},
    **{name: functools.partial(animals.percher, kind) for name, kind in animals.PERCHERS.items()},
    "whale": animals.whale, "fish": animals.fish, "butterfly": animals.butterfly, "tree": things.tree,
    "pine": things.pine, "house": things.house, "lighthouse": things.lighthouse, "castle": things.castle,
    "boat": things.boat, "flower": things.flower, "balloon": things.balloon, "figure": things.figure,
    "robot": things.robot, "rocket": things.rocket, "car": things.car, "cup": things.cup,
    "crystal": things.crystal, "planet": things.planet, "arch": things.arch, "totem": things.totem,
    "sprig": things.sprig,
}  # fmt: skip

_FLOATING: Final = frozenset({"balloon", "planet", "butterfly", "whale", "fish", "rocket"})
_SIZES: Final = {
    "tree": 0.62, "pine": 0.62, "lighthouse": 0.62, "castle": 0.58, "balloon": 0.44, "butterfly": 0.4,
    "fish": 0.44, "planet": 0.5, "cup": 0.42, "car": 0.5, "house": 0.48,
}  # fmt: skip


@functools.lru_cache(maxsize=64)
def _shapes(name: str) -> tuple[Shape, ...]:
    return tuple(_DRAWN[name]())


@dataclass(slots=True)
class Motif:
    """A motif in a picture: the box it stands in (left, top, right, bottom) and how much it covers there."""

    box: tuple[int, int, int, int]
    cover: Image.Image


def place_motif(scene: Scene, idea: Idea, layout: Layout, line: Line, ink: float) -> Motif:
    """Paint a motif into the scene's tones, standing behind a line that covers what is below it."""
    side = max(16, round(_SIZES.get(idea.motif, 0.54) * scene.unit))
    left = round(layout.motif_x * scene.width - side / 2)
    left = max(0, min(scene.width - side, left))
    ground = float(line[left + side // 4 : left + side - side // 4].max())
    top = round(ground + 0.035 * side) - side
    if idea.motif in _FLOATING:
        top = round((layout.horizon - 0.02) * scene.height - side * 0.62)
    elif idea.motif == "boat" and idea.place == "sea":
        top = round((layout.horizon + 0.12) * scene.height) - side
    top = max(0, min(scene.height - side, top))
    shaded, cover = _rendered(
        idea.motif,
        side,
        round(ink * side / 150, 1),
        flip=layout.flip,
        lit_from_left=layout.sun_x < layout.motif_x,
    )
    rows = np.arange(top, top + side, dtype=np.float32)[:, None] + np.float32(0.5)
    above = np.clip(line[None, left : left + side] - rows + np.float32(0.5), 0, 1)
    covered = np.rint(cover * above).astype(np.uint8)
    part = scene.tones[top : top + side, left : left + side]
    shown = Image.composite(Image.fromarray(shaded), Image.fromarray(part), Image.fromarray(covered))
    part[...] = np.asarray(shown)
    return Motif((left, top, left + side, top + side), Image.fromarray(covered))


@functools.lru_cache(maxsize=16)
def _rendered(
    name: str, side: int, outline: float, *, flip: bool, lit_from_left: bool
) -> tuple[Tones, Tones]:
    """Draw a motif: its tones and its cover. A sweep asks for the same one again and again."""
    tones, cover = draw(_shapes(name), side, outline, flip=flip)
    return _shaded(np.asarray(tones), lit_from_left=lit_from_left), np.asarray(cover)


def _shaded(tones: Tones, *, lit_from_left: bool) -> Tones:
    """Give flat shapes some body: lighter towards the light, darker towards the ground."""
    side = tones.shape[0]
    across = np.linspace(15, -15, side, dtype=np.float32)
    if not lit_from_left:
        across = across[::-1]
    down = -26 * np.linspace(0, 1, side, dtype=np.float32) ** 3
    light = np.rint(across[None, :] + down[:, None]).astype(np.int16)
    scaled = (tones.astype(np.int16) * np.int16((HIGH - LOW) // 5)) // np.int16(51) + np.int16(LOW)
    shaded: Tones = np.clip(scaled + light, LOW, HIGH).astype(np.uint8)
    return shaded
