"""Where finished images are kept until they are fetched or their time is over: in memory, or on disk."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Collection
from pathlib import Path
from typing import Protocol

from zbatch.durable import make_durable_directory, write_aside
from zbatch.errors import DiskError


class Shelf(Protocol):
    """Keeps the bytes of one image for each task."""

    async def put(self, task_id: str, image: bytes) -> None:
        """Keep an image; when this returns, it is as safe as it gets here.

        Raises:
            DiskError: naming the file.
        """

    async def get(self, task_id: str) -> bytes | None:
        """Give an image, or `None` where it is gone."""

    async def drop(self, task_id: str) -> None:
        """Let an image go."""

    async def keep_only(self, task_ids: Collection[str]) -> None:
        """Let all others go, which no task knows any more."""


class MemoryShelf:
    """A shelf that is gone with its process."""

    def __init__(self) -> None:
        self._images: dict[str, bytes] = {}

    async def put(self, task_id: str, image: bytes) -> None:
        """Keep an image."""
        self._images[task_id] = image

    async def get(self, task_id: str) -> bytes | None:
        """Give an image."""
        return self._images.get(task_id)

    async def drop(self, task_id: str) -> None:
        """Let an image go."""
        self._images.pop(task_id, None)

    async def keep_only(self, task_ids: Collection[str]) -> None:
        """Let all others go."""
        self._images = {name: image for name, image in self._images.items() if name in task_ids}


class DiskShelf:
    """A shelf of files, each whole and on disk before it is told of.

    They lie in 256 folders after the first two signs of the task's id, which is ours and hexadecimal: nothing
    that a caller sends becomes a path.
    """

    def __init__(self, path: Path) -> None:
        """Use a folder, made where it is not there.

        Raises:
            DiskError: it cannot be made.
        """
        self._path = path
        try:
            make_durable_directory(path)
        except OSError as error:
            raise DiskError(f"cannot make {path}: {error.strerror or error}") from error

    async def put(self, task_id: str, image: bytes) -> None:
        """Write an image, durably.

        Raises:
            DiskError: naming the file.
        """
        await asyncio.to_thread(self._put, task_id, image)

    def _put(self, task_id: str, image: bytes) -> None:
        path = self._file(task_id)
        try:
            make_durable_directory(path.parent)
        except OSError as error:
            raise DiskError(f"cannot make {path.parent}: {error.strerror or error}") from error
        write_aside(path, image)

    async def get(self, task_id: str) -> bytes | None:
        """Read an image, or give `None` where its file cannot be read."""
        with contextlib.suppress(OSError):
            return await asyncio.to_thread(self._file(task_id).read_bytes)
        return None

    async def drop(self, task_id: str) -> None:
        """Delete a file; one that cannot be deleted stays."""
        with contextlib.suppress(OSError):
            await asyncio.to_thread(self._file(task_id).unlink, missing_ok=True)

    async def keep_only(self, task_ids: Collection[str]) -> None:
        """Delete the files of all other tasks, and what a crash left half written."""
        await asyncio.to_thread(self._keep_only, task_ids)

    def _keep_only(self, task_ids: Collection[str]) -> None:
        for path in self._path.glob("??/*"):
            if path.name not in task_ids:
                with contextlib.suppress(OSError):
                    path.unlink()

    def _file(self, task_id: str) -> Path:
        return self._path / task_id[:2] / task_id
