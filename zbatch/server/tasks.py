"""What a server is asked for, and what becomes of it: orders, tasks, and how many of them it holds."""

from __future__ import annotations

from dataclasses import dataclass, field

from zbatch.api.results import TaskStatus
from zbatch.server.engines import ImageRequest, Watch


@dataclass(frozen=True, slots=True)
class Limits:
    """What a server holds at most.

    Results are kept `result_ttl` seconds, and within `max_finished` tasks and `max_finished_bytes` of images.
    `max_waiting` tasks, and input images of `max_waiting_bytes`, may wait; more is answered 429.
    """

    result_ttl: float = 3600
    max_waiting: int = 4096
    max_waiting_bytes: int = 512 * 2**20
    max_finished: int = 20_000
    max_finished_bytes: int = 512 * 2**20


class BusyError(Exception):
    """No more is taken now; the caller may come back in `retry_after` seconds."""

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message)
        self.message = message
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class Order:
    """What a submit asked for: the engine's request, and the inputs that are still to be fetched."""

    model: str
    request: ImageRequest
    owner: str = ""
    image_url: str | None = None
    mask: str | None = None
    base64: bool = False

    @property
    def weight(self) -> int:
        """Bytes of memory its inputs hold while it waits."""
        return len(self.request.image or b"") + len(self.request.mask or b"")

    @property
    def to_fetch(self) -> bool:
        """Tell whether inputs are still to be fetched."""
        return self.image_url is not None or self.mask is not None


@dataclass(slots=True)
class Task:
    """One accepted order and what became of it.

    `accepted_at` and `finished_at` are wall time in seconds; `size` is that of its image, in bytes.
    """

    task_id: str
    order: Order
    accepted_at: float
    status: TaskStatus = TaskStatus.QUEUED
    reason: str = ""
    size: int = 0
    finished_at: float | None = None
    delivered: bool = False
    watch: Watch = field(default_factory=Watch)
