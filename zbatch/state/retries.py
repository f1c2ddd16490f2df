"""What is taken up again: intents a crash left, tasks to let go of, jobs to submit once more."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from zbatch.model import RETRYABLE, JobState
from zbatch.state.moves import Moves

NOT_SAVED: Final = "not_saved"
FILE_MISSING: Final = "file_missing"
FETCHED_FOR_NOTHING: Final = frozenset({NOT_SAVED, FILE_MISSING})
"""Why a job is still `submitted` though its picture was there to be had: asking again is all it needs."""


def _check_retryable(state: JobState) -> None:
    if state not in RETRYABLE:
        raise AssertionError(f"no job that is {state} is submitted again")


class Retries(Moves):
    """Recovery and retries, on top of the moves."""

    def recover(self) -> int:
        """Settle what a crash left: an intent without an answer is an unknown outcome. Gives their number."""
        rows = self._db.execute("SELECT id FROM jobs WHERE state = 'submitting'").fetchall()
        for (job_id,) in rows:
            self.set_unknown(job_id, "interrupted", "the process ended before the answer to the submit came")
        return len(rows)

    def hold_again(self) -> int:
        """Hold what may be submitted again and was not, at the end of the run that was allowed to.

        A permission to pay twice is for one run: what it did not use it for is unknown again, for the next to
        be told again, in the words it had where nothing has come between. Gives their number.
        """
        return self._db.execute(
            """UPDATE jobs SET state = 'unknown', reason = a.reason,
                   message = CASE WHEN jobs.reason = a.reason AND jobs.message <> '' THEN jobs.message
                             ELSE 'it may have been billed; its resubmit was allowed, and not made' END
               FROM attempts a WHERE jobs.state = 'pending' AND jobs.attempts > 0
               AND a.job_id = jobs.id AND a.number = jobs.attempts AND a.outcome = 'unknown'"""
        ).rowcount

    def forget_tasks(self, why: str) -> int:
        """Let go of every task in flight: nobody can be asked for them any more. Gives their number."""
        rows = self._db.execute("SELECT id FROM jobs WHERE state = 'submitted'").fetchall()
        for (job_id,) in rows:
            self.set_unknown(job_id, "interrupted", why)
        return len(rows)

    def retry_unknown(self, attempts: int | None, *, free: bool = False) -> int:
        """Put selected unknown outcomes back (`on_unknown: resubmit`). Gives their number.

        Never a task that is known to have succeeded, unless tasks are `free` (those of the built-in endpoint,
        whose pictures die with the process). `attempts` bounds it (None: no bound).
        """
        cursor = self._db.execute(
            """UPDATE jobs SET state = 'pending' WHERE state = 'unknown' AND position IS NOT NULL
               AND id IN (SELECT job_id FROM selected) AND (?1 IS NULL OR attempts - retried_at < ?1)
               AND (?2 OR NOT EXISTS (SELECT 1 FROM attempts a WHERE a.job_id = jobs.id
                                      AND a.number = jobs.attempts AND a.succeeded_at IS NOT NULL))""",
            (attempts, free),
        )
        return cursor.rowcount

    def retry_failed(self, attempts: int) -> int:
        """Put failed jobs back that are selected and have attempts left. Gives their number."""
        return self._db.execute(
            """UPDATE jobs SET state = 'pending'
               WHERE state = 'failed' AND position IS NOT NULL AND attempts - retried_at < ?
               AND id IN (SELECT job_id FROM selected)""",
            (attempts,),
        ).rowcount

    def ask_again(self, job_id: int, *, free: bool) -> bool:
        """Have a done job's task asked for its picture again: the file is gone. Tells whether it was done.

        Asking costs nothing; a task that is no longer known is held as `unknown`, never submitted by itself.
        Only where tasks are `free` (those of the built-in endpoint, which die with its process) the job is
        pending again. A picture that was taken over has no task here to be asked: its job is held, too.
        """
        row = self._db.execute("SELECT file FROM jobs WHERE id = ? AND state = 'done'", (job_id,)).fetchone()
        if row is None:
            return False
        taken = self._db.execute(
            "DELETE FROM taken_over WHERE job_id = ? RETURNING run", (job_id,)
        ).fetchone()
        if taken is not None:
            words = (
                f"{row[0]} is gone or was changed; it was taken over from {taken[0]} (--reuse takes it again)"
            )
            self._move(job_id, JobState.DONE, JobState.UNKNOWN, FILE_MISSING, words)
            if free:
                self._db.execute("UPDATE jobs SET state = 'pending' WHERE id = ?", (job_id,))
            return True
        message = f"{row[0]} is gone or was changed: its task is asked for the picture again"
        self._move(job_id, JobState.DONE, JobState.SUBMITTED, FILE_MISSING, message)
        self._attempt(job_id, "ended_at = NULL, outcome = NULL")
        if free:
            self.set_unknown(job_id, FILE_MISSING, f"{row[0]} is gone or was changed: it is made again")
            self._db.execute("UPDATE jobs SET state = 'pending' WHERE id = ?", (job_id,))
        return True

    def retry(self, states: Iterable[JobState]) -> int:
        """Put jobs back because a person said so (`--retry`), attempts counted afresh. Gives their number.

        Only selected jobs that the manifest still shows; of submitted ones only those with a reason.
        """
        count = 0
        for state in states:
            if state is JobState.SUBMITTED:
                count += self._let_go()
                continue
            _check_retryable(state)
            count += self._db.execute(
                """UPDATE jobs SET state = 'pending', retried_at = attempts
                   WHERE state = ? AND position IS NOT NULL AND id IN (SELECT job_id FROM selected)""",
                (state,),
            ).rowcount
        return count

    def _let_go(self) -> int:
        """Let go of selected tasks that an earlier run gave up on (they carry a reason), and of no others.

        Not of those whose pictures asking again will bring.
        """
        rows = self._db.execute(
            """SELECT id, message, reason FROM jobs WHERE state = 'submitted' AND reason IS NOT NULL
               AND position IS NOT NULL AND id IN (SELECT job_id FROM selected)"""
        ).fetchall()
        rows = [row for row in rows if row[2] not in FETCHED_FOR_NOTHING]
        for job_id, message, _ in rows:
            self.set_unknown(job_id, "let_go", f"let go of by --retry submitted ({message})")
            self._db.execute(
                "UPDATE jobs SET state = 'pending', retried_at = attempts WHERE id = ?", (job_id,)
            )
        return len(rows)

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
