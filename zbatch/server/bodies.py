"""Request bodies: their type, their size, and how many bytes of them are in memory at once."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from email.message import Message
from typing import Final

from starlette.requests import ClientDisconnect, Request

from zbatch.server.answers import RefusedError, invalid_body

MAX_BODY: Final = 64 * 2**20
"""Bytes of a request body: input images may come in it as `data:` URIs."""
MAX_BODIES: Final = 256 * 2**20
"""Bytes of all bodies that are being read or looked at."""


class Bodies:
    """Reads bodies, within what all of them may hold together."""

    def __init__(self, most: int = MAX_BODIES) -> None:
        self._room = most

    @contextlib.asynccontextmanager
    async def read(self, request: Request) -> AsyncIterator[bytes]:
        """Read a body; its bytes count until this is left.

        Raises:
            RefusedError: 400 where it is no JSON by its headers, 413 where it is too large, 503 where there
                is no room for it now.
        """
        _check_headers(request)
        held, body = 0, bytearray()
        try:
            async for chunk in request.stream():
                body += chunk
                if len(body) > MAX_BODY:
                    raise _too_large()
                if len(chunk) > self._room:
                    raise RefusedError(
                        503, "SERVICE_NOT_AVAILABLE", "too many large requests at once",
                        headers={"Retry-After": "1"},
                    )  # fmt: skip
                self._room -= len(chunk)
                held += len(chunk)
            yield bytes(body)
        except ClientDisconnect as error:
            # Nobody reads this; it is told to the access log.
            raise RefusedError(408, "REQUEST_TIMEOUT", "the client went away") from error
        finally:
            self._room += held


def _check_headers(request: Request) -> None:
    """Refuse a body that its own headers already refuse.

    `Content-Type: application/json` is required (seed), and more than form: what a web page may send anywhere
    without asking, it cannot send as JSON. So no page can submit tasks to a server on its reader's machine.
    """
    told = Message()
    told["Content-Type"] = request.headers.get("Content-Type", "none/none")
    if told.get_content_type() != "application/json":
        raise invalid_body("Content-Type must be application/json")
    charset = told.get_param("charset", "utf-8")
    if not isinstance(charset, str) or charset.lower() not in ("utf-8", "utf8"):
        raise invalid_body("Content-Type must be application/json in UTF-8, as JSON is")
    if request.headers.get("Content-Encoding", "identity").strip().lower() not in ("", "identity"):
        raise invalid_body("Content-Encoding is not taken: send the JSON as it is")
    length = request.headers.get("Content-Length", "0")
    if length.isascii() and length.isdigit() and len(length) < 20 and int(length) > MAX_BODY:
        raise _too_large()


def _too_large() -> RefusedError:
    return RefusedError(413, "INVALID_REQUEST_BODY", f"the body is larger than {MAX_BODY} bytes")
