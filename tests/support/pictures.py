"""Pictures as readers see them: what must stay the same where a file is edited."""

from __future__ import annotations

import io
import warnings

from PIL import Image, ImageSequence

KEPT = (
    "icc_profile",
    "duration",
    "loop",
    "background",
    "transparency",
    "gamma",
    "jfif_density",
    "comment",
    "Software",
)


def decoded(data: bytes) -> tuple[object, ...] | None:
    """Give size, mode, profile, timing and the pixels of every frame; `None` where it does not decode."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image = Image.open(io.BytesIO(data), formats=["PNG", "JPEG", "WEBP"])
            frames = [(frame.mode, frame.size, frame.tobytes()) for frame in ImageSequence.Iterator(image)]
    except Exception:  # noqa: BLE001 - Pillow raises whatever the damage leads to
        return None
    return image.format, {name: image.info.get(name) for name in KEPT}, frames


def described(data: bytes) -> dict[int, object]:
    """Give what an EXIF block says apart from its comment."""
    exif = Image.open(io.BytesIO(data)).getexif()
    told = {**exif, **exif.get_ifd(0x8769)}
    return {tag: value for tag, value in told.items() if tag not in (0x8769, 0x9286)}
