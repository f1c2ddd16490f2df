"""From a YAML file to a `Manifest`, whose templates are compiled and whose grid is counted, not expanded."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from zbatch.api.endpoint import PREVIEW, parse_endpoint
from zbatch.errors import Finding, UsageError
from zbatch.expressions import ExpressionError, compile_template
from zbatch.expressions.loras import NamedLora
from zbatch.manifest.axes import parse_axes, parse_excludes, parse_zip
from zbatch.manifest.document import Document
from zbatch.manifest.findings import Findings, Place
from zbatch.manifest.grid import Grid, IncludeRow
from zbatch.manifest.includes import parse_includes
from zbatch.manifest.inputs import InputImages
from zbatch.manifest.limits import Limits, parse_limits
from zbatch.manifest.merging import read_with_bases
from zbatch.manifest.report import AxisNames, Export, Output, Report, parse_export, parse_report
from zbatch.manifest.requests import RequestProgram, build_program
from zbatch.manifest.sampling import MAX_SAMPLED, Sample
from zbatch.manifest.schema import check_schema
from zbatch.manifest.sections import Sections
from zbatch.manifest.size import check_size
from zbatch.manifest.statics import StaticFields, check_names, warn_of_idle_axes
from zbatch.manifest.templates import ValueTemplate, compile_value, needed_names
from zbatch.manifest.values import Axis
from zbatch.model import InputImage
from zbatch.storage import is_url, parse_run_location

DEFAULT_DIR = "runs/{{ name }}"


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest, parsed. Everything a template needs is compiled; nothing is expanded yet."""

    path: Path
    document: Document
    name: str
    description: str
    endpoint: str
    model: str
    loras: Mapping[str, NamedLora]
    variables: tuple[tuple[str, ValueTemplate], ...]
    program: RequestProgram
    grid: Grid
    limits: Limits
    price: Decimal | None
    output_dir: str
    output_file: ValueTemplate | None
    output: Output
    report: Report
    export: Export
    inputs: InputImages
    warnings: tuple[Finding, ...]

    @property
    def file_names(self) -> frozenset[str]:
        """Every name that `output.file` needs, directly or through vars."""
        if self.output_file is None:
            return frozenset()
        return needed_names(self.output_file.names, dict(self.variables))

    @property
    def file_axes(self) -> frozenset[str]:
        """The axes among them."""
        given = {"name", "replica", "request", "key", *(name for name, _ in self.variables)}
        return self.file_names - given

    @property
    def coordinate_names(self) -> tuple[str, ...]:
        """Every coordinate its cells may have, in grid order."""
        return coordinate_names(self.grid)


def coordinate_names(grid: Grid) -> tuple[str, ...]:
    """Give every coordinate the cells of a grid may have, in grid order."""
    names = [name for axis in grid.axes for name in axis.coordinate_names]
    for row in grid.rows:
        names += [name for value in row.values for name, _ in value.coordinates]
        names += [name for axis in row.axes for name in axis.coordinate_names]
        names += ["include"] if row.label is not None else []
    names += ["replica"] if grid.replicas > 1 else []
    return tuple(dict.fromkeys(names))


def parse_manifest(
    path: Path, findings: Findings, *, allow_outside: bool = False, known_inputs: Iterable[InputImage] = ()
) -> Manifest:
    """Read a manifest; what is wrong with it is in `findings`, and stands as unknown in what is given.

    Raises:
        ManifestError: nothing can be made of it.
    """
    document = read_with_bases(path, findings)
    if not isinstance(document.data, dict):
        findings.error((), "a manifest is a map of keys to values", got=document.data)
        findings.raise_errors()
    if document.incomplete:
        findings.raise_errors()
    broken = check_schema(document.data, findings)
    inputs = InputImages.under(path.parent, allow_outside=allow_outside, known=known_inputs)
    return _Parser(document, broken, findings, inputs).parse()


