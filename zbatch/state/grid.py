"""The grid in the state: cells and jobs as the manifest last gave them, laid over what is known already."""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import orjson

from zbatch.model import EXTENSIONS, JobState, Row, fold

_CACHE: Final = 64_000
"""KiB of pages to keep meanwhile: keys come in no order, and each page they fall on is written out once."""


def replace_grid(
    connection: sqlite3.Connection, rows: Iterable[Row], model: str, *, at_once: int = 2_000
) -> None:
    """Take over what a manifest gives now: cells in grid order, each with its job where it is the first.

    Jobs that are known keep their state, and done ones their path; jobs no cell shows any more keep
    everything but their position. What is as it was is not written again. `at_once` rows are looked up and
    written together.
    """
    (cache,) = connection.execute("PRAGMA cache_size").fetchone()
    connection.execute(f"PRAGMA cache_size = -{_CACHE}")
    try:
        connection.execute("DELETE FROM selected")
        replacement = _Replacement(connection, model)
        numbered = enumerate(rows)
        while batch := list(itertools.islice(numbered, at_once)):
            replacement.take(batch)
        replacement.finish()
    finally:
        connection.execute(f"PRAGMA cache_size = {cache}")


@dataclass(slots=True)
class _Known:
    """A job as it stands in the state."""

    id: int
    state: str
    attempts: int
    position: int | None
    request: str
    file: str
    fold: str

    @property
    def holds_file(self) -> bool:
        """Tell whether its picture lies at its path, or may come to lie there."""
        return self.state == JobState.DONE or self.attempts > 0


_Cell = tuple[int, int | None, str, str | None]
"""Position, id of the job, coordinates as JSON, the rule that took it out."""


