"""A lean HTTP server in a process of its own, so that what asks it is measured and not what answers.

    with served(Answering, …) as url: ...

Just enough HTTP: no chunks, bodies with a length, heads that are trusted. On uvloop where that is installed.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import multiprocessing
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from typing import cast

Answer = tuple[bytes, bytes, bytes]
"""Status and its words, media type, body."""

OK, JSON, WEBP = b"200 OK", b"application/json", b"image/webp"


class LeanServer:
    """What is answered, one object for all connections, made where it serves.

    `base` is its own URL, known once it serves; `latency` the seconds that every answer is kept back.
    """

    base = b""
    latency = 0.0

    def answer(self, head: bytes) -> Answer:
        """Answer a request by its head; its body has come and counts for nothing."""
        raise NotImplementedError

    def result(self, number: bytes, *, done: bool) -> Answer:
        """Answer how a task is, in the API's own form."""
        status = b"SUCCEED" if done else b"PROCESSING"
        image = b'{"image_url":"%b/i/%b.webp"}' % (self.base, number) if done else b""
        body = (
            b'{"task":{"task_id":"%b","status":"TASK_STATUS_%b","reason":"","progress_percent":0},'
            b'"images":[%b],"extra":{}}' % (number, status, image)
        )
        return OK, JSON, body


def target_of(head: bytes) -> bytes:
    """Give what a request asks for: the path and the query."""
    return head.split(b" ", 2)[1]


class _Talk(asyncio.Protocol):
    """One connection."""

    def __init__(self, server: LeanServer) -> None:
        self._server = server
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end]
            at = head.lower().find(b"content-length:")
            length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
            if len(self._buffer) < end + 4 + length:
                return
            self._buffer = self._buffer[end + 4 + length :]
            status, media, body = self._server.answer(head)
            answer = b"HTTP/1.1 %b\r\nContent-Type: %b\r\nContent-Length: %d\r\n\r\n%b" % (
                status, media, len(body), body,
            )  # fmt: skip
            if self._server.latency:
                asyncio.get_running_loop().call_later(self._server.latency, self._transport.write, answer)
            else:
                self._transport.write(answer)


def _serve(pipe: Connection, make: Callable[..., LeanServer], words: tuple[object, ...]) -> None:
    async def main() -> None:
        loop, answering = asyncio.get_running_loop(), make(*words)
        server = await loop.create_server(lambda: _Talk(answering), "127.0.0.1", 0, backlog=4096)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        answering.base = url.encode()
        pipe.send(url)
        await server.serve_forever()

    if importlib.util.find_spec("uvloop"):
        import uvloop

        uvloop.run(main())
    else:
        asyncio.run(main())


@contextlib.contextmanager
def served(make: Callable[..., LeanServer], *words: object) -> Iterator[str]:
    """Serve what `make(*words)` answers, and give the URL."""
    mine, theirs = multiprocessing.Pipe()
    process = multiprocessing.Process(target=_serve, args=(theirs, make, words), daemon=True)
    process.start()
    try:
        yield mine.recv()
    finally:
        process.kill()
        process.join()
