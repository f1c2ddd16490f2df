"""An S3 to put to: moto's server in a process, buckets in it, and a proxy before it that misbehaves."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import socket
import struct
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from zbatch.storage import Bucket, parse_location

KEY_ID, SECRET = "AKIAOFTESTSONLY00000", "a-secret-that-must-not-be-written-anywhere"
_SLOW_DOWN = b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
_NUMBERS = itertools.count(1)


@dataclass(frozen=True)
class ObjectStore:
    """A running S3: `variables` lead to it."""

    url: str

    @property
    def variables(self) -> dict[str, str]:
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": KEY_ID,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_REGION": "us-east-1",
        }

    def new_bucket(self) -> str:
        name = f"bucket-{next(_NUMBERS)}"
        request = urllib.request.Request(f"{self.url}/{name}", method="PUT")
        urllib.request.urlopen(request, timeout=30).close()
        return name


@contextlib.contextmanager
def object_store() -> Iterator[ObjectStore]:
    process = subprocess.Popen(
        [sys.executable, "-m", "support.moto_process"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parent.parent,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        yield ObjectStore(f"http://127.0.0.1:{int(process.stdout.readline())}")
    finally:
        process.kill()
        process.communicate()


def objects(url: str) -> dict[str, bytes]:
    """Everything below a place, by name."""
    bucket = Bucket(parse_location(url), patience=5)
    return {one.name: bucket.get(one.name) or b"" for one in bucket.list()}


Behaviour = Callable[[str, str], str]
"""Says what becomes of a request, by its method and path: `pass`, `503`, `403`, `reset` (before the store
sees it), `unanswered` (the store does it and the answer is lost), or seconds to wait before it is passed."""


@dataclass
class Proxy:
    """Stands before a store and does to requests what `behave` says; notes each with what was answered."""

    store: ObjectStore
    behave: Behaviour = lambda method, path: "pass"
    seen: list[tuple[str, str, str]] = field(default_factory=list)
    url: str = ""
    refusal: bytes = b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"

    @property
    def variables(self) -> dict[str, str]:
        return ObjectStore(self.url).variables

    def puts(self, part: str = "") -> list[str]:
        """Paths of puts that the store was given and did."""
        done = ("pass", "unanswered")
        return [path for method, path, did in self.seen if method == "PUT" and part in path and did in done]


@contextlib.contextmanager
def misbehaving(store: ObjectStore, behave: Behaviour | None = None) -> Iterator[Proxy]:
    proxy = Proxy(store, *([behave] if behave else []))

    class Handler(_Handler):
        before = proxy

    server = _Server(("127.0.0.1", 0), Handler)
    proxy.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 256

    def handle_error(self, request: object, client_address: object) -> None:
        """Who breaks off has a reason."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    before: Proxy
    onward: http.client.HTTPConnection | None = None

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        does = self.before.behave(self.command, self.path)
        if does.replace(".", "", 1).isdigit() and does not in ("503", "403"):
            time.sleep(float(does))
            does = "pass"
        self.before.seen.append((self.command, self.path, does))
        if does == "503":
            self._send(503, [], _SLOW_DOWN)
        elif does == "403":
            self._send(403, [], self.before.refusal)
        elif does == "reset":
            self._reset()
        else:
            status, headers, answer = self._passed_on(body)
            if does == "unanswered":
                self._reset()
            else:
                self._send(status, headers, answer)

    def __getattr__(self, name: str) -> Callable[[], None]:
        """Answer every method alike."""
        if name.startswith("do_"):
            return self._answer
        raise AttributeError(name)

    def _passed_on(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        if self.onward is None:
            self.onward = http.client.HTTPConnection(
                self.before.store.url.removeprefix("http://"), timeout=60
            )
        self.onward.request(self.command, self.path, body, dict(self.headers.items()))
        response = self.onward.getresponse()
        return response.status, response.getheaders(), response.read()

    def _send(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() not in ("content-length", "connection", "transfer-encoding"):
                self.send_header(name, value)
        length = dict(headers).get("Content-Length", len(body)) if self.command == "HEAD" else len(body)
        self.send_header("Content-Length", str(length))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True

    def finish(self) -> None:
        if self.onward is not None:
            self.onward.close()
        with contextlib.suppress(OSError, ValueError):
            super().finish()

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""
