"""httpx's API over aiohttp's connections, and the one place that knows what was certainly never sent.

httpx's own pool collapses with hundreds of requests in flight, aiohttp's does not. What comes out is httpx's:

ConnectError, ConnectTimeout     no byte of the request left this machine: a submit may be repeated
UnsupportedProtocol              the URL or the proxy cannot be used at all; nothing was sent either
everything else                  it may have been sent, all of it: a submit must not be repeated
├── ReadError                    the connection broke
├── ReadTimeout, WriteTimeout    nothing came, or nothing was taken, in time; or the total time was up
└── RemoteProtocolError          what came is not HTTP, or it ended early

"Never sent" needs two witnesses: aiohttp says that no connection was made, and our own hook says that no
request was ever handed to one. If either is missing, the outcome counts as unknown.

Nothing raw comes out, also while a body is read, and no message holds a URL, a header or a body. aiohttp's
own exceptions name the URL, so they are not kept as causes (a traceback would print a signed URL).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import ssl
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import aiohttp
import httpx
import yarl

from zbatch.api.answers import Answer, Call, answer_of, unpacked
from zbatch.api.proxies import EnvironmentProxies
from zbatch.api.sending import HungUpError, Request, Sending, sending_now
from zbatch.api.timeouts import Timeouts
from zbatch.clock import suspended

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

MAX_CONNECTIONS: Final = 512
"""Open connections at a time, to all hosts together; further requests wait (time-out `pool`)."""

KEEPALIVE: Final = 4.0
"""Seconds an idle connection is kept. Servers commonly close theirs after 5 (uvicorn, Node), and a submit
that crosses such a close on the wire has an unknown outcome: better to hang up first."""

PIECE: Final = 64 * 1024
"""Bytes of a request body written at once: what asyncio buffers without waiting for the network."""

_SMALL: Final = 64 * 1024
_FRESH_TRIES: Final = 8
_NAP: Final = 1.0
_OWN_HEADERS: Final = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")


class _AnswerStream(httpx.AsyncByteStream):
    """The body of an answer as it comes. Closing it before its end closes the connection."""

    def __init__(self, answer: aiohttp.ClientResponse, sending: Sending) -> None:
        self._answer = answer
        self._sending = sending

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for piece in self._answer.content.iter_any():
                yield piece
        except Exception as error:  # noqa: BLE001 nothing raw may come out
            await self.aclose()
            raise _translated(error, sent=True) from None

    async def aclose(self) -> None:
        """Close the connection, unless the whole body has come."""
        if not self._answer.closed:  # at its end it has given the connection back by itself
            self._answer.close()
            self._sending.abort()


class AiohttpTransport(httpx.AsyncBaseTransport):
    """An httpx transport over one aiohttp session of its own.

    No cookies, no redirects, no decompression (ask for `Accept-Encoding: identity`), no `.netrc`, no retry of
    anything that is not a GET; the URL is sent as it is given. Proxies of the environment (`HTTPS_PROXY`,
    `HTTP_PROXY`, `ALL_PROXY`, `NO_PROXY`; only http:// ones) are read once, here, never used for loopback.

    Args:
        timeouts: used where a request has no `extensions["timeout"]`, which may also hold `total`.
        max_connections: open connections at a time.
        keepalive: seconds an idle connection is kept for the next request.
        suspended: gives the seconds that the machine has slept; after a sleep no connection of before is
            used: who was at its other end is gone, and a submit down a dead connection has no known outcome.
    """

    def __init__(
        self,
        *,
        timeouts: Timeouts | None = None,
        max_connections: int = MAX_CONNECTIONS,
        keepalive: float = KEEPALIVE,
        suspended: Callable[[], float] = suspended,
    ) -> None:
        self._default_limits = (timeouts or Timeouts()).extension()
        self._max_connections = max_connections
        self._keepalive = keepalive
        self._proxies = EnvironmentProxies()
        self._context: ssl.SSLContext | None = None
        self._session: aiohttp.ClientSession | None = None
        self._before_sleep: list[aiohttp.ClientSession] = []
        self._suspended = suspended
        self._slept = suspended()
        self._closed = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request; the answer's body is still to be read, and to be closed.

        Raises:
            httpx.TransportError: as the table at the top of this module says.
        """
        content = await request.aread()
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers.raw]
        answer, sending = await self._answered(
            request.method, str(request.url), headers, content, self._limits(request)
        )
        return httpx.Response(
            answer.status,
            headers=list(answer.raw_headers),
            stream=_AnswerStream(answer, sending),
            extensions={"reason_phrase": (answer.reason or "").encode("ascii", "replace")},
        )

    async def exchange(self, call: Call) -> Answer:
        """Make one call and read its answer whole, without httpx's objects, which cost more than the rest.

        Raises:
            httpx.TransportError: as the table at the top of this module says.
            TooLargeError: the answer is good and larger than the call's limit.
        """
        headers, content = call.headers, call.content
        if len(content) > PIECE:
            headers = {**headers, "Content-Length": str(len(content))}
        answer, sending = await self._answered(call.method, call.url, headers, content, call.timeouts)
        stream = _AnswerStream(answer, sending)
        try:
            size = answer.content_length
            if answer.status != 200 or size is None or size > min(call.limit, _SMALL):
                return await answer_of(answer.status, answer.headers, stream, call.limit)
            try:
                body = await answer.read()
            except Exception as error:  # noqa: BLE001 nothing raw may come out
                raise _translated(error, sent=True) from None
            return unpacked(Answer(answer.status, answer.headers, body), call.limit)
        finally:
            await stream.aclose()

    async def _answered(
        self, method: str, url: str, headers: Any, content: bytes, limits: Mapping[str, float | None]
    ) -> tuple[aiohttp.ClientResponse, Sending]:
        """Send a request until one connection takes it; give the answer as far as its head."""
        if self._closed:
            raise httpx.ConnectError("the transport is closed")
        for _ in range(_FRESH_TRIES):
            sending = Sending()
            token = sending_now.set(sending)
            try:
                return await self._send(method, url, headers, content, limits), sending
            except HungUpError:
                continue  # nothing was sent, and that connection is gone: the next one may be alive
            except BaseException as error:
                sending.abort()
                if isinstance(error, httpx.TransportError) or not isinstance(error, Exception):
                    raise
                raise _translated(error, sent=sending.started) from None
            finally:
                sending_now.reset(token)
        raise httpx.ConnectError("every idle connection had been closed by the server")

    async def aclose(self) -> None:
        """Close every connection; what is under way breaks off."""
        self._closed = True
        for session in (*self._before_sleep, self._session):
            if session is not None:
                await session.close()
        if self._session is not None:
            await asyncio.sleep(0)  # closed sockets are let go of in the loop's next round

    async def _send(
        self, method: str, url: str, headers: Any, content: bytes, limits: Mapping[str, float | None]
    ) -> aiohttp.ClientResponse:
        common: dict[str, Any] = {
            "headers": headers,
            "timeout": _client_timeout(**limits),
            "allow_redirects": False,
            "proxy": self._proxy(url),
            "ssl": self._tls() if url.startswith("https:") else True,
        }
        session = self._open_session()
        target = yarl.URL(url, encoded=True)
        if len(content) <= PIECE:
            return await session.request(method, target, data=content or None, **common)
        scope = asyncio.timeout(None)
        try:
            async with scope:
                body = _in_pieces(content, scope, limits["write"])
                return await session.request(method, target, data=body, **common)
        except TimeoutError:
            if scope.expired():
                raise httpx.WriteTimeout("the request was not taken in time") from None
            raise

    def _tls(self) -> ssl.SSLContext:
        """Trust what httpx trusts (`SSL_CERT_FILE`, `SSL_CERT_DIR`, certifi) and what the system trusts."""
        if self._context is None:
            self._context = httpx.create_ssl_context()
            self._context.load_default_certs()
        return self._context

    def _limits(self, request: httpx.Request) -> Mapping[str, float | None]:
        default = self._default_limits
        given = request.extensions.get("timeout")
        if given is None:
            return default
        limits = {name: given.get(name) for name in default}
        limits["total"] = limits["total"] or default["total"]
        return limits

    def _proxy(self, url: str) -> str | None:
        try:
            return self._proxies.proxy_for(url)
        except ValueError as error:
            raise httpx.UnsupportedProtocol(str(error)) from None

    def _open_session(self) -> aiohttp.ClientSession:
        slept = self._suspended()
        if slept - self._slept > _NAP and self._session is not None:
            # What is under way on it ends by its time-outs.
            self._before_sleep.append(self._session)
            self._session = None
        self._slept = slept
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=self._max_connections, keepalive_timeout=self._keepalive, ttl_dns_cache=60
                ),
                request_class=Request,
                cookie_jar=aiohttp.DummyCookieJar(),
                skip_auto_headers=_OWN_HEADERS,
                auto_decompress=False,
                trust_env=False,
            )
        return self._session


