"""Serving over a real socket: what `zbatch serve` needs, without a word printed."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import os
import resource
import signal
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import uvicorn
from starlette.applications import Starlette

from zbatch.errors import EndpointError, UsageError
from zbatch.server.app import create_app
from zbatch.server.connections import Bounds, connection_class
from zbatch.server.engines.diffusion import diffusers_engine
from zbatch.server.engines.diffusion.setup import Setup
from zbatch.server.engines.preview import PreviewEngine
from zbatch.server.fetch import Fetcher
from zbatch.server.home import Home
from zbatch.server.keys import read_keys
from zbatch.server.terms import Terms

if TYPE_CHECKING:
    from pathlib import Path

    from zbatch.server.engines import Engine

ENGINES = ("preview", "diffusers")


def serve_app(
    engine: str | Engine = "preview",
    terms: Terms | None = None,
    *,
    home: Home | None = None,
    api_key_file: Path | str | None = None,
    allow_private_urls: bool = False,
) -> Starlette:
    """Build the app that `zbatch serve` serves.

    With `api_key_file` (one key a line) only those keys are accepted, otherwise any or none. Input images are
    fetched from public addresses only, unless `allow_private_urls`. An engine with settings of its own is
    given whole (see `zbatch.server.engines.diffusion`).

    Raises:
        UsageError: where there is no such engine, it cannot work here, or the key file is unusable.
    """
    if isinstance(engine, str):
        if engine not in ENGINES:
            raise UsageError(f"there is no engine {engine!r}", hint=f"engines: {', '.join(ENGINES)}")
        engine = PreviewEngine() if engine == "preview" else diffusers_engine(Setup())
    keys = None if api_key_file is None else read_keys(api_key_file)
    fetcher = Fetcher(allow_private=allow_private_urls)
    return create_app(engine, terms, home=home, keys=keys, fetcher=fetcher)


class Serving:
    """An app bound to a socket: `url` is where it will answer, `run` serves until it is stopped."""

    def __init__(self, app: Starlette, sock: socket.socket, url: str, bounds: Bounds) -> None:
        self.url = url
        self._socket = sock
        self._hurry: asyncio.Event = app.state.hurry
        config = uvicorn.Config(
            app,
            http=connection_class(bounds),
            h11_max_incomplete_event_size=bounds.head_bytes,
            timeout_keep_alive=bounds.keep_alive,
            log_config=None,
            access_log=False,
            lifespan="on",
            ws="none",
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=10,
        )
        self._server = _Server(config)

    def run(self) -> None:
        """Serve until SIGINT, SIGTERM or `stop`; open requests are answered first. A second signal leaves.

        Signals are taken only where this is called in the main thread, and are given back afterwards.
        """
        try:
            asyncio.run(self._serve())
        finally:
            self._socket.close()

    def close(self) -> None:
        """Give the socket back without serving."""
        self._socket.close()

    def stop(self) -> None:
        """Stop serving, gracefully. May be called from any thread."""
        self._server.should_exit = True

    async def _serve(self) -> None:
        loop = asyncio.get_running_loop()
        caught: list[signal.Signals] = []
        if threading.current_thread() is threading.main_thread():
            caught = [signal.SIGINT, signal.SIGTERM]
        for number in caught:
            loop.add_signal_handler(number, self._signalled)
        try:
            await self._server.serve(sockets=[self._socket])
        finally:
            for number in caught:
                loop.remove_signal_handler(number)

    def _signalled(self) -> None:
        if self._server.should_exit:
            self._server.force_exit = True
            self._hurry.set()
        self._server.should_exit = True


class _Server(uvicorn.Server):
    """Uvicorn without its signal handling, which raises the signal again after a graceful end."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def bind(
    app: Starlette, *, host: str = "127.0.0.1", port: int = 8788, bounds: Bounds | None = None
) -> Serving:
    """Bind a socket (port 0 picks one) and give what serves the app on it; `url` is known at once.

    `bounds` is what clients may hold of it; fewer connections where the system gives fewer files.

    Raises:
        UsageError: where the host is not this machine's loopback and the app takes any key.
        EndpointError: where the address cannot be bound.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (OSError, UnicodeError, OverflowError) as error:
        raise UsageError(
            f"cannot bind {host!r}: {error}", hint="--host takes an address of this machine"
        ) from error
    bound = str(address[0])
    if app.state.keys is None and not ipaddress.ip_address(bound.partition("%")[0]).is_loopback:
        raise UsageError(
            f"{host} can be reached from other machines, so it is not served without keys",
            hint="give --api-key-file FILE (one key a line), or stay on --host 127.0.0.1",
        )
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        if os.name == "posix":
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
        sock.listen(2048)
        sock.setblocking(False)
    except OSError as error:
        sock.close()
        raise EndpointError(
            f"cannot listen on {host}:{port}: {error.strerror or error}",
            hint="--port 0 picks a free port",
        ) from error
    shown = f"[{bound}]" if family == socket.AF_INET6 else bound
    url = f"http://{shown}:{sock.getsockname()[1]}"
    return Serving(app, sock, url, _within_open_files(bounds or Bounds()))


def _within_open_files(bounds: Bounds) -> Bounds:
    """Leave half of the files that may be open to the rest of the server: one that runs out takes nobody."""
    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most == resource.RLIM_INFINITY:
        return bounds
    # Those that are turned away are open for a moment, too: as many again.
    return replace(bounds, connections=max(8, min(bounds.connections, most // 4)))
