"""The grid in the state: cells and jobs as the manifest last gave them, laid over what is known already."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from zbatch.model import EXTENSIONS, JobState, Row, fold


def replace_grid(connection: sqlite3.Connection, rows: Iterable[Row], model: str) -> None:
    """Take over what a manifest gives now: cells in grid order, each with its job where it is the first.

    Jobs that are known keep their state, and done ones their path; jobs no cell shows any more keep
    everything but their position.
    """
    connection.execute("UPDATE jobs SET position = NULL")
    connection.execute("DELETE FROM cells")
    connection.execute("DELETE FROM selected")
    for position, row in enumerate(rows):
        job_id = None
        if row.request is not None and row.key is not None and row.file is not None:
            job_id = _plan_job(connection, row.key, model, row.request.decode(), row.file, position)
        elif row.key is not None:
            (job_id,) = connection.execute("SELECT id FROM jobs WHERE key = ?", (row.key,)).fetchone()
        connection.execute(
            "INSERT INTO cells VALUES (?, ?, ?, ?)",
            (position, job_id, row.coordinates.decode(), row.excluded_by),
        )
        if row.selected and job_id is not None:
            connection.execute("INSERT OR IGNORE INTO selected VALUES (?)", (job_id,))


def _plan_job(
    connection: sqlite3.Connection, key: str, model: str, request: str, file: str, position: int
) -> int:
    known = connection.execute("SELECT id, state, attempts FROM jobs WHERE key = ?", (key,)).fetchone()
    if known is not None and known[1] == JobState.DONE:
        connection.execute("UPDATE jobs SET position = ? WHERE id = ?", (position, known[0]))
        return int(known[0])
    file = _free_file(connection, key, file)
    if known is not None:
        connection.execute(
            "UPDATE jobs SET position = ?, request = ?, file = ?, fold = ? WHERE id = ?",
            (position, request, file, fold(file), known[0]),
        )
        return int(known[0])
    cursor = connection.execute(
        "INSERT INTO jobs (key, model, request, file, fold, position) VALUES (?, ?, ?, ?, ?, ?)",
        (key, model, request, file, fold(file), position),
    )
    return int(cursor.lastrowid or 0)


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
