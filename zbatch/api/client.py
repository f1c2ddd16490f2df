"""The client's side of the API: three calls, and every way they fail, split by what the caller may do next.

**submit** may cost money, so it is never repeated in doubt:

- `ThrottledError` (429) and `NotAcceptedError` (503; or the transport is certain that nothing was sent): it
  cannot have been accepted and may be repeated;
- `RejectedError` and `AccountRefusedError`: the API said no;
- `WrongAddressError`: a redirect, or a page that says 404 or 405: no API here, so nothing was accepted;
- `OutcomeUnknownError`: everything else, an answer without a task id included.

**result** and **download** only ask, and may be repeated freely after each of these:

- `ThrottledError` (429), and `NotAcceptedError`: no connection, time-out, a broken connection, 408, 5xx;
- `BadAnswerError`: an answer that is not what the API promises. It may pass (a proxy's page), or stay.

They also raise `AccountRefusedError`; `result` `TaskLostError`, only on the API's own word; `download`
`GoneError`: ask the task for a fresh URL. Neither raises `RejectedError` or `OutcomeUnknownError`.

Requests go to the transport directly: `httpx.AsyncClient` costs more CPU than all the rest of a call.
"""

from __future__ import annotations

import asyncio
import dataclasses
from functools import lru_cache
from typing import Any, Final
from urllib.parse import quote, urlsplit

import httpx
import orjson

from zbatch.api.answers import MAX_JSON, Answer, TooLargeError, read_answer, shown
from zbatch.api.contract import (
    RESULT_PATH,
    TaskResult,
    is_loopback,
    parse_task_id,
    parse_task_result,
    submit_path,
)
from zbatch.api.errors import (
    BadAnswerError,
    NotAcceptedError,
    OutcomeUnknownError,
    RejectedError,
)
from zbatch.api.pictures import MAX_IMAGE, inline_picture, next_hop, picture_of
from zbatch.api.timeouts import Timeouts
from zbatch.api.verdicts import download_error, result_error, submit_error
from zbatch.errors import EndpointError

NEVER_SENT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.UnsupportedProtocol)
"""What `AiohttpTransport` raises only when no byte of the request has left."""

MAX_REDIRECTS: Final = 5
_GRACE: Final = 5.0


