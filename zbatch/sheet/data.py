"""`SheetData`: what a contact sheet shows of a run, as columns with each text kept once.

A run of 100,000 jobs has a few hundred distinct texts beside its prompts: columns of small numbers keep the
page's data small, and quick to read in a browser.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from zbatch.clock import now_iso
from zbatch.model import JobState, thumb_file
from zbatch.picks.records import Picks
from zbatch.sheet.alike import alike_jobs
from zbatch.sheet.axes import Axis, AxisBuilder, View, choose_view
from zbatch.sheet.columns import NONE, STATES, CellColumns, Interner, JobColumns, JobReader
from zbatch.sheet.packing import packed_numbers
from zbatch.sheet.signatures import unsigned
from zbatch.state.database import Meta
from zbatch.state.run import Run

FORMAT: Final = 2
"""Version of the shape of the data; the page refuses one it does not know."""


@dataclass(frozen=True, slots=True)
class SheetData:
    """Everything a sheet shows of one run."""

    about: dict[str, Any]
    axes: tuple[Axis, ...]
    view: View
    cells: CellColumns
    jobs: JobColumns
    strings: list[str]
    rests: list[dict[str, Any]]
    shapes: list[tuple[int, int, int, int]]
    verdicts: list[Any]
    picks: tuple[Picks, ...] = ()
    """What people said of the images, to be shown beside what the reader says."""
    alike: tuple[tuple[int, ...], ...] = ()
    """Jobs whose pictures came as the same bytes, each group with at least two."""

    @classmethod
    def of(cls, run: Run) -> SheetData:
        """Read a run, as a stream, into columns.

        Raises:
            StateError: the state is damaged.
        """
        return cls.read(run, JobReader())

    @classmethod
    def read(cls, run: Run, reader: JobReader) -> SheetData:
        """Read a run with a reader that can go on with it: what it numbers later fits what it numbered here.

        Raises:
            StateError: the state is damaged.
        """
        numbers = {job.key: reader.add(job) for job in run.jobs(shown_only=True)}
        alike, reader.received = alike_jobs(reader.received), []
        axes, cells = _read_cells(run, numbers, reader.strings)
        return cls(
            about=about_run(run),
            axes=axes,
            view=choose_view(axes, run.view),
            cells=cells,
            jobs=reader.columns,
            strings=reader.strings.items,
            rests=reader.rests.items,
            shapes=reader.shapes.items,
            verdicts=reader.verdicts.items,
            alike=alike,
        )

    def axis(self, name: str) -> Axis:
        """Give the axis of that name."""
        return next(axis for axis in self.axes if axis.name == name)

    def state(self, job: int) -> JobState:
        """Give the state of a job by its number."""
        return STATES[self.jobs.state[job]]

    def thumbnail(self, job: int) -> str | None:
        """Give the path of a job's thumbnail from the run directory, or None while there is no picture."""
        if self.state(job) is not JobState.DONE:
            return None
        number = self.jobs.thumb[job]
        return self.strings[number] if number != NONE else thumb_file(self.jobs.key[job])

    def document(self, changes: Mapping[str, Sequence[float | None]] | None = None) -> dict[str, Any]:
        """Give it as the page reads it: JSON types only, long columns packed.

        `changes` has, by axis, each job's change from its baseline; the page is given thousandths.
        """
        return {
            "format": FORMAT,
            "about": self.about,
            "axes": [
                {"name": axis.name, "values": axis.values, "numeric": axis.numeric} for axis in self.axes
            ],
            "view": {"x": self.view.x, "y": self.view.y, "group": self.view.group},
            "states": [state.value for state in STATES],
            "cells": {
                "coordinates": [packed_numbers(column) for column in self.cells.coordinates],
                "job": packed_numbers(self.cells.job),
                "rule": packed_numbers(self.cells.rule),
            },
            "jobs": self.jobs.packed(),
            "changes": {
                name: packed_numbers(_thousandths(column)) for name, column in (changes or {}).items()
            },
            "strings": self.strings,
            "rests": self.rests,
            "shapes": self.shapes,
            "verdicts": self.verdicts,
            **({"alike": self.alike} if self.alike else {}),
            **({"picks": [picks.as_json() for picks in self.picks]} if self.picks else {}),
        }


def _read_cells(run: Run, numbers: dict[str, int], strings: Interner) -> tuple[tuple[Axis, ...], CellColumns]:
    builders: dict[str, AxisBuilder] = {}
    cells = CellColumns([])
    for cell in run.cells():
        job = NONE if cell.key is None else numbers.get(cell.key)
        if job is None:
            continue  # a run in progress took over a new grid between the two reads
        position = len(cells.job)
        cells.job.append(job)
        cells.rule.append(strings.add(cell.excluded_by) if cell.key is None else NONE)
        for name, value in cell.coordinates.items():
            builder = builders.get(name)
            if builder is None:
                builder = builders[name] = AxisBuilder(name)
            builder.add(position, value)
    built = []
    for builder in builders.values():
        builder.pad(len(cells.job))
        axis, column = builder.build()
        built.append((replace(axis, values=tuple(map(unsigned, axis.values))), column))
    cells.coordinates.extend(column for _, column in built)
    return tuple(axis for axis, _ in built), cells


def about_run(run: Run) -> dict[str, Any]:
    """Give what is true of a run as a whole, as it is now."""
    cost = run.cost()
    return {
        "name": run.name,
        "title": run.title,
        "description": run.about(Meta.DESCRIPTION) or "",
        "model": run.about(Meta.MODEL) or "",
        "endpoint": run.about(Meta.ENDPOINT) or "",
        "endpoint_kind": run.about(Meta.ENDPOINT_KIND) or "",
        "manifest": run.about(Meta.MANIFEST) or "",
        # Of all jobs: the cell it is shown for need not be among those selected last.
        "again": str(run.again.everything()) if run.about(Meta.AGAIN) else "",
        "identity": run.about(Meta.IDENTITY) or "",
        # Where the pictures are, if not beside the page: it then shows thumbnails.
        "images": "" if run.location is None else str(run.location),
        "version": run.about(Meta.VERSION) or "",
        "created_at": run.about(Meta.CREATED_AT),
        "written_at": now_iso(),
        "cost": None if cost is None else str(cost),
        "counts": {state.value: number for state, number in run.counts().items()},
    }


def _thousandths(column: Sequence[float | None]) -> list[int | None]:
    return [None if number is None else round(1000 * number) for number in column]
