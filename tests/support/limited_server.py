"""A lean server with a hidden limit, in a process of its own: so many tasks in flight, or so many a second.

    with limited(WireCase("N = 40", tasks=((0, 40),))) as url: ...

`GET /counts` gives the seconds, from the first submit on, at which submits were accepted and refused. One
small picture answers for every task.
"""

from __future__ import annotations

import heapq
import io
import json
import math
import random
import time
from contextlib import AbstractContextManager
from dataclasses import dataclass

from PIL import Image
from support.lean_http import JSON, OK, WEBP, Answer, LeanServer, served, target_of
from support.limit_simulation import Server, Setting, steps

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
        tasks = steps(*self.tasks)(second) / (MEAN + late) if self.tasks else math.inf
        return min(tasks, steps(*self.rate)(second) if self.rate else math.inf)

    def counted(self, second: float) -> bool:
        """Tell whether a second is past the search, and the times after a change: some dozen tasks long."""
        starts = [start for start, _ in (*self.tasks, *self.rate)]
        return not any(start <= second < start + SETTLING for start in starts)


class _Limited(LeanServer):
    def __init__(self, case: WireCase) -> None:
        buffer = io.BytesIO()
        Image.new("RGB", (64, 64), "teal").save(buffer, "WEBP")
        self._picture = buffer.getvalue()
        tasks, rate = (steps(*pieces) if pieces else None for pieces in (case.tasks, case.rate))
        self._limit = Server(Setting(case.name, tasks, rate, case.burst))
        self._random = random.Random(1)
        self._began = 0.0
        self._accepted: list[float] = []
        self._refused: list[float] = []
        self._ends: list[float] = []
        self._running: list[float] = []

    def answer(self, head: bytes) -> Answer:
        target = target_of(head)
        if head.startswith(b"POST"):
            return self._submit()
        if target.startswith(b"/v3/"):
            number = target.rsplit(b"=", 1)[1]
            return self.result(number, done=time.monotonic() - self._began >= self._ends[int(number)])
        if target == b"/counts":
            return OK, JSON, json.dumps([self._accepted, self._refused]).encode()
        return OK, WEBP, self._picture

    def _submit(self) -> Answer:
        self._began = self._began or time.monotonic()
        now = time.monotonic() - self._began
        while self._running and self._running[0] <= now:
            heapq.heappop(self._running)
            self._limit.finish()
        if not self._limit.offer(now):
            self._refused.append(now)
            body = b'{"code":429,"reason":"RATE_LIMIT_EXCEEDED","message":"too many requests"}'
            return b"429 Too Many Requests", JSON, body
        self._accepted.append(now)
        self._ends.append(now + MEDIAN * math.exp(self._random.gauss(0, SIGMA)))
        heapq.heappush(self._running, self._ends[-1])
        return OK, JSON, b'{"task_id":"%d"}' % (len(self._ends) - 1)


def limited(case: WireCase) -> AbstractContextManager[str]:
    """Serve, and give the URL."""
    return served(_Limited, case)
