"""Input images of a request: `data:` URIs and http(s) URLs, bounded in bytes, pixels, time and redirects.

Where one may go is for `download` and `addresses` to say, on every redirect anew.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import io
import re
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, Self
from urllib.parse import unquote_to_bytes

from PIL import Image

from zbatch.server.download import Destinations, DownloadError, Downloads
from zbatch.server.engines.inputs import FORMATS, decoding

if TYPE_CHECKING:
    from types import TracebackType

    from zbatch.server.addresses import Resolve

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
        self._destinations = Destinations(
            wanted="must be an http(s) URL or a data: URI", allow_private=allow_private
        )
        self._downloads = Downloads(
            self._destinations, max_redirects=max_redirects, accept="image/*", resolve=resolve
        )
        self._decoders = ThreadPoolExecutor(_DECODERS, thread_name_prefix="zbatch-decode")
        self._max_bytes = max_bytes
        self._max_pixels = max_pixels
        self._timeout = timeout

    async def __aenter__(self) -> Self:
        await self._downloads.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._downloads.__aexit__(kind, error, trace)
        self._decoders.shutdown(wait=False, cancel_futures=True)

    async def inline(self, field: str, uri: str) -> bytes | None:
        """Check an image field as it is submitted: bytes of a `data:` URI, `None` for a URL to fetch later.

        Raises:
            InputError: where it is neither, or cannot be used in any case.
        """
        if uri[:5].lower() != "data:":
            try:
                self._destinations.check(uri)
            except DownloadError as error:
                raise InputError(field, str(error)) from error
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
                data = await self._downloads.read(url, self._max_bytes)
        except TimeoutError as error:
            raise InputError(field, f"took longer than {self._timeout:g} s to fetch") from error
        except DownloadError as error:
            raise InputError(field, str(error)) from error
        await self._decode(field, data)
        return data

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
                with decoding(image):
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
