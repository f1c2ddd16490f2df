"""`csv` and `jsonl`: a row an image, without the images."""

from __future__ import annotations

import csv
import io
from typing import Any, Final

import orjson

from zbatch.exports.writing import Work

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
"""What makes a spreadsheet take text for a formula, and run it."""


def write_jsonl(work: Work) -> None:
    """Write `images.jsonl`: everything, exactly; `cells` and `request` as they are.

    Raises:
        DiskError: it cannot be written.
    """
    selection = work.selection
    columns = selection.columns
    with work.destination.stream("images.jsonl") as table:
        for side in selection.sides:
            for entry in selection.entries(side):
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
    """Write `images.csv`: UTF-8, quoted where it must be; text that a spreadsheet would run begins with `'`.

    Raises:
        DiskError: it cannot be written.
    """
    selection = work.selection
    columns = selection.columns
    with work.destination.stream("images.csv") as table:
        buffer = io.StringIO()
        writer = csv.writer(buffer, lineterminator="\n")
        writer.writerow(["file", "split", *map(_cell, columns.kinds)])
        for side in selection.sides:
            for entry in selection.entries(side):
                row = columns.row(entry)
                writer.writerow([_cell(entry.file), side, *(_cell(row[name]) for name in columns.kinds)])
                table.write(buffer.getvalue().encode())
                buffer.seek(0)
                buffer.truncate()
                work.tick()


def _cell(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return value
