"""The state of a run in SQLite: every move a job makes, checked against the state machine.

`Store` is synchronous and belongs to one thread; each method is a step inside a transaction that the caller
commits (`zbatch.state.writer` commits them in groups). Reading a run from elsewhere is `zbatch.state.run`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from zbatch.clock import now_iso
from zbatch.model import TRANSITIONS, Artifact, JobState, Request, Row, fold
from zbatch.state.database import Meta, open_connection, translated
from zbatch.state.grid import replace_grid


@dataclass(frozen=True, slots=True)
class PendingJob:
    """A job that may be submitted."""

    id: int
    key: str
    model: str
    request: Request
    file: str
    position: int | None


@dataclass(frozen=True, slots=True)
class OpenTask:
    """A task the server knows and we have not finished: it is asked again until it ends.

    `age` is in seconds by the wall clock, since an earlier process had it accepted.
    """

    id: int
    key: str
    task_id: str
    request: Request
    file: str
    attempt: int
    position: int | None
    succeeded: bool
    age: float = 0.0


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None


def _check_retryable(state: JobState) -> None:
    if state not in (JobState.FAILED, JobState.REJECTED, JobState.UNKNOWN):
        raise AssertionError(f"no job that is {state} is submitted again")


class Store:
    """The writing side of a run's state. One process owns it (see `RunLock`)."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._db = open_connection(path)
        self._db.execute("CREATE TEMP TABLE selected (job_id INTEGER PRIMARY KEY)")

    def close(self) -> None:
        """Close the file; WAL is folded into it."""
        self._db.close()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit what happens inside, or none of it.

        Raises:
            DiskError: the disk is full, read-only or failing; nothing of the transaction is kept.
        """
        with translated(self.path):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    @contextlib.contextmanager
    def step(self) -> Iterator[None]:
        """Keep what happens inside, or none of it, within the transaction."""
        self._db.execute("SAVEPOINT step")
        try:
            yield
        except BaseException:
            # After a disk error SQLite has rolled everything back itself.
            if self._db.in_transaction:
                self._db.execute("ROLLBACK TO step")
                self._db.execute("RELEASE step")
            raise
        self._db.execute("RELEASE step")

    # ── meta ────────────────────────────────────────────────────────────────────────────────────────────

    def meta(self, name: Meta) -> Any:
        """Read one fact about the run, or `None`."""
        row = self._db.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return None if row is None else orjson.loads(row[0])

    def set_meta(self, name: Meta, value: Any) -> None:
        """Write one fact about the run."""
        self._db.execute(
            "INSERT INTO meta VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            (name, orjson.dumps(value).decode()),
        )

    def replace_grid(self, rows: Iterable[Row], model: str) -> None:
        """Take over what a manifest gives now (see `zbatch.state.grid`)."""
        replace_grid(self._db, rows, model)

    # ── what a run begins with ──────────────────────────────────────────────────────────────────────────

    def recover(self) -> int:
        """Settle what a crash left: an intent without an answer is an unknown outcome. Gives their number."""
        rows = self._db.execute("SELECT id FROM jobs WHERE state = 'submitting'").fetchall()
        for (job_id,) in rows:
            self.set_unknown(job_id, "interrupted", "the process ended before the answer to the submit came")
        return len(rows)

    def forget_tasks(self, why: str) -> int:
        """Let go of every task in flight: nobody can be asked for them any more. Gives their number."""
        rows = self._db.execute("SELECT id FROM jobs WHERE state = 'submitted'").fetchall()
        for (job_id,) in rows:
            self.set_unknown(job_id, "interrupted", why)
        return len(rows)

    def retry_unknown(self, attempts: int | None, *, free: bool = False) -> int:
        """Put unknown outcomes back where the manifest says `on_unknown: resubmit`. Gives their number.

        Never a task that is known to have succeeded, unless tasks are `free` (those of the built-in endpoint,
        whose pictures die with the process). `attempts` bounds it (None: no bound).
        """
        cursor = self._db.execute(
            """UPDATE jobs SET state = 'pending' WHERE state = 'unknown' AND position IS NOT NULL
               AND (?1 IS NULL OR attempts - retried_at < ?1)
               AND (?2 OR NOT EXISTS (SELECT 1 FROM attempts a WHERE a.job_id = jobs.id
                                      AND a.number = jobs.attempts AND a.succeeded_at IS NOT NULL))""",
            (attempts, free),
        )
        return cursor.rowcount

    def retry_failed(self, attempts: int) -> int:
        """Put failed jobs back that have attempts left. Gives their number."""
        return self._db.execute(
            """UPDATE jobs SET state = 'pending'
               WHERE state = 'failed' AND position IS NOT NULL AND attempts - retried_at < ?""",
            (attempts,),
        ).rowcount

    def ask_again_for_missing(self, root: Path) -> int:
        """Find pictures that are gone or have another size; have their tasks asked again. Gives their number.

        Asking costs nothing; a task that is no longer known is held as `unknown`, never submitted by itself.
        """
        rows = self._db.execute(
            "SELECT id, file, bytes FROM jobs WHERE state = 'done' AND position IS NOT NULL"
        ).fetchall()
        missing = [(job_id, file) for job_id, file, size in rows if _size(root / file) != size]
        for job_id, file in missing:
            message = f"{file} is gone or was changed: its task is asked for the picture again"
            self._move(job_id, JobState.DONE, JobState.SUBMITTED, "file_missing", message)
            self._attempt(job_id, "ended_at = NULL, outcome = NULL")
        return len(missing)

    def retry(self, states: Iterable[JobState]) -> int:
        """Put jobs back because a person said so (`--retry`), attempts counted afresh. Gives their number.

        Only selected jobs that the manifest still shows; of submitted ones only those with a reason.
        """
        count = 0
        for state in states:
            if state is JobState.SUBMITTED:
                self._let_go()
                state = JobState.UNKNOWN  # noqa: PLW2901 - they are unknown now
            _check_retryable(state)
            count += self._db.execute(
                """UPDATE jobs SET state = 'pending', retried_at = attempts
                   WHERE state = ? AND position IS NOT NULL AND id IN (SELECT job_id FROM selected)""",
                (state,),
            ).rowcount
        return count

    def _let_go(self) -> None:
        """Let go of selected tasks that an earlier run gave up on (they carry a reason)."""
        rows = self._db.execute(
            """SELECT id, message FROM jobs WHERE state = 'submitted' AND reason IS NOT NULL
               AND position IS NOT NULL AND id IN (SELECT job_id FROM selected)"""
        ).fetchall()
        for job_id, message in rows:
            self.set_unknown(job_id, "let_go", f"let go of by --retry submitted ({message})")

    # ── what a run takes up ─────────────────────────────────────────────────────────────────────────────

    def open_tasks(self) -> list[OpenTask]:
        """Every task in flight, oldest first, whether the manifest still shows it or not."""
        rows = self._db.execute(
            """SELECT j.id, j.key, a.task_id, j.request, j.file, j.attempts, j.position,
                      a.succeeded_at IS NOT NULL,
                      max(0.0, (julianday('now') - julianday(a.accepted_at)) * 86400.0)
               FROM jobs j JOIN attempts a ON a.job_id = j.id AND a.number = j.attempts
               WHERE j.state = 'submitted' ORDER BY a.accepted_at, j.id"""
        )
        return [
            OpenTask(
                id=id_,
                key=key,
                task_id=task_id,
                request=Request.from_body(orjson.loads(request)),
                file=file,
                attempt=attempt,
                position=position,
                succeeded=bool(succeeded),
                age=age,
            )
            for id_, key, task_id, request, file, attempt, position, succeeded, age in rows
        ]

    def next_pending(self, after: int, limit: int) -> list[PendingJob]:
        """Give selected pending jobs in grid order, after a position."""
        rows = self._db.execute(
            """SELECT id, key, model, request, file, position FROM jobs
               WHERE state = 'pending' AND position > ? AND id IN (SELECT job_id FROM selected)
               ORDER BY position LIMIT ?""",
            (after, limit),
        )
        return [
            PendingJob(id_, key, model, Request.from_body(orjson.loads(request)), file, position)
            for id_, key, model, request, file, position in rows
        ]

    def count(self, *, selected: bool) -> dict[JobState, int]:
        """Count the jobs the manifest shows, by state; the selected ones or all."""
        rows = self._db.execute(
            """SELECT state, count(*) FROM jobs WHERE position IS NOT NULL
               AND (NOT ? OR id IN (SELECT job_id FROM selected)) GROUP BY state""",
            (selected,),
        )
        counts = dict.fromkeys(JobState, 0)
        counts.update({JobState(state): number for state, number in rows})
        return counts

    def attempts_made(self) -> int:
        """Count every attempt this run directory ever made or may have made."""
        return int(self._db.execute("SELECT count(*) FROM attempts").fetchone()[0])

    # ── the moves ───────────────────────────────────────────────────────────────────────────────────────

    def set_submitting(self, job_id: int) -> int:
        """Write the intent down: the submit may be accepted from here on. Gives the attempt's number."""
        self._move(job_id, JobState.PENDING, JobState.SUBMITTING)
        self._db.execute("UPDATE jobs SET attempts = attempts + 1 WHERE id = ?", (job_id,))
        self._db.execute(
            "INSERT INTO attempts (job_id, number, intent_at) SELECT id, attempts, ? FROM jobs WHERE id = ?",
            (now_iso(), job_id),
        )
        return int(self._db.execute("SELECT attempts FROM jobs WHERE id = ?", (job_id,)).fetchone()[0])

    def in_flight(self) -> int:
        """Count jobs a server may be working on, or may have worked on unknown to us."""
        return int(
            self._db.execute(
                "SELECT count(*) FROM jobs WHERE state IN ('submitting', 'submitted')"
            ).fetchone()[0]
        )

    def unselected_tasks(self) -> int:
        """Count tasks in flight whose jobs are not selected: they are finished all the same."""
        return int(
            self._db.execute(
                """SELECT count(*) FROM jobs WHERE state = 'submitted'
                   AND id NOT IN (SELECT job_id FROM selected)"""
            ).fetchone()[0]
        )

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

    def try_again(self, job_id: int, attempts: int | None, state: JobState) -> bool:
        """Put one failed or unknown job back while it has attempts left; tell whether that was so.

        Never one whose task is known to have succeeded.
        """
        _check_retryable(state)
        row = self._db.execute(
            """SELECT 1 FROM jobs WHERE id = ?1 AND state = ?2 AND position IS NOT NULL
               AND id IN (SELECT job_id FROM selected) AND (?3 IS NULL OR attempts - retried_at < ?3)
               AND NOT EXISTS (SELECT 1 FROM attempts a WHERE a.job_id = jobs.id AND a.number = jobs.attempts
                               AND a.succeeded_at IS NOT NULL)""",
            (job_id, state, attempts),
        ).fetchone()
        if row is not None:
            self._db.execute("UPDATE jobs SET state = 'pending' WHERE id = ?", (job_id,))
        return row is not None

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
