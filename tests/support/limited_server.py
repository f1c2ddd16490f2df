"""A lean server with a hidden limit, in a process of its own: so many tasks in flight, or so many a second.

    with limited(WireCase("N = 40", tasks=((0, 40),))) as url: ...

`GET /counts` gives the seconds, from the first submit on, at which submits were accepted and refused. One
small picture answers for every task.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import io
import json
import math
import multiprocessing
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection

from PIL import Image

MEDIAN, SIGMA = 0.5, 0.5
MEAN = MEDIAN * math.exp(SIGMA**2 / 2)
"""Mean of a task's lognormal latency, in seconds."""
SETTLING = 8.0
"""Seconds after a change, and at the start, that are not counted: as many tasks long as in the simulation."""
Steps = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class WireCase:
    """A hidden limit, in steps of (from this second on, value): `tasks` in flight or `rate` a second."""

    name: str
    tasks: Steps = ()
    rate: Steps = ()
    burst: float = 20
    jobs: int = 2000

    def reachable(self, second: float, late: float) -> float:
        """Give the submits a second that can be accepted where ends are known `late` seconds later."""
        tasks = _at(self.tasks, second) / (MEAN + late) if self.tasks else math.inf
        return min(tasks, _at(self.rate, second) if self.rate else math.inf)

    def counted(self, second: float) -> bool:
        """Tell whether a second is past the search, and the times after a change: some dozen tasks long."""
        starts = [start for start, _ in (*self.tasks, *self.rate)]
        return not any(start <= second < start + SETTLING for start in starts)


def _at(steps: Steps, second: float) -> float:
    return next(value for start, value in reversed(steps) if second >= start)


class _Limited(asyncio.Protocol):
    case: WireCase
    base = ""
    picture = b""
    random = random.Random(1)
    began = 0.0
    accepted: list[float]
    refused: list[float]
    ends: list[float]
    running: list[float]
    tokens, filled_at = 0.0, 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._buffer = b""

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end]
            at = head.lower().find(b"content-length:")
            length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
            if len(self._buffer) < end + 4 + length:
                return
            self._buffer = self._buffer[end + 4 + length :]
            status, media, body = self._answer(head)
            self._transport.write(
                b"HTTP/1.1 %b\r\nContent-Type: %b\r\nContent-Length: %d\r\n\r\n%b"
                % (status, media, len(body), body)
            )

    def _answer(self, head: bytes) -> tuple[bytes, bytes, bytes]:
        cls, target = type(self), head.split(b" ", 2)[1]
        if head.startswith(b"POST"):
            cls.began = cls.began or time.monotonic()
            now = time.monotonic() - cls.began
            if not cls.offer(now):
                cls.refused.append(now)
                body = b'{"code":429,"reason":"RATE_LIMIT_EXCEEDED","message":"too many requests"}'
                return b"429 Too Many Requests", b"application/json", body
            cls.accepted.append(now)
            cls.ends.append(now + MEDIAN * math.exp(cls.random.gauss(0, SIGMA)))
            heapq.heappush(cls.running, cls.ends[-1])
            return b"200 OK", b"application/json", b'{"task_id":"%d"}' % (len(cls.ends) - 1)
        if target.startswith(b"/v3/"):
            number = int(target.rsplit(b"=", 1)[1])
            done = time.monotonic() - cls.began >= cls.ends[number]
            image = b'{"image_url":"%b/i/%d.webp"}' % (cls.base.encode(), number) if done else b""
            status = b"SUCCEED" if done else b"PROCESSING"
            body = (
                b'{"task":{"task_id":"%d","status":"TASK_STATUS_%b","reason":"","progress_percent":0},'
                b'"images":[%b],"extra":{}}' % (number, status, image)
            )
            return b"200 OK", b"application/json", body
        if target == b"/counts":
            return b"200 OK", b"application/json", json.dumps([cls.accepted, cls.refused]).encode()
        return b"200 OK", b"image/webp", cls.picture

    @classmethod
    def offer(cls, now: float) -> bool:
        """Tell whether a submit is taken."""
        while cls.running and cls.running[0] <= now:
            heapq.heappop(cls.running)
        if cls.case.tasks and len(cls.running) >= _at(cls.case.tasks, now):
            return False
        if not cls.case.rate:
            return True
        cls.tokens = min(cls.case.burst, cls.tokens + (now - cls.filled_at) * _at(cls.case.rate, now))
        cls.filled_at = now
        if cls.tokens < 1:
            return False
        cls.tokens -= 1
        return True


def _serve(pipe: Connection, case: WireCase) -> None:
    async def main() -> None:
        buffer = io.BytesIO()
        Image.new("RGB", (64, 64), "teal").save(buffer, "WEBP")
        _Limited.case, _Limited.picture, _Limited.tokens = case, buffer.getvalue(), case.burst
        _Limited.accepted, _Limited.refused, _Limited.ends, _Limited.running = [], [], [], []
        server = await asyncio.get_running_loop().create_server(_Limited, "127.0.0.1", 0, backlog=4096)
        _Limited.base = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        pipe.send(_Limited.base)
        await server.serve_forever()

    asyncio.run(main())


@contextlib.contextmanager
def limited(case: WireCase) -> Iterator[str]:
    """Serve, and give the URL."""
    mine, theirs = multiprocessing.Pipe()
    process = multiprocessing.Process(target=_serve, args=(theirs, case), daemon=True)
    process.start()
    try:
        yield mine.recv()
    finally:
        process.kill()
        process.join()
