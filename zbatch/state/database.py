"""The state file itself: opening it, what its `meta` table may hold, and SQLite's exceptions as ours."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path

from zbatch.errors import DiskError, StateError
from zbatch.state.migrations import migrate, stand_in


class Meta(StrEnum):
    """Names in the `meta` table."""

    NAME = "name"  # of the manifest
    DESCRIPTION = "description"
    TITLE = "title"  # report.title
    MODEL = "model"
    ENDPOINT = "endpoint"  # base URL, or `preview`
    ENDPOINT_KIND = "endpoint_kind"  # preview, local, hosted
    MANIFEST = "manifest"  # path of the manifest as it was given
    MANIFEST_SHA256 = "manifest_sha256"
    SOURCES = "sources"  # [[path, sha256], ...]: the manifest and what it is made of, as they were
    LOCATION = "location"  # URL in an object store below which its pictures lie; null: in its directory
    PRICE = "price"  # USD an image, text of a decimal, or null
    EARLIER_PRICES = "earlier_prices"  # [[price, attempts], ...]: how many were made at each before
    VIEW = "view"  # {"x", "y", "group": [...]} of `report`
    SIDECARS = "sidecars"  # of output.sidecars: ["json", "txt"], or some of them
    EXPORT = (
        "export"  # {"caption", "split", "vars", "loras", "values", "sample"}: see zbatch.manifest.exporting
    )
    CREATED_AT = "created_at"
    MAX_COST = "max_cost"  # USD, text of a decimal, or null
    AGAIN = "again"  # the command that goes on with this run
    SELECTED_LEFT = "selected_left"  # pending jobs of its selection when it ended; null until then
    STOPPED = "stopped"  # what stopped the last run, in the words it was told in; null where nothing did
    VERSION = "version"  # of zbatch, last writer
    GRID = "grid"  # {"mark", "warnings"}: what the grid was made from, see zbatch.runner.gridmark
    LIMITS = (
        "limits"  # {"tasks", "rate", "at"}: what the endpoint was found to allow, see zbatch.runner.memory
    )
    IDENTITY = "identity"  # random, for what a browser remembers about this run


def open_connection(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    """Open a state file, WAL and `synchronous=FULL`, transactions by hand.

    Raises:
        StateError: it is no state file, or a newer zbatch's.
        DiskError: it cannot be opened.
    """
    uri = f"file:{path.as_posix().replace('%', '%25').replace('?', '%3f').replace('#', '%23')}"
    if read_only:
        uri += _reading_mode(path)
    with translated(path):
        connection = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False, timeout=30)
        try:
            _prepare(connection, path, read_only=read_only)
        except BaseException:
            connection.close()
            raise
    return connection


def _prepare(connection: sqlite3.Connection, path: Path, *, read_only: bool) -> None:
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA temp_store = MEMORY")
    if not read_only:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        migrate(connection)
        return
    if connection.execute("PRAGMA user_version").fetchone()[0] == 0:
        raise StateError(f"the state {path} is empty: no run has begun here, or it was damaged")
    if not stand_in(connection):
        raise StateError(f"the state {path} is from an older zbatch", hint="zbatch run brings it up to date")
    connection.execute("PRAGMA query_only = ON")


def _reading_mode(path: Path) -> str:
    # A connection that may not write leaves the -wal and -shm files behind when it is the last to close, so a
    # reader may, and binds itself by `query_only`; on a medium that cannot be written it reads what is there.
    if os.access(path.parent, os.W_OK) and os.access(path, os.W_OK):
        return "?mode=rw"
    return "?mode=ro" if path.with_name(path.name + "-wal").exists() else "?mode=ro&immutable=1"


@contextlib.contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn SQLite's exceptions into ours, once, here."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        name = getattr(error, "sqlite_errorname", "") or ""
        if name.startswith(("SQLITE_NOTADB", "SQLITE_CORRUPT")):
            raise StateError(
                f"{path} is damaged or no state file ({error})",
                hint="keep the directory: the images in it are whole; restore the file from a backup",
            ) from error
        if name.startswith(
            ("SQLITE_FULL", "SQLITE_IOERR", "SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM")
        ):
            raise DiskError(
                f"cannot write the state {path} ({error})",
                hint="everything committed before is safe; make room or mend the permission and run again",
            ) from error
        if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
            raise StateError(
                f"another program holds the state {path} ({error})",
                hint="close it (a database browser, say) and run again: nothing committed is lost",
            ) from error
        if name == "SQLITE_ERROR" and "no such table" in str(error):
            raise StateError(f"{path} is not the state of a run ({error})") from error
        raise
