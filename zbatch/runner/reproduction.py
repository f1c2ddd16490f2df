"""What asking an endpoint again for pictures would do, and cost: the record that a person agrees to."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from zbatch.api.endpoint import Endpoint, EndpointKind
from zbatch.model import InputImage, Request
from zbatch.state.records import JobRecord


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A job that was drawn and cannot be asked for again, and why."""

    job: JobRecord
    why: str


@dataclass(frozen=True, slots=True)
class Reproduction:
    """What asking again would do. `submits` is how many it makes at most, `of` how many done jobs there are.

    `manifest` and `directory` are where it is recorded; `resumed` says that it goes on with one that was not
    finished. `earlier` are commands that finish others, which have tasks in flight.
    """

    jobs: tuple[JobRecord, ...]
    left_out: tuple[LeftOut, ...]
    of: int
    seed: int
    model: str
    title: str
    endpoint: Endpoint
    made_at: str
    price: Decimal | None
    limits: tuple[tuple[str, Any], ...]
    manifest: Path
    directory: Path
    resumed: bool
    submits: int
    earlier: tuple[str, ...]
    root: Path | None

    @property
    def free(self) -> bool:
        """Tell whether it costs nothing: the built-in endpoint, or one on this machine without a price."""
        kind = self.endpoint.kind
        return kind is EndpointKind.PREVIEW or (kind is EndpointKind.LOCAL and self.price is None)

    @property
    def cost(self) -> Decimal | None:
        """USD for the submits, where there is a price; nothing is submitted twice."""
        return None if self.price is None else self.price * self.submits

    @property
    def has_inputs(self) -> bool:
        """Tell whether local input images are sent."""
        return any(local_inputs(job.request) for job in self.jobs)


def local_inputs(request: Request) -> list[InputImage]:
    """Give the local images that a request sends."""
    return [image for image in (request.image_url, request.mask) if isinstance(image, InputImage)]
