"""What browsers must not do here: guess what an answer is, keep it, or call us by anybody's name."""

from __future__ import annotations

import ipaddress
import re
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from zbatch.server.answers import RefusedError, refusal

_ALWAYS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
}
_HOST: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?")
_NOBODYS: Final = (".localhost", ".local", ".internal", ".lan", ".home.arpa", ".test", ".invalid", ".example")
"""Names of these are in no public DNS, so nobody elsewhere can point one at this machine."""


class Plain:
    """An ASGI app round another. There are no CORS headers: pages of other origins read nothing here.

    Unless `any_host`, it is only spoken to by a name that is this machine's own: a page whose name was
    pointed at this machine after it was loaded ("DNS rebinding") would be of one origin with a server without
    keys.
    """

    def __init__(self, app: ASGIApp, *, any_host: bool) -> None:
        self._app = app
        self._any_host = any_host

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a call on, and add to its answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def plainly(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _ALWAYS.items():
                    headers[name] = value
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        headers = Headers(scope=scope)
        refused = self._refused(headers.get("Host", ""))
        if "Content-Length" in headers and "Transfer-Encoding" in headers:
            # A proxy in front may see another end of this request than we do.
            refused = RefusedError(
                400, "INVALID_REQUEST", "Content-Length and Transfer-Encoding exclude each other"
            )
        if refused is None:
            await self._app(scope, receive, plainly)
        else:
            await refusal(refused)(scope, receive, plainly)

    def _refused(self, host: str) -> RefusedError | None:
        # An empty one is what HTTP/1.0 sends; image URLs then name the address that was called.
        match = _HOST.fullmatch(host)
        if host and match is None:
            return RefusedError(400, "INVALID_REQUEST", "the Host header is no host")
        if match is None or self._any_host or _is_ours(match[1]):
            return None
        message = (
            "without --api-key-file this server is spoken to as localhost or by its address, not by a name"
        )
        return RefusedError(403, "ACCESS_DENY", message)


def _is_ours(host: str) -> bool:
    name = host.lower().rstrip(".")
    if "." not in name or name.endswith(_NOBODYS):
        return True
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True
