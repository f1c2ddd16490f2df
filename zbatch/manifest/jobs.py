"""Expansion: the stream of cells and jobs that a manifest gives, every one checked."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from zbatch.errors import Finding, UsageError
from zbatch.manifest.compiled import CompiledGrid, SlowWayError
from zbatch.manifest.files import FileNameError, image_file
from zbatch.manifest.findings import MISSING, Findings, Place, shown
from zbatch.manifest.grid import Notes, Point
from zbatch.manifest.inputs import InputImageError, is_remote
from zbatch.manifest.parser import Manifest
from zbatch.manifest.requests import NOT_MADE, Rendered, judge, point_context, render_body, to_request
from zbatch.manifest.selection import Selection
from zbatch.manifest.templates import RenderError
from zbatch.manifest.values import called
from zbatch.model import Cell, Coordinates, InputImage, Job, Request, Row, fold, job_key


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
        self._selection = selection or Selection()
        self._chosen: set[bytes] = set()
        self.cells = 0
        self.jobs = 0
        self.notes = Notes()
        self.seeds_chosen = 0
        self._findings = Findings() if findings is None else findings
        self._untold = untold
        self._findings.document = manifest.document
        self._keys: set[bytes] = set()
        self._files: dict[bytes, str] = {}

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
        return (step.job for step in self.steps() if step.job is not None)

    def steps(self) -> Iterator[Step]:
        """Stream every cell, excluded ones too.

        Raises:
            ManifestError: at the end, with everything that was wrong; cells that are wrong are not given.
            UsageError: the selection selects nothing.
        """
        for point in self.manifest.grid.points(self._findings, self.notes):
            if point.excluded_by is not None:
                yield Step(Cell(point.coordinates, None, point.excluded_by), None)
                continue
            self.cells += 1
            step = self._step(point)
            if step is not None:
                yield step
            elif self._findings.full:
                break
        if not self.cells and not self._findings.failed:
            self._findings.error(("exclude",) if self.excluded else (), "no cell is left: the grid is empty")
        self._findings.raise_errors()
        if not self._chosen and self._selection.conditions:
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
        if self.manifest.output_file is None and self._selection == Selection():
            try:
                compiled = self.compiled()
                for batch in compiled.batches():
                    given += len(batch)
                    self.jobs += sum(1 for row in batch if row.request is not None)
                    yield batch
            except SlowWayError:
                self.jobs = 0
            else:
                self.cells, self.seeds_chosen = compiled.count, compiled.seeds_chosen
                return
        for number, step in enumerate(self.steps()):
            if number >= given:
                yield [Row.of(step.cell, step.job, selected=step.selected)]

    def compiled(self) -> CompiledGrid:
        """Give the fast way through the grid.

        Raises:
            SlowWayError: there is none for this manifest.
        """
        manifest = self.manifest
        return CompiledGrid(
            manifest.name,
            manifest.program,
            manifest.grid,
            manifest.loras,
            manifest.limits.unchecked,
            lambda text, place: manifest.inputs.resolve(text, manifest.document.directory(place)),
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
            self._render_error(error, point)
            return None
        rendered = render_body(
            program, context, point.values, point.coordinates, point.replica, manifest.loras
        )
        request = self._request(rendered, point)
        if request is None:
            return None
        self.seeds_chosen += rendered.seed_chosen
        key = job_key(manifest.model, request)
        digest = bytes.fromhex(key)
        cell = Cell(point.coordinates, key)
        selected = self._select(digest, point)
        if digest in self._keys:
            return Step(cell, None, selected)
        file = self._file(key, request, context, point)
        if file is None:
            return None
        self._keys.add(digest)
        self.jobs += 1
        return Step(cell, Job(key, manifest.model, request, file, point.coordinates), selected)

    @property
    def selected(self) -> int:
        """Count the jobs that are selected."""
        return self.jobs if self._selection == Selection() else len(self._chosen)

    def _select(self, digest: bytes, point: Point) -> bool:
        if digest in self._chosen:
            return True
        first = self._selection.first
        if (first is not None and len(self._chosen) >= first) or not self._selection.matches(point):
            return False
        self._chosen.add(digest)
        return True

    def _request(self, rendered: Rendered, point: Point) -> Request | None:
        for failure in rendered.failures:
            self._render_error(failure, point)
        missing = [name for name in self._untold if name not in rendered.body]
        rendered.body.update(dict.fromkeys(missing, NOT_MADE))
        problems = judge(rendered, self.manifest.model, self.manifest.limits.unchecked)
        for problem in problems:
            where = in_cell(point.coordinates) if problem.rendered else ""
            got = MISSING if problem.got is None else problem.got
            suffix = "" if got is MISSING else f" (got {shown(got)})"
            self._findings.error(problem.place, problem.message + suffix + where, hint=problem.hint)
        if problems or rendered.failures or missing:
            return None
        images: dict[str, str | InputImage] = {}
        for field in ("image_url", "mask"):
            text = rendered.body.get(field)
            if text is not None:
                image = self._image(text, rendered.sources[field], point)
                if image is None:
                    return None
                images[field] = image
        return to_request(rendered.body, images)

    def _image(self, text: str, place: Place, point: Point) -> str | InputImage | None:
        if is_remote(text):
            return text
        try:
            return self.manifest.inputs.resolve(text, self.manifest.document.directory(place))
        except InputImageError as error:
            message = f"{error.message} (got {shown(text)}){in_cell(point.coordinates)}"
            self._findings.error(place, message, hint=error.hint)
            return None

    def _file(self, key: str, request: Request, context: Mapping[str, Any], point: Point) -> str | None:
        template = self.manifest.output_file
        if template is None:
            return image_file(key[:16], request.output_format)
        try:
            stem = template.render({**self._all_vars(context), "request": request.body(), "key": key})
            if isinstance(stem, int | float) or hasattr(stem, "__template_text__"):
                stem = str(stem)
            if not isinstance(stem, str):
                raise FileNameError("must be text")
            file = image_file(stem, request.output_format)
        except RenderError as error:
            self._render_error(error, point)
            return None
        except FileNameError as error:
            message = f"the file name {error.message} (got {shown(stem)}){in_cell(point.coordinates)}"
            self._findings.error(template.place, message, hint=error.hint)
            return None
        # Sixteen bytes of a hash stand for the name: a million names would take hundreds of megabytes.
        mark = hashlib.blake2b(fold(file).encode(), digest_size=16).digest()
        first = self._files.setdefault(mark, key)
        if first != key:
            self._findings.error(
                template.place,
                f"two jobs would write {file}, one of them that of the cell {describe(point.coordinates)}",
                hint="put what tells them apart into output.file, such as {{ key[:12] }}",
            )
            return None
        return file

    def _all_vars(self, context: Mapping[str, Any]) -> dict[str, Any]:
        template = self.manifest.output_file
        full = dict(context)
        if template is not None:
            for name, variable in self.manifest.variables:
                if name not in full and name in self.manifest.file_names:
                    full[name] = variable.render(full)
        return full

    def _render_error(self, error: RenderError, point: Point) -> None:
        message = f"the template {error.message}{in_cell(point.coordinates)}"
        if error.undefined is not None:
            cell = describe(point.coordinates)
            message = f"the template needs {error.undefined!r}, which is not in the cell {cell}"
        self._findings.error(error.place, message, hint=error.hint)


def in_cell(coordinates: Coordinates) -> str:
    """Say which cell a message is about; nothing where there is only one."""
    return f" in the cell {describe(coordinates)}" if coordinates else ""


def describe(coordinates: Coordinates) -> str:
    """Name a cell in a message: its coordinates, shortened."""
    text = ", ".join(f"{name}={called(value)}" for name, value in coordinates.items())
    return (text if len(text) <= 160 else text[:120] + "..." + text[-36:]) or "(the only one)"
