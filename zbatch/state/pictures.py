"""A run's pictures, wherever they lie: in its directory, or in an object store beside no state of its own."""

from __future__ import annotations

import contextlib
import sqlite3
from functools import cached_property
from typing import Final

import orjson

from zbatch.errors import DiskError, UsageError
from zbatch.state.database import Meta, open_connection, translated
from zbatch.state.directory import RunDirectory
from zbatch.storage import Bucket, Location, parse_location

READERS_PATIENCE: Final = 30.0
"""Seconds for which somebody who reads tries a store again: a person waits for it."""

CLAIM: Final = "zbatch-run.json"
"""The object that says whose pictures lie at a place."""


class Pictures:
    """The pictures of one run, by the names that its state has of them. May be used by many threads."""

    def __init__(
        self, directory: RunDirectory, location: Location | None, *, patience: float = READERS_PATIENCE
    ) -> None:
        self._directory = directory
        self._patience = patience
        self.location = location

    @classmethod
    def of(cls, directory: RunDirectory) -> Pictures:
        """Ask a run's state where they lie.

        Raises:
            StateError: it is damaged, gone, or a newer zbatch's.
            DiskError: it cannot be opened.
        """
        with contextlib.closing(open_connection(directory.state, read_only=True)) as connection:
            return cls(directory, location_of(connection, directory))

    @cached_property
    def bucket(self) -> Bucket:
        """The place in a store; only where they lie in one."""
        if self.location is None:
            raise AssertionError("these pictures lie in the run's directory")
        return Bucket(self.location, patience=self._patience)

    def place(self, name: str) -> str:
        """Give the path of a picture, or its URL; of no name, what comes before them all."""
        if self.location is None:
            return str(self._directory.path / name)
        return self.location.url(name) if name else str(self.location)

    def read(self, name: str) -> bytes:
        """Read a picture whole.

        Raises:
            DiskError: it is gone or cannot be read.
        """
        if self.location is not None:
            data = self.bucket.get(name)
            if data is None:
                raise DiskError(f"cannot read {self.place(name)}: there is no such object")
            return data
        try:
            return (self._directory.path / name).read_bytes()
        except OSError as error:
            raise DiskError(f"cannot read {self.place(name)}: {error.strerror or error}") from error

    def stored(self) -> dict[str, int]:
        """List the names and bytes of all that lies among them in the store, a thousand a request.

        Raises:
            StorageError: it cannot be listed, which does not say that it is empty.
        """
        return {one.name: one.length for one in self.bucket.list(self._directory.images.name)}


def location_of(connection: sqlite3.Connection, directory: RunDirectory) -> Location | None:
    """Read from a state where its pictures lie; `None` is in the run's directory."""
    with translated(directory.state):
        row = connection.execute("SELECT value FROM meta WHERE name = ?", (Meta.LOCATION,)).fetchone()
    url = None if row is None else orjson.loads(row[0])
    return None if url is None else parse_location(url)


def check_location(
    directory: RunDirectory, there: str | None, wanted: Location | None, attempts: int
) -> None:
    """Check that pictures are wanted where those of a run lie; free to choose while nothing was submitted.

    Raises:
        UsageError: they lie elsewhere.
    """
    now = None if wanted is None else str(wanted)
    if there == now or not attempts:
        return
    here = "its images/"
    raise UsageError(
        f"the pictures of the run in {directory.path} lie in {there or here} and cannot go to {now or here}",
        hint=f"give {there or directory.path} with -o to go on with it; or another place, whose last part "
        "names a run directory of its own: there everything is submitted and paid again",
    )


def claim(bucket: Bucket, identity: str, name: str, directory: RunDirectory, *, begun: bool) -> None:
    """Mark a place as one run's, once: two runs in one place would write over each other's pictures.

    A run that is not `begun` takes no place where anything lies.

    Raises:
        UsageError: it is another run's, or holds something else.
        StorageError: the store cannot be used.
    """
    mine = {"identity": identity, "name": name}
    first = None if begun else next(bucket.list(), None)
    if first is not None and bucket.length(CLAIM) is None:
        raise UsageError(
            f"{bucket.location} is not empty: it holds {first.name}",
            hint="nothing was submitted; give a place of the run's own with -o or output.dir",
        )
    if bucket.create(CLAIM, orjson.dumps(mine) + b"\n"):
        return
    theirs = _claimed(bucket.get(CLAIM) or b"")
    if theirs.get("identity") != identity:
        raise UsageError(
            f"{bucket.location} holds the pictures of another run ({theirs.get('name') or 'unknown'}), whose "
            f"state is not {directory.state}",
            hint="nothing was submitted; give another place with -o or output.dir, or go on from where that "
            f"run's state is; if it is lost, its pictures are whole: move them, and {CLAIM} with them",
        )


def _claimed(data: bytes) -> dict[str, str]:
    try:
        said = orjson.loads(data)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}
