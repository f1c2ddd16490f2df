"""The moves a job makes off its way to `done`, checked against the state machine.

The way itself is in `zbatch.state.advances`.
"""

from __future__ import annotations

import sqlite3
from typing import Any

from zbatch.clock import now_iso
from zbatch.model import TRANSITIONS, JobState


class Moves:
    """The moves. Each is a step inside a transaction that the caller commits."""

    _db: sqlite3.Connection

    def set_back(self, job_id: int, reason: str, message: str) -> None:
        """Take the intent back: the submit cannot have been accepted, so there was no attempt."""
        self._move(job_id, JobState.SUBMITTING, JobState.PENDING, reason, message)
        self._drop_attempt(job_id)

    def set_rejected(self, job_id: int, reason: str, message: str) -> None:
        """Note that the server refused the request itself: no attempt either."""
        self._move(job_id, JobState.SUBMITTING, JobState.REJECTED, reason, message)
        self._drop_attempt(job_id)

    def note(self, job_id: int, reason: str, message: str) -> None:
        """Say why a job is still where it is."""
        self._db.execute("UPDATE jobs SET reason = ?, message = ? WHERE id = ?", (reason, message, job_id))

    def set_unknown(self, job_id: int, reason: str, message: str) -> None:
        """Hold a job whose attempt may or may not have been billed."""
        row = self._db.execute("SELECT state FROM jobs WHERE id = ?", (job_id,)).fetchone()
        if row is None or row[0] not in (JobState.SUBMITTING, JobState.SUBMITTED):
            raise AssertionError(f"there is no job {job_id} with an attempt under way")
        self._move(job_id, JobState(row[0]), JobState.UNKNOWN, reason, message)
        self._end_attempt(job_id, "unknown", reason)

    def set_failed(self, job_id: int, reason: str, message: str) -> None:
        """Note that the server says TASK_STATUS_FAILED."""
        self._move(job_id, JobState.SUBMITTED, JobState.FAILED, reason, message)
        self._end_attempt(job_id, "failed", reason)

    def _move(self, job_id: int, old: JobState, new: JobState, reason: str, message: str) -> None:
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

    def _end_attempt(self, job_id: int, outcome: str, reason: str) -> None:
        self._attempt(job_id, "ended_at = ?, outcome = ?, reason = ?", now_iso(), outcome, reason)

    def _drop_attempt(self, job_id: int) -> None:
        self._db.execute(
            "DELETE FROM attempts WHERE job_id = ?1 AND number = (SELECT attempts FROM jobs WHERE id = ?1)",
            (job_id,),
        )
        self._db.execute("UPDATE jobs SET attempts = attempts - 1 WHERE id = ?", (job_id,))
