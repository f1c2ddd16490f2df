"""Input images of a request: `data:` URIs and http(s) URLs, bounded in bytes, pixels, time and redirects.

A server that fetches what a stranger names must not be a way into its own network: names are resolved once,
the addresses are checked, and the connection goes to exactly those addresses, on every redirect anew.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import io
import ipaddress
import re
import socket
from typing import TYPE_CHECKING, Final, Self
from urllib.parse import unquote_to_bytes, urljoin, urlsplit

import aiohttp
import yarl
from aiohttp.abc import AbstractResolver, ResolveResult
from PIL import Image

if TYPE_CHECKING:
    from types import TracebackType

FORMATS: Final = ("JPEG", "PNG", "WEBP", "GIF", "BMP")
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_DATA_URI = re.compile(r"data:([\w.+/-]*)((?:;[\w.+-]+=[^;,]*)*)(;base64)?,", re.IGNORECASE)
_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")


class InputError(Exception):
    """An input image that cannot be used. `field` is the API's name of it; `reason` the API's own word."""

    def __init__(self, field: str, message: str, *, reason: str = "INVALID_REQUEST_BODY") -> None:
        super().__init__(f"{field}: {message}")
        self.field = field
        self.reason = reason


class Fetcher:
    """Fetches input images. Enter it before `fetch` is used; all limits are per image.

    `allow_private` lets it reach loopback and private addresses. `timeout` is in seconds, for the whole of
    one image, redirects included.
    """

    def __init__(
        self,
        *,
        allow_private: bool = False,
        max_bytes: int = 32 * 2**20,
        max_pixels: int = 50_000_000,
        timeout: float = 30,
        max_redirects: int = 3,
    ) -> None:
        self._allow_private = allow_private
        self._max_bytes = max_bytes
        self._max_pixels = max_pixels
        self._timeout = timeout
        self._max_redirects = max_redirects
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        resolver = None if self._allow_private else PublicResolver()
        connector = aiohttp.TCPConnector(resolver=resolver, limit=16, use_dns_cache=False, force_close=True)
        self._session = aiohttp.ClientSession(
            connector=connector, trust_env=False, cookie_jar=aiohttp.DummyCookieJar()
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def inline(self, field: str, uri: str) -> bytes | None:
        """Check an image field as it is submitted: bytes of a `data:` URI, `None` for a URL to fetch later.

        Raises:
            InputError: where it is neither, or cannot be used in any case.
        """
        if uri[:5].lower() != "data:":
            self._check_url(field, uri)
            return None
        data = _decode_data_uri(field, uri, self._max_bytes)
        await asyncio.to_thread(self._check_image, field, data)
        return data

    async def fetch(self, field: str, url: str) -> bytes:
        """Fetch an image over http(s) and check that it is one.

        Raises:
            InputError: where it cannot be had, is too large, or is no image; or the fetcher is not entered.
        """
        try:
            async with asyncio.timeout(self._timeout):
                data = await self._download(field, url)
        except TimeoutError as error:
            raise InputError(field, f"took longer than {self._timeout:g} s to fetch") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            # aiohttp wraps what our resolver says in an error of its own, with words about TLS.
            cause = getattr(error, "os_error", error)
            raise InputError(field, f"cannot be fetched: {cause}") from error
        await asyncio.to_thread(self._check_image, field, data)
        return data

    async def _download(self, field: str, url: str) -> bytes:
        if self._session is None:
            raise InputError(field, "cannot be fetched: the server is not running")
        for _ in range(self._max_redirects + 1):
            self._check_url(field, url)
            target = yarl.URL(url, encoded=True)
            async with self._session.get(target, allow_redirects=False) as answer:
                if answer.status in _REDIRECTS and "Location" in answer.headers:
                    url = urljoin(url, answer.headers["Location"])
                    continue
                if answer.status != 200:
                    raise InputError(field, f"cannot be fetched: the host answered {answer.status}")
                return await self._read(field, answer)
        raise InputError(field, f"was redirected more than {self._max_redirects} times")

    async def _read(self, field: str, answer: aiohttp.ClientResponse) -> bytes:
        data = bytearray()
        async for chunk in answer.content.iter_chunked(65536):
            data += chunk
            if len(data) > self._max_bytes:
                raise InputError(field, f"is larger than {self._max_bytes} bytes")
        return bytes(data)

    def _check_url(self, field: str, url: str) -> None:
        try:
            parts = urlsplit(url)
            host, _ = parts.hostname, parts.port
        except ValueError as error:
            raise InputError(field, f"must be a URL: {error}") from error
        if parts.scheme not in ("http", "https") or not host:
            raise InputError(field, "must be an http(s) URL or a data: URI")
        if parts.username is not None or parts.password is not None:
            raise InputError(field, "must not carry a user name or a password")
        if not self._allow_private and (is_private_literal(host) or is_local_name(host)):
            raise InputError(field, f"must not point at a private address ({host})")

    def _check_image(self, field: str, data: bytes) -> None:
        """Decode it whole: the format is sniffed from the bytes, whatever the URI or the host calls it."""
        try:
            with Image.open(io.BytesIO(data), formats=FORMATS) as image:
                width, height = image.size
                if width * height > self._max_pixels:
                    raise InputError(
                        field, f"has {width}x{height} pixels, more than {self._max_pixels}",
                        reason="INVALID_IMAGE_SIZE",
                    )  # fmt: skip
                image.load()
        except InputError:
            raise
        except Exception as error:
            # Pillow's decoders raise OSError, SyntaxError, ValueError, struct.error and others on bad bytes.
            raise InputError(
                field, "is not an image that can be read (JPEG, PNG, WebP, GIF or BMP)",
                reason="INVALID_IMAGE_FORMAT",
            ) from error  # fmt: skip


class PublicResolver(AbstractResolver):
    """Resolves a name and gives only addresses of the public internet; the connection goes to those."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Resolve a name, or refuse where any of its addresses is private."""
        loop = asyncio.get_running_loop()
        infos = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, family=family)
        found: list[ResolveResult] = []
        for kind, _, protocol, _, address in infos:
            if not is_public(str(address[0])):
                raise OSError(f"{host} is a private address")
            found.append(
                ResolveResult(
                    hostname=host, host=str(address[0]), port=port, family=kind, proto=protocol,
                    flags=socket.AI_NUMERICHOST,
                )
            )  # fmt: skip
        return found

    async def close(self) -> None:
        """Nothing is held open."""


