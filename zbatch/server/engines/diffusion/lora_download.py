"""LoRAs from named hosts: whole, bounded, and never from a private address.

A host that was allowed vouches for where it redirects to (repositories keep their files on other hosts), but
every hop is https to a public address. A token goes to the host it is for and to no other.
"""

from __future__ import annotations

import asyncio
import os
import re
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urljoin, urlsplit

import aiohttp
import orjson
import yarl

from zbatch.server.addresses import PinnedResolver, host_refused

MAX_BYTES: Final = 4 * 2**30
_MAX_LISTING: Final = 8 * 2**20
_MAX_HEADER: Final = 100 * 2**20
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_HOPS: Final = 6
_SILENCE: Final = 60.0
"""Seconds without a byte."""
REPOSITORY: Final = re.compile(r"[\w.-]+/[\w.-]+")
_USUAL: Final = "pytorch_lora_weights.safetensors"


class LoraError(Exception):
    """A LoRA that cannot be used; the message names it and says why."""


class LoraHosts:
    """Fetches LoRA files from the hosts that are allowed."""

    def __init__(self, allowed: frozenset[str], *, allow_private: bool = False) -> None:
        self._allowed = frozenset(host.lower().rstrip(".") for host in allowed)
        self._allow_private = allow_private
        self._hub = os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")

    def check(self, path: str) -> None:
        """See that a URL or a repository may be fetched at all.

        Raises:
            LoraError: its host is not allowed, or the URL is none that may be fetched.
        """
        url = path if "://" in path else self._hub
        host = self._host(path, url)
        if host not in self._allowed:
            raise LoraError(
                f"LoRA {path!r} may not be fetched: this server does not fetch LoRAs from {host} "
                "(--allow-lora-hosts)"
            )

    def _host(self, path: str, url: str) -> str:
        try:
            parts = urlsplit(url)
            host, _ = (parts.hostname or "").rstrip("."), parts.port
        except ValueError as error:
            raise LoraError(f"LoRA {path!r}: not a URL: {error}") from error
        schemes = ("https", "http") if self._allow_private else ("https",)
        if parts.scheme not in schemes or not host:
            raise LoraError(f"LoRA {path!r}: only https URLs are fetched")
        if parts.username is not None or parts.password is not None:
            raise LoraError(f"LoRA {path!r}: a URL must not carry a user name or a password")
        refused = host_refused(host, allow_private=self._allow_private)
        if refused:
            raise LoraError(f"LoRA {path!r}: its URL {refused}")
        return host

    async def fetch(self, path: str, target: Path) -> None:
        """Write the file of a URL, or of `owner/repo` or `owner/repo/file.safetensors`.

        Raises:
            LoraError: it cannot be had, is too large, or is no safetensors file.
            OSError: it cannot be written.
        """
        self.check(path)
        connector = aiohttp.TCPConnector(
            resolver=PinnedResolver(allow_private=self._allow_private), use_dns_cache=False
        )
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=30, sock_read=_SILENCE)
        try:
            async with aiohttp.ClientSession(
                connector=connector, timeout=timeout, trust_env=False, cookie_jar=aiohttp.DummyCookieJar()
            ) as session:
                url = path if "://" in path else await self._file_of(session, path)
                await self._download(session, path, url, target)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            cause = getattr(error, "os_error", error)
            raise LoraError(f"LoRA {path!r} cannot be fetched: {cause or type(error).__name__}") from error

    async def _file_of(self, session: aiohttp.ClientSession, path: str) -> str:
        """Find the weights of a repository."""
        owner, name, *rest = path.split("/", 2)
        repository = f"{owner}/{name}"
        if rest:
            return f"{self._hub}/{repository}/resolve/main/{quote(rest[0])}"
        listing = bytearray()
        async for chunk in self._chunks(session, path, f"{self._hub}/api/models/{repository}"):
            listing += chunk
            if len(listing) > _MAX_LISTING:
                raise LoraError(f"LoRA {path!r}: the repository's listing is too long")
        file = _weights(path, orjson.loads(listing))
        return f"{self._hub}/{repository}/resolve/main/{quote(file)}"

    async def _download(self, session: aiohttp.ClientSession, path: str, url: str, target: Path) -> None:
        length, checked = 0, False
        start = b""
        with target.open("wb") as stream:
            async for chunk in self._chunks(session, path, url):
                length += len(chunk)
                if length > MAX_BYTES:
                    raise LoraError(f"LoRA {path!r} is larger than {MAX_BYTES // 2**30} GiB")
                if not checked:
                    start += chunk
                    if len(start) >= 9:
                        _check_start(path, start)
                        checked = True
                await asyncio.to_thread(stream.write, chunk)
        if not checked:
            _check_start(path, start)

    async def _chunks(self, session: aiohttp.ClientSession, path: str, url: str) -> Any:
        """Give the body behind a URL, redirects followed and each hop checked."""
        token, hub = os.environ.get("HF_TOKEN"), urlsplit(self._hub)[:2]
        for _ in range(_HOPS):
            self._host(path, url)
            headers = {"Authorization": f"Bearer {token}"} if token and urlsplit(url)[:2] == hub else {}
            async with session.get(
                yarl.URL(url, encoded=True), allow_redirects=False, headers=headers
            ) as answer:
                if answer.status in _REDIRECTS and "Location" in answer.headers:
                    url = urljoin(url, answer.headers["Location"])
                    continue
                if answer.status in (401, 403, 404):
                    raise LoraError(
                        f"LoRA {path!r} is not there, or not for everyone: "
                        f"{urlsplit(url).hostname} answered {answer.status}"
                    )
                if answer.status != 200:
                    raise LoraError(
                        f"LoRA {path!r} cannot be fetched: {urlsplit(url).hostname} answered {answer.status}"
                    )
                async for chunk in answer.content.iter_chunked(2**20):
                    yield chunk
                return
        raise LoraError(f"LoRA {path!r} cannot be fetched: redirected more than {_HOPS} times")


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
        raise LoraError(f"LoRA {path!r}: the repository has no .safetensors file")
    raise LoraError(
        f"LoRA {path!r}: the repository has several files; name one as in {path}/{min(files)} "
        f"({', '.join(sorted(files)[:5])})"
    )


def _check_start(path: str, start: bytes) -> None:
    """See that it is safetensors by its first bytes: a page that asks to log in is told before it is long."""
    if len(start) < 9 or not 2 <= int.from_bytes(start[:8], "little") <= _MAX_HEADER or start[8:9] != b"{":
        raise LoraError(f"LoRA {path!r} is not a safetensors file")
