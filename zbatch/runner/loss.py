"""What is said of a task that its server does not know any more."""

from __future__ import annotations

from zbatch.api.errors import TaskLostError


def loss_of(error: TaskLostError, *, succeeded: bool) -> tuple[str, str]:
    """Give reason and words: the server's own, but of a task that `succeeded`, what its loss means."""
    if not succeeded:
        return error.reason, error.message
    return (
        "image_lost",
        f"the task succeeded, but its picture is gone and the task is not known any more ({error.message})",
    )