@lru_cache(maxsize=64)
def _client_timeout(
    *, connect: float | None, read: float | None, write: float | None, pool: float | None, total: float | None
) -> aiohttp.ClientTimeout:
    """Say it in aiohttp's words, where `connect` includes the wait for a free connection."""
    del write  # aiohttp has none: `_in_pieces` watches it
    waiting = None if connect is None or pool is None else connect + pool
    return aiohttp.ClientTimeout(total=total, connect=waiting, sock_connect=connect, sock_read=read)


async def _in_pieces(content: bytes, scope: asyncio.Timeout, seconds: float | None) -> AsyncIterator[bytes]:
    """Hand out a large body piece by piece, each with its own time-out."""
    loop = asyncio.get_running_loop()
    with contextlib.suppress(RuntimeError):  # the answer came before the whole body was taken
        for start in range(0, len(content), PIECE):
            scope.reschedule(None if seconds is None else loop.time() + seconds)
            yield content[start : start + PIECE]
        scope.reschedule(None)


def _translated(error: Exception, *, sent: bool) -> httpx.TransportError:
    """Give the httpx exception for whatever aiohttp, asyncio, ssl or the system raised."""
    if not sent:
        never_sent = _never_sent(error)
        if never_sent is not None:
            return never_sent
    if isinstance(error, TimeoutError):
        return httpx.ReadTimeout("no answer in time")
    if isinstance(error, aiohttp.ClientPayloadError):
        return httpx.RemoteProtocolError("the answer ended before it was whole")
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return httpx.ReadError("the server closed the connection without an answer")
    if isinstance(error, (aiohttp.ClientConnectionError, OSError)):
        return httpx.ReadError(f"the connection broke ({_words(error)})")
    return httpx.RemoteProtocolError(f"the answer is not HTTP ({type(error).__name__})")


def _never_sent(error: Exception) -> httpx.TransportError | None:
    """Give the exception for a request of which aiohttp, too, says that it never left; else `None`."""
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return httpx.ConnectTimeout("no connection in time")
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return httpx.ConnectError(f"the proxy refused with status {error.status}")
    if isinstance(error, aiohttp.ClientConnectorError):
        return httpx.ConnectError(f"cannot connect to {error.host}:{error.port}: {_words(error)}")
    if isinstance(error, (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError)):
        return httpx.UnsupportedProtocol("not a URL that can be asked for")
    return None


def _words(error: Exception) -> str:
    """Say what the system said, in its own words, without what aiohttp adds (the URL)."""
    connecting = isinstance(error, aiohttp.ClientConnectorError)
    cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    said = str(cause) if connecting else ""
    if isinstance(cause, OSError) and cause.errno and (not said or "Connect call failed" in said):
        return os.strerror(cause.errno)
    return said or type(cause).__name__
