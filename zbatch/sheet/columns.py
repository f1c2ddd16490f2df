"""Columns of small numbers: cells and jobs as a sheet holds them, each text, request and shape kept once."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import orjson

from zbatch.model import JobState, thumb_file
from zbatch.sheet.packing import packed_files, packed_hashes, packed_numbers, packed_tasks
from zbatch.sheet.signatures import unsigned, unsigned_body
from zbatch.state.records import JobRecord
from zbatch.state.verdicts import is_flagged

NONE: Final = -1
"""Index that points nowhere."""

LONGEST_REASON: Final = 2000
"""Characters of a server's words that go onto the page."""

STATES: Final = tuple(JobState)
"""States by the number that stands for them in the columns."""


class Interner:
    """Keeps each distinct thing once and gives its number."""

    def __init__(self) -> None:
        self.items: list[Any] = []
        self._index: dict[Hashable, int] = {}

    def add(self, item: Any, identity: Hashable = None) -> int:
        """Give the number of an item; `identity` stands for one that cannot be hashed. None is nowhere."""
        if item is None:
            return NONE
        key = item if identity is None else identity
        number = self._index.get(key)
        if number is None:
            number = self._index[key] = len(self.items)
            self.items.append(item)
        return number


@dataclass(frozen=True, slots=True)
class CellColumns:
    """The cells in grid order. `coordinates` has a column of value numbers for each axis.

    `job` points into the jobs and `rule` into the strings; a cell has one of the two, the other is -1.
    """

    coordinates: list[list[int]]
    job: list[int] = field(default_factory=list)
    rule: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class JobColumns:
    """The jobs that the manifest shows, in grid order. Texts are numbers into `SheetData.strings`.

    `rest` points to the request without prompt and seed; `shape` to `(width, height, thumb width, thumb
    height)` in pixels (the size asked for and zeros while there is no picture). `thumb` is -1 where it lies
    at `thumbs/<key[:16]>.jpg`. `reused` names the run that a picture was taken over from. Times are
    milliseconds since 1970 UTC.
    """

    key: list[str] = field(default_factory=list)
    state: list[int] = field(default_factory=list)
    prompt: list[int] = field(default_factory=list)
    seed: list[int] = field(default_factory=list)
    rest: list[int] = field(default_factory=list)
    file: list[str] = field(default_factory=list)
    thumb: list[int] = field(default_factory=list)
    shape: list[int] = field(default_factory=list)
    bytes: list[int] = field(default_factory=list)
    sha256: list[str] = field(default_factory=list)
    media_type: list[int] = field(default_factory=list)
    warnings: list[int] = field(default_factory=list)
    nsfw: list[int] = field(default_factory=list)
    flagged: list[int] = field(default_factory=list)
    reason: list[int] = field(default_factory=list)
    message: list[int] = field(default_factory=list)
    attempts: list[int] = field(default_factory=list)
    task_ids: list[list[str]] = field(default_factory=list)
    reused: list[int] = field(default_factory=list)
    submitted_at: list[int | None] = field(default_factory=list)
    done_at: list[int | None] = field(default_factory=list)

    def packed(self) -> dict[str, Any]:
        """Give the columns as the page unpacks them, which knows by their names how."""
        numbers = {
            name: packed_numbers(getattr(self, name))
            for name in self.__slots__
            if name not in {"key", "sha256", "file", "task_ids"}
        }
        return {
            "key": packed_hashes(self.key),
            "sha256": packed_hashes(self.sha256),
            "file": packed_files(self.file, self.key),
            "task_ids": packed_tasks(self.task_ids),
            **numbers,
        }


DIGEST: Final = 24
"""Digits of a digest that tell pictures apart."""


class JobReader:
    """Turns job records into columns."""

    def __init__(self) -> None:
        self.columns = JobColumns()
        self.strings = Interner()
        self.rests = Interner()
        self.shapes = Interner()
        self.verdicts = Interner()
        self.received: list[str] = []
        """The beginning of the digest of what came for each job, before words were put into it."""
        self._states = {state: number for number, state in enumerate(STATES)}

    def add(self, job: JobRecord) -> int:
        """Append one job; gives its number."""
        columns, text = self.columns, self.strings.add
        body = job.request.body()
        columns.prompt.append(text(body.pop("prompt")))
        columns.seed.append(body.pop("seed"))
        columns.rest.append(self.rests.add(unsigned_body(body), orjson.dumps(body)))
        columns.key.append(job.key)
        columns.state.append(self._states[job.state])
        columns.reason.append(text(job.reason))
        columns.message.append(text(_told(job.message)))
        columns.attempts.append(job.attempts)
        columns.task_ids.append(list(job.task_ids))
        columns.reused.append(text(None if job.reused_from is None else _run_named(job.reused_from)))
        columns.submitted_at.append(_milliseconds(job.submitted_at))
        columns.done_at.append(_milliseconds(job.done_at))
        verdict = None if job.nsfw is None else orjson.dumps(job.nsfw)
        columns.nsfw.append(self.verdicts.add(job.nsfw, verdict))
        columns.flagged.append(int(is_flagged(job.nsfw)))
        self._add_artifact(job)
        return len(columns.key) - 1

    def _add_artifact(self, job: JobRecord) -> None:
        columns, text, artifact = self.columns, self.strings.add, job.artifact
        usual = thumb_file(job.key)
        columns.file.append(artifact.file if artifact else job.file)
        columns.thumb.append(text(artifact.thumb) if artifact and artifact.thumb != usual else NONE)
        columns.shape.append(
            self.shapes.add(
                (artifact.width, artifact.height, artifact.thumb_width, artifact.thumb_height)
                if artifact
                else (*job.request.pixels, 0, 0)
            )
        )
        columns.bytes.append(artifact.bytes if artifact else 0)
        columns.sha256.append(artifact.sha256 if artifact else "")
        self.received.append(artifact.received_sha256[:DIGEST] if artifact else "")
        columns.media_type.append(text(artifact.media_type if artifact else None))
        warnings = "\n".join(artifact.warnings) if artifact else ""
        columns.warnings.append(text(warnings or None))


def _told(message: str | None) -> str | None:
    """Give a server's words as the page shows them: without signatures, and not without end."""
    shown: str | None = unsigned(message)
    return shown if shown is None or len(shown) <= LONGEST_REASON else shown[: LONGEST_REASON - 1] + "…"


def _run_named(reused_from: Mapping[str, Any]) -> str:
    """Name a run that a picture was taken over from, by the last part of its directory."""
    return str(reused_from["run"]).rstrip("/").rpartition("/")[2]


def _milliseconds(time: str | None) -> int | None:
    return None if time is None else round(datetime.fromisoformat(time).timestamp() * 1000)
