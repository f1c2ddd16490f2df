"""A grid taken over some rows at a time gives what taking it over row by row gives, whatever was there."""

from __future__ import annotations

import tempfile
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.store_rows import MODEL, job

from zbatch.model import EXTENSIONS, Cell, Row, fold
from zbatch.state.database import open_connection
from zbatch.state.grid import replace_grid

MANY = settings(max_examples=120, deadline=None)

NAMES = ["", "a", "A", "b", "a-x"]
STATES = ["pending", "submitting", "submitted", "done", "failed", "unknown", "rejected"]
JOBS = st.builds(job, st.integers(0, 5), st.sampled_from(NAMES), st.sampled_from(["webp", "png"]))


@st.composite
def grids(draw):
    """Cells in grid order: each shows a new job, one shown before, or none."""
    rows, shown = [], {}
    for number in range(draw(st.integers(0, 9))):
        what = draw(st.sampled_from(["new", "new", "again", "excluded"]))
        one = draw(JOBS)
        selected = draw(st.sampled_from([True, True, False]))
        if what == "excluded":
            rows.append(Row.of(Cell({"n": number}, None, "{n: 1}"), None))
        elif what == "again" and shown:
            key = draw(st.sampled_from(sorted(shown)))
            rows.append(Row.of(Cell({"n": number}, key), None, selected=selected))
        elif one.key not in shown and one.file not in shown.values():
            shown[one.key] = one.file
            rows.append(Row.of(Cell({"n": number}, one.key), one, selected=selected))
    return rows


ROUNDS = st.lists(st.tuples(grids(), st.lists(st.sampled_from(STATES), max_size=6)), min_size=1, max_size=4)


def row_by_row(db, rows, model):
    """Say plainly what taking a grid over means."""

    def taken(file, key):
        held = "SELECT 1 FROM jobs WHERE fold = ? AND key <> ? AND (state = 'done' OR attempts > 0)"
        return db.execute(held, (fold(file), key)).fetchone()

    def planned(row, position):
        known = db.execute("SELECT id, state FROM jobs WHERE key = ?", (row.key,)).fetchone()
        if known is not None and known[1] == "done":
            db.execute("UPDATE jobs SET position = ? WHERE id = ?", (position, known[0]))
            return
        end = next(end for end in EXTENSIONS.values() if row.file.endswith(end))
        stem = row.file.removesuffix(end)
        offered = (row.file, f"{stem}-{row.key[:8]}{end}", f"{stem}-{row.key[:16]}{end}")
        file = next((name for name in offered if not taken(name, row.key)), f"images/{row.key}{end}")
        values = (row.request.decode(), file, fold(file), position)
        if known is None:
            sql = "INSERT INTO jobs (request, file, fold, position, key, model) VALUES (?, ?, ?, ?, ?, ?)"
            db.execute(sql, (*values, row.key, model))
        else:
            sql = "UPDATE jobs SET request = ?, file = ?, fold = ?, position = ? WHERE id = ?"
            db.execute(sql, (*values, known[0]))

    for sql in ("UPDATE jobs SET position = NULL", "DELETE FROM cells", "DELETE FROM selected"):
        db.execute(sql)
    for position, row in enumerate(rows):
        if row.request is not None:
            planned(row, position)
        found = db.execute("SELECT id FROM jobs WHERE key = ?", (row.key,)).fetchone()
        id_ = None if found is None else found[0]
        cell = (position, id_, row.coordinates.decode(), row.excluded_by)
        db.execute("INSERT INTO cells VALUES (?, ?, ?, ?)", cell)
        if row.selected and id_ is not None:
            db.execute("INSERT OR IGNORE INTO selected VALUES (?)", (id_,))


def tables(db):
    return [
        db.execute("SELECT * FROM jobs ORDER BY id").fetchall(),
        db.execute("SELECT * FROM cells ORDER BY position").fetchall(),
        db.execute("SELECT * FROM selected ORDER BY 1").fetchall(),
    ]


def settle(db, states):
    """Bring jobs that are pending to other states."""
    rows = db.execute("SELECT id FROM jobs WHERE state = 'pending' AND attempts = 0 ORDER BY id").fetchall()
    for (id_,), state in zip(rows, states, strict=False):
        attempts = int(state not in ("pending", "rejected"))
        db.execute("UPDATE jobs SET state = ?, attempts = ? WHERE id = ?", (state, attempts, id_))


@pytest.mark.parametrize("at_once", [1, 2, 1_000])
@given(rounds=ROUNDS)
@MANY
def test_taking_a_grid_over_by_batches_is_taking_it_over_row_by_row(rounds, at_once):
    with tempfile.TemporaryDirectory() as folder:
        by_batches, plainly = (open_connection(Path(folder) / name) for name in ("a", "b"))
        with closing(by_batches), closing(plainly):
            for db in (by_batches, plainly):
                db.execute("CREATE TEMP TABLE selected (job_id INTEGER PRIMARY KEY)")
            for rows, states in rounds:
                for db in (by_batches, plainly):
                    db.execute("BEGIN")
                replace_grid(by_batches, iter(rows), MODEL, at_once=at_once)
                row_by_row(plainly, rows, MODEL)
                assert tables(by_batches) == tables(plainly)
                for db in (by_batches, plainly):
                    settle(db, states)
                    db.execute("COMMIT")