class _Parser(Sections):
    """Makes a `Manifest` of the sections."""

    def parse(self) -> Manifest:
        """Parse every section; what cannot be parsed is a finding."""
        findings = self.findings
        model = self.scalar("model", "z-image-turbo-lora")
        loras = self.loras()
        variables = self.variables()
        request = self.templates("request")
        limits = self._limits()
        axes = self._axes(loras, variables)
        program = build_program(model, request, {}, [name for axis in axes for name in axis.names], variables)
        include = self.rows("include")
        lost = self.lost(axes)
        own = [
            (n, row, self.compiled(row.get("request", {}), ("include", n, "request"))) for n, row in include
        ]
        rows = parse_includes(own, axes, lost, loras, request, variables, model, findings)
        grid = self._grid(axes, rows, lost, limits)
        output, export = self.section("output"), self.section("export")
        file = self._template(output, ("output", "file"))
        directory = self._directory(output.get("dir", DEFAULT_DIR))
        caption = self._template(export, ("export", "caption"))
        names = AxisNames(coordinate_names(grid), lost, self.section("matrix"))
        files = [template for template in (file, caption) if template is not None]
        check_names(program, files, dict(variables), request, lost, grid, findings)
        StaticFields(loras, limits, self.inputs, lost, findings).check(program, request, grid)
        if not findings.failed:
            warn_of_idle_axes(program, file, dict(variables), grid, findings)
        return Manifest(
            path=self.document.path,
            document=self.document,
            name=self.scalar("name", "manifest"),
            description=self.scalar("description", ""),
            endpoint=self._endpoint(),
            model=model,
            loras=loras,
            variables=variables,
            program=program,
            grid=grid,
            limits=limits,
            price=self._price(limits),
            output_dir=directory,
            output_file=file,
            output=Output(output.get("embed") is not False, tuple(output.get("sidecars", ()))),
            report=parse_report(self.section("report"), names, findings),
            export=parse_export(export, caption, names, grid, findings),
            inputs=self.inputs,
            warnings=findings.warnings,
        )

    def _axes(
        self, loras: Mapping[str, NamedLora], variables: tuple[tuple[str, ValueTemplate], ...]
    ) -> list[Axis]:
        """Read matrix and zip."""
        axes = parse_axes(self.section("matrix"), loras, self.findings)
        zipped = self.raw.get("zip")
        self.zip_lost = any(place[:1] == ("zip",) for place in self.broken)
        if zipped and not self.zip_lost:
            zip_axis = parse_zip(zipped, axes, dict(variables), loras, self.findings)
            axes += [zip_axis] if zip_axis is not None else []
            self.zip_lost = zip_axis is None
        return axes

    def _grid(
        self, axes: list[Axis], rows: tuple[IncludeRow, ...], lost: Container[str], limits: Limits
    ) -> Grid:
        """Put the grid together; rules are read for one that is not far too large."""
        replicas = self.scalar("replicas", 1)
        has_matrix = bool(self.raw.get("matrix") or self.raw.get("zip")) or not self.raw.get("include")
        grid = Grid(tuple(axes), replicas, (), rows, has_matrix, self._sample())
        check_size(grid, limits, self.findings, own_limit="max_jobs" in self.section("limits"))
        if self.findings.failed and grid.count > (MAX_SAMPLED if grid.sample else limits.max_jobs):
            return grid
        excludes = parse_excludes(self.rows("exclude"), axes, lost, replicas, self.findings)
        return Grid(tuple(axes), replicas, excludes, rows, has_matrix, grid.sample)

    def _template(self, section: Mapping[str, Any], place: tuple[str, str]) -> ValueTemplate | None:
        """Compile a template that may be there."""
        name = place[1]
        return compile_value(section[name], place, self.findings) if name in section else None

    def _directory(self, text: str) -> str:
        place: Place = ("output", "dir")
        try:
            template = compile_template(text)
            unknown = sorted(template.names - {"name"})
            if unknown:
                raise ExpressionError(f"uses {unknown[0]!r}: only `name` is known here")
            directory = str(template.render({"name": self.scalar("name", "manifest")})).strip()
            if is_url(directory):
                self._check_location(directory)
                return text
            if Path(directory.rstrip("/")).name in ("", ".", "..") or directory.endswith(("/.", "/..")):
                raise ExpressionError("must end in the name of a directory", hint="such as runs/{{ name }}")
            if directory.startswith("~") or not directory.isprintable():
                raise ExpressionError("must be a plain path: no ~, no control characters")
        except ExpressionError as error:
            self.findings.error(place, f"the template {error.message}", got=text, hint=error.hint)
        return text

    def _check_location(self, url: str) -> None:
        try:
            parse_run_location(url)
        except UsageError as error:  # its words do not repeat what may be a key
            self.findings.error(("output", "dir"), error.message, hint=error.hint)

    def _limits(self) -> Limits:
        spec = self.section("limits")
        for name in list(spec):
            try:
                parse_limits({name: spec[name]})
            except UsageError as error:
                self.findings.error(("limits", name), error.message, hint=error.hint)
                del spec[name]
        return parse_limits(spec)

    def _sample(self) -> Sample | None:
        spec = self.section("sample")
        if not spec or any(place[:1] == ("sample",) for place in self.broken):
            return None
        return Sample(spec["method"], spec["n"], spec.get("seed", 1))

    def _price(self, limits: Limits) -> Decimal | None:
        price = self.scalar("price", None)
        if limits.max_cost is not None and price is None and ("price",) not in self.broken:
            self.findings.error(
                ("limits", "max_cost"),
                "needs a price",
                hint="add price: with the USD an image costs, such as 0.0085",
            )
        cost = None if price is None else Decimal(str(price))
        if cost is not None and limits.max_cost is not None and cost > limits.max_cost:
            self.findings.warning(
                ("limits", "max_cost"),
                "is less than one image costs: nothing can be submitted",
                got=float(limits.max_cost),
            )
        return cost

    def _endpoint(self) -> str:
        endpoint = self.scalar("endpoint", PREVIEW)
        try:
            parse_endpoint(endpoint)
        except UsageError as error:
            self.findings.error(("endpoint",), error.message, hint=error.hint)
        return str(endpoint)
