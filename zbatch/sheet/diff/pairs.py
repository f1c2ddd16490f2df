"""Two runs as pairs of pictures, and how the two of each pair are to each other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from statistics import median
from typing import Any, Final

from zbatch.model import Coordinates, JobState, Scalar
from zbatch.sheet.axes import ABSENT, Axis
from zbatch.sheet.data import SheetData
from zbatch.sheet.diff.pairing import Renamed
from zbatch.sheet.diff.wording import FieldChange


class Verdict(StrEnum):
    """How the two pictures of a pair are to each other, or which run alone has the cell."""

    DIFFERENT = "different"
    SAME = "same"  # the same bytes came, or the change is within what was said to be none
    UNFINISHED = "unfinished"  # one of the two, or both, has no picture
    BEFORE = "before"
    AFTER = "after"


VERDICTS: Final = tuple(Verdict)
"""Verdicts by the number that stands for them on the page."""


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two runs. `jobs` is how many of the jobs of `SheetData` are its own, from `first` on."""

    label: str
    directory: Path
    about: dict[str, Any]
    first: int
    jobs: int


@dataclass(frozen=True, slots=True)
class Again:
    """The later run is a reproduction: of so many done jobs of the earlier one, so many were asked again."""

    asked: int
    of: int


@dataclass(frozen=True, slots=True)
class AtValue:
    """The pairs at a value of an axis: those with two pictures, how many of them differ, their median change.

    The median is of those that were measured; `None` where none was.
    """

    value: Scalar
    pairs: int
    different: int
    median: float | None


@dataclass(frozen=True, slots=True)
class Pairs:
    """The cells of two runs, paired.

    The sheet has a cell for each pair and for each cell without a partner, in the order of the earlier run.
    Its job is the later run's; `before` has the earlier run's by cell, -1 where there is none. `change` is by
    cell, from 0 to 1, `None` where it is not known. `own` has the coordinates of cells that one run only has,
    in that run's own names. `received` has the hash of what came, by job. With
    `again` the earlier run's cells are those whose jobs were asked again.
    """

    sheet: SheetData
    sides: tuple[Side, Side]
    before: tuple[int, ...]
    received: tuple[str, ...]
    fields: tuple[FieldChange, ...]
    found: tuple[Renamed, ...]
    change: tuple[float | None, ...]
    own: Mapping[int, Coordinates] = field(default_factory=dict)
    tolerance: float | None = None
    again: Again | None = None

    @property
    def cells(self) -> range:
        """The numbers of the cells."""
        return range(len(self.before))

    def jobs(self, cell: int) -> tuple[int, int]:
        """Give a cell's job in the earlier run and in the later one, -1 where there is none."""
        return self.before[cell], self.sheet.cells.job[cell]

    def side(self, job: int) -> Side:
        """Give the run that a job is of."""
        return next(side for side in self.sides if side.first <= job < side.first + side.jobs)

    def verdict(self, cell: int) -> Verdict:
        """Say how the two pictures of a cell are to each other."""
        one, other = self.jobs(cell)
        if ABSENT in (one, other):
            return Verdict.AFTER if one == ABSENT else Verdict.BEFORE
        if not self.pictured(cell):
            return Verdict.UNFINISHED
        if self.received[one] == self.received[other]:
            return Verdict.SAME
        change = self.change[cell]
        within = self.tolerance is not None and change is not None and change <= self.tolerance
        return Verdict.SAME if within else Verdict.DIFFERENT

    def pictured(self, cell: int) -> bool:
        """Tell whether there are two pictures."""
        return all(job != ABSENT and self.sheet.state(job) is JobState.DONE for job in self.jobs(cell))

    def within(self, tolerance: float | None) -> Pairs:
        """Give the pairs with what change is taken for none; without one, the same bytes must have come."""
        return replace(self, tolerance=tolerance)

    def counts(self) -> dict[Verdict, int]:
        """Count the cells by verdict."""
        counted = Counter(map(self.verdict, self.cells))
        return {verdict: counted[verdict] for verdict in Verdict}

    @property
    def alike(self) -> bool:
        """Tell whether every pair has two pictures, and they are the same."""
        counts = self.counts()
        return not counts[Verdict.DIFFERENT] and not counts[Verdict.UNFINISHED]

    def coordinates(self, cell: int) -> Coordinates:
        """Give the coordinates of a cell, without those that it has not; a lone one's as its run has them."""
        if cell in self.own:
            return {name: value for name, value in self.own[cell].items() if value is not None}
        columns = zip(self.sheet.axes, self.sheet.cells.coordinates, strict=True)
        return {axis.name: axis.values[column[cell]] for axis, column in columns if column[cell] != ABSENT}

    def biggest(self) -> list[int]:
        """Give the pairs, the biggest change first, and before it what could not be measured."""
        paired = [cell for cell in self.cells if ABSENT not in self.jobs(cell)]
        return sorted(paired, key=self._rank)

    def _rank(self, cell: int) -> tuple[int, float]:
        change = self.change[cell]
        return VERDICTS.index(self.verdict(cell)), -1.0 if change is None else -change

    def by_axis(self) -> Iterator[tuple[Axis, list[AtValue]]]:
        """Sum the pairs up, for each axis that varies, by value."""
        verdicts = {cell: self.verdict(cell) for cell in self.cells}
        pictured = [cell for cell in self.cells if verdicts[cell] in (Verdict.SAME, Verdict.DIFFERENT)]
        for axis, column in zip(self.sheet.axes, self.sheet.cells.coordinates, strict=True):
            heaps: list[list[int]] = [[] for _ in axis.values]
            for cell in pictured:
                if column[cell] != ABSENT:
                    heaps[column[cell]].append(cell)
            known = zip(axis.values, heaps, strict=True)
            rows = [self._at_value(value, heap, verdicts) for value, heap in known if heap]
            if len(rows) > 1:
                yield axis, rows

    def _at_value(self, value: Scalar, cells: Sequence[int], verdicts: Mapping[int, Verdict]) -> AtValue:
        changes = [change for cell in cells if (change := self.change[cell]) is not None]
        different = sum(verdicts[cell] is Verdict.DIFFERENT for cell in cells)
        return AtValue(value, len(cells), different, median(changes) if changes else None)
