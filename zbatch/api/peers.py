"""Whom a request goes to, and what its head says to them."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import aiohttp
import httpx
import yarl

if TYPE_CHECKING:
    import asyncio
    import ssl
    from collections.abc import Callable, Iterable

_PEERS: Final = 256
_URL: Final = re.compile(
    r"(?i:(https?)://)([^/?#\x00-\x20\x7f-\U0010ffff]+)([^#\x00-\x20\x7f-\U0010ffff]*)(?:#.*)?"
)
_LINE: Final = re.compile(r"[^\x00\r\n\u0100-\U0010ffff]*")


@dataclass(frozen=True, slots=True)
class Peer:
    """One origin, and the way there. `request` is what aiohttp's connector wants to know of it."""

    request: aiohttp.ClientRequest
    host: str
    credentials: str | None
    by_proxy: bool

    def head(self, method: str, target: str, headers: Iterable[tuple[str, str]], content: bytes) -> bytes:
        """Give the head of a request whose body is sent whole. Call it once there is a connection.

        Raises:
            httpx.UnsupportedProtocol: a header holds what no header may hold.
        """
        lines = [f"{method} {target} HTTP/1.1"]
        names = set()
        for name, value in headers:
            lower = name.lower()
            if lower != "transfer-encoding":
                names.add(lower)
                lines.append(f"{name}: {value}")
        if "host" not in names:
            lines.insert(1, f"Host: {self.host}")
        if "content-length" not in names and (content or method == "POST"):
            lines.append(f"Content-Length: {len(content)}")
        if self.credentials is not None and "authorization" not in names:
            lines.append(f"Authorization: {self.credentials}")
        # aiohttp has put it there when it connected.
        if self.by_proxy and (given := self.request.headers.get("Proxy-Authorization")):
            lines.append(f"Proxy-Authorization: {given}")
        if not all(map(_LINE.fullmatch, lines)):
            raise httpx.UnsupportedProtocol("a header holds characters that cannot be sent")
        return "\r\n".join([*lines, "", ""]).encode("latin-1")


class Peers:
    """Finds the peer of a URL, remembering those of late.

    Args:
        loop: the one that connections will be made in.
        proxy_for: gives the proxy for a URL, if any; raises ValueError where it cannot be used.
        tls: gives what to trust.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        *,
        proxy_for: Callable[[str], str | None],
        tls: Callable[[], ssl.SSLContext],
    ) -> None:
        self._loop = loop
        self._proxy_for = proxy_for
        self._tls = tls
        self._known: dict[str, Peer] = {}

    def of(self, url: str) -> tuple[Peer, str]:
        """Give whom to ask for a URL, and the target as the request names it: as the URL has it.

        Raises:
            httpx.UnsupportedProtocol: the URL or the proxy cannot be used.
        """
        found = _URL.fullmatch(url)
        if found is None:
            raise httpx.UnsupportedProtocol("not a URL that can be asked for")
        scheme, authority, target = found.groups()
        origin = f"{scheme.lower()}://{authority}"
        peer = self._known.get(origin)
        if peer is None:
            if len(self._known) >= _PEERS:  # hosts of pictures may be many
                self._known.clear()
            peer = self._known[origin] = self._peer(origin, authority)
        if not target.startswith("/"):
            target = f"/{target}"
        if peer.by_proxy:
            target = f"{scheme.lower()}://{peer.host}{target}"
        return peer, target

    def _peer(self, origin: str, authority: str) -> Peer:
        try:
            proxy = self._proxy_for(origin)
        except ValueError as error:
            raise httpx.UnsupportedProtocol(str(error)) from None
        try:
            address = yarl.URL(origin, encoded=True)
            request = aiohttp.ClientRequest(
                "GET",
                address.with_user(None),
                loop=self._loop,
                proxy=None if proxy is None else yarl.URL(proxy),
                ssl=self._tls() if address.scheme == "https" else True,
            )
        except (ValueError, TypeError, aiohttp.InvalidURL):
            raise httpx.UnsupportedProtocol("not a URL that can be asked for") from None
        credentials = None
        if address.user is not None:
            words = f"{address.user}:{address.password or ''}".encode()
            credentials = "Basic " + base64.b64encode(words).decode()
        by_proxy = proxy is not None and address.scheme == "http"
        return Peer(request, authority.rpartition("@")[2], credentials, by_proxy)
