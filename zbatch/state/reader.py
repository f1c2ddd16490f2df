"""The state of a run, opened to be read: the one connection on which whoever asks something of it asks."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self

from zbatch.state.database import open_connection, translated
from zbatch.state.directory import RunDirectory


class StateReader:
    """Holds one read-only connection, for one thread. Use it as a context manager, or close it."""

    def __init__(self, directory: RunDirectory) -> None:
        """Open the state of a run.

        Raises:
            StateError: it is damaged, gone, or a newer zbatch's.
            DiskError: it cannot be opened.
        """
        self.directory = directory
        self._db = open_connection(directory.state, read_only=True)

    def close(self) -> None:
        """Let go of the state file."""
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _rows(self, sql: str, *values: Any, named: bool = False) -> Iterator[Any]:
        """Give the rows of a query one by one; `named` ones know their columns' names."""
        with translated(self.directory.state):
            cursor = self._db.cursor()
            cursor.row_factory = sqlite3.Row if named else None
            yield from cursor.execute(sql, values)
