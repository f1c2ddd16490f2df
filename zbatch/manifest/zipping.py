"""`zip`: rows that walk together, each giving several axes a value."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from itertools import compress
from typing import Any

from zbatch.expressions.loras import NamedLora
from zbatch.manifest.columns import attach_rows, may_take, typed, typed_value
from zbatch.manifest.datafiles import MAX_COLUMNS, read_table
from zbatch.manifest.findings import LOST, Findings, Place
from zbatch.manifest.reading import read_all
from zbatch.manifest.tables import Table
from zbatch.manifest.values import Axis, ValueList, ZipRows, called, key_of, same

_Columns = tuple[Sequence[int], dict[str, list[Any]]]
"""Numbers of rows, and what each column has in them."""


def zip_axis(spec: Any, place: Place, loras: Mapping[str, NamedLora], findings: Findings) -> Axis | None:
    """Read `zip`: rows inline, or those of a data file; every row gives the same axes a value."""
    where: Place = (*place, "file") if isinstance(spec, Mapping) else place
    if isinstance(spec, Mapping):
        numbers, columns = _file_columns(spec["file"], where, findings)
    else:
        rows = ((number, item) for number, item in enumerate(spec) if isinstance(item, Mapping))
        numbers, columns = _aligned(rows, where, findings)
    if len(columns) > MAX_COLUMNS:
        findings.error(place, f"has more than {MAX_COLUMNS:,} columns", got=len(columns))
        return None
    lists = []
    for name, column in columns.items():
        held = read_all(name, column, numbers, where, loras, findings, (name,))
        lists.append(ValueList(name, held, numbers, where, (name,)))
    values = ZipRows(lists, where)
    if any(LOST in column.held for column in lists):
        whole = [LOST not in row for row in zip(*(column.held for column in lists), strict=True)]
        values = values.kept(list(compress(range(len(whole)), whole)))
    values = _distinct(values, findings)
    return Axis("zip", values, place) if len(values) else None


def without_columns(axis: Axis, names: Container[str]) -> Axis | None:
    """Leave columns of zip out that cannot be axes; nothing is left where all are such."""
    if not isinstance(axis.values, ZipRows):
        return axis
    rows = axis.values.with_columns([c for c in axis.values.columns if c.axis not in names])
    return Axis(axis.name, rows, axis.place) if rows.columns else None


def _file_columns(name: str, place: Place, findings: Findings) -> _Columns:
    table = read_table(name, place, findings)
    if table is None or not may_take(table, place, findings):
        return (), {}
    attach_rows(place, table.marks, findings)
    if not table.columns:
        return _aligned(_mapped_rows(table, place, findings), place, findings)
    columns = {name: typed(name, held, table.marks, findings) for name, held in table.columns.items()}
    return range(len(table)), columns


def _mapped_rows(table: Table, place: Place, findings: Findings) -> Iterable[tuple[int, Mapping[str, Any]]]:
    """Give the rows of a data file that differ in their columns, or have none."""
    for number, (row, _) in enumerate(table.rows()):
        if not isinstance(row, Mapping) or not row:
            findings.error((*place, number), "must have columns, one for each axis", got=row)
            continue
        fields = {name: typed_value(name, at, table.marks, number, findings) for name, at in row.items()}
        if LOST not in fields.values():
            yield number, fields


def _aligned(rows: Iterable[tuple[int, Mapping[str, Any]]], place: Place, findings: Findings) -> _Columns:
    """Give the columns of numbered rows; those that do not have the columns of the first are findings."""
    numbers: list[int] = []
    columns: dict[str, list[Any]] = {}
    for number, row in rows:
        columns = columns or {name: [] for name in row}
        if row.keys() != columns.keys():
            missing = [name for name in columns if name not in row]
            name = missing[0] if missing else next(name for name in row if name not in columns)
            what = "is missing here" if missing else "is not in the first row"
            findings.error((*place, number), f"rows walk together: {name!r} {what}")
            continue
        numbers.append(number)
        for name, column in columns.items():
            column.append(row[name])
    return numbers, columns


def _distinct(rows: ZipRows, findings: Findings) -> ZipRows:
    """Keep each row once: a repeated one is a warning, two values of a column under one name an error."""
    keys = [column.held if column.plain else _called(column, findings) for column in rows.columns]
    if len(set(zip(*keys, strict=True))) == len(rows):
        return rows
    seen: set[tuple[Any, ...]] = set()
    kept = []
    for number, key in enumerate(zip(*keys, strict=True)):
        if key in seen:
            if not findings.enough("warning"):
                findings.warning(rows[number].place, "is there twice: the row counts once")
            continue
        seen.add(key)
        kept.append(number)
    return rows.kept(kept)


def _called(column: ValueList, findings: Findings) -> list[Any]:
    """Give what each value is called, and say where two are called the same."""
    values: dict[Any, Any] = {}
    names = []
    for part in column:
        name = key_of(part.coordinates)
        names.append(name)
        if not same(values.setdefault(name, part.value), part.value):
            said = ", ".join(called(at) for _, at in part.coordinates)
            findings.error(
                part.place, f"two values of this axis are called {said}", hint="give each its own label"
            )
    return names
