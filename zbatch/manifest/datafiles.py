"""Data files for axes and zip: .txt, .csv, .jsonl, .json and .yaml, each row with its own position."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from zbatch.errors import ManifestError
from zbatch.manifest.findings import Findings, Mark, Place
from zbatch.manifest.scalars import MAX_EXACT
from zbatch.manifest.secrets import find_secrets_in_row, may_hold_secrets
from zbatch.manifest.source import decode_text, forbidden_character, parse_document
from zbatch.model import canonical_number

MAX_DATA_BYTES: Final = 64_000_000
MAX_ROWS: Final = 1_000_000

SUFFIXES: Final = (".txt", ".csv", ".jsonl", ".json", ".yaml", ".yml")

_LINE_END: Final = re.compile(r"\r\n|\r|\n")
_SPACE: Final = " \t\r\n"


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
    if findings.document is not None:
        findings.document.add_source(path, data)
    return _checked_rows(path, data, findings)


def _path(name: str, place: Place, findings: Findings) -> Path:
    base = Path(findings.document.mark(place).file).parent if findings.document else Path()
    return base / name


def _checked_rows(path: Path, data: bytes, findings: Findings) -> list[Row] | None:
    # Findings of its own: the manifest stays the document that places mean.
    own = Findings()
    rows: list[Row] = []
    try:
        text = decode_text(data, str(path), own)
        bad = forbidden_character(text)
        if bad is not None:
            own.at(Mark(str(path), *bad), "", "holds a control character")
            raise ManifestError(own)
        for row in _READERS[path.suffix.lower()](path, text, own):
            rows.append(row)
            if len(rows) > MAX_ROWS:
                own.at(row.mark, "", f"a data file holds at most {MAX_ROWS:,} rows")
                break
        if may_hold_secrets(text):
            for row in rows:
                find_secrets_in_row(row.value, row.mark, own)
    except ManifestError:
        rows = []  # why is in the findings
    if not rows and not own.failed:
        own.at(Mark(str(path), 1, 1), "", "the data file holds no rows")
    findings.take(own)
    return rows or None


def _txt_rows(path: Path, text: str, findings: Findings) -> Iterator[Row]:
    del findings
    for number, line in enumerate(_LINE_END.split(text), 1):
        value = line.strip()
        if value and not value.startswith("#"):
            yield Row(value, Mark(str(path), number, len(line) - len(line.lstrip()) + 1))


def _csv_rows(path: Path, text: str, findings: Findings) -> Iterator[Row]:
    csv.field_size_limit(MAX_DATA_BYTES)
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    header: list[str] = []
    line = 1
    try:
        for fields in reader:
            mark = Mark(str(path), line, 1)
            line = reader.line_num + 1
            if not fields:
                continue
            if not header:
                header = [name.strip() for name in fields]
                if len(set(header)) < len(header) or not all(header):
                    findings.at(mark, "", "the header has an empty or a repeated column name")
                    return
            elif len(fields) != len(header):
                findings.at(
                    mark,
                    "",
                    f"the row has {len(fields)} field{'s'[: len(fields) != 1]} "
                    f"where the header has {len(header)}",
                    hint="quote fields that have a comma in them",
                )
            else:
                yield Row(dict(zip(header, fields, strict=True)), mark)
    except csv.Error as error:
        findings.at(Mark(str(path), line, 1), "", f"is no CSV: {error} (in the row that begins here)")


class _JsonError(Exception):
    """Text that is no JSON that a manifest can take, and how far into it."""

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(message)
        self.offset = offset


def _whole_number(text: str) -> int:
    if len(text) > 20 or abs(int(text)) > MAX_EXACT:
        raise ValueError("a number too large to be exact")
    return int(text)


def _decimal(text: str) -> int | float:
    number = float(text)
    if abs(number) > MAX_EXACT:
        raise ValueError("a number too large to be exact")
    return canonical_number(number)


def _constant(text: str) -> Any:
    raise ValueError(f"{text} is no number")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    items = dict(pairs)
    if len(items) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twice!r} is there twice")
    return items


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_whole_number, parse_float=_decimal, parse_constant=_constant
)


def _json_value(text: str, offset: int) -> tuple[Any, int]:
    """Decode the JSON value that begins at an offset; give it and where it ends.

    Raises:
        _JsonError: it is none, or holds what JSON readers take for different things.
    """
    try:
        value, end = _DECODER.raw_decode(text, offset)
        orjson.dumps(value)
    except json.JSONDecodeError as error:
        raise _JsonError(error.msg.lower(), error.pos) from error
    except RecursionError as error:
        raise _JsonError("it is nested too deep", offset) from error
    except orjson.JSONEncodeError as error:  # what our own JSON could not hold later on
        deep = "ecursion" in str(error)
        why = "it is nested too deep" if deep else "it holds half a character (a lone surrogate)"
        raise _JsonError(why, offset) from error
    except ValueError as error:
        raise _JsonError(str(error), offset) from error
    return value, end


def _jsonl_rows(path: Path, text: str, findings: Findings) -> Iterator[Row]:
    for number, line in enumerate(_LINE_END.split(text), 1):
        begin = len(line) - len(line.lstrip(_SPACE))
        if begin == len(line):
            continue
        try:
            value, end = _json_value(line, begin)
            if line[end:].strip(_SPACE):
                raise _JsonError("more stands behind the value", end)
        except _JsonError as error:
            findings.at(Mark(str(path), number, error.offset + 1), "", f"is no JSON: {error}")
            continue
        yield Row(value, Mark(str(path), number, begin + 1))


def _json_rows(path: Path, text: str, findings: Findings) -> Iterator[Row]:
    """Read the items of a JSON list one by one: so each has its line."""
    places = _Places(path, text)
    at = _skip_space(text, 0)
    if at == len(text):
        return
    if text[at] != "[":
        findings.at(places.mark(at), "", "must hold a list of values or of maps")
        return
    at = _skip_space(text, at + 1)
    try:
        while text[at : at + 1] != "]":
            value, end = _json_value(text, at)
            yield Row(value, places.mark(at))
            at = _skip_space(text, end)
            if text[at : at + 1] == ",":
                at = _skip_space(text, at + 1)
                if text[at : at + 1] == "]":
                    raise _JsonError("expecting value", at)
            elif text[at : at + 1] != "]":
                raise _JsonError("expecting ',' or ']'", at)
        rest = _skip_space(text, at + 1)
        if rest < len(text):
            raise _JsonError("more stands behind the list", rest)
    except _JsonError as error:
        findings.at(places.mark(error.offset), "", f"is no JSON: {error}")


def _skip_space(text: str, at: int) -> int:
    while at < len(text) and text[at] in _SPACE:
        at += 1
    return at


class _Places:
    """Turns offsets into marks, each at or after the one before."""

    def __init__(self, path: Path, text: str) -> None:
        self._file = str(path)
        self._text = text
        self._line, self._begin = 1, 0

    def mark(self, offset: int) -> Mark:
        self._line += self._text.count("\n", self._begin, offset)
        self._begin = max(self._begin, self._text.rfind("\n", self._begin, offset) + 1)
        return Mark(self._file, self._line, offset - self._begin + 1)


def _yaml_rows(path: Path, text: str, findings: Findings) -> Iterator[Row]:
    document = parse_document(path, text.encode(), findings)
    if document.data is None:
        return
    if not isinstance(document.data, list):
        findings.at(document.mark(()), "", "must hold a list of values or of maps")
        return
    for number, item in enumerate(document.data):
        yield Row(item, document.mark((number,)))


_READERS: Final = {
    ".txt": _txt_rows,
    ".csv": _csv_rows,
    ".jsonl": _jsonl_rows,
    ".json": _json_rows,
    ".yaml": _yaml_rows,
    ".yml": _yaml_rows,
}
