"""Checks that need no expansion: names that nothing defines, and fields that are wrong in every cell."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from zbatch.api.contract import FIELDS, MODELS
from zbatch.expressions.loras import LoraValue, NamedLora
from zbatch.manifest.findings import MISSING, Findings, Place, named, nearest
from zbatch.manifest.grid import Grid
from zbatch.manifest.inputs import InputImageError, InputImages, is_remote
from zbatch.manifest.limits import Limits
from zbatch.manifest.requests import RequestProgram, judge, render_body
from zbatch.manifest.templates import ValueTemplate, needed_names
from zbatch.manifest.values import Axis, AxisValue, ValueList

_MOST_VALUES = 100_000
_ALWAYS = frozenset({"name", "replica"})
_IN_FILES = frozenset({"request", "key"})


def check_names(
    program: RequestProgram,
    files: Iterable[ValueTemplate],
    variables: Mapping[str, ValueTemplate],
    request: Mapping[str, ValueTemplate],
    lost: Container[str],
    grid: Grid,
    findings: Findings,
) -> None:
    """Report every name in a template that no axis, var or row defines, once each, at its template.

    `files` are the templates of file names and captions, which see the request and the key, too; `lost` are
    names that are written down and could not be read.
    """
    row_names = {name for row in grid.rows for name in _row_names(row.values, row.axes)}
    axes = {name for axis in grid.axes for name in axis.names}
    known = axes | row_names | variables.keys() | _ALWAYS
    # A template only the matrix uses may not lean on what only rows define.
    matrix_known = known if not grid.has_matrix else (axes | variables.keys() | _ALWAYS)
    for template in {**request, **program.fields}.values():
        used_by_matrix = template in program.fields.values()
        _report_names(template, matrix_known if used_by_matrix else known, lost, findings)
    for template in variables.values():
        _report_names(template, known, lost, findings)
    for row in grid.rows:
        here = {*_row_names(row.values, row.axes), *variables, *_ALWAYS}
        for template in row.program.fields.values():
            if template.place[: len(row.place)] == row.place:
                _report_names(template, here, lost, findings)
    for template in files:
        _report_names(template, matrix_known | _IN_FILES, lost, findings)


def warn_of_idle_axes(
    program: RequestProgram,
    file: ValueTemplate | None,
    variables: Mapping[str, ValueTemplate],
    grid: Grid,
    findings: Findings,
) -> None:
    """Warn of axes that no field and no template uses: their cells differ in nothing but the seed."""
    used = program.names | program.axes | (needed_names(file.names, variables) if file else frozenset())
    if "loras" in program.axes:
        used |= {"lora"}
    for axis in grid.axes if grid.has_matrix else ():
        idle = [name for name in axis.names if name not in used]
        if idle:
            findings.warning(
                axis.place,
                f"nothing in request uses {named(idle)}: cells along it differ in their seed at most",
                hint="put {{ "
                + idle[0]
                + " }} into the prompt, or write replicas for several images of a cell",
                key=True,
            )


def _row_names(values: Iterable[AxisValue], axes: Iterable[Axis]) -> set[str]:
    names = {name.partition(".")[0] for value in values for name, _ in value.coordinates}
    return names | {name for axis in axes for name in axis.names}


def _report_names(template: ValueTemplate, known: set[str], lost: Container[str], findings: Findings) -> None:
    unknown = [name for name in sorted(template.names) if name not in known and name not in lost]
    if not unknown:
        return
    hint = "" if findings.full else nearest(unknown[0], known)
    if unknown == ["lora"]:
        hint = "there is no lora axis: add one to matrix, such as lora: [film@0.8, none]"
    findings.error(template.place, f"the template uses {named(unknown)}, which nothing defines", hint=hint)


@dataclass(frozen=True, slots=True)
class StaticFields:
    """Holds constant fields, and axes that fill a field themselves, against the API's rules.

    `lost` are names of axes that could not be read, and may have filled a field.
    """

    loras: Mapping[str, NamedLora]
    limits: Limits
    inputs: InputImages
    lost: Container[str]
    findings: Findings

    def check(self, program: RequestProgram, request: Mapping[str, ValueTemplate], grid: Grid) -> None:
        """Check the matrix and every row of include."""
        for axis in grid.axes:
            self._check_columns(program, axis)
        if grid.has_matrix:
            self._check_constants(program)
        self._check_unused(program, request, grid)
        for row in grid.rows:
            self._check_constants(row.program)
            for axis in row.axes:
                self._check_columns(row.program, axis)
            for value in row.values:
                self._check_axis(row.program, value.axis, [value])

    def _check_unused(
        self, program: RequestProgram, request: Mapping[str, ValueTemplate], grid: Grid
    ) -> None:
        """Check defaults that an axis or every row replaces: unused, and wrong all the same."""
        unused = {
            field: template
            for field, template in request.items()
            if template.constant and (field in program.axes or not grid.has_matrix)
        }
        needed = frozenset({"prompt", "image_url"} - unused.keys())
        self._check_constants(replace(program, fields=unused, axes=needed), everything=True)

    def _check_columns(self, program: RequestProgram, axis: Axis) -> None:
        for name, values in axis.columns():
            self._check_axis(program, name, values)

    def _check_axis(self, program: RequestProgram, name: str, values: Sequence[AxisValue]) -> None:
        """Check an axis that fills a field itself: that the field may be there, and every value of it."""
        field = "loras" if name == "lora" else name
        if field not in program.axes:
            return
        place = values[0].place[:2] if values[0].place[0] == "matrix" else values[0].place
        if field in ("strength", "mask") and "image_url" not in program.axes | program.fields.keys():
            hint = "give image_url, the picture to start from"
            self.findings.error(place, "needs image_url", hint=hint, key=True)
            return
        if field not in MODELS[program.model]:
            message = f"{program.model} takes no {field}"
            self.findings.error(place, message, hint="model: z-image-turbo-lora does", key=True)
            return
        if self._all_pass(field, values):
            return
        for value in values if len(values) <= _MOST_VALUES else (values[0], values[-1]):
            self._check_value(field, value)

    def _all_pass(self, field: str, values: Sequence[AxisValue]) -> bool:
        """Tell at once that all of many plain values are right: a column of a data file repeats a few."""
        if field in ("image_url", "mask") or not isinstance(values, ValueList) or not values.plain:
            return False
        contents = set(values.held) - {None}
        if field == "seed" and -1 in contents:
            return False
        return all(
            violation.liftable in self.limits.unchecked
            for content in contents
            for violation in FIELDS[field](content)
        )

    def _check_value(self, field: str, value: AxisValue) -> None:
        content = value.value
        number = isinstance(content, int | float) and not isinstance(content, bool)
        if content is None or (field == "prompt" and number):
            return
        if field == "seed" and content == -1:
            self.findings.error(
                value.place,
                "must not be -1: a random seed cannot be made again",
                hint="leave seed out, or write {random: 4, seed: 1}",
            )
            return
        body = content.body() if isinstance(content, LoraValue) else content
        for violation in FIELDS[field](body):
            if violation.liftable not in self.limits.unchecked:
                got = violation.got if isinstance(content, LoraValue) else content
                self.findings.error(value.place, violation.message, got=got, hint=violation.hint)
        if field in ("image_url", "mask"):
            self._check_input(content, value.place)

    def _check_constants(self, program: RequestProgram, *, everything: bool = False) -> None:
        """Judge a body of the constant fields; fields that are made per cell only count as given.

        So do those that a lost axis may fill, unless `everything` there is was read.
        """
        constants = {name: template for name, template in program.fields.items() if template.constant}
        alone = RequestProgram(program.model, constants, frozenset(), (), seed_sees_replica=False)
        rendered = render_body(alone, {}, {}, {}, 1, self.loras)
        made_later = program.axes | (program.fields.keys() - constants.keys())
        for name in ("prompt", "image_url"):
            missed = name not in rendered.body and not everything and name in self.lost
            if name in made_later or missed:
                rendered.body[name] = "made for each cell"
        for problem in judge(rendered, program.model, self.limits.unchecked):
            got = MISSING if problem.got is None else problem.got
            self.findings.error(problem.place, problem.message, got=got, hint=problem.hint)
        for field in ("image_url", "mask"):
            if field in constants:
                self._check_input(rendered.body.get(field), constants[field].place)

    def _check_input(self, text: Any, place: Place) -> None:
        """Read a local picture; anything else is not its business."""
        if not isinstance(text, str) or not text.strip() or is_remote(text):
            return
        document = self.findings.document
        try:
            self.inputs.resolve(text, document.directory(place) if document else self.inputs.root)
        except InputImageError as error:
            self.findings.error(place, error.message, got=text, hint=error.hint)
