"""The preview engine: deterministic pictures without a model, from NumPy and Pillow alone.

A prompt gives a motif in a place under a light; the seed composes them; every LoRA brings a style of its own
that comes in with its scale and leaves the composition alone. The picture is painted in tones (one byte a
pixel), textured, and coloured last, which is what makes it fast.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Final

import numpy as np
from PIL import Image

from zbatch.server.engines.inputs import DEFAULT_STRENGTH, opened
from zbatch.server.engines.preview_motifs import Motif, place_motif
from zbatch.server.engines.preview_palette import HIGH, LOW, RAMPS, coat, lifted, paint, ramp
from zbatch.server.engines.preview_places import paint_place
from zbatch.server.engines.preview_scene import Scene, lay_out
from zbatch.server.engines.preview_stamp import stamp
from zbatch.server.engines.preview_style import look_of
from zbatch.server.engines.preview_words import read_idea

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from zbatch.server.engines import ImageRequest
    from zbatch.server.engines.preview_palette import Tones
    from zbatch.server.engines.preview_style import Look
    from zbatch.server.engines.preview_words import Idea

    Line = npt.NDArray[np.float32]

SAVE_OPTIONS: Final[Mapping[str, Mapping[str, int]]] = {
    "jpeg": {"quality": 85},
    "png": {"compress_level": 1},
    "webp": {"method": 0, "quality": 75},
}

_TURN, _LIFT = 0.02, 0.06
"""How far a step of a prompt's nuance turns the hue (1 is a full circle) and lifts lightness (1 is white)."""


class PreviewEngine:
    """Makes a pleasant, deterministic picture in which prompt, seed and every LoRA plainly matter."""

    name = "preview"

    def generate(self, request: ImageRequest) -> bytes:
        """Make the picture; see `zbatch.server.engines.Engine`.

        Equal requests give equal bytes on one machine. Strength 0 gives the input back, resized; 1 ignores
        it. Where the mask is black, the input is kept to the pixel.
        """
        buffer = io.BytesIO()
        _picture(request).save(buffer, request.output_format.upper(), **SAVE_OPTIONS[request.output_format])
        return buffer.getvalue()


def _picture(request: ImageRequest) -> Image.Image:
    size = (request.width, request.height)
    if request.image is None:
        picture = _painted(request, None, 1.0)
        stamp(picture, request.seed, request.loras, None)
        return picture
    source = opened(request.image, "RGB", size)
    strength = DEFAULT_STRENGTH if request.strength is None else float(request.strength)
    if strength <= 0:
        return source
    picture = _painted(request, source, strength)
    if strength < 1:
        picture = Image.blend(source, picture, strength)
    mask = None if request.mask is None else opened(request.mask, "L", size)
    stamp(picture, request.seed, request.loras, mask)
    return picture if mask is None else Image.composite(picture, source, mask)


def _painted(request: ImageRequest, source: Image.Image | None, strength: float) -> Image.Image:
    """Paint the picture; below strength 1 the tones of a source come through, so that its forms stay."""
    idea = read_idea(request.prompt)
    layout = lay_out(idea, request.seed)
    look = look_of(request.loras)
    scene = Scene(idea, layout, (request.width, request.height), look.outline)
    motifs: list[Motif] = []

    def stand(line: Line) -> None:
        motifs.append(place_motif(scene, idea, layout, line, look.outline))

    paint_place(scene, idea, layout, request.seed, stand)
    scene.weather()
    tones = scene.tones if source is None or strength >= 1 else _mixed(source, scene.tones, strength)
    return _coloured(tones, motifs, idea, look, min(1.0, strength))


def _mixed(source: Image.Image, tones: Tones, strength: float) -> Tones:
    span = [round(LOW + level * (HIGH - LOW) / 255) for level in range(256)]
    return np.asarray(Image.blend(source.convert("L").point(span), Image.fromarray(tones), strength))


def _coloured(tones: Tones, motifs: list[Motif], idea: Idea, look: Look, share: float) -> Image.Image:
    """Texture the tones and turn them into colour: the land through one ramp, the motif through another."""
    texture = look.texture((tones.shape[1], tones.shape[0]))
    if texture is not None:
        tones = tones + texture
    turn, lift = idea.nuance[0] * _TURN, idea.nuance[1] * _LIFT
    land = lifted(ramp(RAMPS[idea.palette], turn), lift)
    night = 0.38 if idea.light == "night" else 0.14
    fur = lifted(coat(idea.motif, idea.tint, turn), lift / 2)
    fur = fur + (land - fur) * np.float32(night)
    picture = paint(tones, look.coloured(land))
    for motif in motifs:
        left, top, right, bottom = motif.box
        cover = (
            motif.cover if share >= 1 else motif.cover.point([round(level * share) for level in range(256)])
        )
        picture.paste(paint(tones[top:bottom, left:right], look.coloured(fur, 0.8)), (left, top), cover)
    return picture
