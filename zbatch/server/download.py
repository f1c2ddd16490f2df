"""Downloads of what strangers point at: every hop is checked, and what comes is bounded in bytes.

Which addresses are public is for `addresses` to say; how long a download may take, for whoever asks for it.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self
from urllib.parse import quote, urljoin, urlsplit

import aiohttp
import yarl

from zbatch.server.addresses import PinnedResolver, Resolve, host_refused

if TYPE_CHECKING:
    from types import TracebackType

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_ODD: Final = re.compile(r"[\s\x00-\x20\x7f\\]")
_ASCII: Final = "".join(map(chr, range(0x21, 0x7F)))
"""Signs that stay as they are in a URL: a signed one must be asked for as it was given."""
_TIMEOUT: Final = aiohttp.ClientTimeout(total=None, sock_connect=30, sock_read=60)
"""Seconds to a connection, and without a byte."""


class DownloadError(Exception):
    """It cannot be had. The message goes on where the name of what was pointed at ends."""


@dataclass(frozen=True, slots=True)
class Destinations:
    """Which URLs are asked for, by the way they are written; `wanted` tells it to whoever gave another."""

    schemes: tuple[str, ...] = ("http", "https")
    wanted: str = "must be an http(s) URL"
    allow_private: bool = False

    def check(self, url: str) -> str:
        """Give the host of a URL that may be asked for.

        Raises:
            DownloadError: it may not.
        """
        # Readers of URLs differ in what they do with these: some drop them, some end a host there.
        if _ODD.search(url):
            raise DownloadError("must be a URL without blanks, control characters and backslashes")
        try:
            parts = urlsplit(url)
            host, _ = parts.hostname, parts.port
            read_again = _as_given(url).raw_host
        except ValueError as error:
            raise DownloadError(f"must be a URL: {error}") from error
        if parts.scheme not in self.schemes or not host:
            raise DownloadError(self.wanted)
        if parts.username is not None or parts.password is not None:
            raise DownloadError("must not carry a user name or a password")
        if host.isascii() and (read_again or "").lower() != host:
            raise DownloadError("must be a URL that is read in one way only")
        refused = host_refused(host, allow_private=self.allow_private)
        if refused:
            raise DownloadError(refused)
        return host


class Downloads:
    """Downloads bodies. Enter it before it is used.

    `headers` gives what is sent beside the usual to a URL: it is asked on every hop, so that a token goes no
    further than it was meant to. With `measured`, a body that ends only where its connection ends is refused:
    it may be half of one.
    """

    def __init__(
        self,
        destinations: Destinations,
        *,
        max_redirects: int,
        accept: str = "*/*",
        headers: Callable[[str], Mapping[str, str]] = lambda _: {},
        measured: bool = False,
        resolve: Resolve | None = None,
    ) -> None:
        self._destinations = destinations
        self._resolver = PinnedResolver(resolve, allow_private=destinations.allow_private)
        self._max_redirects = max_redirects
        self._accept = accept
        self._headers = headers
        self._measured = measured
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        connector = aiohttp.TCPConnector(
            resolver=self._resolver, limit=16, use_dns_cache=False, force_close=True
        )
        # Nothing is unpacked on the way: a small body may not become a large one.
        self._session = aiohttp.ClientSession(
            connector=connector, timeout=_TIMEOUT, trust_env=False, cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False, headers={"Accept": self._accept, "Accept-Encoding": "identity"},
        )  # fmt: skip
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def read(self, url: str, most: int) -> bytes:
        """Give the body behind a URL, of at most so many bytes.

        Raises:
            DownloadError: it cannot be had, or is larger.
            TimeoutError: nothing came for too long.
        """
        data = bytearray()
        async with contextlib.aclosing(self.chunks(url, most)) as chunks:
            async for chunk in chunks:
                data += chunk
        return bytes(data)

    async def chunks(self, url: str, most: int) -> AsyncGenerator[bytes, None]:
        """Give the body behind a URL in pieces, of at most so many bytes together.

        Raises:
            DownloadError: it cannot be had, or is larger.
            TimeoutError: nothing came for too long.
        """
        if self._session is None:
            raise DownloadError("cannot be fetched: the server is not running")
        try:
            for _ in range(self._max_redirects + 1):
                host = self._destinations.check(url)
                async with self._session.get(
                    _as_given(url), allow_redirects=False, headers=self._headers(url)
                ) as answer:
                    if answer.status in _REDIRECTS and "Location" in answer.headers:
                        url = urljoin(url, answer.headers["Location"])
                        continue
                    self._check_answer(host, answer, most)
                    length = 0
                    async for chunk in answer.content.iter_chunked(2**20):
                        length += len(chunk)
                        if length > most:
                            raise _too_large(most)
                        yield chunk
                    return
        except TimeoutError:
            raise
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise DownloadError(f"cannot be fetched: {_cause(error)}") from error
        raise DownloadError(f"was redirected more than {self._max_redirects} times")

    def _check_answer(self, host: str, answer: aiohttp.ClientResponse, most: int) -> None:
        if answer.status in (401, 403, 404):
            raise DownloadError(f"is not there, or not for everyone: {host} answered {answer.status}")
        if answer.status != 200:
            raise DownloadError(f"cannot be fetched: {host} answered {answer.status}")
        chunked = "chunked" in answer.headers.get("Transfer-Encoding", "").lower()
        if self._measured and answer.content_length is None and not chunked:
            raise DownloadError(f"cannot be fetched: {host} does not say where it ends")
        if (answer.content_length or 0) > most:
            raise _too_large(most)


def _cause(error: Exception) -> str:
    if isinstance(error, aiohttp.ClientResponseError):
        return error.message  # the rest of it is the URL, which can be a signed one
    # aiohttp wraps what our resolver says in an error of its own, with words about TLS.
    cause = getattr(error, "os_error", error)
    return str(cause) or type(cause).__name__


def _too_large(most: int) -> DownloadError:
    return DownloadError(f"is larger than {most} bytes")


def _as_given(url: str) -> yarl.URL:
    return yarl.URL(quote(url, safe=_ASCII), encoded=True)
