"""What the state knows of jobs whose pictures are being saved, read by the helper process that saves them.

Who saves reads for itself: a picture's words are more than its path, and would cost the network process.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Final

import orjson

from zbatch.errors import DiskError, StateError
from zbatch.provenance import Origin, Record
from zbatch.state.database import Meta, open_connection, translated
from zbatch.state.directory import RunDirectory
from zbatch.version import __version__

_MOST_CELLS: Final = 200
"""Cells of one job that are read: no picture has room for more."""

_FACTS: Final = f"""
    SELECT j.key, j.model, j.request, (SELECT count(*) FROM cells WHERE job_id = j.id),
        '[' || coalesce((SELECT group_concat(coordinates) FROM
            (SELECT coordinates FROM cells WHERE job_id = j.id ORDER BY position LIMIT {_MOST_CELLS})),
            '') || ']'
    FROM json_each(?) AS wanted JOIN jobs AS j ON j.key = wanted.value
"""  # noqa: S608 - a constant
_META: Final = (Meta.NAME, Meta.MANIFEST_SHA256, Meta.ENDPOINT_KIND, Meta.ENDPOINT)


class Witness:
    """Reads the state of one run; what cannot be read is a word, as no picture waits for it."""

    def __init__(self, directory: RunDirectory) -> None:
        self._directory = directory
        self._db: sqlite3.Connection | None = None

    def testify(self, keys: Sequence[str]) -> dict[str, Record] | str:
        """Give what is known of jobs, by key, all of one moment; or why nothing can be read.

        The hash of the bytes that came is left open.
        """
        try:
            with translated(self._directory.state):
                if self._db is None:
                    self._db = open_connection(self._directory.state, read_only=True)
                return self._read(self._db, keys)
        except (DiskError, StateError, sqlite3.Error, ValueError) as error:
            return str(getattr(error, "message", error))

    def close(self) -> None:
        """Let go of the state."""
        if self._db is not None:
            self._db.close()
            self._db = None

    @staticmethod
    def _read(db: sqlite3.Connection, keys: Sequence[str]) -> dict[str, Record]:
        db.execute("BEGIN")
        try:
            meta = dict(db.execute("SELECT name, value FROM meta"))
            rows = db.execute(_FACTS, (orjson.dumps(list(keys)).decode(),)).fetchall()
        finally:
            db.execute("ROLLBACK")
        name, sha256, kind, url = (str(orjson.loads(meta.get(name, "null")) or "") for name in _META)
        origin = Origin(name, sha256, kind, url, __version__)
        return {
            key: Record(
                key, model, orjson.loads(request), tuple(orjson.loads(coordinates)), cells, origin, ""
            )
            for key, model, request, cells, coordinates in rows
        }
