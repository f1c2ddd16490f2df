"""Expansion: the stream of cells and jobs that a manifest gives, every one checked."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

import orjson

from zbatch.errors import Finding, UsageError, ZbatchError
from zbatch.expressions import Allowance, ExpressionError
from zbatch.manifest.compiled import CompiledBlock, CompiledGrid, Frame
from zbatch.manifest.findings import Findings
from zbatch.manifest.grid import Grid, IncludeRow, Notes, Point
from zbatch.manifest.judging import Judge
from zbatch.manifest.naming import JobFiles
from zbatch.manifest.numbering import Numbering, halved
from zbatch.manifest.parser import Manifest
from zbatch.manifest.pieces import SlowWayError, matrix_block, row_block
from zbatch.manifest.requests import point_context, render_body
from zbatch.manifest.selection import Chosen, Selection
from zbatch.manifest.templates import RenderError
from zbatch.model import Cell, Job, Request, Row, job_key

T = TypeVar("T")

_MOST_WRONG: Final = 5_000
"""Cells that are wrong after which looking on is no use: they are wrong in a few ways, and those are told."""

_WORTH_COMPILING: Final = 16
"""Cells a row of include must have to be compiled."""


@dataclass(frozen=True, slots=True)
class Step:
    """One cell of the stream; `job` is there where this cell is the first that shows it.

    `selected` says whether a run may newly submit its job.
    """

    cell: Cell
    job: Job | None
    selected: bool = True


class Expansion:
    """Expands a manifest, once, as a stream; what it counted is right when the stream has ended.

    Iterating gives the jobs, in grid order of their first cells.
    """

    def __init__(
        self,
        manifest: Manifest,
        selection: Selection | None = None,
        findings: Findings | None = None,
        untold: Collection[str] = (),
    ) -> None:
        """Begin.

        `findings` may hold what is known to be wrong already, `untold` the needed fields it may be about:
        nothing is said of their absence.
        """
        self.manifest = manifest
        self._known = findings
        self._untold = untold
        self._selection = selection or Selection()
        self.fast = False
        """Whether the fast way is taken, or was."""
        self._allowance = Allowance()
        self._begin()

    def _begin(self) -> None:
        """Begin with nothing met and nothing counted."""
        manifest = self.manifest
        self.cells = 0
        self.notes = Notes()
        self.seeds_chosen = 0
        self._findings = Findings() if self._known is None else self._known
        self._findings.document = manifest.document
        self._judge = Judge(manifest, self._findings, self._untold)
        expected = manifest.grid.most_cells
        self._numbers = Numbering(expected)
        self._files = JobFiles(manifest, expected)
        self._chosen = Chosen(self._selection)

    @property
    def jobs(self) -> int:
        """Distinct requests."""
        return len(self._numbers)

    @property
    def excluded(self) -> int:
        """Cells that exclude rules took out."""
        return sum(self.notes.excluded.values())

    @property
    def shared(self) -> int:
        """Cells that show the job of an earlier cell."""
        return self.cells - self.jobs

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """What is odd and stops nothing; complete when the stream has ended."""
        return (*self.manifest.warnings, *self._findings.warnings)

    def __iter__(self) -> Iterator[Job]:
        for row in self.rows():
            if row.request is not None and row.key is not None and row.file is not None:
                request = Request.from_body(orjson.loads(row.request))
                yield Job(row.key, self.manifest.model, request, row.file, orjson.loads(row.coordinates))

    def steps(self) -> Iterator[Step]:
        """Stream every cell, excluded ones too.

        Raises:
            ManifestError: at the end, with everything that was wrong; cells that are wrong are not given.
            UsageError: the selection selects nothing.
        """
        self._begin()
        wrong = 0
        for point in self._metered(self.manifest.grid.points(self._findings, self.notes)):
            if point.excluded_by is not None:
                yield Step(Cell(point.coordinates, None, point.excluded_by), None)
                continue
            self.cells += 1
            with self._allowance:
                step = self._step(point)
            if step is not None:
                yield step
                continue
            wrong += 1
            if self._findings.full or wrong >= _MOST_WRONG:
                break
        self._end()

    def _end(self) -> None:
        if not self.cells and not self._findings.failed:
            self._findings.error(("exclude",) if self.excluded else (), "no cell is left: the grid is empty")
        self._findings.raise_errors()
        if not self._chosen.count and self._selection.conditions:
            raise UsageError(
                "--only selects no cell", hint="zbatch jobs --cells lists the coordinates there are"
            )

    def rows(self) -> Iterator[Row]:
        """Stream every cell as the state and `zbatch jobs` take it, the fast way where there is one.

        Raises:
            ManifestError: at the end, with everything that was wrong.
            UsageError: the selection selects nothing.
        """
        return itertools.chain.from_iterable(self.batches())

    def batches(self) -> Iterator[list[Row]]:
        """Stream the rows, some at a time (see `rows`)."""
        given = 0
        self._allowance = Allowance()
        self.fast = True
        try:
            for batch in self._metered(self._fast()):
                given += len(batch)
                yield batch
        except SlowWayError:
            self.fast = False
        else:
            self._end()
            return
        for number, step in enumerate(self.steps()):
            if number >= given:
                yield [Row.of(step.cell, step.job, selected=step.selected)]

    def _metered(self, stream: Iterator[T]) -> Iterator[T]:
        """Stream what rendering makes, within the allowance of all cells."""
        while True:
            with self._allowance:
                item = next(stream, None)
            if item is None:
                return
            yield item

    def _fast(self) -> Iterator[list[Row]]:
        """Stream the rows the fast way.

        Raises:
            SlowWayError: there is none, or it ends here. Rows given before it stand.
        """
        try:
            self._begin()
            grid = self.manifest.grid
            used: Sequence[int] = [0] * len(grid.excludes)
            if grid.has_matrix:
                used = yield from self._fast_matrix(grid)
            grid.warn_of_idle_rules(used, self._findings)
            for row in grid.rows:
                yield from self._fast_row(row, grid)
        except (ZbatchError, ExpressionError, KeyError) as error:
            raise SlowWayError from error

    def _fast_matrix(self, grid: Grid) -> Generator[list[Row], None, Sequence[int]]:
        """Give the cells of the matrix; tells in the end how many each exclude rule matched."""
        compiled = CompiledGrid(grid, matrix_block(grid, self.manifest.program), self._frame())
        self.notes = compiled.notes
        yield from compiled.batches()
        self.cells += compiled.cells
        self.seeds_chosen += compiled.seeds_chosen
        return compiled.used

    def _fast_row(self, row: IncludeRow, grid: Grid) -> Iterator[list[Row]]:
        """Give the cells of a row of include; a few are sooner made one by one than compiled."""
        names = {part.axis for part in row.values} | {name for axis in row.axes for name in axis.names}
        if row.count * grid.replicas >= _WORTH_COMPILING and self._files.named(names):
            compiled = CompiledBlock(row_block(row, grid), self._frame())
            yield from compiled.batches()
            self.cells += row.count * grid.replicas
            self.seeds_chosen += compiled.seeds_chosen
            return
        for point in grid.row_points(row):
            self.cells += 1
            step = self._step(point)
            if step is None:
                raise SlowWayError
            yield [Row.of(step.cell, step.job, selected=step.selected)]

    def _frame(self) -> Frame:
        manifest = self.manifest
        return Frame(
            manifest.name,
            manifest.variables,
            manifest.loras,
            manifest.limits.unchecked,
            lambda text, place: manifest.inputs.resolve(text, manifest.document.directory(place)),
            self._numbers,
            self._files,
            self._chosen,
        )

    def check(self) -> None:
        """Run through the whole stream.

        Raises:
            ManifestError: with everything that was wrong.
        """
        for _ in self.rows():
            pass

    def _step(self, point: Point) -> Step | None:
        manifest = self.manifest
        program = point.row.program if point.row else manifest.program
        try:
            context = point_context(manifest.name, point.values, point.replica, program)
        except RenderError as error:
            self._judge.failed(error, point)
            return None
        rendered = render_body(
            program, context, point.values, point.coordinates, point.replica, manifest.loras
        )
        request = self._judge.request(rendered, point)
        if request is None:
            return None
        self.seeds_chosen += rendered.seed_chosen
        key = job_key(manifest.model, request)
        cell = Cell(point.coordinates, key)
        mark = halved(bytes.fromhex(key))
        number = self._numbers.find(*mark)
        if number is not None:
            return Step(cell, None, self._select(number, point))
        file = self._judge.file(self._files, key, request, context, point)
        if file is None:
            return None
        number = self._numbers.add(*mark)
        job = Job(key, manifest.model, request, file, point.coordinates)
        return Step(cell, job, self._select(number, point))

    @property
    def selected(self) -> int:
        """Count the jobs that are selected."""
        return self.jobs if self._selection.everything else self._chosen.count

    def _select(self, number: int, point: Point) -> bool:
        if self._selection.everything:
            return True
        return self._chosen.take(number, meant=self._selection.matches(point))
