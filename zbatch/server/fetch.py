"""Input images of a request: `data:` URIs and http(s) URLs, bounded in bytes, pixels, time and redirects.

Where one may go is for `addresses` to say, on every redirect anew.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import io
import re
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, Self
from urllib.parse import quote, unquote_to_bytes, urljoin, urlsplit

import aiohttp
import yarl
from PIL import Image

from zbatch.server.addresses import PinnedResolver, Resolve, host_refused

if TYPE_CHECKING:
    from types import TracebackType

FORMATS: Final = ("JPEG", "PNG", "WEBP", "GIF", "BMP")
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_ODD: Final = re.compile(r"[\s\x00-\x20\x7f\\]")
_ASCII: Final = "".join(map(chr, range(0x21, 0x7F)))
"""Signs that stay as they are in a URL: a signed one must be asked for as it was given."""
_DATA_URI = re.compile(r"data:([\w.+/-]*)((?:;[\w.+-]+=[^;,]*)*)(;base64)?,", re.IGNORECASE)
_DECODERS: Final = 2
"""Images decoded at once. With 50 million pixels each, that is what bounds the memory they take.

Threads, not a process: Pillow's decoders let go of the lock, their work is bounded by the pixels that the
header declares, which are counted before anything is decoded, and the engine decodes the same bytes again in
this process: to keep a decoder that crashes out of the check alone would protect nobody.
"""


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
        resolve: Resolve | None = None,
    ) -> None:
        self._resolver = PinnedResolver(resolve, allow_private=allow_private)
        self._decoders = ThreadPoolExecutor(_DECODERS, thread_name_prefix="zbatch-decode")
        self._allow_private = allow_private
        self._max_bytes = max_bytes
        self._max_pixels = max_pixels
        self._timeout = timeout
        self._max_redirects = max_redirects
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        connector = aiohttp.TCPConnector(
            resolver=self._resolver, limit=16, use_dns_cache=False, force_close=True
        )
        # Nothing is unpacked on the way: a small body may not become a large one.
        self._session = aiohttp.ClientSession(
            connector=connector, trust_env=False, cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False, headers={"Accept": "image/*", "Accept-Encoding": "identity"},
        )  # fmt: skip
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None
        self._decoders.shutdown(wait=False, cancel_futures=True)

    async def inline(self, field: str, uri: str) -> bytes | None:
        """Check an image field as it is submitted: bytes of a `data:` URI, `None` for a URL to fetch later.

        Raises:
            InputError: where it is neither, or cannot be used in any case.
        """
        if uri[:5].lower() != "data:":
            self._check_url(field, uri)
            return None
        data = _decode_data_uri(field, uri, self._max_bytes)
        await self._decode(field, data)
        return data

    async def _decode(self, field: str, data: bytes) -> None:
        await asyncio.get_running_loop().run_in_executor(self._decoders, self._check_image, field, data)

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
        await self._decode(field, data)
        return data

    async def _download(self, field: str, url: str) -> bytes:
        if self._session is None:
            raise InputError(field, "cannot be fetched: the server is not running")
        for _ in range(self._max_redirects + 1):
            self._check_url(field, url)
            target = yarl.URL(quote(url, safe=_ASCII), encoded=True)
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
        if (answer.content_length or 0) > self._max_bytes:
            raise InputError(field, f"is larger than {self._max_bytes} bytes")
        async for chunk in answer.content.iter_chunked(65536):
            data += chunk
            if len(data) > self._max_bytes:
                raise InputError(field, f"is larger than {self._max_bytes} bytes")
        return bytes(data)

    def _check_url(self, field: str, url: str) -> None:
        # Readers of URLs differ in what they do with these: some drop them, some end a host there.
        if _ODD.search(url):
            raise InputError(field, "must be a URL without blanks, control characters and backslashes")
        try:
            parts = urlsplit(url)
            host, _ = parts.hostname, parts.port
            read_again = yarl.URL(quote(url, safe=_ASCII), encoded=True).raw_host
        except ValueError as error:
            raise InputError(field, f"must be a URL: {error}") from error
        if parts.scheme not in ("http", "https") or not host:
            raise InputError(field, "must be an http(s) URL or a data: URI")
        if parts.username is not None or parts.password is not None:
            raise InputError(field, "must not carry a user name or a password")
        if host.isascii() and (read_again or "").lower() != host:
            raise InputError(field, "must be a URL that is read in one way only")
        refused = host_refused(host, allow_private=self._allow_private)
        if refused:
            raise InputError(field, refused)

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
        except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
            raise InputError(
                field, f"has more than {self._max_pixels} pixels", reason="INVALID_IMAGE_SIZE"
            ) from error
        except Exception as error:
            # Pillow's decoders raise OSError, SyntaxError, ValueError, struct.error and others on bad bytes.
            raise InputError(
                field, "is not an image that can be read (JPEG, PNG, WebP, GIF or BMP)",
                reason="INVALID_IMAGE_FORMAT",
            ) from error  # fmt: skip


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
