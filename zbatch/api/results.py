"""What the two calls answer where all is well, read into records: the submit's id, and how a task stands.

Sources as in `zbatch.api.contract`: *observed* is what recorded answers of the platform show.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class TaskStatus(StrEnum):
    """The four statuses of a task; the last two are final (observed)."""

    QUEUED = "TASK_STATUS_QUEUED"
    PROCESSING = "TASK_STATUS_PROCESSING"
    SUCCEED = "TASK_STATUS_SUCCEED"
    FAILED = "TASK_STATUS_FAILED"


@dataclass(frozen=True, slots=True)
class ResultImage:
    """One image of a finished task: an http(s) URL, a `data:` URI or naked base64.

    `nsfw` is the server's verdict as it came (`nsfw_detection_result`), or `None`.
    """

    image_url: str
    nsfw: Any = None


@dataclass(frozen=True, slots=True)
class TaskResult:
    """What the task-result call said. `status` is text: an unknown one means "not final yet"."""

    status: str
    reason: str
    images: tuple[ResultImage, ...]
    progress_percent: float = 0


def parse_task_id(answer: Any) -> str:
    """Read the answer of a submit: `{"task_id": "<uuid>"}`.

    Raises:
        ValueError: where it is anything else.
    """
    task_id = answer.get("task_id") if isinstance(answer, Mapping) else None
    if isinstance(task_id, int) and not isinstance(task_id, bool):
        task_id = str(task_id)
    if not isinstance(task_id, str) or not task_id.strip() or "\0" in task_id:
        raise ValueError("the answer has no task_id")
    return task_id


def parse_task_result(answer: Any) -> TaskResult:
    """Read the answer of the task-result call, taking every plausible form.

    Observed: numbers as strings; `images`, `videos`, `audios` and `extra` missing, null or empty while the
    task runs; `reason` empty or missing.

    Raises:
        ValueError: where there is no task with a status in it.
    """
    task = answer.get("task") if isinstance(answer, Mapping) else None
    status = task.get("status") if isinstance(task, Mapping) else None
    if not isinstance(task, Mapping) or not isinstance(status, str) or not status:
        raise ValueError("the answer has no task.status")
    images = answer.get("images")
    reason = task.get("reason")
    try:
        progress = float(task.get("progress_percent") or 0)
    except (TypeError, ValueError):
        progress = 0.0
    return TaskResult(
        status=status,
        reason=reason if isinstance(reason, str) else "",
        images=tuple(
            ResultImage(image["image_url"], _nsfw(image, answer))
            for image in (images if isinstance(images, list) else [])
            if isinstance(image, Mapping) and isinstance(image.get("image_url"), str) and image["image_url"]
        ),
        progress_percent=progress,
    )


def _nsfw(image: Mapping[str, Any], answer: Mapping[str, Any]) -> Any:
    verdict = image.get("nsfw_detection_result")
    if verdict is None:
        extra = answer.get("extra")
        contents = extra.get("has_nsfw_contents") if isinstance(extra, Mapping) else None
        if isinstance(contents, list) and contents:
            verdict = contents[0]
    return verdict
