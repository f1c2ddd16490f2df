"""What a run's readers are given: jobs as records, in short, or raw, and failures in groups."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import orjson

from zbatch.model import Artifact, Coordinates, JobState, Request


@dataclass(frozen=True, slots=True)
class JobRecord:
    """A job as the state has it. `artifact` is there once it is done; times are ISO 8601 UTC.

    `shown` says whether the manifest still shows it; `reason` and `message` say why it is where it is.
    `coordinates` are those of the first cell that shows it, empty where none does. `reused_from` is where its
    picture was taken over from, where another run made it: see `taken_over` in the state.
    """

    key: str
    model: str
    request: Request
    file: str
    state: JobState
    shown: bool
    attempts: int
    task_ids: tuple[str, ...]
    artifact: Artifact | None
    nsfw: Any
    reason: str | None
    message: str | None
    submitted_at: str | None
    done_at: str | None
    coordinates: Coordinates
    reused_from: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """Jobs that did not end well, by state and reason, with one of their messages and what redoes them."""

    state: JobState
    reason: str
    count: int
    example: str
    retry: str


@dataclass(frozen=True, slots=True)
class Warned:
    """Jobs that are done though their pictures are not what was asked: how many, and by kind, most first."""

    jobs: int
    kinds: dict[str, int]


class JobSketch(NamedTuple):
    """A job in short: its key, its request as JSON, its file. A million of them are compared in seconds."""

    key: str
    request: bytes
    file: str

    def body(self) -> dict[str, Any]:
        """Give the request in the API's own field names."""
        body: dict[str, Any] = orjson.loads(self.request)
        return body


class JobFacts(NamedTuple):
    """A job for who writes it down: what is JSON in the state stays so, as bytes to be put in as they are.

    `coordinates` are those of every cell that shows it, `length` is in bytes. The facts from `sha256` to
    `media_type` are there once it is done.
    """

    key: str
    model: str
    coordinates: bytes
    request: bytes
    file: str
    state: str
    attempts: int
    task_ids: bytes
    sha256: str | None
    length: int | None
    received_sha256: str | None
    width: int | None
    height: int | None
    media_type: str | None
    nsfw: bytes
    warnings: bytes
    reason: str | None
    message: str | None
    submitted_at: str | None
    done_at: str | None
    thumb: str | None
    reused_from: bytes


_REUSED_FROM: Final = """json_object('run', t.run, 'identity', t.identity, 'taken_at', t.taken_at,
            'made', json(t.making))"""

REUSED_FROM: Final = f"(SELECT {_REUSED_FROM} FROM taken_over t WHERE t.job_id = j.id) AS reused_from"  # noqa: S608 - constants
"""A column of a query of `jobs AS j`: JSON of where a picture was taken over from, or NULL."""

JOB_FACTS = f"""
    SELECT j.key, j.model,
        CAST('[' || coalesce((SELECT group_concat(coordinates) FROM
            (SELECT coordinates FROM cells WHERE job_id = j.id ORDER BY position)), '') || ']' AS BLOB),
        CAST(j.request AS BLOB), j.file, j.state, j.attempts,
        CAST((SELECT json_group_array(task_id) FROM
            (SELECT task_id FROM attempts WHERE job_id = j.id AND task_id IS NOT NULL
             ORDER BY number)) AS BLOB),
        iif(state = 'done', sha256, NULL), iif(state = 'done', bytes, NULL),
        iif(state = 'done', received_sha256, NULL), iif(state = 'done', width, NULL),
        iif(state = 'done', height, NULL), iif(state = 'done', media_type, NULL),
        CAST(coalesce(nsfw, 'null') AS BLOB),
        CAST(coalesce(iif(state = 'done', warnings, NULL), '[]') AS BLOB),
        reason, message, submitted_at, done_at, iif(state = 'done', thumb, NULL),
        CAST(coalesce((SELECT {_REUSED_FROM} FROM taken_over t WHERE t.job_id = j.id), 'null') AS BLOB)
    FROM jobs j ORDER BY j.position IS NULL, j.position, j.id
"""  # noqa: S608 - constants
"""The query of `JobFacts`, in the order of `Run.jobs`."""


def job_record(row: sqlite3.Row) -> JobRecord:
    """Make a record of a row of `jobs` with three columns more, all JSON: `at`, `tasks`, `reused_from`."""
    done = row["state"] == JobState.DONE
    return JobRecord(
        key=row["key"],
        model=row["model"],
        request=Request.from_body(orjson.loads(row["request"])),
        file=row["file"],
        state=JobState(row["state"]),
        shown=row["position"] is not None,
        attempts=row["attempts"],
        task_ids=tuple(orjson.loads(row["tasks"])),
        artifact=artifact_of(row) if done else None,
        nsfw=None if row["nsfw"] is None else orjson.loads(row["nsfw"]),
        reason=row["reason"],
        message=row["message"],
        submitted_at=row["submitted_at"],
        done_at=row["done_at"],
        coordinates={} if row["at"] is None else orjson.loads(row["at"]),
        reused_from=None if row["reused_from"] is None else orjson.loads(row["reused_from"]),
    )


def artifact_of(row: sqlite3.Row) -> Artifact:
    """Make the artifact of a row of `jobs` that is done."""
    return Artifact(
        file=row["file"],
        sha256=row["sha256"],
        received_sha256=row["received_sha256"],
        bytes=row["bytes"],
        width=row["width"],
        height=row["height"],
        media_type=row["media_type"],
        thumb=row["thumb"],
        thumb_width=row["thumb_width"],
        thumb_height=row["thumb_height"],
        warnings=tuple(orjson.loads(row["warnings"])) if row["warnings"] else (),
    )
