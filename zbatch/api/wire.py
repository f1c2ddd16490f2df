"""HTTP/1.1 over aiohttp's connections, without what aiohttp makes of every request.

aiohttp finds names, connects, agrees on TLS, goes through proxies, keeps connections and parses answers. What
its `ClientSession` does besides for each request costs more CPU than all that zbatch does for a job, and
hides what a submit stands on: whether a byte of it has left this machine. Here it is known, as it is written
here.

What is used of aiohttp is what its session uses: `BaseConnector.connect`, `ResponseHandler` and the payload
it gives. They have been the same in all of 3.x; `pyproject.toml` holds to that.
"""

from __future__ import annotations

import asyncio
import select
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import aiohttp
import httpx

from zbatch.api.deadline import Deadline
from zbatch.api.failures import after_sending, never_sent
from zbatch.api.peers import Peer, Peers

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Callable, Iterable, Mapping

    from aiohttp.client_proto import ResponseHandler
    from aiohttp.connector import Connection

PIECE: Final = 64 * 1024
"""Bytes of a request body written at once: what asyncio buffers without waiting for the network."""

_FRESH_TRIES: Final = 8
_HARMLESS: Final = ("GET", "HEAD")


class Reply:
    """The head of an answer, and its body as it comes; to be closed whatever happens."""

    def __init__(
        self, message: Any, payload: Any, connection: Connection, until: float, silence: float
    ) -> None:
        self.status: int = message.code
        self.reason: str = message.reason or ""
        self.headers: Mapping[str, str] = message.headers
        self.raw_headers: Iterable[tuple[bytes, bytes]] = message.raw_headers
        self._payload = payload
        self._connection: Connection | None = connection
        self._loop = asyncio.get_running_loop()
        self._until, self._silence = until, silence
        payload.on_eof(self.close)

    def whole(self) -> bytes | None:
        """Give the body where all of it has come already."""
        if not self._payload.is_eof() or self._payload.exception() is not None:
            return None
        body: bytes = self._payload.read_nowait(-1)
        return body

    async def pieces(self) -> AsyncIterator[bytes]:
        """Give the body piece by piece.

        Raises:
            httpx.TransportError: it broke off, or did not come in time.
        """
        try:
            while True:
                async with Deadline(min(self._until, self._loop.time() + self._silence)):
                    piece = await self._payload.readany()
                if not piece:
                    return
                yield piece
        except Exception as error:  # noqa: BLE001 nothing raw may come out
            self.close()
            raise after_sending(error) from None

    def close(self) -> None:
        """Give the connection back, or close it where the body has not come to its end.

        Once the body has come it is given back by itself, read or not.
        """
        connection, self._connection = self._connection, None
        if connection is None:
            return
        if self._payload.is_eof():
            connection.release()
        else:
            _dropped(connection)


