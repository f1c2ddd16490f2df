"""The schema of `state.sqlite3` and its history.

`PRAGMA user_version` is the number of migrations applied. The list only ever grows at its end; each entry and
its version are committed in one transaction, so that a crash leaves the old schema or the new one.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Final

from zbatch.errors import StateError

MIGRATIONS: Final[tuple[str, ...]] = (
    """
    CREATE TABLE meta (            -- what is true of the run as a whole
        name  TEXT PRIMARY KEY,    -- see zbatch.state.store.Meta for the names
        value TEXT NOT NULL        -- JSON
    ) WITHOUT ROWID;

    CREATE TABLE jobs (            -- one row for every distinct request this run ever planned
        id              INTEGER PRIMARY KEY,
        key             TEXT NOT NULL UNIQUE,  -- job key: SHA-256 of model and canonical request, hex
        model           TEXT NOT NULL,         -- last path segment of the submit call
        request         TEXT NOT NULL,         -- JSON: the body as it is sent; local inputs as {file, sha256}
        file            TEXT NOT NULL,         -- from the run directory: planned; once done, where it lies
        fold            TEXT NOT NULL,         -- file without extension, NFC and case-folded: never shared
        position        INTEGER,               -- of its first cell; NULL: no longer in the manifest
        state           TEXT NOT NULL DEFAULT 'pending' CHECK (state IN
            ('pending', 'submitting', 'submitted', 'done', 'failed', 'rejected', 'unknown')),
        attempts        INTEGER NOT NULL DEFAULT 0,  -- submits accepted, or that may have been
        retried_at      INTEGER NOT NULL DEFAULT 0,  -- attempts there were at the last --retry
        reason          TEXT,                  -- one word why it is where it is (the API's, or ours)
        message         TEXT,                  -- the server's or our words about it
        submitted_at    TEXT,                  -- ISO 8601 UTC, of the last accepted submit
        done_at         TEXT,                  -- ISO 8601 UTC
        sha256          TEXT,                  -- of the file as it lies, hex
        received_sha256 TEXT,                  -- of the bytes as they came, hex
        bytes           INTEGER,               -- of the file as it lies
        width           INTEGER,               -- pixels
        height          INTEGER,               -- pixels
        media_type      TEXT,                  -- image/webp, image/jpeg, image/png
        nsfw            TEXT,                  -- JSON: the server's verdict as it came
        warnings        TEXT,                  -- JSON list: what is odd about a picture that was kept
        thumb           TEXT,                  -- thumbnail, from the run directory
        thumb_width     INTEGER,               -- pixels
        thumb_height    INTEGER                -- pixels
    );
    CREATE INDEX jobs_by_state ON jobs (state, position);
    CREATE INDEX jobs_by_fold ON jobs (fold);

    CREATE TABLE attempts (        -- one row for every submit that was accepted, or may have been
        job_id       INTEGER NOT NULL REFERENCES jobs (id),
        number       INTEGER NOT NULL,  -- from 1
        intent_at    TEXT NOT NULL,     -- written before the first byte of the POST left
        task_id      TEXT,              -- NULL: the answer never came
        accepted_at  TEXT,              -- when the task id was written
        succeeded_at TEXT,              -- when the server first said TASK_STATUS_SUCCEED
        ended_at     TEXT,              -- when the job left this attempt
        outcome      TEXT,              -- done, failed, unknown; NULL while it runs
        reason       TEXT,              -- as in jobs
        PRIMARY KEY (job_id, number)
    ) WITHOUT ROWID;

    CREATE TABLE cells (           -- the grid as the manifest last gave it
        position    INTEGER PRIMARY KEY,            -- grid order, from 0
        job_id      INTEGER REFERENCES jobs (id),   -- NULL: an exclude rule took the cell out
        coordinates TEXT NOT NULL,                  -- JSON {axis: value}
        excluded_by TEXT                            -- the rule as written
    );
    CREATE INDEX cells_by_job ON cells (job_id);
    """,
    """
    CREATE TABLE taken_over (      -- one row for every done job whose picture another run made: nothing of
                                   -- what that run submitted for it is in `attempts`
        job_id   INTEGER PRIMARY KEY REFERENCES jobs (id),
        run      TEXT NOT NULL,    -- directory of the run it was taken from, from this one
        identity TEXT,             -- of that run (see `meta`)
        taken_at TEXT NOT NULL,    -- ISO 8601 UTC
        making   TEXT NOT NULL     -- JSON: {run, endpoint, attempts, task_ids, submitted_at, done_at}: where
                                   -- it was made first, and how
    );
    """,
)

STAND_INS: Final[Mapping[int, str]] = {
    1: "CREATE TEMP TABLE taken_over (job_id INTEGER PRIMARY KEY, run, identity, taken_at, making)"
}
"""By its index, what a reader, who changes no file, puts in the place of a migration that a state needs.

So runs of earlier versions can be looked at, and be taken over from; not where one has no stand-in.
"""


def pending_migrations(connection: sqlite3.Connection) -> tuple[str, ...]:
    """Say which migrations a state file still needs; only reads.

    Raises:
        StateError: the file was written by a newer zbatch.
    """
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > len(MIGRATIONS):
        raise StateError(
            f"the state was written by a newer zbatch (state version {version}, this one knows "
            f"{len(MIGRATIONS)})",
            hint="upgrade zbatch: pip install -U zbatch",
        )
    return MIGRATIONS[version:]


def stand_in(connection: sqlite3.Connection) -> bool:
    """Have a reader find what a state of an earlier version lacks; tell whether that can be.

    Raises:
        StateError: the file was written by a newer zbatch.
    """
    first = len(MIGRATIONS) - len(pending_migrations(connection))
    numbers = range(first, len(MIGRATIONS))
    if any(number not in STAND_INS for number in numbers):
        return False
    for number in numbers:
        connection.execute(STAND_INS[number])
    return True


def migrate(connection: sqlite3.Connection) -> None:
    """Bring a state file to the newest schema, one migration a transaction."""
    first = len(MIGRATIONS) - len(pending_migrations(connection))
    for number, script in enumerate(MIGRATIONS[first:], first + 1):
        connection.executescript(f"BEGIN IMMEDIATE;\n{script}\nPRAGMA user_version = {number};\nCOMMIT;")
