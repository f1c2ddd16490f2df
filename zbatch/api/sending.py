"""Our own witness of what has left this machine: aiohttp's request, watched as it is handed over."""

from __future__ import annotations

import select
from contextvars import ContextVar
from typing import TYPE_CHECKING

import aiohttp

if TYPE_CHECKING:
    import asyncio

    from aiohttp.connector import Connection


class HungUpError(aiohttp.ClientError):
    """A kept-alive connection was already closed, or spoilt, when it was to be used; nothing was sent."""


class Sending:
    """Whether a request was handed to a connection yet, and to which."""

    __slots__ = ("connection",)

    def __init__(self) -> None:
        self.connection: asyncio.Transport | None = None

    @property
    def started(self) -> bool:
        """True from before the first byte."""
        return self.connection is not None

    def abort(self) -> None:
        """Drop the connection now. An ordinary close first waits for unsent bytes to be taken, for ever."""
        if self.connection is not None:
            self.connection.abort()


sending_now: ContextVar[Sending] = ContextVar("zbatch_sending")


class Request(aiohttp.ClientRequest):
    """aiohttp's request, which notes when its first byte may leave, and refuses to leave twice."""

    async def send(self, conn: Connection) -> aiohttp.ClientResponse:
        """Hand the request to a connection, of which it is certain that it was alive and clean.

        Raises:
            HungUpError: where it was not; the connection is dropped and nothing was sent.
        """
        sending = sending_now.get()
        if sending.started and self.method not in ("GET", "HEAD"):
            # aiohttp repeats only what is idempotent; this holds whatever a later version may do.
            raise aiohttp.ClientConnectionError("a request that may have been sent is not sent again")
        if conn.transport is None or conn.protocol is None or conn.protocol.should_close:
            raise HungUpError
        if self.method not in ("GET", "HEAD") and _hung_up(conn):
            raise HungUpError
        sending.connection = conn.transport
        return await super().send(conn)


def _hung_up(conn: Connection) -> bool:
    """Ask the kernel whether the other side has closed, which the event loop may not have noticed yet.

    On systems without `POLLRDHUP` the answer is no: the request is sent, and its outcome is unknown.
    """
    if conn.transport is None or conn.transport.is_closing():
        return True
    socket = conn.transport.get_extra_info("socket")
    flag = getattr(select, "POLLRDHUP", 0)
    if socket is None or not flag:
        return False
    poll = select.poll()
    poll.register(socket.fileno(), flag)
    return bool(poll.poll(0))
