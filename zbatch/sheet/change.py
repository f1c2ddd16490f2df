"""How far each picture is from its baseline along a numeric axis; of LoRAs, from the one without any.

Measured once a pair, from the thumbnails, and kept beside them by the pictures' hashes: a sheet that is
written again measures what is new. Writing a sheet only reads what is known.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from zbatch.difference import measurable
from zbatch.model import JobState
from zbatch.sheet.axes import ABSENT, Axis
from zbatch.sheet.data import SheetData
from zbatch.sheet.known import keep_numbers, known_numbers, pair_name
from zbatch.sheet.measuring import Group, measured
from zbatch.state.directory import RunDirectory

UNASKED: Final = 2000
"""Pairs that are measured without being asked for: some ten seconds of one core."""
_DIGITS: Final = 4
_LORA: Final = ("lora.scale", "lora.name")
_NO_MEASURE: Final = frozenset({"seed", "replica"})
"""Axes of numbers that are names: nothing grows along them."""

Changes = Mapping[str, Sequence[float | None]]
"""By an axis's name, each job's change from its baseline along it, from 0 (the same) to 1, where known."""


@dataclass(frozen=True, slots=True)
class Measured:
    """How many pairs were just measured, and how many are left."""

    now: int
    left: int


def known_changes(data: SheetData, directory: RunDirectory) -> Changes:
    """Give what is known of the changes, the axis of LoRAs first."""
    known = known_numbers(_file(directory))
    columns: dict[str, list[float | None]] = {}
    for axis in measured_axes(data) if known else ():
        column: list[float | None] = [None] * len(data.jobs.key)
        for job, base in baselines(data, axis):
            column[job] = known.get(_name(data, job, base))
            column[base] = 0.0
        if any(column):
            columns[axis.name] = column
    return columns


def measure_changes(data: SheetData, directory: RunDirectory, *, most: int | None = UNASKED) -> Measured:
    """Measure the changes that are not known yet, at most so many, and keep them.

    Raises:
        DiskError: what was measured could not be written down.
    """
    if not measurable():
        return Measured(0, 0)
    file = _file(directory)
    known = known_numbers(file)
    # Jobs whose pictures are the same to the byte are one pair.
    pairs = {_name(data, *pair): pair for axis in measured_axes(data) for pair in baselines(data, axis)}
    unknown = [pair for name, pair in pairs.items() if name not in known]
    chosen = unknown[:most]
    found = dict(_measured(data, directory.path, chosen))
    if found:
        keep_numbers(file, known | found)
    return Measured(len(found), len(unknown) - len(chosen))


def measured_axes(data: SheetData) -> list[Axis]:
    """Give the axes along which there is something to measure, that of LoRAs first."""
    by_name = {axis.name: axis for axis in data.axes}
    lora = next((by_name[name] for name in _LORA if name in by_name), None)
    others = [
        axis
        for axis in data.axes
        if axis.numeric and axis.varies and axis.name not in _LORA and axis.name not in _NO_MEASURE
    ]
    return others if lora is None else [lora, *others]


def baselines(data: SheetData, axis: Axis) -> Iterator[tuple[int, int]]:
    """Pair each picture with its baseline along an axis, by job numbers, where both are done.

    The baseline has all other coordinates. For LoRAs it is the one that has none; else the one at 0 or, where
    no picture stands there, at the least value. Of several cells that show a job, the first counts.
    """
    done = [state is JobState.DONE for state in map(data.state, range(len(data.jobs.key)))]
    seen: set[int] = set()
    for cells in _lines(data, axis).values():
        base = _baseline(data, axis, cells)
        if base is None or not done[base]:
            continue
        for cell in cells:
            job = data.cells.job[cell]
            if job != base and done[job] and job not in seen:
                seen.add(job)
                yield job, base


def _lines(data: SheetData, axis: Axis) -> dict[tuple[int, ...], list[int]]:
    """Give the cells that differ only along an axis (or in their LoRAs), by the place of their line."""
    along = _LORA if axis.name in _LORA else (axis.name,)
    columns = [
        column
        for other, column in zip(data.axes, data.cells.coordinates, strict=True)
        if other.name not in along
    ]
    lines: dict[tuple[int, ...], list[int]] = {}
    for cell, job in enumerate(data.cells.job):
        if job != ABSENT:
            lines.setdefault(tuple([column[cell] for column in columns]), []).append(cell)
    return lines


def _baseline(data: SheetData, axis: Axis, cells: Sequence[int]) -> int | None:
    """Give the job that the others of a line are compared with."""
    jobs = data.cells.job
    if axis.name in _LORA:
        bare = (jobs[cell] for cell in cells if "loras" not in data.rests[data.jobs.rest[jobs[cell]]])
        return next(bare, None)
    column = data.cells.coordinates[data.axes.index(axis)]
    placed = [cell for cell in cells if column[cell] != ABSENT]
    if not placed:
        return None
    return jobs[min(placed, key=lambda cell: (axis.values[column[cell]] != 0, column[cell]))]


def _measured(data: SheetData, root: Path, pairs: Iterable[tuple[int, int]]) -> Iterator[tuple[str, float]]:
    """Measure pairs, those of one baseline together; what cannot be read or compared is left out."""
    groups: dict[int, list[int]] = {}
    for job, base in pairs:
        groups.setdefault(base, []).append(job)
    asked = [
        Group(str(root / _thumb(data, base)), tuple(str(root / _thumb(data, job)) for job in jobs))
        for base, jobs in groups.items()
    ]
    for (base, jobs), numbers in zip(groups.items(), measured(asked), strict=True):
        for job, number in zip(jobs, numbers, strict=True):
            if number is not None:
                yield _name(data, job, base), round(number, _DIGITS)


def _thumb(data: SheetData, job: int) -> str:
    thumb = data.thumbnail(job)
    if thumb is None:
        raise AssertionError("only pictures that are there are paired")
    return thumb


def _name(data: SheetData, job: int, base: int) -> str:
    return pair_name(data.jobs.sha256[base], data.jobs.sha256[job])


def _file(directory: RunDirectory) -> Path:
    return directory.thumbs / "changes.json"
