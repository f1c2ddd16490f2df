"""Connections that nobody can hold for ever: bounded in number, in the size of a head, and in patience.

Uvicorn bounds none of these itself. Its `h11` parser is the one chosen, also where `httptools` is installed,
so that one set of rules holds everywhere; and a refusal on this floor comes in the API's own envelope, too.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import h11
import orjson
from uvicorn.protocols.http.h11_impl import STATUS_PHRASES, H11Protocol

_quiet = logging.getLogger("uvicorn.error.connections")
_quiet.setLevel(logging.ERROR)  # strangers' bad requests are no lines of a log

_PIECE: Final = 4 * 2**10
"""Bytes of a head that the parser is given at once: it measures a head only while that is incomplete."""
_REASONS: Final = {
    400: ("INVALID_REQUEST", "this is no HTTP request that can be understood"),
    408: ("REQUEST_TIMEOUT", "the request came too slowly"),
    431: ("INVALID_REQUEST", "the request's head is too large"),
    503: ("SERVICE_NOT_AVAILABLE", "the server has as many connections as it takes; come back in a moment"),
}


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one client may hold of a server. Times are in seconds, rates in bytes a second.

    A head must be there within `head` of its first byte (or of the connection). A body may take `body`, and
    longer while it comes at `body_rate` on the average. A client that reads an answer must take `write_rate`
    over each `write`. A refused client has `linger` to read why. `tick` is how often one looks.
    """

    connections: int = 1000
    head_bytes: int = 32 * 2**10
    head: float = 10.0
    body: float = 20.0
    body_rate: float = 16 * 2**10
    write: float = 20.0
    write_rate: float = 2 * 2**10
    linger: float = 2.0
    keep_alive: int = 30
    tick: float = 1.0


class Connection(H11Protocol):
    """One client's connection. Looked at once a tick, and ended where it has run out of patience."""

    bounds: ClassVar[Bounds] = Bounds()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn does
        """Take a connection, or turn it away with 503 where there are too many."""
        now = self.loop.time()
        self._state: tuple[Any, object] = (h11.IDLE, None)
        self._since = now
        self._received = 0
        self._ended: float | None = None
        self._stuck: tuple[float, int] | None = None
        self.logger = _quiet
        super().connection_made(transport)
        # `connections` has those that are being refused as well: twice as many are not even told.
        taken = len(self.connections)
        if taken > 2 * self.bounds.connections:
            self.transport.abort()
            return
        self._ticking = self.loop.call_later(self.bounds.tick, self._tick)
        if taken > self.bounds.connections:
            self._refuse(503)

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of it."""
        if hasattr(self, "_ticking"):
            self._ticking.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what came, in pieces small enough that no head can be larger than it may."""
        if self._ended is not None:
            return
        if self.conn.their_state is h11.IDLE and not self.conn.trailing_data[0]:
            self._since = self.loop.time()
        self._received += len(data)
        rest = memoryview(data)
        while rest and self._ended is None and not self.transport.is_closing():
            size = len(rest) if self.conn.their_state is h11.SEND_BODY else _PIECE
            super().data_received(bytes(rest[:size]))
            rest = rest[size:]

    def handle_events(self) -> None:
        """Work off what came, and note since when one waits for what."""
        super().handle_events()
        self._note_state()

    def on_response_complete(self) -> None:
        """Go on with the next request; one whose body nobody wanted has a moment left to come in."""
        super().on_response_complete()
        self._note_state()

    def _note_state(self) -> None:
        answered = self.cycle is not None and self.cycle.response_complete
        state = (self.conn.their_state, (self.cycle, answered))
        if state != self._state:
            self._state, self._since, self._received = state, self.loop.time(), 0

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's words are not ours
        """Answer what the parser refused; called while its error is being handled."""
        error = sys.exception()
        hint = error.error_status_hint if isinstance(error, h11.RemoteProtocolError) else 400
        self._refuse(hint if hint in _REASONS else 400)

    def _refuse(self, status: int) -> None:
        """Say why, where no other answer is under way, and end the connection when that can have been read.

        To close at once with bytes unread would take the answer back: so only our half is closed.
        """
        cycle, told = self.cycle, False
        if cycle is not None and not cycle.response_complete:
            told = cycle.response_started
            cycle.disconnected = True  # the app's own answer goes nowhere now
            cycle.message_event.set()
        self._ended = self.loop.time()
        self._unset_keepalive_if_required()
        if told or self.transport.is_closing():
            self.transport.close()
            return
        self.flow.resume_reading()
        self.transport.write(_answer(status))
        try:
            self.transport.write_eof()
        except OSError:  # found by fuzzing: the client has gone in the meantime
            self.transport.abort()

    def shutdown(self) -> None:
        """End with the server; also where the parser has nothing left to say."""
        try:
            super().shutdown()
        except h11.LocalProtocolError:
            self.transport.close()

    def timeout_keep_alive_handler(self) -> None:
        """Close a connection that nobody used."""
        try:
            super().timeout_keep_alive_handler()
        except h11.LocalProtocolError:
            self.transport.close()

    def _should_upgrade(self) -> bool:
        return False  # no other protocol is spoken, and a log line for each who asks would be theirs to write

    def _tick(self) -> None:
        now = self.loop.time()
        self._ticking = self.loop.call_later(self.bounds.tick, self._tick)
        if self._reads_too_slowly(now):
            self.transport.abort()
        elif self._ended is not None:
            if now - self._ended > self.bounds.linger:
                self.transport.abort()
        elif not self.transport.is_closing():
            self._look_at_request(now - self._since)

    def _look_at_request(self, waited: float) -> None:
        bounds, state = self.bounds, self.conn.their_state
        if state is h11.IDLE and self.timeout_keep_alive_task is None:
            if waited > bounds.head:
                self._refuse(408)
        elif state is h11.SEND_BODY and self.conn.our_state is h11.DONE:
            if waited > bounds.linger:
                self.transport.close()
        elif state is h11.SEND_BODY and waited > bounds.body + self._received / bounds.body_rate:
            self._refuse(408)

    def _reads_too_slowly(self, now: float) -> bool:
        size = self.transport.get_write_buffer_size()
        if not size:
            self._stuck = None
        elif self._stuck is None:
            self._stuck = now, size
        elif now - self._stuck[0] >= self.bounds.write:
            least = self.bounds.write_rate * (now - self._stuck[0])
            if self._stuck[1] - size < least:
                return True
            self._stuck = now, size
        return False


def connection_class(bounds: Bounds) -> type[Connection]:
    """Give the protocol that holds clients to these bounds."""
    return type("BoundedConnection", (Connection,), {"bounds": bounds})


def _answer(status: int) -> bytes:
    reason, message = _REASONS[status]
    body = orjson.dumps({"code": status, "reason": reason, "message": message, "metadata": {}})
    head = [
        b"HTTP/1.1 %d %s" % (status, STATUS_PHRASES[status]),
        b"Content-Type: application/json",
        b"Content-Length: %d" % len(body),
        b"Connection: close",
        *([b"Retry-After: 1"] if status == 503 else []),
    ]
    return b"\r\n".join([*head, b"", body])
