"""The way to `done`, walked by many jobs at a time: one statement for all that take the same step.

Every submit takes these four steps, so they are what a fast run spends its time on in the state. One by one
each would cost a few statements, and, as the event loop's thread is busy, a wait for Python's own lock at
every one of them; together they cost two or three microseconds a job, inside SQLite, where that lock is free.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from zbatch.clock import now_iso
from zbatch.model import Artifact, fold


@dataclass(frozen=True, slots=True)
class Submitting:
    """The intent: from here on the submit may be accepted."""

    job_id: int


@dataclass(frozen=True, slots=True)
class Submitted:
    """The server took it, as this task."""

    job_id: int
    task_id: str


@dataclass(frozen=True, slots=True)
class Succeeded:
    """The task succeeded: from here on it is never resubmitted by itself."""

    job_id: int


@dataclass(frozen=True, slots=True)
class Done:
    """The picture is whole, durable and in place. `nsfw` is the server's verdict as it came."""

    job_id: int
    artifact: Artifact
    nsfw: Any


Advance = Submitting | Submitted | Succeeded | Done

# :given is a JSON list with a row for every job, its id first. The + keeps SQLite from looking through
# all jobs of a state instead of those few.
_GIVEN: Final = "(SELECT json_extract(value, '$[0]') FROM json_each(:given))"
_ATTEMPT: Final = """FROM json_each(:given) AS given JOIN jobs ON jobs.id = json_extract(given.value, '$[0]')
                     WHERE attempts.job_id = jobs.id AND attempts.number = jobs.attempts"""

_STATEMENTS: Final[dict[type[Advance], tuple[str, ...]]] = {
    Submitting: (
        f"""UPDATE jobs SET state = 'submitting', reason = NULL, message = NULL, attempts = attempts + 1
            WHERE id IN {_GIVEN} AND +state = 'pending'""",  # noqa: S608 - constants
        f"""INSERT INTO attempts (job_id, number, intent_at)
            SELECT id, attempts, :now FROM jobs WHERE id IN {_GIVEN}""",  # noqa: S608 - constants
    ),
    Submitted: (
        f"""UPDATE jobs SET state = 'submitted', reason = NULL, message = NULL, submitted_at = :now
            WHERE id IN {_GIVEN} AND +state = 'submitting'""",  # noqa: S608 - constants
        f"""UPDATE attempts SET task_id = json_extract(given.value, '$[1]'), accepted_at = :now
            {_ATTEMPT}""",  # noqa: S608 - constants
    ),
    Succeeded: (
        f"UPDATE attempts SET succeeded_at = coalesce(succeeded_at, :now) {_ATTEMPT}",  # noqa: S608 - constants
    ),
    Done: (
        """UPDATE jobs SET state = 'done', reason = NULL, message = NULL, done_at = :now,
               file = json_extract(given.value, '$[1]'), fold = json_extract(given.value, '$[2]'),
               sha256 = json_extract(given.value, '$[3]'),
               received_sha256 = json_extract(given.value, '$[4]'),
               bytes = json_extract(given.value, '$[5]'), width = json_extract(given.value, '$[6]'),
               height = json_extract(given.value, '$[7]'), media_type = json_extract(given.value, '$[8]'),
               thumb = json_extract(given.value, '$[9]'), thumb_width = json_extract(given.value, '$[10]'),
               thumb_height = json_extract(given.value, '$[11]'),
               warnings = json_extract(given.value, '$[12]'), nsfw = json_extract(given.value, '$[13]')
           FROM json_each(:given) AS given
           WHERE jobs.id = json_extract(given.value, '$[0]') AND +jobs.state = 'submitted'""",
        f"UPDATE attempts SET ended_at = :now, outcome = 'done', reason = NULL {_ATTEMPT}",  # noqa: S608 - constants
    ),
}  # fmt: skip
"""In the order of a job's life: one that takes two steps at once takes them in this order."""


class Advances:
    """The steps forward. Each call belongs into a transaction that the caller commits."""

    _db: sqlite3.Connection

    def advance(self, *advances: Advance) -> None:
        """Take steps; where one is not open to its job, an error, and the caller must undo them all.

        Raises:
            AssertionError: a job is not where such a step begins; the state machine does not allow it.
        """
        now = now_iso()
        for kind, statements in _STATEMENTS.items():
            rows = [_row(one) for one in advances if type(one) is kind]
            if rows:
                self._take(kind, statements, rows, now)

    def _take(
        self, kind: type[Advance], statements: Sequence[str], rows: list[tuple[Any, ...]], now: str
    ) -> None:
        given = orjson.dumps(rows).decode()
        for statement in statements:
            if self._db.execute(statement, {"given": given, "now": now}).rowcount != len(rows):
                ids = ", ".join(str(row[0]) for row in rows[:5])
                raise AssertionError(f"not every job can become {kind.__name__.lower()}: {ids}")


def _row(advance: Advance) -> tuple[Any, ...]:
    match advance:
        case Submitted(job_id, task_id):
            if "\0" in task_id:  # SQLite's JSON would cut it there
                raise AssertionError("a task id cannot hold a NUL")
            return job_id, task_id
        case Done(job_id, artifact, nsfw):
            return (
                job_id, artifact.file, fold(artifact.file), artifact.sha256, artifact.received_sha256,
                artifact.bytes, artifact.width, artifact.height, artifact.media_type, artifact.thumb,
                artifact.thumb_width, artifact.thumb_height,
                orjson.dumps(artifact.warnings).decode() if artifact.warnings else None,
                None if nsfw is None else orjson.dumps(nsfw).decode(),
            )  # fmt: skip
    return (advance.job_id,)
