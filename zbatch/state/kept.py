"""The files that a run's state says it keeps, page by page, for who holds them against what lies there."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator
from typing import Any, Final, NamedTuple

import orjson

from zbatch.model import JobState, fold
from zbatch.state.database import translated
from zbatch.state.reader import StateReader

_PAGE: Final = 2_000
_COLUMNS: Final = "id, key, file, sha256, bytes, thumb, position IS NOT NULL"


class KeptFile(NamedTuple):
    """The picture of a done job: `length` is in bytes, `shown` says whether the manifest still shows it."""

    id: int
    key: str
    file: str
    sha256: str
    length: int
    thumb: str
    shown: bool


class Lost(NamedTuple):
    """A job that once was done: its picture's name and SHA-256, its state now, and why it is there."""

    key: str
    file: str
    sha256: str
    state: JobState
    why: str


class Owner(NamedTuple):
    """A job whose picture lies, or may come to lie, under a name."""

    key: str
    file: str
    state: JobState
    attempts: int


class KeptFiles(StateReader):
    """Reads what a run keeps, page by page, each a query of its own: nobody who writes is held up."""

    def total(self) -> tuple[int, int]:
        """Count the done jobs, and the bytes of their pictures."""
        ((files, length),) = self._all(
            "SELECT count(*), coalesce(sum(bytes), 0) FROM jobs WHERE +state = 'done'"
        )
        return files, length

    def pages(self) -> Iterator[list[KeptFile]]:
        """Give the pictures of done jobs, those too that the manifest no longer shows, oldest jobs first."""
        after = 0
        while True:
            # The plus keeps the index of states out of it: it would sort all of them for every page.
            page = self._all(
                f"SELECT {_COLUMNS} FROM jobs WHERE +state = 'done' AND id > ? ORDER BY id LIMIT {_PAGE}",  # noqa: S608 - constants
                after,
            )
            if not page:
                return
            after = page[-1][0]
            yield [_kept(row) for row in page]

    def lost(self) -> Iterator[Lost]:
        """Give the jobs that the manifest shows, that once were done, and that are not any more."""
        rows = self._all(
            """SELECT key, file, sha256, state, coalesce(message, '') FROM jobs
               WHERE state IN ('submitted', 'unknown', 'pending') AND sha256 IS NOT NULL
               AND position IS NOT NULL ORDER BY id"""
        )
        return (Lost(key, file, digest, JobState(state), why) for key, file, digest, state, why in rows)

    def now(self, job_id: int) -> KeptFile | None:
        """Give what a job keeps now; `None` where it is not done any more."""
        rows = self._all(f"SELECT {_COLUMNS} FROM jobs WHERE state = 'done' AND id = ?", job_id)  # noqa: S608 - constants
        return _kept(rows[0]) if rows else None

    def strange(self, files: Collection[str]) -> list[str]:
        """Give those of some names under which no done job's picture lies, to the letter."""
        rows = self._all(
            """SELECT wanted.value ->> 1 FROM json_each(?) wanted WHERE NOT EXISTS (
                   SELECT 1 FROM jobs j WHERE j.fold = wanted.value ->> 0 AND j.file = wanted.value ->> 1
                   AND j.state = 'done')""",
            orjson.dumps([(fold(file), file) for file in files]).decode(),
        )
        return [file for (file,) in rows]

    def owners(self, files: Collection[str]) -> dict[str, list[Owner]]:
        """Find, by its fold, the jobs to which each of some names belongs, whatever their state."""
        found: dict[str, list[Owner]] = {}
        rows = self._all(
            """SELECT j.fold, j.key, j.file, j.state, j.attempts
               FROM json_each(?) wanted JOIN jobs j ON j.fold = wanted.value""",
            orjson.dumps(list({fold(file) for file in files})).decode(),
        )
        for folded, key, file, state, attempts in rows:
            found.setdefault(folded, []).append(Owner(key, file, JobState(state), attempts))
        return found

    def holders(self, digests: Collection[str]) -> dict[str, tuple[str, str]]:
        """Find, for each of some hashes, a done job whose picture has it: key and file. Reads all jobs."""
        rows = self._all(
            """SELECT sha256, key, file FROM jobs
               WHERE +state = 'done' AND sha256 IN (SELECT value FROM json_each(?))""",
            orjson.dumps(list(digests)).decode(),
        )
        return {digest: (key, file) for digest, key, file in rows}

    def _all(self, sql: str, *values: Any) -> list[Any]:
        with translated(self.directory.state), contextlib.closing(self._db.execute(sql, values)) as cursor:
            return cursor.fetchall()


def _kept(row: Any) -> KeptFile:
    *facts, shown = row
    return KeptFile._make((*facts, bool(shown)))
