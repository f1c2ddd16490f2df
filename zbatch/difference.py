"""How different two pictures look: the mean of ꟻLIP, from 0 (the same) to 1.

ꟻLIP (Andersson and others, 2020) is made for two pictures that are looked at in turns in one place, which is
what a sheet's scrubber does. Its mean hardly depends on the size that pictures are compared at: on sweeps of
a LoRA's scale it differs by less than 0.01 between 48 and 384 pixels, so small copies do.
"""

from __future__ import annotations

import os
from functools import cache
from typing import Any, Final

import numpy as np
from PIL import Image

SIDE: Final = 64
"""Long side, in pixels, of the copies that are compared."""
MEASURE: Final = f"flip-1.7-{SIDE}"
"""What a number was measured by: numbers of another measure are not to be compared with these."""

_DEGREE: Final = 67.0
"""Pixels in a degree of sight: a screen of 0.7 m, seen from 0.7 m, as the authors choose it."""


def measurable() -> bool:
    """Tell whether the package that measures is there; some platforms have no build of it."""
    return _flip() is not None


def small(picture: Image.Image) -> Any:
    """Give the copy of a picture that is compared: rows, columns and RGB, from 0 to 1."""
    scale = SIDE / max(picture.size)
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    return np.asarray(picture.convert("RGB").resize(size, Image.Resampling.BOX), dtype=np.float32) / 255


def difference(reference: Any, other: Any) -> float | None:
    """Compare two copies; `None` where they have not the same shape, or nothing here can compare them."""
    flip = _flip()
    if flip is None or reference.shape != other.shape:
        return None
    _, mean, _ = flip.evaluate(
        reference, other, "LDR", inputsRGB=True, applyMagma=False, computeMeanError=True,
        parameters={"ppd": _DEGREE},
    )  # fmt: skip
    return float(mean)


@cache
def _flip() -> Any:
    # OpenMP reads this once, as it is loaded. With pictures as small as these, threads only wait for another.
    before = os.environ.get("OMP_NUM_THREADS")
    os.environ["OMP_NUM_THREADS"] = "1"
    try:
        import flip_evaluator  # noqa: PLC0415 - only who measures waits for it
    except ImportError:
        return None
    finally:
        if before is None:
            del os.environ["OMP_NUM_THREADS"]
        else:
            os.environ["OMP_NUM_THREADS"] = before
    return flip_evaluator
