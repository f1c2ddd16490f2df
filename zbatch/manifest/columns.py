"""Columns of data files: which of them an axis takes, and which are numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from zbatch.manifest.datafiles import Row
from zbatch.manifest.findings import LOST, Findings, Place, nearest
from zbatch.manifest.scalars import read_scalar

_NUMERIC: Final = {"seed": "a whole number", "strength": "a number"}
"""Columns named like these request fields are parsed as that type; others stay text."""


def column_values(
    axis: str, rows: list[Row], column: str | None, place: Place, findings: Findings
) -> list[Row]:
    """Pick one column of a data file for an axis; rows of bare values are their own column.

    `{label, value}` is a value with its label, and `{name, scale}` a LoRA, as in a list.
    """
    picked = []
    for number, row in enumerate(rows):
        value, problem, hint = _pick(axis, row.value, column)
        if problem:
            if number == 0:  # every row is like this, most likely: what the manifest asks for is wrong
                findings.error((*place, "column") if column else (*place, "file"), problem, hint=hint)
                return []
            findings.at(row.mark, "", problem, hint=hint)
            continue
        for name in (axis, column):
            value = _typed(name, value, row, findings)
        if value is not LOST:
            picked.append(Row(value, row.mark))
    return picked


def _pick(axis: str, value: Any, column: str | None) -> tuple[Any, str, str]:
    """Give a row's value for an axis, or what is wrong and a hint."""
    if not isinstance(value, Mapping):
        return (value, "", "") if column is None else (None, f"there are no columns, so no {column!r}", "")
    whole = {"name", "scale"} if axis == "lora" and "name" in value else set()
    if column is None and (value.keys() == {"label", "value"} or value.keys() <= whole):
        return value, "", ""
    name = column or (axis if axis in value or len(value) != 1 else next(iter(value)))
    if name in value:
        return value[name], "", ""
    message = f"no column of the data file is called {name!r}"
    hint = nearest(name, value)
    if column is None:
        hint = hint if hint.startswith("did you mean") else f"say which with column: {', '.join(value)}"
    return None, message, hint


def row_place(place: Place, number: int, row: Row, findings: Findings) -> Place:
    """Give a row's place in the document, and register its own position there."""
    where = (*place, number)
    if findings.document is not None:
        findings.document.marks[where] = row.mark
    return where


def typed_row(row: Row, findings: Findings) -> dict[str, Any] | None:
    """Give the columns of a row for zip, numeric request fields as numbers; `None` after a finding."""
    typed = {name: _typed(name, value, row, findings) for name, value in row.value.items()}
    return None if LOST in typed.values() else typed


def _typed(name: str | None, value: Any, row: Row, findings: Findings) -> Any:
    if name not in _NUMERIC or not isinstance(value, str):
        return value
    number, problem = read_scalar(value.strip())
    whole = isinstance(number, int) or name != "seed"
    if problem is None and whole and isinstance(number, int | float) and not isinstance(number, bool):
        return number
    findings.at(row.mark, "", f"{name} must be {_NUMERIC[name]} (got {value!r})")
    return LOST
