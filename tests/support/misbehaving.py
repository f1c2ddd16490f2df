"""A server that speaks the API well until it is told not to, over real sockets, and keeps a ledger.

    with MisbehavingServer(faults={"submit": ["429", "close-accepted"], "image": ["half"]}) as server:
        ...drive a client against server.url...
        assert not server.ledger.accepted_twice()

It runs in a thread of its own with its own event loop, on 127.0.0.1. As a process of its own, to outlive a
client that is killed, it prints its URL and serves its ledger as JSON at `/_ledger`:

    python -m support.misbehaving --port 0 --seed 7 --share 0.2
    python -m support.misbehaving --faults 'submit=429,ok,close-accepted;image=half'

`support.misbehaving_process` wraps that up. `POST /_set` with a JSON object changes `latency`,
`concurrency`, `rate` and the other plain attributes while it runs, and the script by `{"faults": {…}}` or
`{"seed", "share"}`; in a test, set `server.latency` or `server.script = listed({…})`.

**Faults** are scripted for each of the calls `connection` (spoilt before anything is read), `submit`,
`result` and `image`: a map of lists (one fault a request, in order; `None` or `"ok"` goes well; `"name*"` at
the end holds for ever), or a callable from `Incoming` to a fault's name or `None`, or `mixed(seed, share)`.
All names stand in `support.misbehaving_faults.FAULTS`. Whether a submit was accepted, and would be billed,
whatever its client came to hear, is what the ledger says: of the faults that spoil the good answer (`cut`,
`drip`, `late`, `garbage`…), of those named `…-accepted` and of 200 without a task id it was.

**Without a fault**: a submit is checked a little (400 without a prompt), accepted, and is done `latency`
seconds later. Its picture is real, of the size and format asked for, its colour made from the body, so that
`server.picture(body)` says what must arrive. Its URL is signed: `/images/<task>%2F0.webp?…&signature=…`; a
target that arrives changed by one byte (`%2F` turned to `/`) gets 403, one with an Authorization header 400,
and both are in `ledger.seen`. With `key`, other keys get 401. `concurrency` (tasks accepted and not done) and
`rate` (accepted a minute) are limits: beyond them 429, with `Retry-After` if `say_retry_after`, counted in
`ledger.refused`. After `account_error_after` accepted submits every further one gets 403 NOT_ENOUGH_BALANCE.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import hashlib
import heapq
import threading
import time
import uuid
from collections import Counter, deque
from contextlib import suppress
from typing import Any, Self

from support.misbehaving_exchange import MEDIA, Exchange, Task, call_of, solid_picture
from support.misbehaving_faults import FAULTS
from support.misbehaving_ledger import Accepted, Fetched, Ledger, Seen, canonical
from support.misbehaving_scripts import Script, check, listed, mixed
from support.misbehaving_wire import HungUpError, Incoming, Wire, error


class MisbehavingServer:
    """The server; see the top of this module. A context manager; `url` and `ledger` are what tests use."""

    def __init__(
        self,
        faults: Script | dict[str, list[str | None]] | None = None,
        *,
        port: int = 0,
        latency: float = 0.02,
        concurrency: int | None = None,
        rate: float | None = None,
        say_retry_after: bool = False,
        account_error_after: int | None = None,
        key: str | None = None,
    ) -> None:
        self.script = faults if callable(faults) else listed(faults or {})
        self.latency, self.concurrency, self.rate = latency, concurrency, rate
        self.say_retry_after, self.account_error_after, self.key = say_retry_after, account_error_after, key
        self.late = 2.0  # seconds the fault `late` waits
        self.drip = 0.001  # seconds between two bytes of the fault `drip`
        self.huge = 2 * 1024**3  # bytes of the fault `huge`
        self.renews_urls = False  # whether a task gives a fresh URL once its old one was refused as expired
        self.idle: float | None = None  # seconds after which an idle connection is closed
        self.ledger = Ledger()
        self.tasks: dict[str, Task] = {}
        self.connections = 0
        self.url = ""
        self._port = port
        self._numbers: Counter[str] = Counter()
        self._minute: deque[float] = deque()
        self._running: list[float] = []
        self._stop: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self.serve()), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        if not self._ready.wait(10):
            raise RuntimeError("the misbehaving server did not start")
        return self

    def __exit__(self, *_: object) -> None:
        assert self._loop
        assert self._stop
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    def change(self, settings: dict[str, Any]) -> None:
        """Change plain attributes, or the script (`faults`, or `seed` and `share`), while it runs."""
        if "faults" in settings:
            self.script = listed(settings.pop("faults"))
        if "share" in settings:
            self.script = mixed(settings.pop("seed", 0), settings.pop("share"))
        for name, value in settings.items():
            if not hasattr(self, name):
                raise ValueError(f"no setting {name}")
            setattr(self, name, value)

    # ── connections ────────────────────────────────────────────────────────────────────────────────────────

    async def serve(self) -> None:
        """Serve until stopped; in a thread, or as the main thing of a process."""
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        connections: set[asyncio.Task[None]] = set()

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            mine = asyncio.current_task()
            assert mine
            connections.add(mine)
            try:
                await self._talk(Wire(reader, writer))
            finally:
                connections.discard(mine)

        server = await asyncio.start_server(connected, "127.0.0.1", self._port, backlog=2048)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        self._ready.set()
        await self._stop.wait()
        server.close()
        for task in connections:
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)

    async def _talk(self, wire: Wire) -> None:
        self.connections += 1
        try:
            await self._spoil(Exchange(self, wire, self._numbered(Incoming("", "", {}, "connection"))))
            while True:
                async with asyncio.timeout(self.idle):
                    incoming = await wire.read_head()
                await self._answer(wire, incoming)
        except (HungUpError, ConnectionError, TimeoutError, asyncio.CancelledError):
            pass
        finally:
            wire.writer.close()
            with suppress(ConnectionError, asyncio.CancelledError):
                await wire.writer.wait_closed()

    def _numbered(self, incoming: Incoming) -> Incoming:
        self._numbers[incoming.call] += 1
        incoming.number = self._numbers[incoming.call]
        return incoming

    async def _spoil(self, exchange: Exchange) -> bool:
        """Act out the fault that the script has for this exchange; `False` where it has none."""
        incoming = exchange.incoming
        name = check(incoming.call, self.script(incoming)) if incoming.call in FAULTS else None
        exchange.fault = name or ""
        if incoming.call != "connection":
            self.ledger.seen.append(
                Seen(
                    incoming.call,
                    incoming.target,
                    incoming.headers.get("authorization", ""),
                    exchange.fault,
                    incoming.headers,
                )
            )
        if name is None:
            return False
        if incoming.call == "submit" and not name.endswith("-unread"):
            await exchange.wire.read_body(incoming)
        await FAULTS[incoming.call][name](exchange)
        return True

    async def _answer(self, wire: Wire, incoming: Incoming) -> None:
        incoming.call = call_of(incoming)
        exchange = Exchange(self, wire, self._numbered(incoming))
        if incoming.call == "result" and exchange.known() is None:
            await wire.send(404, error(404, "TASK_NOT_FOUND", "task not found"))
        elif not await self._spoil(exchange):
            if not incoming.body:
                await wire.read_body(incoming)
            await exchange.good()

    # ── what is true ───────────────────────────────────────────────────────────────────────────────────────

    def in_flight(self) -> int:
        """Tasks accepted and not done."""
        now = time.monotonic()
        while self._running and self._running[0] <= now:
            heapq.heappop(self._running)
        return len(self._running)

    def refusal(self) -> tuple[int, dict[str, Any], dict[str, str]] | None:
        """Say why a submit is refused now, by account or by limit; `None` where it is not."""
        taken = len(self.ledger.accepted)
        if self.account_error_after is not None and taken >= self.account_error_after:
            self.ledger.refused["account"] += 1
            return 403, error(403, "NOT_ENOUGH_BALANCE", "your balance is not enough"), {}
        now = time.monotonic()
        while self._minute and self._minute[0] < now - 60:
            self._minute.popleft()
        over = "rate" if self.rate is not None and len(self._minute) >= self.rate else ""
        over = (
            "concurrency" if self.concurrency is not None and self.in_flight() >= self.concurrency else over
        )
        if not over:
            return None
        self.ledger.refused[over] += 1
        headers = {"Retry-After": "1"} if self.say_retry_after else {}
        return 429, error(429, "RATE_LIMIT_EXCEEDED", f"too many requests ({over})"), headers

    def accept(self, body: dict[str, Any], number: int, task_id: str | None = None) -> Task:
        """Take a submit: from here on it is billed."""
        task = Task(task_id or str(uuid.uuid4()), body, time.monotonic() + self.latency)
        self.tasks[task.task_id] = task
        self._minute.append(time.monotonic())
        heapq.heappush(self._running, task.done_at)
        self.ledger.accepted.append(Accepted(task.task_id, body, number))
        return task

    def image_url(self, task: Task) -> str:
        """The one true URL of a task's picture."""
        name = f"{task.task_id}%2F0.{task.body.get('output_format', 'webp')}"
        return f"{self.url}/images/{name}?expires=1999999999&signature={task.signature}"

    def task_answer(self, task: Task) -> dict[str, Any]:
        """The task-result answer, as observed on the platform."""
        done = time.monotonic() >= task.done_at and task.fate != "never"
        status, reason = ("SUCCEED" if done else "PROCESSING"), ""
        if done and task.fate.startswith("failed"):
            status, reason = (
                "FAILED",
                "" if task.fate == "failed-no-reason" else "the model ran out of memory",
            )
        image = {"image_url": self._delivered(task), "image_url_ttl": "172800", "image_type": "webp"}
        return {
            "task": {
                "task_id": task.task_id,
                "status": f"TASK_STATUS_{status}",
                "reason": reason,
                "task_type": "Z_IMAGE_TURBO_LORA",
                "eta": 0,
                "progress_percent": 0,
            },
            "extra": {"has_nsfw_contents": [], "enable_nsfw_detection": False},
            "images": [{**image, "nsfw_detection_result": None}] if status == "SUCCEED" else [],
            "videos": [],
            "audios": [],
        }

    def _delivered(self, task: Task) -> str:
        delivery = task.delivery
        if delivery == "url" and task.body.get("enable_base64_output") is True:
            delivery = "base64"
        if delivery == "url":
            return self.image_url(task)
        text = base64.b64encode(self.picture(task.body)).decode()
        self.ledger.fetched.append(Fetched(task.task_id, whole=True, fault=delivery))
        media = MEDIA[task.body.get("output_format", "webp")]
        return f"data:{media};base64,{text}" if delivery == "data-uri" else text

    def picture(self, body: dict[str, Any]) -> bytes:
        """The picture that belongs to a request body: its size, its format, a colour made from the rest."""
        shade = hashlib.sha256(canonical({**body, "enable_base64_output": 0}).encode()).digest()[0] % 16
        return solid_picture(
            str(body.get("size", "1024*1024")), str(body.get("output_format", "webp")), shade
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--share", type=float, default=0.0, help="of all requests that are spoilt at random")
    parser.add_argument("--leave-out", default="", help="faults that --share never draws, by comma")
    parser.add_argument("--faults", default="", help="submit=429,ok,close-accepted;image=half")
    parser.add_argument("--latency", type=float, default=0.02)
    parser.add_argument("--concurrency", type=int)
    parser.add_argument("--rate", type=float)
    parser.add_argument("--say-retry-after", action="store_true")
    parser.add_argument("--account-error-after", type=int)
    parser.add_argument("--key")
    options = parser.parse_args()
    parts = (part.partition("=") for part in options.faults.split(";") if part)
    script = listed({call: names.split(",") for call, _, names in parts})
    if options.share:
        script = mixed(options.seed, options.share, options.leave_out.split(","))
    server = MisbehavingServer(script, port=options.port)
    for name in ("latency", "concurrency", "rate", "say_retry_after", "account_error_after", "key"):
        setattr(server, name, getattr(options, name))
    with server:
        print(server.url, flush=True)
        with suppress(KeyboardInterrupt):
            threading.Event().wait()


if __name__ == "__main__":
    main()
