"""Sidecars: beside each image its line of `jobs.jsonl` (`.json`) and its caption (`.txt`), where asked for.

Both are of what the state says now, and the line of a job is whole only once the job is done; so they are
written by a pass over the run, not with the picture. What is as it should be is not written again. A caption
that a person changed is theirs: ours have the time of their image, and one with another time stays as it is.
"""
# Paths are text here: this is done for every picture, and objects cost more than what is done with them.
# ruff: noqa: PTH118

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Final, Self

import orjson

from zbatch.errors import DiskError, UsageError
from zbatch.exports.entries import Entry
from zbatch.exports.provenance import job_line
from zbatch.model import JobState
from zbatch.state.captions import Captions
from zbatch.state.database import Meta
from zbatch.state.placing import place_all
from zbatch.state.records import JobFacts
from zbatch.state.run import Run

_TOGETHER: Final = 512
"""Files that wait for the disk together."""
_HINT: Final = "the images and the state are safe: make room or mend what is in the way, then zbatch report"


def write_sidecars(run: Run) -> list[str]:
    """Write what is missing or not as it should be; give words on what was not written.

    Raises:
        UsageError: the caption cannot be made of any image.
        DiskError: one could not be written; those before it are.
    """
    if run.location is not None and run.about(Meta.SIDECARS):
        return [f"no sidecars are written into {run.location}: zbatch export writes captions and lines"]
    work = Sidecars.of(run)
    if work is None:
        return []
    for _ in work.written():
        pass
    return list(work.words())


@dataclass(slots=True)
class Sidecar:
    """A file to be written; of a caption, the time (ns) that it gets, which is its image's."""

    name: str
    data: bytes
    key: str
    time: int | None = None


@dataclass(slots=True)
class Sidecars:
    """One pass over a run's sidecars: how many there are to be, and what could not be done."""

    run: Run
    captions: Captions | None
    lines: bool
    expected: int = 0
    failed: list[str] = field(default_factory=list)
    edited: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, run: Run) -> Self | None:
        """Give the pass over a run; `None` where it has none beside its images.

        Raises:
            UsageError: the caption cannot be made of any image.
        """
        kinds = frozenset(run.about(Meta.SIDECARS) or ())
        if not kinds or run.location is not None:
            return None
        captions = Captions(run) if "txt" in kinds else None
        if captions is not None:
            captions.check()
        return cls(run, captions, lines="json" in kinds)

    def files(self) -> Iterator[Sidecar]:
        """Give the files of every image that lies there, as far as they are not as they should be."""
        for job in self.run.facts():
            if job.state != JobState.DONE:
                continue
            time = self._time(job.file)
            if time is None:
                continue  # it is gone, and `status` says so
            stem = job.file.rpartition(".")[0]
            if self.lines:
                line = job_line(job)
                self.expected += 1
                if self._lies(f"{stem}.json") != line:
                    yield Sidecar(f"{stem}.json", line, job.key)
            # One that the manifest no longer shows has no coordinates to make a caption of.
            if self.captions is not None and job.coordinates != b"[]":
                yield from self._caption(job, f"{stem}.txt", time)

    def _caption(self, job: JobFacts, name: str, time: int) -> Iterator[Sidecar]:
        assert self.captions is not None  # noqa: S101 - for the type checker: asked for above
        try:
            data = f"{self.captions.of(_entry(job))}\n".encode()
        except UsageError as error:
            self.failed.append(error.message)
            return
        self.expected += 1
        there = self._lies(name)
        if there == data:
            return
        if there and self._time(name) != time:
            self.edited.append(name)
            return
        yield Sidecar(name, data, job.key, time)

    def written(self) -> Iterator[str]:
        """Write what is not as it should be, durably; give each file's name when it is.

        Raises:
            DiskError: one could not be written; those before it are.
        """
        files = self.files()
        while some := list(islice(files, _TOGETHER)):
            self._place(some)
            yield from (file.name for file in some)

    def _place(self, files: list[Sidecar]) -> None:
        errors = place_all(self.run.directory, [[(file.name, file.data)] for file in files])
        for error in errors:
            if error is not None:
                raise DiskError(error.message, hint=_HINT)
        for file in files:
            if file.time is not None:
                with contextlib.suppress(OSError):  # it then stays as it is, however the caption changes
                    os.utime(self._path(file.name), ns=(file.time, file.time))

    def words(self) -> Iterator[str]:
        """Say what was not written."""
        if self.failed:
            more = f" ({len(self.failed):,} images)" if len(self.failed) > 1 else ""
            yield f"not every caption could be written{more}: {self.failed[0]}"
        if self.edited:
            more = f" and {len(self.edited) - 1:,} others" if len(self.edited) > 1 else ""
            yield (
                f"{self.edited[0]}{more} would have another caption now, and stays as somebody wrote it: "
                "where it is taken away, it is written anew"
            )

    def _lies(self, name: str) -> bytes | None:
        try:
            with open(self._path(name), "rb") as stream:  # noqa: PTH123 - as above
                return stream.read()
        except OSError:
            return None  # if it is in the way, writing says so

    def _time(self, name: str) -> int | None:
        try:
            return os.stat(self._path(name)).st_mtime_ns  # noqa: PTH116 - as above
        except OSError:
            return None

    def _path(self, name: str) -> str:
        return os.path.join(self.run.directory.path, name)


def _entry(job: JobFacts) -> Entry:
    return Entry(
        run=0,
        key=job.key,
        file=job.file,
        thumb="",
        sha256=job.sha256 or "",
        length=job.length or 0,
        width=job.width or 0,
        height=job.height or 0,
        media_type=job.media_type or "",
        model=job.model,
        nsfw=None,
        warnings=[],
        cells=orjson.loads(job.coordinates),
        request=orjson.loads(job.request),
    )
