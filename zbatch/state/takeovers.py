"""What the state is told of pictures that another run made and this one took over (`--reuse`)."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import orjson

from zbatch.clock import now_iso
from zbatch.model import Artifact, fold

TAKEABLE: Final = ("pending", "failed", "rejected", "unknown")
"""States in which a job has no picture and no task that may yet bring one."""

_STATES: Final = ", ".join(f"'{state}'" for state in TAKEABLE)


class Wanted(NamedTuple):
    """A job that has no picture yet; `file` is where its picture is to lie."""

    id: int
    key: str
    file: str


@dataclass(frozen=True, slots=True)
class TakenOver:
    """A picture in place: whole, durable and the one that another run wrote down.

    `run` is the directory of that run, seen from this one's; `making` is what is known of how it came to be.
    """

    job_id: int
    artifact: Artifact
    nsfw: Any
    run: str
    identity: str | None
    making: dict[str, Any]


class Takeovers:
    """The steps of taking over. Each call belongs into a transaction that the caller commits."""

    _db: sqlite3.Connection

    def takeable(self, after: int, limit: int) -> list[Wanted]:
        """Give jobs that the manifest shows and that have no picture, by id, after one."""
        rows = self._db.execute(
            f"""SELECT id, key, file FROM jobs WHERE +state IN ({_STATES}) AND position IS NOT NULL AND id > ?
                ORDER BY id LIMIT ?""",  # noqa: S608 - constants
            (after, limit),
        )
        return [Wanted(*row) for row in rows]

    def take_over(self, pictures: Sequence[TakenOver]) -> int:
        """Note pictures as done that another run made: no attempt of this one. Gives how many.

        A job that has come to something else meanwhile, a task of its own say, is left as it is.
        """
        now, count = now_iso(), 0
        for one in pictures:
            artifact = one.artifact
            cursor = self._db.execute(
                f"""UPDATE jobs SET state = 'done', reason = NULL, message = NULL, done_at = ?, file = ?,
                        fold = ?, sha256 = ?, received_sha256 = ?, bytes = ?, width = ?, height = ?,
                        media_type = ?, thumb = ?, thumb_width = ?, thumb_height = ?, warnings = ?, nsfw = ?
                    WHERE id = ? AND state IN ({_STATES})""",  # noqa: S608 - constants
                (
                    now, artifact.file, fold(artifact.file), artifact.sha256, artifact.received_sha256,
                    artifact.bytes, artifact.width, artifact.height, artifact.media_type, artifact.thumb,
                    artifact.thumb_width, artifact.thumb_height,
                    orjson.dumps(artifact.warnings).decode() if artifact.warnings else None,
                    None if one.nsfw is None else orjson.dumps(one.nsfw).decode(), one.job_id,
                ),
            )  # fmt: skip
            if cursor.rowcount == 1:
                self._db.execute(
                    "INSERT OR REPLACE INTO taken_over VALUES (?, ?, ?, ?, ?)",
                    (one.job_id, one.run, one.identity, now, orjson.dumps(one.making).decode()),
                )
                count += 1
        return count

    def taken_pictures(self, after: int, limit: int) -> list[tuple[int, str, int]]:
        """Give id, file and bytes of pictures that were taken over, by id, after one."""
        return self._db.execute(
            """SELECT j.id, j.file, j.bytes FROM taken_over t JOIN jobs j ON j.id = t.job_id
               WHERE j.state = 'done' AND j.id > ? ORDER BY j.id LIMIT ?""",
            (after, limit),
        ).fetchall()

    def held_among(self, job_ids: Collection[int]) -> int:
        """Count those of some jobs whose outcome is unknown."""
        row = self._db.execute(
            "SELECT count(*) FROM jobs WHERE state = 'unknown' AND id IN (SELECT value FROM json_each(?))",
            (orjson.dumps(list(job_ids)).decode(),),
        ).fetchone()
        return int(row[0])
