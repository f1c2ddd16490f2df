"""httpx's API over aiohttp's connections, and the one place that knows what was certainly never sent.

httpx's own pool collapses with hundreds of requests in flight, aiohttp's does not. What comes out is httpx's
(`zbatch.api.failures`), also while a body is read; nothing raw does.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING, Final

import httpx

from zbatch.api.answers import Answer, Call, answer_of, unpacked
from zbatch.api.proxies import EnvironmentProxies
from zbatch.api.timeouts import Timeouts
from zbatch.api.wire import Reply, Wire
from zbatch.clock import suspended

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

MAX_CONNECTIONS: Final = 512
"""Open connections at a time, to all hosts together; further requests wait (time-out `pool`)."""

KEEPALIVE: Final = 4.0
"""Seconds an idle connection is kept. Servers commonly close theirs after 5 (uvicorn, Node), and a submit
that crosses such a close on the wire has an unknown outcome: better to hang up first."""

_NAP: Final = 1.0


class _AnswerStream(httpx.AsyncByteStream):
    """The body of an answer as it comes. Closing it before its end closes the connection."""

    def __init__(self, reply: Reply) -> None:
        self._reply = reply

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in self._reply.pieces():
            yield piece

    async def aclose(self) -> None:
        """Close the connection, unless the whole body has come."""
        self._reply.close()


class AiohttpTransport(httpx.AsyncBaseTransport):
    """An httpx transport over one pool of aiohttp's connections.

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
        self._wire: Wire | None = None
        self._before_sleep: list[Wire] = []
        self._suspended = suspended
        self._slept = suspended()
        self._closed = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request; the answer's body is still to be read, and to be closed.

        Raises:
            httpx.TransportError: as `zbatch.api.failures` says.
        """
        content = await request.aread()
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers.raw]
        wire = self._open_wire()
        reply = await wire.send(request.method, str(request.url), headers, content, self._limits(request))
        return httpx.Response(
            reply.status,
            headers=list(reply.raw_headers),
            stream=_AnswerStream(reply),
            extensions={"reason_phrase": reply.reason.encode("ascii", "replace")},
        )

    async def exchange(self, call: Call) -> Answer:
        """Make one call and read its answer whole, without httpx's objects, which cost more than the rest.

        Raises:
            httpx.TransportError: as `zbatch.api.failures` says.
            TooLargeError: the answer is good and larger than the call's limit.
        """
        reply = await self._open_wire().send(
            call.method, call.url, call.headers.items(), call.content, call.timeouts
        )
        try:
            body = reply.whole() if reply.status == 200 else None
            if body is None or len(body) > call.limit:
                return await answer_of(reply.status, reply.headers, _pieces(body, reply), call.limit)
            return unpacked(Answer(reply.status, reply.headers, body), call.limit)
        finally:
            reply.close()

    async def aclose(self) -> None:
        """Close every connection; what is under way breaks off."""
        self._closed = True
        for wire in (*self._before_sleep, self._wire):
            if wire is not None:
                await wire.close()
        if self._wire is not None:
            await asyncio.sleep(0)  # closed sockets are let go of in the loop's next round

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

    def _open_wire(self) -> Wire:
        if self._closed:
            raise httpx.ConnectError("the transport is closed")
        slept = self._suspended()
        if slept - self._slept > _NAP and self._wire is not None:
            # What is under way on it ends by its time-outs.
            self._before_sleep.append(self._wire)
            self._wire = None
        self._slept = slept
        if self._wire is None:
            self._wire = Wire(
                max_connections=self._max_connections,
                keepalive=self._keepalive,
                proxy_for=self._proxies.proxy_for,
                tls=self._tls,
            )
        return self._wire


async def _pieces(first: bytes | None, reply: Reply) -> AsyncIterator[bytes]:
    if first is not None:
        yield first
    async for piece in reply.pieces():
        yield piece