class _Replacement:
    """One grid on its way into the state, some rows at a time; what is to be written is kept until then."""

    def __init__(self, connection: sqlite3.Connection, model: str) -> None:
        self._db = connection
        self._model = model
        self._next = int(connection.execute("SELECT coalesce(max(id), 0) + 1 FROM jobs").fetchone()[0])
        self._first_new = self._next
        held = "SELECT EXISTS (SELECT 1 FROM jobs WHERE state = 'done' OR attempts > 0)"
        self._any_held = bool(connection.execute(held).fetchone()[0])
        self._everything_selected = True
        self._new: list[tuple[int, str, str, str, str, str, int]] = []
        self._changed: list[tuple[int, str, str, str, int]] = []
        self._moved: list[tuple[int, int]] = []
        self._cells: list[_Cell] = []
        self._count = 0
        self._selected: list[tuple[int]] = []

    def take(self, batch: Sequence[tuple[int, Row]]) -> None:
        """Take some rows over, each with its position."""
        known = self._lookup({row.key for _, row in batch if row.key is not None})
        holders = self._holders(row.file for _, row in batch if row.file is not None)
        before = self._cells_at(batch[0][0], batch[-1][0])
        for position, row in batch:
            job_id = None
            if row.request is not None and row.key is not None and row.file is not None:
                job_id = self._plan(row.key, row.request.decode(), row.file, position, known, holders)
            elif row.key is not None:
                job_id = known[row.key].id
            if job_id is not None:
                self._select(job_id, position, selected=row.selected)
            cell = (position, job_id, row.coordinates.decode(), row.excluded_by)
            if before.get(position) != cell:
                self._cells.append(cell)
        self._count = batch[-1][0] + 1
        self._flush()

    def finish(self) -> None:
        """Take their position from jobs that no cell shows any more, and select all where nothing said no."""
        self._db.execute("DELETE FROM cells WHERE position >= ?", (self._count,))
        self._db.execute(
            """UPDATE jobs SET position = NULL WHERE position IS NOT NULL AND id < ?
               AND NOT EXISTS (SELECT 1 FROM cells WHERE job_id = jobs.id)""",
            (self._first_new,),
        )
        if self._everything_selected:
            self._db.execute("INSERT INTO selected SELECT id FROM jobs WHERE position IS NOT NULL")

    def _plan(
        self,
        key: str,
        request: str,
        file: str,
        position: int,
        known: dict[str, _Known],
        holders: dict[str, set[str]],
    ) -> int:
        """Plan a job at its first cell; gives its id."""
        job = known.get(key)
        if job is not None and job.state == JobState.DONE:
            if job.position != position:
                self._moved.append((position, job.id))
            return job.id
        folded = fold(file)
        if holders.get(folded, set()) - {key}:
            self._flush()
            file = _free_file(self._db, key, file)
            folded = fold(file)
        if job is None:
            job = known[key] = _Known(self._next, JobState.PENDING, 0, position, request, file, folded)
            self._new.append((job.id, key, self._model, request, file, folded, position))
            self._next += 1
            return job.id
        if job.holds_file and job.fold != folded:
            holders.get(job.fold, set()).discard(key)
            holders.setdefault(folded, set()).add(key)
        if (request, file) != (job.request, job.file):
            self._changed.append((position, request, file, folded, job.id))
        elif job.position != position:
            self._moved.append((position, job.id))
        job.request, job.file, job.fold, job.position = request, file, folded, position
        return job.id

    def _select(self, job_id: int, position: int, *, selected: bool) -> None:
        if selected and not self._everything_selected:
            self._selected.append((job_id,))
        elif not selected and self._everything_selected:
            # Until now everything was: from here on they are noted one by one.
            self._everything_selected = False
            self._flush()
            self._db.execute(
                """INSERT INTO selected SELECT DISTINCT job_id FROM cells
                   WHERE job_id IS NOT NULL AND position < ?""",
                (position,),
            )

    def _lookup(self, keys: Iterable[str]) -> dict[str, _Known]:
        """Find the jobs that have some keys."""
        rows = self._db.execute(
            """SELECT j.key, j.id, j.state, j.attempts, j.position, j.request, j.file, j.fold
               FROM json_each(?) wanted JOIN jobs j ON j.key = wanted.value""",
            (orjson.dumps(list(keys)).decode(),),
        )
        return {key: _Known(*facts) for key, *facts in rows}

    def _cells_at(self, first: int, last: int) -> dict[int, _Cell]:
        """Give the cells that were at some positions."""
        rows = self._db.execute(
            "SELECT position, job_id, coordinates, excluded_by FROM cells WHERE position BETWEEN ? AND ?",
            (first, last),
        )
        return {row[0]: row for row in rows}

    def _holders(self, files: Iterable[str]) -> dict[str, set[str]]:
        """Find, for each fold of some files, the jobs whose pictures lie or may come to lie there."""
        found: dict[str, set[str]] = {}
        if not self._any_held:
            return found
        rows = self._db.execute(
            """SELECT j.fold, j.key FROM json_each(?) wanted JOIN jobs j ON j.fold = wanted.value
               WHERE j.state = 'done' OR j.attempts > 0""",
            (orjson.dumps(list({fold(file) for file in files})).decode(),),
        )
        for folded, key in rows:
            found.setdefault(folded, set()).add(key)
        return found

    def _flush(self) -> None:
        """Write what is kept."""
        self._db.executemany(
            """INSERT INTO jobs (id, key, model, request, file, fold, position)
               VALUES (?, ?, ?, ?, ?, ?, ?)""",
            self._new,
        )
        self._db.executemany(
            "UPDATE jobs SET position = ?, request = ?, file = ?, fold = ? WHERE id = ?", self._changed
        )
        self._db.executemany("UPDATE jobs SET position = ? WHERE id = ?", self._moved)
        self._db.executemany("INSERT OR REPLACE INTO cells VALUES (?, ?, ?, ?)", self._cells)
        self._db.executemany("INSERT OR IGNORE INTO selected VALUES (?)", self._selected)
        for kept in (self._new, self._changed, self._moved, self._cells, self._selected):
            kept.clear()


def _free_file(connection: sqlite3.Connection, key: str, file: str) -> str:
    """Give the planned path, or one beside it where a job of an earlier manifest has or may get it."""
    extension = next(end for end in EXTENSIONS.values() if file.endswith(end))
    stem = file.removesuffix(extension)
    candidates = (file, *(f"{stem}-{key[:length]}{extension}" for length in (8, 16)))
    return next(
        (name for name in candidates if not _taken(connection, name, key)), f"images/{key}{extension}"
    )


def _taken(connection: sqlite3.Connection, file: str, key: str) -> bool:
    row = connection.execute(
        "SELECT 1 FROM jobs WHERE fold = ? AND key <> ? AND (state = 'done' OR attempts > 0)",
        (fold(file), key),
    ).fetchone()
    return row is not None
