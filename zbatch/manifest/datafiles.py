"""Data files for axes and zip: .txt, .csv, .jsonl, .json and .yaml, each row with its own position."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Final

from zbatch.errors import ManifestError
from zbatch.manifest.findings import Findings, Mark, Place
from zbatch.manifest.jsonrows import Rows, json_rows, jsonl_rows
from zbatch.manifest.lines import MAX_ROW, TOO_LONG, Lines, TooLongError, check_text, numbered
from zbatch.manifest.secrets import find_secrets_in_table, possible_secrets
from zbatch.manifest.source import MAX_BYTES, parse_document
from zbatch.manifest.tables import Table, in_chunks

MAX_DATA_BYTES: Final = 64_000_000
"""Bytes of all data files of a manifest together."""

MAX_ROWS: Final = 1_000_000
MAX_COLUMNS: Final = 1_000

_AS_A_WHOLE: Final = {".json": MAX_BYTES, ".yaml": MAX_BYTES, ".yml": MAX_BYTES}
"""Bytes of files that are not read line by line."""

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
        most = _AS_A_WHOLE.get(path.suffix.lower(), MAX_DATA_BYTES)
        with path.open("rb") as stream:
            data = stream.read(most + 1)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        findings.error(place, f"cannot be read: {why}", got=name)
        return None
    if len(data) > most:
        hint = "" if most == MAX_DATA_BYTES else "a .jsonl or a .csv file may have more"
        findings.error(place, f"has more than {most // 1_000_000} MB", got=name, hint=hint)
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
    file = str(path)
    suffix = path.suffix.lower()
    table = Table(file)
    try:
        check_text(data, file, own)
        _fill(table, _READERS[suffix](file, data, own), own)
        find_secrets_in_table(table, possible_secrets(data, escapes=_ESCAPES.get(suffix, ())), own)
    except ManifestError:
        table = Table(file)  # why is in the findings
    if not len(table) and not own.failed:
        own.at(Mark(file, 1, 1), "", "the data file holds no rows")
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
            raise ManifestError(findings)


def _txt_rows(file: str, data: bytes, findings: Findings) -> Rows:
    for number, line in numbered(Lines(data), file, findings):
        value = line.strip()
        if value and not value.startswith("#"):
            column = len(line) - len(line.lstrip()) + 1
            yield value, number, column


def _csv_rows(file: str, data: bytes, findings: Findings) -> Rows:
    csv.field_size_limit(MAX_ROW)
    lines = Lines(data)
    reader = csv.reader(lines, strict=True)
    header: list[str] = []
    line = 1
    try:
        for fields in reader:
            begin, line, lines.taken = line, reader.line_num + 1, 0
            if not fields:
                continue
            if len(fields) == len(header):
                yield dict(zip(header, fields, strict=True)), begin, 1
            elif header:
                findings.at(
                    Mark(file, begin, 1),
                    "",
                    f"the row has {len(fields)} field{'s'[: len(fields) != 1]} "
                    f"where the header has {len(header)}",
                    hint="quote fields that have a comma in them",
                )
            else:
                header = _header(fields, Mark(file, begin, 1), findings)
                if not header:
                    return
    except csv.Error as error:
        findings.at(Mark(file, line, 1), "", f"is no CSV: {error} (in the row that begins here)")
    except TooLongError:
        hint = "is there a quote that nothing closes?"
        findings.at(Mark(file, line, 1), "", TOO_LONG, hint=hint)


def _header(fields: list[str], mark: Mark, findings: Findings) -> list[str]:
    """Give the names of the columns; none after a finding."""
    header = [name.strip() for name in fields]
    if len(header) > MAX_COLUMNS:
        findings.at(
            mark, "", f"a data file has at most {MAX_COLUMNS:,} columns (this one has {len(header):,})"
        )
        return []
    if len(set(header)) < len(header) or not all(header):
        findings.at(mark, "", "the header has an empty or a repeated column name")
        return []
    return header


def _jsonl_rows(file: str, data: bytes, findings: Findings) -> Rows:
    return jsonl_rows(file, numbered(Lines(data), file, findings), findings)


def _json_rows(file: str, data: bytes, findings: Findings) -> Rows:
    return json_rows(file, data.decode("utf-8-sig"), findings)


def _yaml_rows(file: str, data: bytes, findings: Findings) -> Rows:
    document = parse_document(Path(file), data, findings)
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
    ".jsonl": _jsonl_rows,
    ".json": _json_rows,
    ".yaml": _yaml_rows,
    ".yml": _yaml_rows,
}

_ESCAPES: Final = {
    ".jsonl": (b"\\u", b"\\x"),
    ".json": (b"\\u", b"\\x"),
    ".yaml": (b"\\",),
    ".yml": (b"\\",),
}
"""What a format may hide a character behind."""
