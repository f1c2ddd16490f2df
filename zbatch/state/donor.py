"""A run from which pictures are taken over, as the one who takes sees it. Nothing in it is written."""
# ruff: noqa: PTH116, PTH118, PTH123 - paths are text: this is done for every picture of a run

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any, Final

import orjson

from zbatch.errors import DiskError
from zbatch.model import EXTENSIONS, Artifact, thumb_file
from zbatch.state.artifacts import BadImageError, thumbnail_of
from zbatch.state.database import Meta
from zbatch.state.placing import Lying, mark_of
from zbatch.state.reader import StateReader
from zbatch.state.records import artifact_of
from zbatch.state.run import Run
from zbatch.state.takeovers import TakenOver, Wanted

_OFFERED: Final = """
    SELECT j.*, t.making, (SELECT json_group_array(task_id) FROM
        (SELECT task_id FROM attempts WHERE job_id = j.id AND task_id IS NOT NULL ORDER BY number)) AS tasks
    FROM json_each(?) AS wanted JOIN jobs AS j ON j.key = wanted.value
        LEFT JOIN taken_over AS t ON t.job_id = j.id
    WHERE +j.state = 'done'  -- by its key each, not through all that are done
"""
_LYING: Final = "SELECT key, file, bytes FROM jobs WHERE +state = 'done' ORDER BY id"
_JPEG_STARTS: Final = b"\xff\xd8\xff"
_JPEG_ENDS: Final = b"\xff\xd9"
_ENDS: Final = tuple(EXTENSIONS.values())


class UnfitError(Exception):
    """A picture that the other run says it has is not what it wrote down; the message says in what."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A picture that another run says it has, and what is known of its making."""

    artifact: Artifact
    nsfw: Any
    making: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Picked:
    """A picture that was found whole: the files to place, the picture last, and what to note."""

    files: tuple[tuple[str, bytes | Lying], ...]
    note: TakenOver


class Donor(StateReader):
    """One such run. Use it as a context manager, from one thread; `pick` may be called from any."""

    def __init__(self, path: Path, taker: Path) -> None:
        """Open it.

        Raises:
            UsageError: there is no run there.
            StateError: its state is damaged, gone, or a newer zbatch's.
        """
        with Run(path) as run:
            self.kind = str(run.about(Meta.ENDPOINT_KIND) or "")
            self.endpoint = str(run.about(Meta.ENDPOINT) or "")
            self._identity = run.about(Meta.IDENTITY)
            self._pictures = run.pictures
        self.path = path
        super().__init__(run.directory)
        self._root = os.path.realpath(path)
        self._from_taker = os.path.relpath(self._root, os.path.realpath(taker))

    def made(self) -> Iterator[str]:
        """Give the keys of the jobs whose pictures it has, whether its manifest still shows them or not.

        Each is looked for, by its name and its length; `pick` reads it.
        """
        for key, file, size in self._rows(_LYING):
            if self._pictures.location is not None:  # to list them all takes its time
                yield key
                continue
            with contextlib.suppress(OSError):
                if os.stat(os.path.join(self._root, file)).st_size == size:
                    yield key

    def offers(self, keys: Collection[str]) -> dict[str, Offer]:
        """Give what it has of some jobs."""
        rows = self._rows(_OFFERED, orjson.dumps(list(keys)).decode(), named=True)
        return {row["key"]: self._offer(row) for row in rows}

    def _offer(self, row: Any) -> Offer:
        making = orjson.loads(row["making"]) if row["making"] else None
        if making is None:
            making = {
                "run": self._from_taker,
                "endpoint": self.endpoint,
                "attempts": row["attempts"],
                "task_ids": orjson.loads(row["tasks"]),
                "submitted_at": row["submitted_at"],
                "done_at": row["done_at"],
            }
        else:  # it had it from another run itself, whose place it knew from its own
            made_in = os.path.normpath(os.path.join(self._from_taker, str(making.get("run", ""))))
            making = {**making, "run": made_in}
        nsfw = None if row["nsfw"] is None else orjson.loads(row["nsfw"])
        return Offer(artifact_of(row), nsfw, making)

    def pick(self, wanted: Wanted, offer: Offer) -> Picked:
        """Look at a picture and give it as it is to be placed and noted. Reads it whole.

        Raises:
            UnfitError: it is gone, changed, or cannot be read.
        """
        artifact = offer.artifact
        lying, data = self._whole(artifact)
        end = next(end for end in (os.path.splitext(artifact.file)[1], ".webp") if end in _ENDS)  # noqa: PTH122
        stem = next(
            (wanted.file.removesuffix(one) for one in _ENDS if wanted.file.endswith(one)), wanted.file
        )
        file = stem + end
        files: list[tuple[str, bytes | Lying]] = [(file, lying)]
        thumb = file
        if artifact.thumb != artifact.file:
            thumb = thumb_file(wanted.key)
            files.insert(0, (thumb, self._thumbnail(artifact, data)))
        note = TakenOver(
            wanted.id,
            replace(artifact, file=file, thumb=thumb),
            offer.nsfw,
            self._from_taker,
            self._identity,
            offer.making,
        )
        return Picked(tuple(files), note)

    def _whole(self, artifact: Artifact) -> tuple[bytes | Lying, bytes]:
        path = self._inside(artifact.file)
        if self._pictures.location is not None:
            return self._stored(artifact)
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            with os.fdopen(descriptor, "rb") as stream:
                status = os.fstat(descriptor)
                if not stat.S_ISREG(status.st_mode):
                    raise UnfitError("is no file")
                if status.st_size != artifact.bytes:
                    raise UnfitError("was changed")
                data = stream.read()
        except (FileNotFoundError, NotADirectoryError) as error:
            raise UnfitError("is gone") from error
        except OSError as error:
            raise UnfitError(f"cannot be read ({error.strerror or error})") from error
        if hashlib.sha256(data).hexdigest() != artifact.sha256:
            raise UnfitError("was changed")
        return Lying(os.path.realpath(path), mark_of(status)), data

    def _stored(self, artifact: Artifact) -> tuple[bytes, bytes]:
        """Fetch a picture from the object store where the run has them."""
        try:
            data = self._pictures.read(artifact.file)
        except DiskError as error:
            raise UnfitError(f"is not to be had ({error.message})") from error
        if hashlib.sha256(data).hexdigest() != artifact.sha256:
            raise UnfitError("was changed")
        return data, data

    def _thumbnail(self, artifact: Artifact, data: bytes) -> bytes | Lying:
        """Give the thumbnail that lies there, if it looks whole, or a new one."""
        with contextlib.suppress(OSError, UnfitError):
            path = os.path.realpath(self._inside(artifact.thumb))
            with open(path, "rb") as stream:
                small, status = stream.read(), os.fstat(stream.fileno())
            if small.startswith(_JPEG_STARTS) and small.endswith(_JPEG_ENDS):
                return Lying(path, mark_of(status))
        try:
            return thumbnail_of(data)
        except BadImageError as error:
            raise UnfitError(f"is no whole picture ({error})") from error

    def _inside(self, file: str) -> str:
        """Give a path in the run, whatever its state says: what lies outside is nothing to be taken."""
        pure = PurePosixPath(file)
        if pure.is_absolute() or ".." in pure.parts or not file.startswith(("images/", "thumbs/")):
            raise UnfitError("is not where a picture lies")
        return os.path.join(self._root, file)
