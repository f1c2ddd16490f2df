"""Columns of data files: which of them an axis takes, and which are numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from zbatch.manifest.findings import LOST, Findings, Place, nearest, shown
from zbatch.manifest.positions import RowMarks
from zbatch.manifest.scalars import MAX_EXACT, read_scalar
from zbatch.manifest.tables import Table

MAX_TAKEN: Final = 1_000_000
"""Rows of data files that all axes together may take: a thousand may read one file."""

_NUMERIC: Final = {"seed": "a whole number", "strength": "a number"}
"""Columns named like these request fields are parsed as that type; others stay text."""


@dataclass(frozen=True, slots=True)
class Column:
    """The values of an axis that a data file gives, and where each stands."""

    values: list[Any]
    marks: RowMarks


def column_values(axis: str, table: Table, column: str | None, place: Place, findings: Findings) -> Column:
    """Pick one column of a data file for an axis; rows of bare values are their own column.

    `{label, value}` is a value with its label, and `{name, scale}` a LoRA, as in a list.
    """
    first = table[0]
    _, problem, hint = _pick(axis, first, column)
    if problem:  # every row is like this, most likely: what the manifest asks for is wrong
        findings.error((*place, "column") if column else (*place, "file"), problem, hint=hint)
        return Column([], RowMarks(table.marks.file))
    if table.columns and not _is_whole(axis, first, column):
        values = table.columns[_name(axis, first, column)]
    else:
        values = []
        for value, mark in table.rows():
            picked, problem, hint = _pick(axis, value, column)
            values.append(picked)
            if problem:
                findings.at(mark, "", problem, hint=hint)
                values[-1] = LOST
    for name in (axis, column):
        values = typed(name, values, table.marks, findings)
    if LOST not in values:
        return Column(values, table.marks)
    kept = [number for number, value in enumerate(values) if value is not LOST]
    return Column([values[number] for number in kept], table.marks.kept(kept))


def _pick(axis: str, value: Any, column: str | None) -> tuple[Any, str, str]:
    """Give a row's value for an axis, or what is wrong and a hint."""
    if not isinstance(value, Mapping):
        return (value, "", "") if column is None else (None, f"there are no columns, so no {column!r}", "")
    if _is_whole(axis, value, column):
        return value, "", ""
    name = _name(axis, value, column)
    if name in value:
        return value[name], "", ""
    message = f"no column of the data file is called {name!r}"
    hint = nearest(name, value)
    if column is None:
        names = ", ".join(value)
        asked = f"say which with column: {names if len(names) <= 160 else 'name'}"
        hint = hint if hint.startswith("did you mean") else asked
    return None, message, hint


def _is_whole(axis: str, value: Mapping[str, Any], column: str | None) -> bool:
    """Tell whether a row is one value with its label, or one LoRA, and not columns."""
    whole = {"name", "scale"} if axis == "lora" and "name" in value else set()
    return column is None and (value.keys() == {"label", "value"} or value.keys() <= whole)


def _name(axis: str, value: Mapping[str, Any], column: str | None) -> str:
    return column or (axis if axis in value or len(value) != 1 else next(iter(value)))


def attach_rows(place: Place, marks: RowMarks, findings: Findings) -> None:
    """Say that places of the document are rows of a data file."""
    document = findings.document
    if document is not None and document.positions is not None:
        document.positions.attach(place, marks)


def may_take(table: Table, place: Place, findings: Findings) -> bool:
    """Count the rows of a data file for one more axis; `False` after a finding, where all take too many."""
    document = findings.document
    if document is None:
        return True
    document.rows_taken += len(table)
    if document.rows_taken > MAX_TAKEN:
        message = f"is too much: axes and zip take more than {MAX_TAKEN:,} rows of data files"
        findings.error(place, message)
    return document.rows_taken <= MAX_TAKEN


def typed(name: str | None, values: list[Any], marks: RowMarks, findings: Findings) -> list[Any]:
    """Give a column as numbers where it is named like a numeric request field; `LOST` after a finding."""
    if name not in _NUMERIC:
        return values
    return [typed_value(name, value, marks, number, findings) for number, value in enumerate(values)]


def typed_value(name: str | None, value: Any, marks: RowMarks, number: int, findings: Findings) -> Any:
    """Give one field of a row, as a number where its column holds numbers; `LOST` after a finding."""
    if name not in _NUMERIC or not isinstance(value, str):
        return value
    read, problem = read_scalar(value.strip())
    whole = isinstance(read, int) or name != "seed"
    if problem is None and whole and isinstance(read, int | float) and not isinstance(read, bool):
        return read
    if findings.full:
        findings.left_out += 1
        return LOST
    message = f"{name} must be {_NUMERIC[name]} (got {shown(value)})"
    findings.at(marks[number], "", message, hint=_plainly(value, whole=name == "seed"), apart=name)
    return LOST


def _plainly(text: str, *, whole: bool) -> str:
    """Offer a number that some readers take for another, 007 or 1e-1, in the one way all read alike."""
    try:
        number = Decimal(text.strip())
    except ArithmeticError:
        return ""
    plain = number.is_finite() and len(text) < 20 and abs(number) < MAX_EXACT
    return f"write {number:f}" if plain and (number == number.to_integral_value() or not whole) else ""
