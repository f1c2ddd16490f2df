"""LoRAs from named hosts: whole, bounded, and never from a private address.

A host that was allowed vouches for where it redirects to (repositories keep their files on other hosts), but
every hop is https to a public address. A token goes to the host it is for and to no other.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
from typing import Any, BinaryIO, Final
from urllib.parse import quote, urlsplit

import orjson

from zbatch.server.download import Destinations, DownloadError, Downloads

MAX_BYTES: Final = 4 * 2**30
_MAX_LISTING: Final = 8 * 2**20
_START: Final = 9
"""Bytes that tell whether it is safetensors: the header's length, and the brace it begins with."""
_MAX_HEADER: Final = 100_000_000
"""What safetensors itself takes."""
_MAX_REDIRECTS: Final = 6
_LEAST_RATE: Final = 64 * 2**10
"""Bytes a second, on the average, of a host that is waited for."""
REPOSITORY: Final = re.compile(r"[\w.-]+/[\w.-]+", re.ASCII)
_USER: Final = re.compile(r"//[^/]*@")
_USUAL: Final = "pytorch_lora_weights.safetensors"


class LoraError(Exception):
    """A LoRA that cannot be used; the message names it and says why.

    Of a URL it has neither query nor user: these can hold a token, and what is said of a task ends up in logs
    and sheets.
    """

    def __init__(self, path: str, why: str) -> None:
        super().__init__(f"LoRA {_USER.sub('//', path.partition('?')[0])!r} {why}")


class LoraHosts:
    """Fetches LoRA files from the hosts that are allowed.

    A file may take `patience` seconds, and longer while it comes at a fair rate.
    """

    def __init__(
        self, allowed: frozenset[str], *, allow_private: bool = False, patience: float = 60.0
    ) -> None:
        self._allowed = frozenset(host.lower().rstrip(".") for host in allowed)
        self._destinations = Destinations(
            schemes=("https", "http") if allow_private else ("https",),
            wanted="may not be fetched: only https URLs are",
            allow_private=allow_private,
        )
        self._patience = patience
        self._hub = os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")

    def check(self, path: str) -> None:
        """See that a URL or a repository may be fetched at all.

        Raises:
            LoraError: its host is not allowed, or the URL is none that may be fetched.
        """
        try:
            host = self._destinations.check(path if "://" in path else self._hub).rstrip(".")
        except DownloadError as error:
            raise LoraError(path, str(error)) from error
        if host not in self._allowed:
            raise LoraError(
                path, f"may not be fetched: this server does not fetch LoRAs from {host} (--allow-lora-hosts)"
            )

    async def fetch(self, path: str, stream: BinaryIO) -> None:
        """Write the file of a URL, or of `owner/repo` or `owner/repo/file.safetensors`.

        Raises:
            LoraError: it cannot be had, is too large, or is no safetensors file.
            OSError: it cannot be written.
        """
        self.check(path)
        downloads = Downloads(
            self._destinations, max_redirects=_MAX_REDIRECTS, headers=self._headers, measured=True
        )
        try:
            async with asyncio.timeout(self._patience) as patience, downloads:
                url = self._raw(path) if "://" in path else await self._file_of(downloads, path)
                await self._write(downloads, path, url, stream, patience)
        except TimeoutError as error:
            raise LoraError(path, "cannot be fetched: it comes too slowly") from error
        except DownloadError as error:
            raise LoraError(path, str(error)) from error

    def _raw(self, url: str) -> str:
        """Give where a file itself is: what a browser shows of Hugging Face is a page about it."""
        return url.replace("/blob/", "/resolve/", 1) if url.startswith(f"{self._hub}/") else url

    async def _file_of(self, downloads: Downloads, path: str) -> str:
        """Find the weights of a repository."""
        owner, name, *rest = path.split("/", 2)
        repository = f"{owner}/{name}"
        if rest:
            return f"{self._hub}/{repository}/resolve/main/{quote(rest[0], errors='replace')}"
        try:
            listing = orjson.loads(await downloads.read(f"{self._hub}/api/models/{repository}", _MAX_LISTING))
        except orjson.JSONDecodeError as error:
            raise LoraError(path, "cannot be fetched: its repository is not told of") from error
        file = _weights(path, listing)
        return f"{self._hub}/{repository}/resolve/main/{quote(file)}"

    async def _write(
        self, downloads: Downloads, path: str, url: str, stream: BinaryIO, patience: asyncio.Timeout
    ) -> None:
        began = asyncio.get_running_loop().time()
        length, start = 0, b""
        async with contextlib.aclosing(downloads.chunks(url, MAX_BYTES)) as chunks:
            async for chunk in chunks:
                length += len(chunk)
                patience.reschedule(began + self._patience + length / _LEAST_RATE)
                if len(start) < _START:
                    start = (start + chunk)[:_START]
                    if len(start) == _START:
                        _check_start(path, start)
                await asyncio.to_thread(stream.write, chunk)
        _check_start(path, start)

    def _headers(self, url: str) -> dict[str, str]:
        token = os.environ.get("HF_TOKEN")
        theirs = urlsplit(url)[:2] == urlsplit(self._hub)[:2]
        return {"Authorization": f"Bearer {token}"} if token and theirs else {}


def _weights(path: str, listing: Any) -> str:
    """Choose the one file of weights of a repository."""
    siblings = listing.get("siblings") if isinstance(listing, dict) else None
    files = [
        str(one["rfilename"])
        for one in (siblings if isinstance(siblings, list) else [])
        if isinstance(one, dict) and str(one.get("rfilename", "")).endswith(".safetensors")
    ]
    if len(files) == 1:
        return files[0]
    if _USUAL in files:
        return _USUAL
    if not files:
        raise LoraError(path, "has no .safetensors file")
    raise LoraError(
        path,
        f"is a repository of several files; name one as in {path}/{min(files)} "
        f"({', '.join(sorted(files)[:5])})",
    )


def _check_start(path: str, start: bytes) -> None:
    """See that it is safetensors by its first bytes: a page that asks to log in is told before it is long."""
    if (
        len(start) < _START
        or not 2 <= int.from_bytes(start[:8], "little") <= _MAX_HEADER
        or start[8:] != b"{"
    ):
        raise LoraError(path, "is not a safetensors file")
