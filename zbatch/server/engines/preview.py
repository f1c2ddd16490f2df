"""The preview engine: deterministic pictures without a model, from NumPy and Pillow alone."""

from __future__ import annotations

import hashlib
import io
from typing import TYPE_CHECKING

from PIL import Image

if TYPE_CHECKING:
    from zbatch.server.engines import ImageRequest


class PreviewEngine:
    """Makes a pleasant, deterministic picture in which prompt, seed and every LoRA plainly matter."""

    name = "preview"

    def generate(self, request: ImageRequest) -> bytes:
        """Make the picture; see `zbatch.server.engines.Engine`."""
        loras = [(one.path, one.scale) for one in request.loras if one.scale]
        key = f"{request.prompt}\n{request.seed}\n{loras}"
        small = Image.frombytes("RGB", (4, 4), hashlib.shake_128(key.encode()).digest(48))
        picture = small.resize((request.width, request.height), Image.Resampling.BICUBIC)
        buffer = io.BytesIO()
        picture.save(buffer, request.output_format.upper())
        return buffer.getvalue()
