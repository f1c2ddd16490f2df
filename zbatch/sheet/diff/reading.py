"""Reading two runs into pairs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from zbatch.errors import UsageError
from zbatch.model import Coordinates, JobState
from zbatch.sheet.alike import alike_jobs
from zbatch.sheet.axes import ABSENT, Axis, AxisBuilder, View
from zbatch.sheet.columns import CellColumns, JobReader
from zbatch.sheet.data import SheetData, about_run
from zbatch.sheet.diff.pairing import Pairing, Place, Renames, pair_cells
from zbatch.sheet.diff.pairs import Again, Pairs, Side
from zbatch.sheet.diff.telling import distinct_labels, nothing_shared
from zbatch.sheet.diff.wording import changed_fields
from zbatch.sheet.signatures import unsigned
from zbatch.state.run import Run

Told = Callable[[Sequence[Place], Sequence[Place]], Renames]
"""Gives what was renamed, for the cells of both runs."""


def read_pairs(before: Run, after: Run, told: Told | None = None) -> Pairs:
    """Read two runs and pair their cells; no change is known yet (see `zbatch.sheet.diff.apart`).

    Raises:
        UsageError: they share nothing: no place in their grids, and no request.
        StateError: a state is damaged.
    """
    reader = _Reader()
    # The later run's first: what the page shows of a cell is what it shows of that run.
    later, earlier = reader.read(after), reader.read(before)
    again = _again(before, after, {place.key for place in later.places}, earlier)
    if again is not None:
        earlier = earlier.of({place.key for place in later.places})
    renames = None if told is None else told(earlier.places, later.places)
    pairing = pair_cells(earlier.places, later.places, renames)
    if again is not None and pairing.pairs:
        pairing = replace(pairing, before_only=())  # other cells of jobs that were asked again once
    labels = distinct_labels(before.directory.path, after.directory.path)
    if not pairing.pairs:
        raise nothing_shared(earlier.places, later.places, labels)
    cells = _cells(pairing, earlier, later)
    partner = tuple(cell.before for cell in cells)
    axes, columns = _axes([cell.shown for cell in cells])
    found = reader.jobs
    sides = (
        Side(labels[0], before.directory.path, about_run(before), *earlier.span),
        Side(labels[1], after.directory.path, about_run(after), *later.span),
    )
    sheet = SheetData(
        about={},
        axes=axes,
        view=View(None, None, ()),
        cells=CellColumns(columns, [cell.job for cell in cells], [ABSENT] * len(cells)),
        jobs=found.columns,
        strings=found.strings.items,
        rests=found.rests.items,
        shapes=found.shapes.items,
        verdicts=found.verdicts.items,
        alike=alike_jobs(reader.received),
    )
    fields = changed_fields(_bodies(sheet, partner))
    nothing = (None,) * len(cells)
    own = {number: _unsigned(cell.own) for number, cell in enumerate(cells) if cell.own is not None}
    received = tuple(reader.received)
    return Pairs(sheet, sides, partner, received, fields, pairing.found, nothing, own, again=again)


def _unsigned(coordinates: Coordinates) -> Coordinates:
    return {axis: unsigned(value) for axis, value in coordinates.items()}


def _again(before: Run, after: Run, asked: Container[str], earlier: _Grid) -> Again | None:
    """Count what was asked again where the later run is a reproduction of the earlier one.

    Raises:
        UsageError: the earlier run shows nothing of that any more.
    """
    if after.directory.path.resolve().parent != before.directory.reproduced.resolve():
        return None
    keys = {place.key for place in earlier.places}
    if keys and not any(key in asked for key in keys):
        raise UsageError(
            f"none of the jobs that were asked again in {after.directory.path} is in the run any more",
            hint=f"zbatch verify {before.directory.path} --reproduce 20 asks for some that are",
        )
    return Again(sum(key in asked for key in keys), before.counts()[JobState.DONE])


@dataclass(frozen=True, slots=True)
class _Grid:
    """The cells of a run that show a job, each job by its number, and which numbers are of this run."""

    places: list[Place]
    jobs: list[int]
    span: tuple[int, int]

    def of(self, keys: Container[str]) -> _Grid:
        """Give those cells alone that show one of some jobs."""
        kept = [(place, job) for place, job in zip(self.places, self.jobs, strict=True) if place.key in keys]
        return replace(self, places=[place for place, _ in kept], jobs=[job for _, job in kept])


class _Reader:
    """Reads the jobs of several runs into the columns of one sheet."""

    def __init__(self) -> None:
        self.jobs = JobReader()
        self.received: list[str] = []

    def read(self, run: Run) -> _Grid:
        first, numbers = len(self.received), {}
        for job in run.jobs(shown_only=True):
            numbers[job.key] = self.jobs.add(job)
            self.received.append("" if job.artifact is None else job.artifact.received_sha256)
        # Of a run that goes on, a cell may have come between the two reads.
        cells = [cell for cell in run.cells() if cell.key is not None and cell.key in numbers]
        places = [Place(cell.coordinates, cell.key or "") for cell in cells]
        return _Grid(places, [numbers[place.key] for place in places], (first, len(self.received) - first))


@dataclass(frozen=True, slots=True)
class _Row:
    """A cell: its job in the later run and in the earlier, its coordinates, and a lone one's own."""

    job: int
    before: int
    shown: Coordinates
    own: Coordinates | None = None


def _cells(pairing: Pairing, earlier: _Grid, later: _Grid) -> list[_Row]:
    """Give the cells in the order of the earlier run, behind them those of the later one alone."""
    rows = {
        one: _Row(later.jobs[other], earlier.jobs[one], pairing.before[one]) for one, other in pairing.pairs
    }
    for one in pairing.before_only:
        rows[one] = _Row(ABSENT, earlier.jobs[one], pairing.before[one], earlier.places[one].coordinates)
    lone = (
        _Row(later.jobs[other], ABSENT, pairing.after[other], later.places[other].coordinates)
        for other in pairing.after_only
    )
    return [*(rows[one] for one in sorted(rows)), *lone]


def _axes(places: Sequence[Coordinates]) -> tuple[tuple[Axis, ...], list[list[int]]]:
    builders: dict[str, AxisBuilder] = {}
    for position, coordinates in enumerate(places):
        for name, value in coordinates.items():
            builders.setdefault(name, AxisBuilder(name)).add(position, unsigned(value))
    built = []
    for builder in builders.values():
        builder.pad(len(places))
        built.append(builder.build())
    return tuple(axis for axis, _ in built), [column for _, column in built]


def _bodies(sheet: SheetData, before: Sequence[int]) -> Iterator[tuple[dict[str, Any], dict[str, Any], int]]:
    """Give the requests of the pairs that differ, those that differ alike once, with how many they are."""
    jobs = sheet.jobs
    counted: Counter[tuple[tuple[int, int, int], tuple[int, int, int]]] = Counter()
    for one, other in zip(before, sheet.cells.job, strict=True):
        if ABSENT not in (one, other) and jobs.key[one] != jobs.key[other]:
            first, second = ((jobs.prompt[job], jobs.seed[job], jobs.rest[job]) for job in (one, other))
            counted[first, second] += 1
    for (first, second), pairs in counted.items():
        yield _body(sheet, *first), _body(sheet, *second), pairs


def _body(sheet: SheetData, prompt: int, seed: int, rest: int) -> dict[str, Any]:
    return {"prompt": sheet.strings[prompt], "seed": seed, **sheet.rests[rest]}
