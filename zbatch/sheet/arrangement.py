"""The cells of a sheet put in their places: sections, rows and columns of value numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from zbatch.model import JobState, canonical_number
from zbatch.sheet.axes import ABSENT
from zbatch.sheet.columns import NONE
from zbatch.sheet.data import SheetData


@dataclass(frozen=True, slots=True)
class Row:
    """One row: the value along the rows, and for each value along the columns the cells that lie there."""

    value: int
    cells: dict[int, list[int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Section:
    """One combination of the values of the group axes, and its rows."""

    values: tuple[int, ...]
    rows: list[Row]


@dataclass(frozen=True, slots=True)
class Arrangement:
    """The whole sheet. Without axes, `columns` is empty and each section has one row, to be wrapped."""

    columns: list[int]
    sections: list[Section]


def arrange(data: SheetData) -> Arrangement:
    """Put every cell in its place, as the view of the run asks; pictures lie on top of a stack."""
    x, y = _column(data, data.view.x), _column(data, data.view.y)
    groups = [_column(data, name) or [] for name in data.view.group]
    wall = x is None and y is None
    found: dict[tuple[int, ...], dict[int, Row]] = {}
    columns: set[int] = set()
    for cell in range(len(data.cells.job)):
        rows = found.setdefault(tuple(column[cell] for column in groups), {})
        value = ABSENT if y is None else y[cell]
        row = rows.setdefault(value, Row(value))
        at = cell if wall else (ABSENT if x is None else x[cell])
        row.cells.setdefault(at, []).append(cell)
        if not wall:
            columns.add(at)
    sections = [
        Section(values, [rows[value] for value in sorted(rows, key=_rank)])
        for values, rows in sorted(found.items(), key=lambda item: [_rank(value) for value in item[0]])
    ]
    for section in sections:
        for row in section.rows:
            for cells in row.cells.values():
                cells.sort(key=lambda cell: not has_picture(data, cell))
    return Arrangement(sorted(columns, key=_rank), sections)


def has_picture(data: SheetData, cell: int) -> bool:
    """Tell whether there is a picture to draw for a cell."""
    job = data.cells.job[cell]
    return job != NONE and data.state(job) is JobState.DONE


@dataclass(frozen=True, slots=True)
class Verdict:
    """Why a cell has no picture: its state in a word, the reason in few words, and what the server said."""

    words: str
    brief: str = ""
    message: str = ""

    @property
    def whole(self) -> str:
        """The reason with the message, as far as there are such."""
        return ": ".join(part for part in (self.brief, self.message) if part)


def verdict(data: SheetData, cell: int) -> Verdict:
    """Say why a cell has no picture."""
    job = data.cells.job[cell]
    if job == NONE:
        return Verdict("excluded", data.strings[data.cells.rule[cell]])
    state, reason, message = data.state(job), data.jobs.reason[job], data.jobs.message[job]
    if state is JobState.DONE:
        return Verdict("file missing")
    brief = "" if reason == NONE else data.strings[reason].replace("_", " ").lower()
    words = "not here yet" if state is JobState.SUBMITTED and brief else state.value
    return Verdict(words, brief, "" if message == NONE else data.strings[message])


def label(data: SheetData, name: str, value: int) -> str:
    """Give a value of an axis as words."""
    if value == ABSENT:
        return "—"
    scalar = data.axis(name).values[value]
    if isinstance(scalar, bool):
        return str(scalar).lower()
    return str(canonical_number(scalar) if isinstance(scalar, float) else scalar)


def short_name(name: str) -> str:
    """Give the telling part of an axis' name: `scale` of `lora.scale`, `lora` of `lora.name`."""
    parts = [part for part in name.split(".") if part != "name"]
    return parts[-1] if parts else name


def _column(data: SheetData, name: str | None) -> Sequence[int] | None:
    for axis, column in zip(data.axes, data.cells.coordinates, strict=True):
        if axis.name == name:
            return column
    return None


def _rank(value: int) -> float:
    """Cells without the axis come last."""
    return float("inf") if value == ABSENT else value
