"""Data files for axes and zip: .txt, .csv, .jsonl, .json and .yaml, each row with its own position."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Final

from zbatch.errors import ManifestError
from zbatch.manifest.findings import Findings, Mark, Place
from zbatch.manifest.jsonrows import LINE_END, Rows, json_rows, jsonl_rows
from zbatch.manifest.secrets import find_secrets_in_row, possible_secrets
from zbatch.manifest.source import decode_text, forbidden_character, parse_document
from zbatch.manifest.tables import Table, in_chunks

MAX_DATA_BYTES: Final = 64_000_000
"""Bytes of all data files of a manifest together."""

MAX_ROWS: Final = 1_000_000
MAX_FIELD: Final = 1_000_000
"""Characters of one text in a data file: no prompt is that long, and a file without line ends is."""

SUFFIXES: Final = (".txt", ".csv", ".jsonl", ".json", ".yaml", ".yml")


def read_table(name: str, place: Place, findings: Findings) -> Table | None:
    """Read a data file named in a manifest, relative to the file that names it.

    Gives `None` after a finding: at the manifest where the file cannot be read, in the data file where a row
    is wrong.
    """
    path = _path(name, place, findings)
    document = findings.document
    if document is not None and path in document.tables:
        return document.tables[path]  # another axis reads it, too; what is wrong with it is told
    if path.suffix.lower() not in SUFFIXES:
        findings.error(place, "is no data file", got=name, hint=f"take one of {', '.join(SUFFIXES)}")
        return None
    data = _read(path, name, place, findings)
    if data is None:
        return None
    table = _checked_table(path, data, findings)
    if document is not None:
        document.add_source(path, data)
        document.tables[path] = table
    return table


def _read(path: Path, name: str, place: Place, findings: Findings) -> bytes | None:
    try:
        if not path.exists():
            hint = "paths are relative to the file that names them"
            findings.error(place, "names no file", got=name, hint=hint)
            return None
        if not path.is_file():  # a directory; or a pipe, which might never end
            findings.error(place, "is no plain file", got=name)
            return None
        with path.open("rb") as stream:
            data = stream.read(MAX_DATA_BYTES + 1)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        findings.error(place, f"cannot be read: {why}", got=name)
        return None
    if len(data) > MAX_DATA_BYTES:
        findings.error(place, f"has more than {MAX_DATA_BYTES // 1_000_000} MB", got=name)
        return None
    document = findings.document
    known = document.tables if document is not None else {}
    others = sum(len(source.data) for source in document.sources if source.path in known) if document else 0
    if others + len(data) > MAX_DATA_BYTES:
        findings.error(
            place,
            f"is too much: with the data files before it, it has more than {MAX_DATA_BYTES // 1_000_000} MB",
            got=name,
        )
        return None
    return data


def _path(name: str, place: Place, findings: Findings) -> Path:
    base = Path(findings.document.mark(place).file).parent if findings.document else Path()
    return base / name


def _checked_table(path: Path, data: bytes, findings: Findings) -> Table | None:
    # Findings of its own: the manifest stays the document that places mean.
    own = Findings()
    table = Table(str(path))
    try:
        text = decode_text(data, str(path), own)
        bad = forbidden_character(text)
        if bad is not None:
            own.at(Mark(str(path), *bad), "", "holds a control character")
            raise ManifestError(own)
        _fill(table, _READERS[path.suffix.lower()](path, text, own), own)
        patterns = possible_secrets(text, escapes=_ESCAPES.get(path.suffix.lower(), ()))
        if patterns:
            for value, mark in table.rows():
                find_secrets_in_row(value, mark, patterns, own)
    except ManifestError:
        table = Table(str(path))  # why is in the findings
    if not len(table) and not own.failed:
        own.at(Mark(str(path), 1, 1), "", "the data file holds no rows")
    findings.take(own)
    return table if len(table) else None


def _fill(table: Table, rows: Rows, findings: Findings) -> None:
    for chunk in in_chunks(rows):
        table.extend([value for value, _, _ in chunk])
        for _, line, column in chunk:
            table.marks.append(line, column)
        if len(table.marks) > MAX_ROWS:
            mark = table.marks[MAX_ROWS]
            findings.at(mark, "", f"a data file holds at most {MAX_ROWS:,} rows")
            return


def _txt_rows(path: Path, text: str, findings: Findings) -> Rows:
    for number, line in enumerate(LINE_END.split(text), 1):
        value = line.strip()
        if not value or value.startswith("#"):
            continue
        column = len(line) - len(line.lstrip()) + 1
        if len(value) > MAX_FIELD:
            findings.at(
                Mark(str(path), number, column), "", f"the line has more than {MAX_FIELD:,} characters"
            )
            return
        yield value, number, column


def _csv_rows(path: Path, text: str, findings: Findings) -> Rows:
    csv.field_size_limit(MAX_FIELD)
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    header: list[str] = []
    line = 1
    try:
        for fields in reader:
            begin, line = line, reader.line_num + 1
            if not fields:
                continue
            if len(fields) == len(header):
                yield dict(zip(header, fields, strict=True)), begin, 1
            elif header:
                findings.at(
                    Mark(str(path), begin, 1),
                    "",
                    f"the row has {len(fields)} field{'s'[: len(fields) != 1]} "
                    f"where the header has {len(header)}",
                    hint="quote fields that have a comma in them",
                )
            else:
                header = [name.strip() for name in fields]
                if len(set(header)) < len(header) or not all(header):
                    mark = Mark(str(path), begin, 1)
                    findings.at(mark, "", "the header has an empty or a repeated column name")
                    return
    except csv.Error as error:
        what, hint = f"is no CSV: {error}", ""
        if "field limit" in str(error):
            what, hint = f"a field has more than {MAX_FIELD:,} characters", "is a quote open?"
        findings.at(Mark(str(path), line, 1), "", f"{what} (in the row that begins here)", hint=hint)


def _yaml_rows(path: Path, text: str, findings: Findings) -> Rows:
    document = parse_document(path, text.encode(), findings)
    if document.data is None:
        return
    if not isinstance(document.data, list):
        findings.at(document.mark(()), "", "must hold a list of values or of maps")
        return
    for number, item in enumerate(document.data):
        mark = document.mark((number,))
        yield item, mark.line, mark.column


_READERS: Final = {
    ".txt": _txt_rows,
    ".csv": _csv_rows,
    ".jsonl": jsonl_rows,
    ".json": json_rows,
    ".yaml": _yaml_rows,
    ".yml": _yaml_rows,
}

_ESCAPES: Final = {
    ".jsonl": ("\\u", "\\x"),
    ".json": ("\\u", "\\x"),
    ".yaml": ("\\",),
    ".yml": ("\\",),
}
"""What a format may hide a character behind."""
