"""`zip`: rows that walk together, each giving several axes a value."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from typing import Any

from zbatch.manifest.columns import row_place, typed_row
from zbatch.manifest.datafiles import read_rows
from zbatch.manifest.findings import Findings, Place
from zbatch.manifest.loras import NamedLora
from zbatch.manifest.values import Axis, RowList, ZipRow, called, one_value, same

_Named = tuple[Place, Mapping[str, Any]]


def zip_axis(spec: Any, place: Place, loras: Mapping[str, NamedLora], findings: Findings) -> Axis | None:
    """Read `zip`: rows inline, or those of a data file; every row gives the same axes a value."""
    if isinstance(spec, Mapping):
        named = list(_file_rows(spec, (*place, "file"), findings))
    else:
        named = [((*place, n), item) for n, item in enumerate(spec) if isinstance(item, Mapping)]
    rows = _distinct(_zip_rows(named, loras, findings), findings)
    return Axis("zip", RowList(rows), place) if rows else None


def without_columns(axis: Axis, names: Container[str]) -> Axis | None:
    """Leave columns of zip out that cannot be axes; nothing is left where all are such."""
    rows = [ZipRow(tuple(p for p in row.parts if p.axis not in names), row.place) for row in axis.values]
    return Axis(axis.name, RowList(rows), axis.place) if rows[0].parts else None


def _file_rows(spec: Mapping[str, Any], place: Place, findings: Findings) -> Iterator[_Named]:
    for number, row in enumerate(read_rows(spec["file"], place, findings) or ()):
        where = row_place(place, number, row, findings)
        if not isinstance(row.value, Mapping) or not row.value:
            findings.error(where, "must have columns, one for each axis", got=row.value)
            continue
        typed = typed_row(row, findings)
        if typed is not None:
            yield where, typed


def _zip_rows(
    named: Sequence[_Named], loras: Mapping[str, NamedLora], findings: Findings
) -> Iterator[ZipRow]:
    columns = list(named[0][1]) if named else []
    for where, row in named:
        missing = [name for name in columns if name not in row]
        if missing or len(row) > len(columns):
            name = missing[0] if missing else next(name for name in row if name not in columns)
            what = "is missing here" if missing else "is not in the first row"
            findings.error(where, f"rows walk together: {name!r} {what}")
            continue
        parts = [one_value(name, row[name], (*where, name), loras, findings) for name in columns]
        whole = tuple(part for part in parts if part is not None)
        if len(whole) == len(parts):
            yield ZipRow(whole, where)


def _distinct(rows: Iterator[ZipRow], findings: Findings) -> list[ZipRow]:
    """Keep each row once: a repeated one is a warning, two values of a column under one name an error."""
    seen: dict[tuple[Any, ...], ZipRow] = {}
    values: dict[tuple[Any, ...], Any] = {}
    for row in rows:
        for part in row.parts:
            name = tuple((name, isinstance(at, bool), at) for name, at in part.coordinates)
            if not same(values.setdefault(name, part.value), part.value):
                said = ", ".join(called(at) for _, at in part.coordinates)
                findings.error(
                    part.place, f"two values of this axis are called {said}", hint="give each its own label"
                )
        key = tuple((name, isinstance(at, bool), at) for name, at in row.coordinates)
        if seen.setdefault(key, row) is not row:
            findings.warning(row.place, "is there twice: the row counts once")
    return list(seen.values())
