"""Every move a job makes in the state, checked against the state machine."""

from __future__ import annotations

import sqlite3
from typing import Any

import orjson

from zbatch.clock import now_iso
from zbatch.model import TRANSITIONS, Artifact, JobState, fold


class Moves:
    """The moves. Each is a step inside a transaction that the caller commits."""

    _db: sqlite3.Connection

    def set_submitting(self, job_id: int) -> int:
        """Write the intent down: the submit may be accepted from here on. Gives the attempt's number."""
        self._move(job_id, JobState.PENDING, JobState.SUBMITTING)
        self._db.execute("UPDATE jobs SET attempts = attempts + 1 WHERE id = ?", (job_id,))
        self._db.execute(
            "INSERT INTO attempts (job_id, number, intent_at) SELECT id, attempts, ? FROM jobs WHERE id = ?",
            (now_iso(), job_id),
        )
        return int(self._db.execute("SELECT attempts FROM jobs WHERE id = ?", (job_id,)).fetchone()[0])

    def set_back(self, job_id: int, reason: str, message: str) -> None:
        """Take the intent back: the submit cannot have been accepted, so there was no attempt."""
        self._move(job_id, JobState.SUBMITTING, JobState.PENDING, reason, message)
        self._drop_attempt(job_id)

    def set_rejected(self, job_id: int, reason: str, message: str) -> None:
        """Note that the server refused the request itself: no attempt either."""
        self._move(job_id, JobState.SUBMITTING, JobState.REJECTED, reason, message)
        self._drop_attempt(job_id)

    def set_submitted(self, job_id: int, task_id: str) -> None:
        """Keep the task id."""
        self._move(job_id, JobState.SUBMITTING, JobState.SUBMITTED)
        now = now_iso()
        self._attempt(job_id, "task_id = ?, accepted_at = ?", task_id, now)
        self._db.execute("UPDATE jobs SET submitted_at = ? WHERE id = ?", (now, job_id))

    def note_succeeded(self, job_id: int) -> None:
        """Note that the task succeeded: from here on it is never resubmitted by itself."""
        self._attempt(job_id, "succeeded_at = coalesce(succeeded_at, ?)", now_iso())

    def note(self, job_id: int, reason: str, message: str) -> None:
        """Say why a job is still where it is."""
        self._db.execute("UPDATE jobs SET reason = ?, message = ? WHERE id = ?", (reason, message, job_id))

    def set_unknown(self, job_id: int, reason: str, message: str) -> None:
        """Hold a job whose attempt may or may not have been billed."""
        row = self._db.execute("SELECT state FROM jobs WHERE id = ?", (job_id,)).fetchone()
        if row is None:
            raise AssertionError(f"there is no job {job_id}")
        self._move(job_id, JobState(row[0]), JobState.UNKNOWN, reason, message)
        self._end_attempt(job_id, "unknown", reason)

    def set_failed(self, job_id: int, reason: str, message: str) -> None:
        """Note that the server says TASK_STATUS_FAILED."""
        self._move(job_id, JobState.SUBMITTED, JobState.FAILED, reason, message)
        self._end_attempt(job_id, "failed", reason)

    def set_done(self, job_id: int, artifact: Artifact, nsfw: Any) -> None:
        """Record a picture that is whole, durable and in place."""
        self._move(job_id, JobState.SUBMITTED, JobState.DONE)
        self._end_attempt(job_id, "done", None)
        self._db.execute(
            """UPDATE jobs SET file = ?, fold = ?, sha256 = ?, received_sha256 = ?, bytes = ?, width = ?,
               height = ?, media_type = ?, thumb = ?, thumb_width = ?, thumb_height = ?, warnings = ?,
               nsfw = ?, done_at = ? WHERE id = ?""",
            (
                artifact.file,
                fold(artifact.file),
                artifact.sha256,
                artifact.received_sha256,
                artifact.bytes,
                artifact.width,
                artifact.height,
                artifact.media_type,
                artifact.thumb,
                artifact.thumb_width,
                artifact.thumb_height,
                orjson.dumps(artifact.warnings).decode() if artifact.warnings else None,
                None if nsfw is None else orjson.dumps(nsfw).decode(),
                now_iso(),
                job_id,
            ),
        )

    def _move(
        self, job_id: int, old: JobState, new: JobState, reason: str | None = None, message: str | None = None
    ) -> None:
        if new not in TRANSITIONS[old]:
            raise AssertionError(f"no job goes from {old} to {new}")
        cursor = self._db.execute(
            "UPDATE jobs SET state = ?, reason = ?, message = ? WHERE id = ? AND state = ?",
            (new, reason, message, job_id, old),
        )
        if cursor.rowcount != 1:
            raise AssertionError(f"job {job_id} is not {old}")

    def _attempt(self, job_id: int, assignment: str, *values: Any) -> None:
        self._db.execute(
            f"UPDATE attempts SET {assignment} WHERE job_id = ? "  # noqa: S608 - constants of this module
            "AND number = (SELECT attempts FROM jobs WHERE id = ?)",
            (*values, job_id, job_id),
        )

    def _end_attempt(self, job_id: int, outcome: str, reason: str | None) -> None:
        self._attempt(job_id, "ended_at = ?, outcome = ?, reason = ?", now_iso(), outcome, reason)

    def _drop_attempt(self, job_id: int) -> None:
        self._db.execute(
            "DELETE FROM attempts WHERE job_id = ?1 AND number = (SELECT attempts FROM jobs WHERE id = ?1)",
            (job_id,),
        )
        self._db.execute("UPDATE jobs SET attempts = attempts - 1 WHERE id = ?", (job_id,))
