"""`csv` and `jsonl`: a row an image, without the images; a table for each split, where `datasets` looks."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from typing import Any, Final

import orjson

from zbatch.exports.columns import Columns, Kind
from zbatch.exports.writing import Work

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
"""What makes a spreadsheet take text for a formula, and run it."""

_QUOTE: Final = "'"
"""Put before such text, and before such that has quotes already: so one taken away gives what was there."""

_TYPES: Final[Mapping[Kind, str]] = {
    "text": "string",
    "integer": "int64",
    "number": "float64",
    "boolean": "bool",
    "nothing": "string",
}
_WITH_NULLS: Final[Mapping[Kind, str]] = {**_TYPES, "integer": "float64", "boolean": "string"}
"""As pandas reads CSV with an empty field in it."""


def csv_types(columns: Columns) -> dict[str, str]:
    """Give the type of each column of `csv`, in the names of `datasets`: guessed, they differ by split."""
    types = {
        name: (_WITH_NULLS if name in columns.with_nulls else _TYPES)[kind]
        for name, kind in columns.kinds.items()
    }
    return {"file": "string", "split": "string", **types}


def jsonl_types(columns: Columns) -> dict[str, str]:
    """Give the type of each column of `jsonl`, as `csv_types`."""
    types = {name: _TYPES[kind] for name, kind in columns.kinds.items()}
    nested = {"model": "string", "request": "json", "cells": "json"}
    return {"file": "string", "split": "string", **types, **nested}


def write_jsonl(work: Work) -> None:
    """Write `train.jsonl` and so on: everything, exactly; `cells` and `request` as they are.

    Raises:
        DiskError: it cannot be written, or an image is gone or was changed.
    """
    selection = work.selection
    columns = selection.columns
    for side in selection.sides:
        with work.destination.stream(f"{side}.jsonl") as table:
            for entry in work.checked(side):
                row = {
                    "file": entry.file,
                    "split": side,
                    **columns.row(entry),
                    "model": entry.model,
                    "request": entry.request,
                    "cells": entry.cells,
                }
                table.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))
                work.tick()


def write_csv(work: Work) -> None:
    """Write `train.csv` and so on: UTF-8; text that a spreadsheet would run gets a `'`.

    Raises:
        DiskError: it cannot be written, or an image is gone or was changed.
    """
    selection = work.selection
    columns = selection.columns
    for side in selection.sides:
        with work.destination.stream(f"{side}.csv") as table:
            buffer = io.StringIO()
            writer = csv.writer(buffer, lineterminator="\n")
            writer.writerow(["file", "split", *map(_cell, columns.kinds)])
            for entry in work.checked(side):
                row = columns.row(entry)
                writer.writerow([_cell(entry.file), side, *(_cell(row[name]) for name in columns.kinds)])
                table.write(buffer.getvalue().encode())
                buffer.seek(0)
                buffer.truncate()
                work.tick()


def _cell(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str) and value.lstrip(_QUOTE).startswith(_FORMULA):
        return f"{_QUOTE}{value}"
    return value
