"""Where the file of a LoRA is: in the folder for them, or in the cache of those that were fetched."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import re
import secrets
import time
from pathlib import Path
from typing import BinaryIO, Final
from weakref import WeakValueDictionary

from zbatch.durable import make_durable_directory, settle
from zbatch.server.engines.diffusion.lora_download import REPOSITORY, LoraError, LoraHosts

_ENDING: Final = ".safetensors"
_ABANDONED: Final = 3600.0
"""Seconds without a byte, after which nobody is fetching a file any more."""
_AT_ONCE: Final = 4
"""Files that are fetched at once: what is under way has its room on disk beside the cache's."""
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


class LoraFiles:
    """Finds LoRA files by the path that a request gives.

    A path with a scheme is a URL. Any other is a file in `folder`, its ending optional; where there is none,
    `owner/repo` and `owner/repo/file.safetensors` are a repository of Hugging Face. What was fetched stays as
    it is while it is in the cache: a run does not change its LoRAs half way.
    """

    def __init__(self, folder: Path | None, hosts: LoraHosts, cache: Path | None, cache_bytes: int) -> None:
        self._folder = folder
        self._hosts = hosts
        self._cache = cache
        self._cache_bytes = cache_bytes
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._fetches = asyncio.Semaphore(_AT_ONCE)

    async def fetch(self, path: str) -> None:
        """Have the file of a LoRA on this machine.

        Raises:
            LoraError: it is missing or cannot be had.
        """
        if self._own(path) is not None or self._fetched(path) is not None:
            return
        self._hosts.check(path)
        if self._cache is None:
            raise LoraError(path, "cannot be fetched: this server has no folder to keep it in")
        lock = self._locks.setdefault(path, asyncio.Lock())  # gone with the last who waits for it
        async with lock, self._fetches:
            if self._fetched(path) is None:
                await self._download(path, self._cached(self._cache, path))

    def find(self, path: str) -> Path:
        """Give the file of a LoRA.

        Raises:
            LoraError: it is missing, or not (or no longer) on this machine.
        """
        own = self._own(path)
        if own is not None:
            return own
        file = self._fetched(path)
        if file is None:
            raise LoraError(path, "was fetched and is gone from the cache; ask again")
        with contextlib.suppress(OSError):
            # When it was used, which not every file system notes by itself; not when it was changed, by which
            # the model knows what it holds.
            os.utime(file, ns=(time.time_ns(), file.stat().st_mtime_ns))
        return file

    def _own(self, path: str) -> Path | None:
        """Give the file of this machine that a path means; `None` where it means one of another.

        Raises:
            LoraError: it is a file's path and there is no such file, or it leads out of the folder.
        """
        if _URL.match(path):
            return None
        try:
            return self._local(path)
        except LoraError:
            if _is_repository(path):
                return None
            raise

    def _local(self, path: str) -> Path:
        missing = LoraError(path, "is missing: there is no such file in this server's --lora-dir")
        if self._folder is None:
            raise LoraError(path, "is missing: this server has no --lora-dir")
        parts = path.split("/")
        if "\0" in path or "\\" in path or any(part in ("", ".", "..") for part in parts):
            raise missing
        folder = self._folder.resolve()
        for name in (path, path + _ENDING):
            try:
                file = (folder / name).resolve()
                is_file = file.suffix == _ENDING and file.is_file()
            except (OSError, RuntimeError, ValueError):
                continue
            # Links are followed first; whether there is a file where they lead out to is not told.
            if not file.is_relative_to(folder):
                missing = LoraError(
                    path, "cannot be used: it is a link that leads out of this server's --lora-dir"
                )
            elif is_file:
                return file
        raise missing

    def _fetched(self, path: str) -> Path | None:
        if self._cache is None:
            return None
        file = self._cached(self._cache, path)
        return file if file.is_file() else None

    def _cached(self, cache: Path, path: str) -> Path:
        # The name is ours: nothing that a caller sends becomes a path.
        return cache / f"{hashlib.sha256(path.encode('utf-8', 'surrogatepass')).hexdigest()}{_ENDING}"

    async def _download(self, path: str, file: Path) -> None:
        part = file.with_name(f"{secrets.token_hex(8)}.part")
        try:
            await asyncio.to_thread(make_durable_directory, file.parent)
            with part.open("xb") as stream:
                await self._hosts.fetch(path, stream)
                await asyncio.to_thread(self._keep, stream, part, file)
        except OSError as error:
            raise LoraError(path, f"cannot be kept: {error.strerror or error}") from error
        finally:
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)

    def _keep(self, stream: BinaryIO, part: Path, file: Path) -> None:
        settle(stream, part, file)
        self._shrink(file)

    def _shrink(self, keep: Path) -> None:
        """Let those go that were used longest ago, until the rest has room; and what a crash left half."""
        for part in keep.parent.glob("*.part"):
            with contextlib.suppress(OSError):
                if time.time() - part.stat().st_mtime > _ABANDONED:
                    part.unlink()
        files = []
        for file in keep.parent.glob(f"*{_ENDING}"):
            with contextlib.suppress(OSError):
                files.append((file.stat(), file))
        total = sum(stat.st_size for stat, _ in files)
        for stat, file in sorted(files, key=lambda one: one[0].st_atime_ns):
            if total <= self._cache_bytes:
                return
            if file != keep:
                with contextlib.suppress(OSError):
                    file.unlink()
                total -= stat.st_size


def _is_repository(path: str) -> bool:
    """Tell whether a path is `owner/repo` or `owner/repo/file.safetensors`, and leads nowhere else."""
    owner_and_name = "/".join(path.split("/", 2)[:2])
    whole = path == owner_and_name or path.endswith(_ENDING)
    plain = "\\" not in path and all(part not in ("", ".", "..") for part in path.split("/"))
    return whole and plain and REPOSITORY.fullmatch(owner_and_name) is not None
