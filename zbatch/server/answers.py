"""What the server answers: the API's error envelope, and the shape of a task's result."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import orjson
from starlette.responses import Response

from zbatch.api.contract import Violation
from zbatch.api.results import TaskStatus
from zbatch.model import MEDIA_TYPES

if TYPE_CHECKING:
    from zbatch.server.tasks import Task


class RefusedError(Exception):
    """A call that is refused, in the API's own words. `headers` go out with the answer."""

    def __init__(
        self, status: int, reason: str, message: str, *, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.message = message
        self.headers = headers


def json_answer(content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Answer with JSON."""
    return Response(orjson.dumps(content), status, headers, "application/json")


def refusal(error: RefusedError) -> Response:
    """Put a refusal in the API's envelope; the HTTP status is the code (documented)."""
    body = {"code": error.status, "reason": error.reason, "message": error.message, "metadata": {}}
    return json_answer(body, error.status, error.headers)


def invalid_body(message: str) -> RefusedError:
    """Refuse a request body: 400 `INVALID_REQUEST_BODY`, as every validation error is answered."""
    return RefusedError(400, "INVALID_REQUEST_BODY", message)


def violations_message(violations: Iterable[Violation]) -> str:
    """Say which fields are wrong, why, and what came instead, in bounded length."""
    return "; ".join(_violation(violation) for violation in violations)[:2000]


def _violation(violation: Violation) -> str:
    text = f"{violation.field} {violation.message}"
    if violation.got is not None and not violation.message.startswith(("is not a field", "needs")):
        got = repr(violation.got)
        text += f", got {got if len(got) <= 80 else got[:77] + '...'}"
    # The hints about lifting a rule are for manifests; a server lifts none.
    return f"{text} ({violation.hint})" if violation.hint and violation.liftable is None else text


def data_uri(image: bytes, output_format: str) -> str:
    """Give an image as a `data:` URI."""
    return f"data:{MEDIA_TYPES[output_format]};base64,{base64.b64encode(image).decode('ascii')}"


def task_answer(task: Task, image_url: str | None, ttl: int) -> dict[str, Any]:
    """Shape the answer of the task-result call. `ttl` is what is left of the image's life, in seconds.

    `extra` is always an object and `images` always a list, each image has its URL, its TTL as text and its
    type: independent clients break otherwise. `extra.seed` (text, observed) tells a random seed, and what
    the engine noted stands beside it; `debug_info` is left out.
    """
    output_format = task.order.request.output_format
    images = []
    if image_url is not None:
        images.append(
            {
                "image_url": image_url,
                "image_url_ttl": str(ttl),
                "image_type": output_format,
                "nsfw_detection_result": None,
            }
        )
    return {
        "task": {
            "task_id": task.task_id,
            "status": task.status.value,
            "reason": task.reason,
            "task_type": task.order.model.upper().replace("-", "_"),
            "eta": 0,
            "progress_percent": 100 if task.status is TaskStatus.SUCCEED else min(99, task.watch.percent),
        },
        "extra": {
            **task.watch.notes,
            "seed": str(task.order.request.seed),
            "has_nsfw_contents": [],
            "enable_nsfw_detection": False,
        },
        "images": images,
        "videos": [],
        "audios": [],
    }
