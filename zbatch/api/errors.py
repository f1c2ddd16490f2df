"""What one call to the API can come to, split by what the caller may do next.

ApiError
├── RejectedError         the request is wrong: the job fails for good, with the server's words
├── AccountRefusedError   key, permission or balance: the run stops submitting
├── ThrottledError        429: cannot have been accepted; wait, everybody (`retry_after` seconds, if said)
├── NotAcceptedError      cannot have been accepted (never sent, 503): a submit may be repeated
├── WrongAddressError     not this API at all (a redirect, a page that says 404): the base URL is wrong
├── OutcomeUnknownError   it may have been accepted: a submit must not be repeated, a GET may
├── TaskLostError         404 TASK_NOT_FOUND: the server does not know the task (any more)
├── GoneError             the image URL answers 403, 404 or 410: ask the task for a fresh one
└── BadAnswerError        not what the API promises (HTML, half a body, a wrong shape, too large)

Source of the classes: the table of errors in the vendor's documentation; match on `reason` before status.
The transport maps aiohttp's exceptions to httpx's, and `client` maps those and the answers to these, once.
"""

from __future__ import annotations

from typing import Final

NO_CONNECTION: Final = "NO_CONNECTION"
"""Reason of ours: nobody was reached, and nothing was sent."""
TOO_LARGE: Final = "TOO_LARGE"
"""Reason of ours: the answer, or the picture, is larger than it may be."""


class ApiError(Exception):
    """A call that did not give what was asked. `reason` is the API's own word, or a short one of ours."""

    def __init__(
        self, message: str, *, reason: str, status: int | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason
        self.status = status
        self.retry_after = retry_after


class RejectedError(ApiError):
    """The request is wrong and stays wrong."""


class AccountRefusedError(ApiError):
    """The account may not: key, permission or balance."""


class ThrottledError(ApiError):
    """Too many requests. `retry_after` in seconds where the server said so."""


class NotAcceptedError(ApiError):
    """The request cannot have been accepted."""


class WrongAddressError(ApiError):
    """Nothing at this address speaks the API, so nothing was accepted."""


class OutcomeUnknownError(ApiError):
    """The request may have been accepted; nobody can tell."""


class TaskLostError(ApiError):
    """The server does not know the task."""


class GoneError(ApiError):
    """The image is not, or no longer, at this URL."""


class BadAnswerError(ApiError):
    """The answer came but is not what the API promises."""
