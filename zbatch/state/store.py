"""The state of a run in SQLite: every move a job makes, checked against the state machine.

`Store` is synchronous and belongs to one thread; each method is a step inside a transaction that the caller
commits (`zbatch.state.writer` commits them in groups). Reading a run from elsewhere is `zbatch.state.run`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from zbatch.model import JobState, Request, Row
from zbatch.state.advances import Advances
from zbatch.state.database import Meta, open_connection, translated
from zbatch.state.grid import replace_grid
from zbatch.state.retries import Retries
from zbatch.state.spending import Spending
from zbatch.state.takeovers import Takeovers


@dataclass(frozen=True, slots=True)
class PendingJob:
    """A job that may be submitted."""

    id: int
    key: str
    model: str
    request: Request
    file: str
    position: int


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
    succeeded: bool
    age: float = 0.0


class Store(Advances, Retries, Takeovers):
    """The writing side of a run's state. One process owns it (see `RunLock`)."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._db = open_connection(path)
        self._db.execute("CREATE TEMP TABLE selected (job_id INTEGER PRIMARY KEY)")

    def close(self) -> None:
        """Close the file; WAL is folded into it."""
        self._db.close()

    def copy_to(self, path: Path) -> None:
        """Write all that is committed into another file, new or empty; this file may be deleted meanwhile.

        Raises:
            DiskError: it could not be written.
        """
        with translated(path):
            self._db.execute("VACUUM INTO ?", (str(path),))

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

    def select_all(self) -> None:
        """Select every job that the grid shows, as a manifest without a selection does."""
        self._db.execute("DELETE FROM selected")
        self._db.execute("INSERT INTO selected SELECT id FROM jobs WHERE position IS NOT NULL")

    def open_tasks(self, job_ids: Collection[int] | None = None) -> list[OpenTask]:
        """Every task in flight, or those of some jobs; oldest first, whether the manifest shows it or not."""
        rows = self._db.execute(
            """SELECT j.id, j.key, a.task_id, j.request, j.file, a.succeeded_at IS NOT NULL,
                      max(0.0, (julianday('now') - julianday(a.accepted_at)) * 86400.0)
               FROM jobs j JOIN attempts a ON a.job_id = j.id AND a.number = j.attempts
               WHERE j.state = 'submitted' AND (?1 IS NULL OR j.id IN (SELECT value FROM json_each(?1)))
               ORDER BY a.accepted_at, j.id""",
            (None if job_ids is None else orjson.dumps(list(job_ids)).decode(),),
        )
        return [
            OpenTask(
                id=id_,
                key=key,
                task_id=task_id,
                request=Request.from_body(orjson.loads(request)),
                file=file,
                succeeded=bool(succeeded),
                age=age,
            )
            for id_, key, task_id, request, file, succeeded, age in rows
        ]

    def next_pending(self, after: int, limit: int) -> list[PendingJob]:
        """Give selected pending jobs in grid order, after a position."""
        return self._pending(
            """SELECT id, key, model, request, file, position FROM jobs
               WHERE state = 'pending' AND position > ? AND id IN (SELECT job_id FROM selected)
               ORDER BY position LIMIT ?""",
            (after, limit),
        )

    def pending_among(self, job_ids: Collection[int]) -> list[PendingJob]:
        """Give those of some jobs that are selected and pending."""
        return self._pending(
            """SELECT id, key, model, request, file, position FROM jobs
               WHERE id IN (SELECT value FROM json_each(?)) AND state = 'pending' AND position IS NOT NULL
               AND id IN (SELECT job_id FROM selected) ORDER BY position""",
            (orjson.dumps(list(job_ids)).decode(),),
        )

    def _pending(self, sql: str, values: tuple[int | str, ...]) -> list[PendingJob]:
        return [
            PendingJob(id_, key, model, Request.from_body(orjson.loads(request)), file, position)
            for id_, key, model, request, file, position in self._db.execute(sql, values)
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

    def spending(self) -> Spending:
        """Give what attempts cost."""
        return Spending.read(self.meta(Meta.PRICE), self.meta(Meta.EARLIER_PRICES))

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
