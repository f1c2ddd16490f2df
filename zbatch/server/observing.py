"""Every call is counted and, where somebody listens, written down: one JSON object a line."""

from __future__ import annotations

import logging
import time
from typing import Final

import orjson
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from zbatch.clock import now_iso
from zbatch.server.metrics import Metrics

access_log = logging.getLogger("zbatch.access")
"""Lines of JSON. Neither queries, which may carry signatures, nor headers, which carry keys, are in them."""


_METHODS: Final = frozenset("GET HEAD POST PUT PATCH DELETE OPTIONS TRACE CONNECT".split())


class Observing:
    """An ASGI app round another, that measures what it answers."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a call on, and note how it went."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        answered = {"status": 0, "bytes": 0}

        async def noted(message: Message) -> None:
            if message["type"] == "http.response.start":
                answered["status"] = message["status"]
            elif message["type"] == "http.response.body":
                answered["bytes"] += len(message.get("body", b""))
            await send(message)

        try:
            await self._app(scope, receive, noted)
        finally:
            self._note(scope, answered, time.perf_counter() - began)

    def _note(self, scope: Scope, answered: dict[str, int], seconds: float) -> None:
        route = scope.get("route")
        # Of what was asked for, not of what was typed: strangers' paths would be endless labels.
        name = getattr(route, "path", "other")
        method = scope["method"] if scope["method"] in _METHODS else "other"
        self._metrics.requests.labels(name, method, str(answered["status"])).inc()
        self._metrics.request_seconds.labels(name).observe(seconds)
        if access_log.isEnabledFor(logging.INFO):
            told = {
                "at": now_iso(),
                "client": (scope.get("client") or ("",))[0],
                "method": scope["method"][:20],
                "path": scope["path"][:200],
                **answered,
                "ms": round(seconds * 1000, 1),
                **scope.get("told", {}),
            }
            access_log.info("%s", orjson.dumps(told, option=orjson.OPT_NON_STR_KEYS).decode())
