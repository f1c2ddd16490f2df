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

Requests go to the transport directly: `httpx.AsyncClient` costs more CPU than all the rest of a call, and so
do httpx's requests and answers, which `AiohttpTransport.exchange` does without.
"""

from __future__ import annotations

import asyncio
import dataclasses
import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote, urlsplit

import httpx
import orjson

from zbatch.api.answers import MAX_JSON, MAX_REASON, Answer, Call, TooLargeError, read_answer, shown
from zbatch.api.contract import RESULT_PATH, is_loopback, submit_path
from zbatch.api.errors import (
    NO_CONNECTION,
    TOO_LARGE,
    BadAnswerError,
    NotAcceptedError,
    OutcomeUnknownError,
    RejectedError,
)
from zbatch.api.failures import NEVER_SENT
from zbatch.api.pictures import MAX_IMAGE, inline_picture, next_hop, picture_of
from zbatch.api.results import TaskResult, parse_task_id, parse_task_result
from zbatch.api.timeouts import Timeouts
from zbatch.api.transport import AiohttpTransport
from zbatch.api.verdicts import download_error, result_error, submit_error
from zbatch.errors import EndpointError

MAX_REDIRECTS: Final = 5
_GRACE: Final = 5.0
_PLAIN_URL: Final = re.compile(
    r"https?://[a-z0-9.-]+(:[1-9][0-9]{3,4})?/[A-Za-z0-9/._~-]*(\?[A-Za-z0-9._~=&-]*)?"
)


class ApiClient:
    """One endpoint, one model, one key, over any httpx transport (our own, or an ASGI app in process).

    Args:
        transport: carries the requests; closed by `aclose`.
        base_url: scheme, host and perhaps a path; `/v3/async/…` is appended.
        model: the last segment of the submit path.
        key: sent as `Authorization: Bearer`, to `base_url` alone. Whether an endpoint may have it is the
            caller's decision; over plain http to another machine it is refused here.
        timeouts: of each call; a download's redirects are calls of their own.

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
    ) -> None:
        self._transport = transport
        self._timeouts = timeouts or Timeouts()
        self._exchange = (
            transport.exchange if isinstance(transport, AiohttpTransport) else self._exchange_httpx
        )
        self._key = key
        base = _checked_base(base_url, key)
        self._submit_url = str(httpx.URL(base + submit_path(quote(model, safe=""))))
        self._result_url = f"{httpx.URL(base + RESULT_PATH)}?task_id="
        plain = {"Accept-Encoding": "identity", "User-Agent": "zbatch"}
        self._image_headers = {**plain, "Accept": "image/*,*/*;q=0.5"}
        self._get_headers = {**plain, "Accept": "application/json"}
        if key is not None:
            self._get_headers["Authorization"] = f"Bearer {key}"
        self._post_headers = {**self._get_headers, "Content-Type": "application/json"}
        self._limits = self._timeouts.extension()

    async def submit(self, body: dict[str, Any]) -> str:
        """Submit a request body and give the server's task id. It may be billed from here on.

        Raises:
            ApiError: as the top of this module says.
        """
        try:
            content = orjson.dumps(body)
        except TypeError as error:
            raise RejectedError(f"cannot be written as JSON: {error}", reason="NOT_JSON") from error
        try:
            answer = await self._exchange(
                Call("POST", self._submit_url, self._post_headers, content, MAX_JSON, self._limits)
            )
        except NEVER_SENT as error:
            raise NotAcceptedError(self._shown(error), reason=NO_CONNECTION) from None
        except TooLargeError:
            raise OutcomeUnknownError("the answer is too large to be one", reason=TOO_LARGE) from None
        except Exception as error:  # noqa: BLE001 an app in process may raise anything; it may have taken the job
            raise OutcomeUnknownError(self._shown(error), reason=_reason(error)) from None
        try:
            if 200 <= answer.status < 300:
                return parse_task_id(answer.json())
        except ValueError:
            pass
        raise submit_error(answer, self._key)

    async def result(self, task_id: str, *, within: float | None = None) -> TaskResult:
        """Ask how a task is, for `within` seconds at most. May be repeated freely.

        Raises:
            ApiError: as the top of this module says.
        """
        url = self._result_url + quote(task_id, safe="")
        answer = await self._ask(url, self._get_headers, MAX_JSON, within)
        try:
            if 200 <= answer.status < 300:
                result = parse_task_result(answer.json())
                if not result.reason:
                    return result
                return dataclasses.replace(result, reason=shown(result.reason, self._key, MAX_REASON))
        except ValueError:
            pass
        raise result_error(answer, self._key)

    async def download(
        self, image_url: str, *, max_bytes: int = MAX_IMAGE, within: float | None = None
    ) -> bytes:
        """Fetch a picture: an http(s) URL, a `data:` URI or naked base64. May be repeated freely.

        The key goes nowhere here. At most `MAX_REDIRECTS` redirects are followed, none from https to http,
        each for `within` seconds at most. A picture larger than `max_bytes` is a `BadAnswerError` with
        reason `TOO_LARGE`.

        Raises:
            ApiError: as the top of this module says.
        """
        if not image_url.lower().startswith(("http://", "https://")):
            return inline_picture(image_url, max_bytes)
        url = _image_url(image_url)
        for _ in range(MAX_REDIRECTS + 1):
            answer = await self._ask(url, self._image_headers, max_bytes, within)
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

    async def _exchange_httpx(self, call: Call) -> Answer:
        """Make a call over any transport, with an end to it even where that knows no time-outs."""
        request = httpx.Request(
            call.method,
            call.url,
            headers=dict(call.headers),
            content=call.content or None,
            extensions={"timeout": dict(call.timeouts)},
        )
        async with asyncio.timeout(self._timeouts.total + _GRACE):
            response = await self._transport.handle_async_request(request)
            return await read_answer(response, call.limit)

    async def _ask(self, url: str, headers: Mapping[str, str], limit: int, within: float | None) -> Answer:
        """Call for something that may be asked again; what breaks on the way may pass."""
        limits = self._limits
        if within is not None and within < limits["total"]:
            limits = {**limits, "total": within}
        try:
            return await self._exchange(Call("GET", url, headers, b"", limit, limits))
        except TooLargeError:
            raise BadAnswerError(f"larger than {limit} bytes", reason=TOO_LARGE) from None
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
        return NO_CONNECTION
    if isinstance(error, (httpx.TimeoutException, TimeoutError)):
        return "TIMEOUT"
    if isinstance(error, httpx.RemoteProtocolError):
        return "NOT_HTTP"
    if isinstance(error, httpx.TransportError):
        return "CONNECTION_LOST"
    return "ENDPOINT_FAILED"


def _image_url(text: str) -> str:
    if _PLAIN_URL.fullmatch(text) and "/." not in text:
        return text  # httpx would give the same, and takes longer to say so than to send to it
    try:
        return str(httpx.URL(text))
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
