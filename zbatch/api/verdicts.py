"""What an answer of the API comes to: its table of errors, for a submit, for a result and for a download.

Source: the table of errors in the vendor's documentation. The reason counts before the status; the status
counts where the reason is missing or unknown.
"""

from __future__ import annotations

from typing import Final

from zbatch.api.answers import Answer, Words, retry_after, words_of
from zbatch.api.errors import (
    AccountRefusedError,
    ApiError,
    BadAnswerError,
    GoneError,
    NotAcceptedError,
    OutcomeUnknownError,
    RejectedError,
    TaskLostError,
    ThrottledError,
    WrongAddressError,
)

_REJECTED: Final = (
    "INVALID_REQUEST_BODY",
    "ILLEGAL_PROMPT",
    "ILLEGAL_IMAGE_CONTENT",
    "INVALID_IMAGE_SIZE",
    "INVALID_IMAGE_FORMAT",
    "MODEL_NOT_FOUND",
)
_ACCOUNT: Final = (
    "FAILED_TO_AUTH",
    "INVALID_API_KEY",
    "ACCESS_DENY",
    "NOT_ENOUGH_BALANCE",
    "BILLING_BALANCE_NOT_ENOUGH",
)
REASONS: Final[dict[str, type[ApiError]]] = {
    **dict.fromkeys(_REJECTED, RejectedError),
    **dict.fromkeys(_ACCOUNT, AccountRefusedError),
    "RATE_LIMIT_EXCEEDED": ThrottledError,
    "TOKEN_LIMIT_EXCEEDED": ThrottledError,
    "SERVICE_NOT_AVAILABLE": NotAcceptedError,
    "TASK_NOT_FOUND": TaskLostError,
}
"""Reasons that decide by themselves. `CREATE_TASK_FAILED`, `GET_RESULT_FAILED` and `BILLING_FAILED` do not:
they say that something broke on the way, as their status does."""

_STATUSES: Final[dict[int, type[ApiError]]] = {
    401: AccountRefusedError,
    402: AccountRefusedError,
    403: AccountRefusedError,
    429: ThrottledError,
    503: NotAcceptedError,
}
_WRONG_REQUEST: Final = frozenset({400, 411, 413, 414, 415, 422, 431})
_NOT_HERE: Final = frozenset({404, 405, 406, 409, 410})


def submit_error(answer: Answer, key: str | None) -> ApiError:
    """Judge the answer of a submit that gave no task id: only a clear word is taken as "not accepted"."""
    words = words_of(answer, key)
    kind = REASONS.get(words.reason.upper()) or _STATUSES.get(answer.status)
    if kind is TaskLostError:
        kind = None
    if kind is None and _is_rejected(answer):
        kind = RejectedError
    if kind is None and (300 <= answer.status < 400 or answer.status in (404, 405)):
        kind = WrongAddressError
    return _error(kind or OutcomeUnknownError, answer, words)


def _is_rejected(answer: Answer) -> bool:
    """Tell whether the status alone says that the request is wrong.

    404 and its kin count only in the API's own form: as a page they say nothing about the job, only that
    nothing here took it (`WrongAddressError`).
    """
    if answer.status in _WRONG_REQUEST:
        return True
    return answer.status in _NOT_HERE and answer.error_body() is not None


def result_error(answer: Answer, key: str | None) -> ApiError:
    """Judge the answer of a task-result call that gave no task. A task is lost only on the API's own word."""
    words = words_of(answer, key)
    kind = REASONS.get(words.reason.upper()) or _STATUSES.get(answer.status)
    if kind is RejectedError:
        kind = BadAnswerError  # the job itself was taken long ago
    if kind is None and _says_not_found(answer, words):
        kind = TaskLostError
    if kind is None:
        kind = NotAcceptedError if answer.status == 408 or answer.status >= 500 else BadAnswerError
    return _error(kind, answer, words)


def _says_not_found(answer: Answer, words: Words) -> bool:
    said = f"{words.reason} {words.message}".lower().replace("_", " ")
    about_task = "task" in said and any(
        phrase in said for phrase in ("not found", "not exist", "no such task", "unknown task")
    )
    return answer.status == 404 and answer.error_body() is not None and about_task


def download_error(answer: Answer, key: str | None) -> ApiError:
    """Judge an answer of the host that keeps the images, which knows neither our account nor the API."""
    words = words_of(answer, key)
    if answer.status in (403, 404, 410):
        return _error(GoneError, answer, words)
    if answer.status == 429:
        return _error(ThrottledError, answer, words)
    if answer.status == 408 or answer.status >= 500:
        return _error(NotAcceptedError, answer, words)
    return _error(BadAnswerError, answer, words)


def _error(kind: type[ApiError], answer: Answer, words: Words) -> ApiError:
    said = " ".join(filter(None, (words.reason, words.message)))
    if not said:
        said = "no task in the answer" if 200 <= answer.status < 300 else "no reason given"
    return kind(
        f"HTTP {answer.status}: {said}",
        reason=words.reason or f"HTTP_{answer.status}",
        status=answer.status,
        retry_after=retry_after(answer.headers),
    )