def is_public(address: str) -> bool:
    """Tell whether an IP address is one of the public internet, also where it wraps an IPv4 address."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        if ip in _NAT64:
            return is_public(str(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)))
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if inner is not None:
            return is_public(str(inner))
    return ip.is_global and not ip.is_multicast and not ip.is_reserved


def is_private_literal(host: str) -> bool:
    """Tell whether a host is written as an address that is not of the public internet."""
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return not is_public(host)


def is_local_name(host: str) -> bool:
    """Tell whether a name means this machine or its neighbours wherever it is asked."""
    name = host.rstrip(".").lower()
    return name == "localhost" or name.endswith((".localhost", ".local", ".internal"))


def _decode_data_uri(field: str, uri: str, max_bytes: int) -> bytes:
    match = _DATA_URI.match(uri)
    if match is None:
        raise InputError(field, "must be a data: URI such as data:image/png;base64,...")
    payload = uri[match.end() :]
    if len(payload) > max_bytes * 4 // 3 + 4:
        raise InputError(field, f"is larger than {max_bytes} bytes")
    try:
        return base64.b64decode(payload, validate=True) if match[3] else unquote_to_bytes(payload)
    except (binascii.Error, ValueError) as error:
        raise InputError(field, f"is not valid base64: {error}") from error
