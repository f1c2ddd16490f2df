"""Engines make the images behind our own server: what every engine takes and gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from zbatch.model import Lora


@dataclass(frozen=True, slots=True)
class ImageRequest:
    """What an engine is asked for: checked, defaults filled in, inputs fetched.

    `seed` is never -1; `width` and `height` are in pixels. `image` and `mask` are the bytes of image files
    that are known to decode and to be of bounded size. `strength` is only there with an `image`; it may be
    missing then, since the API documents no default: the engine has its own.
    """

    prompt: str
    seed: int
    width: int = 1024
    height: int = 1024
    loras: tuple[Lora, ...] = ()
    output_format: str = "webp"
    image: bytes | None = None
    strength: float | None = None
    mask: bytes | None = None


class Engine(Protocol):
    """Turns one request into the bytes of one image file, in `output_format`."""

    @property
    def name(self) -> str:
        """Name of the engine, as `zbatch serve --engine` takes it."""
        ...

    def generate(self, request: ImageRequest) -> bytes:
        """Make the image. Blocks; called from several worker threads at once.

        Raises:
            Exception: of any kind fails the task, with its message as the reason.
        """
        ...
