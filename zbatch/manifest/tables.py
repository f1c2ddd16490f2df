"""The rows of a data file, by column where all have the same: a hundred thousand maps would fill a memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from zbatch.manifest.findings import Mark
from zbatch.manifest.positions import RowMarks

CHUNK: Final = 4_096
"""Rows that readers give at once."""


class Table:
    """Rows in the order of their file, each a bare value or a map of columns, and where each stands.

    `columns` holds them as long as every row is a map with the names of the first; else `values` does.
    """

    def __init__(self, file: str) -> None:
        self.marks = RowMarks(file)
        self.columns: dict[str, list[Any]] = {}
        self.values: list[Any] = []

    def __len__(self) -> int:
        return len(self.values) or len(next(iter(self.columns.values()), ()))

    def __getitem__(self, number: int) -> Any:
        if self.columns:
            return {name: column[number] for name, column in self.columns.items()}
        return self.values[number]

    def rows(self) -> Iterator[tuple[Any, Mark]]:
        """Give each row with its position."""
        return ((self[number], self.marks[number]) for number in range(len(self)))

    def extend(self, rows: Sequence[Any]) -> None:
        """Add rows; their marks are added by themselves."""
        if rows and not len(self) and isinstance(rows[0], dict):
            self.columns = {name: [] for name in rows[0]}
        if self.columns and all(type(row) is dict and row.keys() == self.columns.keys() for row in rows):
            for name, column in self.columns.items():
                column.extend(pooled([row[name] for row in rows]))
            return
        if self.columns:
            self.values = [self[number] for number in range(len(self))]
            self.columns = {}
        self.values.extend(rows)

    def extend_fields(self, names: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Add rows of as many fields as there are names, the same names each time."""
        if not self.columns:
            self.columns = {name: [] for name in names}
        for column, fields in zip(self.columns.values(), zip(*rows, strict=True), strict=True):
            column.extend(pooled(fields))


def pooled(values: Sequence[Any]) -> Sequence[Any]:
    """Give the same values, texts that repeat being one text: columns of a data file often do."""
    if any(type(value) is not str for value in values):
        return values
    pool = dict(zip(values, values, strict=True))
    return values if 2 * len(pool) > len(values) else [pool[value] for value in values]


def in_chunks(rows: Iterable[Any]) -> Iterator[list[Any]]:
    """Give rows some at a time."""
    chunk = []
    for row in rows:
        chunk.append(row)
        if len(chunk) >= CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
