"""The preview engine beside pictures of its own that were kept: what another NumPy or Pillow may change.

`ZBATCH_REWRITE_CASES=1` writes them anew.
"""

import io
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from zbatch.model import Lora
from zbatch.server.engines import ImageRequest
from zbatch.server.engines.preview import PreviewEngine

KEPT = Path(__file__).parents[1] / "cases" / "preview"
SIDE = 64
MEAN, WORST = 0.25, 8
"""Of 255, between pictures brought to 64 pixels a side: on average, and in the pixel that differs most.

Releases may differ a little (NumPy 1.26 with Pillow 11.0 and 2.4 with 13.0: by one, in one pixel of two
pictures); another seed, prompt or LoRA is far beyond (see below).
"""
CASES = {
    "fox": {"prompt": "a red fox in the snow, dawn", "seed": 7},
    "lighthouse": {"prompt": "lighthouse at night, storm", "seed": 1000, "size": (768, 512)},
    "portrait": {"prompt": "portrait of an old man, oil painting", "seed": 3, "size": (512, 768)},
    "film": {"prompt": "city street in the rain", "seed": 5, "loras": (Lora("org/film-grain", 0.8),)},
    "ink": {"prompt": "owl on a branch", "seed": 8, "loras": (Lora("org/ink-v2", 1.2),)},
    "stack": {
        "prompt": "bowl of oranges", "seed": 11,
        "loras": (Lora("org/watercolour", 0.5), Lora("org/halftone", 0.4), Lora("x/linen", 0.9)),
    },
    "odd": {"prompt": "日本の庭 ☂", "seed": 2147483647, "size": (1000, 300)},
}  # fmt: skip


def small(name, **changes):
    given = CASES[name] | changes
    width, height = given.get("size", (512, 512))
    data = PreviewEngine().generate(
        ImageRequest(given["prompt"], given["seed"], width, height, given.get("loras", ()), "png")
    )
    with Image.open(io.BytesIO(data)) as image:
        return image.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BOX)


def apart(one, other):
    difference = np.abs(np.asarray(one).astype(int) - np.asarray(other).astype(int))
    return difference.mean(), difference.max()


@pytest.mark.parametrize("name", CASES)
def test_pictures_are_as_they_were_kept(name):
    path = KEPT / f"{name}.png"
    made = small(name)
    if os.environ.get("ZBATCH_REWRITE_CASES"):
        made.save(path)
    with Image.open(path) as kept:
        mean, worst = apart(made, kept.convert("RGB"))
    assert mean <= MEAN
    assert worst <= WORST


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("fox", {"seed": 8}),
        ("fox", {"prompt": "a red fox in the snow, dusk"}),
        ("film", {"loras": (Lora("org/film-grain", 0.6),)}),
        ("ink", {"loras": (Lora("org/ink-v3", 1.2),)}),
    ],
)
def test_what_is_asked_for_differently_is_further_off(name, changes):
    with Image.open(KEPT / f"{name}.png") as kept:
        mean, _ = apart(small(name, **changes), kept.convert("RGB"))
    assert mean > 3 * MEAN