class Wire:
    """One pool of connections. It belongs to the event loop it is made in.

    Args:
        max_connections: open at a time, to all hosts together; further requests wait.
        keepalive: seconds an idle connection is kept.
        proxy_for: gives the proxy for a URL, if any; raises ValueError where it cannot be used.
        tls: gives what to trust.
    """

    def __init__(
        self,
        *,
        max_connections: int,
        keepalive: float,
        proxy_for: Callable[[str], str | None],
        tls: Callable[[], ssl.SSLContext],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._connector = aiohttp.TCPConnector(
            limit=max_connections, keepalive_timeout=keepalive, ttl_dns_cache=60
        )
        self._peers = Peers(self._loop, proxy_for=proxy_for, tls=tls)

    async def close(self) -> None:
        """Close every connection; what is under way breaks off."""
        await self._connector.close()

    async def send(
        self,
        method: str,
        url: str,
        headers: Iterable[tuple[str, str]],
        content: bytes,
        limits: Mapping[str, float | None],
    ) -> Reply:
        """Send a request and give its answer as far as its head. What only asks is sent once more if need be.

        Raises:
            httpx.TransportError: those of `zbatch.api.failures.NEVER_SENT` only where no byte has left.
        """
        peer, target = self._peers.of(url)
        until = self._loop.time() + (limits["total"] or float("inf"))
        again = method in _HARMLESS
        while True:
            connection = None
            try:
                async with Deadline(until) as deadline:
                    connection = await self._connected(peer, method, limits)
                    head = peer.head(method, target, headers, content)
                    return await self._asked(connection, head, content, limits, (deadline, until))
            except BaseException as error:
                if connection is not None:
                    _dropped(connection)
                if not isinstance(error, Exception):
                    raise
                if connection is None:
                    raise never_sent(error) from None
                if again and isinstance(error, (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError)):
                    again = False
                    continue
                raise after_sending(error) from None

    async def _connected(self, peer: Peer, method: str, limits: Mapping[str, float | None]) -> Connection:
        """Give a connection that is alive and clean, as far as can be known."""
        waiting = _connect_timeout(limits["connect"], limits["pool"])
        for _ in range(_FRESH_TRIES):
            connection = await self._connector.connect(peer.request, [], waiting)
            protocol = connection.protocol
            dead = connection.transport is None or protocol is None or protocol.should_close
            if not dead and (method in _HARMLESS or not _hung_up(connection)):
                return connection
            connection.close()
        raise httpx.ConnectError("every idle connection had been closed by the server")

    async def _asked(
        self,
        connection: Connection,
        head: bytes,
        content: bytes,
        limits: Mapping[str, float | None],
        ending: tuple[Deadline, float],
    ) -> Reply:
        deadline, until = ending
        silence = limits["read"] or float("inf")
        protocol, transport = connection.protocol, connection.transport
        if protocol is None or transport is None:
            raise aiohttp.ServerDisconnectedError

        def sent() -> None:
            deadline.move(min(until, self._loop.time() + silence))

        protocol.set_response_params(
            skip_payload=head.startswith(b"HEAD "), read_until_eof=True, auto_decompress=False
        )
        writing = None
        if len(content) <= PIECE:
            transport.write(head + content)
            sent()
        else:
            # An answer may come before the whole body is taken: a refusal.
            patience = limits["write"] or float("inf")
            writing = self._loop.create_task(_write(protocol, transport, head, content, patience, sent))
        try:
            message, payload = await protocol.read()
            while 100 <= message.code <= 199 and message.code != 101:
                message, payload = await protocol.read()
        finally:
            if writing is not None:
                writing.cancel()
        return Reply(message, payload, connection, until, silence)


async def _write(
    protocol: ResponseHandler,
    transport: asyncio.Transport,
    head: bytes,
    content: bytes,
    seconds: float,
    sent: Callable[[], None],
) -> None:
    """Write a large body piece by piece, each with its own time-out, which whoever reads learns of."""
    loop = asyncio.get_running_loop()
    writer = aiohttp.http.StreamWriter(protocol, loop)
    try:
        transport.write(head)
        for start in range(0, len(content), PIECE):
            async with Deadline(loop.time() + seconds):
                await writer.write(content[start : start + PIECE], LIMIT=0)
        sent()
    except TimeoutError:
        protocol.set_exception(httpx.WriteTimeout("the request was not taken in time"))
    except (OSError, aiohttp.ClientError):
        return  # the connection is lost, as the protocol knows


@lru_cache(maxsize=64)
def _connect_timeout(connect: float | None, pool: float | None) -> aiohttp.ClientTimeout:
    """Say it in aiohttp's words, where `connect` includes the wait for a free connection."""
    waiting = None if connect is None or pool is None else connect + pool
    return aiohttp.ClientTimeout(total=None, connect=waiting, sock_connect=connect)


def _dropped(connection: Connection) -> None:
    """Drop a connection now. An ordinary close first waits for unsent bytes to be taken, for ever."""
    if connection.transport is not None:
        connection.transport.abort()
    connection.close()


def _hung_up(connection: Connection) -> bool:
    """Ask the kernel whether the other side has closed, which the event loop may not have noticed yet.

    On systems without `POLLRDHUP` the answer is no: the request is sent, and its outcome is unknown.
    """
    transport = connection.transport
    if transport is None or transport.is_closing():
        return True
    socket = transport.get_extra_info("socket")
    flag = getattr(select, "POLLRDHUP", 0)
    if socket is None or not flag:
        return False
    poll = select.poll()
    poll.register(socket.fileno(), flag)
    return bool(poll.poll(0))
