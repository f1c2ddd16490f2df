"""Data files for axes and zip: .txt, .csv, .jsonl, .json and .yaml, each row with its own position.

A row's mark is registered in the document under a place of its own, so that a finding about a value names the
data file and the line it stands in.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from zbatch.errors import ManifestError
from zbatch.manifest.findings import Findings, Mark, Place, nearest
from zbatch.manifest.source import Document, decode_text, read_document

MAX_DATA_BYTES: Final = 512_000_000
_NUMERIC: Final = {"seed": int, "strength": float}
"""Columns named like these request fields are parsed as numbers; others stay text."""

SUFFIXES: Final = (".txt", ".csv", ".jsonl", ".json", ".yaml", ".yml")


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a data file: a bare value, or a map of columns, and where it stands."""

    value: Any
    mark: Mark


def read_rows(name: str, place: Place, findings: Findings) -> list[Row] | None:
    """Read a data file named in a manifest, relative to the file that names it.

    Gives `None` after a finding: at the manifest where the file cannot be read, in the data file where a row
    is wrong.
    """
    path = _path(name, place, findings)
    if path.suffix.lower() not in SUFFIXES:
        findings.error(place, "is no data file", got=name, hint=f"take one of {', '.join(SUFFIXES)}")
        return None
    try:
        if path.stat().st_size > MAX_DATA_BYTES:
            findings.error(place, f"has more than {MAX_DATA_BYTES // 1_000_000} MB", got=name)
            return None
        data = path.read_bytes()
    except OSError as error:
        findings.error(place, f"cannot be read: {error.strerror or error}", got=name)
        return None
    if findings.document is not None:
        findings.document.add_source(path, data)
    return _rows(path, data, findings)


def _path(name: str, place: Place, findings: Findings) -> Path:
    base = Path(findings.document.mark(place).file).parent if findings.document else Path()
    return base / name


def _rows(path: Path, data: bytes, findings: Findings) -> list[Row] | None:
    suffix = path.suffix.lower()
    try:
        if suffix in (".yaml", ".yml"):
            return _yaml_rows(path, findings)
        text = decode_text(data, str(path), findings)
    except ManifestError:
        return None  # its findings are in the list already
    reader = {".txt": _txt_rows, ".csv": _csv_rows, ".jsonl": _jsonl_rows, ".json": _json_rows}[suffix]
    rows = list(reader(path, text, findings))
    if not rows and not findings.failed:
        findings.at(Mark(str(path), 1, 1), "", "the data file holds no rows")
    return rows or None


def _txt_rows(path: Path, text: str, findings: Findings) -> Iterator[Row]:
    del findings
    for number, line in enumerate(text.split("\n"), 1):
        value = line.strip()
        if value and not value.startswith("#"):
            yield Row(value, Mark(str(path), number, len(line) - len(line.lstrip()) + 1))


def _csv_rows(path: Path, text: str, findings: Findings) -> Iterator[Row]:
    csv.field_size_limit(10_000_000)
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
        if len(set(header)) < len(header) or not all(header):
            findings.at(Mark(str(path), 1, 1), "", "the header has an empty or a repeated column name")
            return
        line = reader.line_num + 1
        for fields in reader:
            mark = Mark(str(path), line, 1)
            line = reader.line_num + 1
            if not fields:
                continue
            if len(fields) != len(header):
                findings.at(
                    mark,
                    "",
                    f"the row has {len(fields)} fields where the header has {len(header)}",
                    hint="quote fields that have a comma in them",
                )
                continue
            yield Row(dict(zip(header, fields, strict=True)), mark)
    except csv.Error as error:
        findings.at(Mark(str(path), reader.line_num, 1), "", f"is no CSV: {error}")


def _jsonl_rows(path: Path, text: str, findings: Findings) -> Iterator[Row]:
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            value = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            findings.at(Mark(str(path), number, error.colno), "", f"is no JSON: {error.msg}")
            continue
        yield Row(value, Mark(str(path), number, 1))


def _json_rows(path: Path, text: str, findings: Findings) -> Iterator[Row]:
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        findings.at(Mark(str(path), error.lineno, error.colno), "", f"is no JSON: {error.msg}")
        return
    if not isinstance(value, list):
        findings.at(Mark(str(path), 1, 1), "", "must hold a list of values or of maps")
        return
    # JSON parsers give no positions: the item's number stands in the message instead.
    for item in value:
        yield Row(item, Mark(str(path), 1, 1))


def _yaml_rows(path: Path, findings: Findings) -> list[Row] | None:
    # A parse of its own, with its own findings: the outer document stays the one that places mean.
    own = Findings()
    try:
        document: Document = read_document(path, own)
    except ManifestError:
        findings.take(own)
        return None
    findings.take(own)
    if not isinstance(document.data, list):
        findings.at(Mark(str(path), 1, 1), "", "must hold a list of values or of maps")
        return None
    return [Row(item, document.mark((number,))) for number, item in enumerate(document.data)]


def column_values(
    axis: str, rows: list[Row], column: str | None, place: Place, findings: Findings
) -> list[Row]:
    """Pick one column of a data file for an axis; rows of bare values are their own column."""
    picked = []
    for row in rows:
        if not isinstance(row.value, Mapping):
            if column is not None:
                findings.at(row.mark, "", f"has no columns, so there is no column {column!r}")
                return []
            picked.append(Row(_typed(axis, row.value, row.mark, findings), row.mark))
            continue
        name = column or (axis if axis in row.value else None)
        if name is None and len(row.value) == 1:
            name = next(iter(row.value))
        if name is None or name not in row.value:
            known = ", ".join(row.value)
            message = f"no column {name!r} in the data file" if name else "say which column of the data file"
            findings.error(
                (*place, "column") if column else place,
                message,
                hint=nearest(name or axis, row.value) or known,
            )
            return []
        picked.append(Row(_typed(axis, row.value[name], row.mark, findings), row.mark))
    return picked


def row_place(place: Place, number: int, row: Row, findings: Findings) -> Place:
    """Give a row's place in the document, and register its own position there."""
    where = (*place, number)
    if findings.document is not None:
        findings.document.marks[where] = row.mark
    return where


def typed_row(row: Row, findings: Findings) -> dict[str, Any]:
    """Give the columns of a row for zip, numeric request fields as numbers."""
    return {name: _typed(name, value, row.mark, findings) for name, value in row.value.items()}


def _typed(name: str, value: Any, mark: Mark, findings: Findings) -> Any:
    kind = _NUMERIC.get(name)
    if kind is None or not isinstance(value, str):
        return value
    try:
        return kind(value)
    except ValueError:
        findings.at(mark, "", f"{name} must be a number (got {value!r})")
        return value