class ApiClient:
    """One endpoint, one model, one key, over any httpx transport (our own, or an ASGI app in process).

    Args:
        transport: carries the requests; closed by `aclose`.
        base_url: scheme, host and perhaps a path; `/v3/async/…` is appended.
        model: the last segment of the submit path.
        key: sent as `Authorization: Bearer`, to `base_url` alone. Whether an endpoint may have it is the
            caller's decision; over plain http to another machine it is refused here.
        timeouts: of each call; a download's redirects are calls of their own.
        max_image_bytes: larger pictures are a `BadAnswerError`.

    Raises:
        EndpointError: a base URL that cannot be used, or that the key must not go to.
    """

    def __init__(
        self,
        *,
        transport: httpx.AsyncBaseTransport,
        base_url: str,
        model: str,
        key: str | None = None,
        timeouts: Timeouts | None = None,
        max_image_bytes: int = MAX_IMAGE,
    ) -> None:
        self._transport = transport
        self._timeouts = timeouts or Timeouts()
        self._key = key
        self._max_image_bytes = max_image_bytes
        base = _checked_base(base_url, key)
        self._submit_url = httpx.URL(base + submit_path(quote(model, safe="")))
        result_url = f"{base}{RESULT_PATH}?task_id="
        # A task is asked about several times, and httpx takes longer to parse a URL than to send to it.
        self._result_url = lru_cache(maxsize=8192)(lambda task: httpx.URL(result_url + quote(task, safe="")))
        plain = {"Accept-Encoding": "identity", "User-Agent": "zbatch"}
        self._image_headers = httpx.Headers({**plain, "Accept": "image/*,*/*;q=0.5"})
        self._get_headers = httpx.Headers({**plain, "Accept": "application/json"})
        if key is not None:
            self._get_headers["Authorization"] = f"Bearer {key}"
        self._post_headers = self._get_headers.copy()
        self._post_headers["Content-Type"] = "application/json"
        self._extensions = {"timeout": self._timeouts.extension()}

    async def submit(self, body: dict[str, Any]) -> str:
        """Submit a request body and give the server's task id. It may be billed from here on.

        Raises:
            ApiError: as the top of this module says.
        """
        try:
            content = orjson.dumps(body)
        except TypeError as error:
            raise RejectedError(f"cannot be written as JSON: {error}", reason="NOT_JSON") from error
        request = self._request("POST", self._submit_url, self._post_headers, content)
        try:
            answer = await self._call(request, MAX_JSON)
        except NEVER_SENT as error:
            raise NotAcceptedError(self._shown(error), reason="NO_CONNECTION") from None
        except TooLargeError:
            raise OutcomeUnknownError("the answer is too large to be one", reason="TOO_LARGE") from None
        except Exception as error:  # noqa: BLE001 an app in process may raise anything; it may have taken the job
            raise OutcomeUnknownError(self._shown(error), reason=_reason(error)) from None
        try:
            if 200 <= answer.status < 300:
                return parse_task_id(answer.json())
        except ValueError:
            pass
        raise submit_error(answer, self._key)

    async def result(self, task_id: str) -> TaskResult:
        """Ask how a task is. May be repeated freely.

        Raises:
            ApiError: as the top of this module says.
        """
        request = self._request("GET", self._result_url(task_id), self._get_headers)
        answer = await self._ask(request, MAX_JSON)
        try:
            if 200 <= answer.status < 300:
                result = parse_task_result(answer.json())
                return (
                    dataclasses.replace(result, reason=self._shown(result.reason))
                    if result.reason
                    else result
                )
        except ValueError:
            pass
        raise result_error(answer, self._key)

    async def download(self, image_url: str) -> bytes:
        """Fetch a picture: an http(s) URL, a `data:` URI or naked base64. May be repeated freely.

        The key goes nowhere here. At most `MAX_REDIRECTS` redirects are followed, none from https to http.

        Raises:
            ApiError: as the top of this module says.
        """
        if not image_url.lower().startswith(("http://", "https://")):
            return inline_picture(image_url, self._max_image_bytes)
        url = _image_url(image_url)
        for _ in range(MAX_REDIRECTS + 1):
            answer = await self._ask(self._request("GET", url, self._image_headers), self._max_image_bytes)
            if answer.status not in (301, 302, 303, 307, 308):
                break
            url = next_hop(url, answer.headers.get("location", ""))
        else:
            raise BadAnswerError(f"more than {MAX_REDIRECTS} redirects", reason="TOO_MANY_REDIRECTS")
        if 200 <= answer.status < 300:
            return picture_of(answer)
        raise download_error(answer, self._key)

    async def aclose(self) -> None:
        """Close the transport."""
        await self._transport.aclose()

    def _request(
        self, method: str, url: httpx.URL, headers: httpx.Headers, content: bytes | None = None
    ) -> httpx.Request:
        return httpx.Request(method, url, headers=headers, content=content, extensions=self._extensions)

    async def _call(self, request: httpx.Request, limit: int) -> Answer:
        """Hand a request to the transport, with an end to it even where the transport knows no time-outs."""
        async with asyncio.timeout(self._timeouts.total + _GRACE):
            response = await self._transport.handle_async_request(request)
            return await read_answer(response, limit)

    async def _ask(self, request: httpx.Request, limit: int) -> Answer:
        """Call for something that may be asked again; what breaks on the way may pass."""
        try:
            return await self._call(request, limit)
        except TooLargeError:
            raise BadAnswerError(f"larger than {limit} bytes", reason="TOO_LARGE") from None
        except (httpx.RemoteProtocolError, httpx.UnsupportedProtocol) as error:
            raise BadAnswerError(self._shown(error), reason=_reason(error)) from None
        except Exception as error:  # noqa: BLE001 an app in process may raise anything
            raise NotAcceptedError(self._shown(error), reason=_reason(error)) from None

    def _shown(self, words: object) -> str:
        if isinstance(words, Exception) and not isinstance(words, httpx.TransportError):
            words = (
                "no answer in time" if isinstance(words, TimeoutError) else f"{type(words).__name__}: {words}"
            )
        return shown(str(words), self._key)


def _reason(error: Exception) -> str:
    """Name a failure of the transport in the way the API names its own."""
    if isinstance(error, NEVER_SENT):
        return "NO_CONNECTION"
    if isinstance(error, (httpx.TimeoutException, TimeoutError)):
        return "TIMEOUT"
    if isinstance(error, httpx.RemoteProtocolError):
        return "NOT_HTTP"
    if isinstance(error, httpx.TransportError):
        return "CONNECTION_LOST"
    return "ENDPOINT_FAILED"


def _image_url(text: str) -> httpx.URL:
    try:
        return httpx.URL(text)
    except (httpx.InvalidURL, ValueError):
        raise BadAnswerError("the image URL is not a URL", reason="BAD_IMAGE_URL") from None


def _checked_base(base_url: str, key: str | None) -> str:
    """Give the base URL without a trailing slash, or say why it cannot be used."""
    try:
        parts = urlsplit(base_url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        httpx.URL(base_url)
    except (httpx.InvalidURL, ValueError):
        usable = False
    if not usable or any(char.isspace() or not char.isprintable() for char in base_url):
        raise EndpointError(f"not a base URL: {shown(base_url, key)}", hint="write it as https://host")
    if "@" in parts.netloc:
        raise EndpointError(
            "the endpoint's URL holds a user or a password", hint="the key comes from ZBATCH_API_KEY"
        )
    if "?" in base_url or "#" in base_url:
        raise EndpointError(f"the endpoint's URL has a query or a fragment: {shown(base_url, key)}")
    if key is not None:
        if not key.isascii() or not key.isprintable() or not key.strip():
            raise EndpointError("the API key holds characters that cannot be sent", hint="copy it again")
        if parts.scheme == "http" and not is_loopback(base_url):
            raise EndpointError(
                f"the API key is not sent over plain http to {parts.hostname}", hint="use https"
            )
    return base_url.rstrip("/")
