"""Engines make the images behind our own server: what every engine takes and gives."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, runtime_checkable

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


@dataclass(slots=True)
class Watch:
    """What an engine tells of an image while it makes it, and what it is told: one thread writes each field.

    `percent` is how far it is; `notes` go into `extra` of the answer. Where `given_up` is set, nobody waits
    for the image any more, and the engine may stop at its next step with any exception.
    """

    percent: int = 0
    notes: dict[str, str] = field(default_factory=dict)
    given_up: bool = False


@runtime_checkable
class SteppedEngine(Engine, Protocol):
    """An engine that takes its time: tells how far it is, stops when told, and may make several at once."""

    @property
    def max_batch(self) -> int:
        """How many images it makes at once, at most."""
        ...

    def batch_key(self, request: ImageRequest) -> Hashable:
        """Tell what requests that can be made at once have in common."""
        ...

    async def prepare(self, request: ImageRequest) -> None:
        """Get what the request needs from elsewhere, before it waits for a worker.

        Raises:
            Exception: of any kind fails the task, with its message as the reason.
        """
        ...

    def generate_many(
        self, requests: Sequence[ImageRequest], watches: Sequence[Watch]
    ) -> Sequence[bytes | Exception]:
        """Make images of one batch key, each with its watch; gives for each its file or why there is none.

        Raises:
            Exception: of any kind fails all of them.
        """
        ...
