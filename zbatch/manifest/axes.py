"""Reading matrix, zip and exclude into axes and rules."""

from __future__ import annotations

import math
import re
from collections.abc import Container, Mapping, Sequence
from typing import Any, Final

import orjson

from zbatch.expressions import ExpressionError, Template, compile_expression
from zbatch.expressions.loras import NamedLora
from zbatch.manifest.findings import Findings, Place, named, nearest
from zbatch.manifest.reading import axis_values
from zbatch.manifest.rules import ExcludeRule, match_conditions
from zbatch.manifest.templates import RESERVED
from zbatch.manifest.values import Axis
from zbatch.manifest.zipping import without_columns, zip_axis

MAX_AXES: Final = 1_000
MAX_RULES: Final = 10_000
MAX_ASKED: Final = 100_000_000
"""How often all `when` together may be evaluated, once for each rule and cell."""

_IDENTIFIER: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def parse_axes(
    section: Mapping[str, Any], loras: Mapping[str, NamedLora], findings: Findings, place: Place = ("matrix",)
) -> list[Axis]:
    """Read a matrix; axes without values are left out after a finding."""
    if len(section) > MAX_AXES:
        findings.error(place, f"has more than {MAX_AXES:,} axes", got=len(section))
        return []
    axes = []
    for name, spec in section.items():
        where = (*place, name)
        if name in RESERVED:
            findings.error(
                where,
                f"an axis cannot be called {name!r}",
                hint="that name has a meaning of its own",
                key=True,
            )
            continue
        if name == "loras":
            findings.error(
                where, "the axis of LoRAs is called lora", hint="write lora: [film@0.8, none]", key=True
            )
            continue
        values = axis_values(name, spec, where, loras, findings)
        if len(values):
            axes.append(Axis(name, values, where))
    return axes


def parse_zip(
    spec: Any,
    axes: Sequence[Axis],
    variables: Container[str],
    loras: Mapping[str, NamedLora],
    findings: Findings,
) -> Axis | None:
    """Read `zip`; its columns may be no axes of the matrix, and no vars."""
    axis = zip_axis(spec, ("zip",), loras, findings)
    if axis is None:
        return None
    taken = {name for other in axes for name in other.names}
    unread = {name for name in axis.names if name in RESERVED or name == "loras"}
    for name in axis.names:
        where = (*axis.values[0].place, name)
        if name in unread:
            lora = name == "loras"
            hint = "the axis of LoRAs is called lora" if lora else "that name has a meaning of its own"
            findings.error(where, f"an axis cannot be called {name!r}", hint=hint, key=True)
        elif name in taken:
            findings.error(where, f"{name!r} is an axis of matrix already", key=True)
        elif name in variables:
            findings.error(where, f"{name!r} is one of vars already", key=True)
        elif not _IDENTIFIER.fullmatch(name):
            hint = "rename the column: letters, digits and _, not beginning with a digit"
            if ";" in name or "\t" in name:
                hint = "separate the columns by commas"
            findings.error(where, f"{name!r} is no name a template can use", hint=hint, key=True)
    return axis if not unread else without_columns(axis, unread)


def parse_excludes(
    rows: Sequence[tuple[int, Mapping[str, Any]]],
    axes: Sequence[Axis],
    lost: Container[str],
    replicas: int,
    findings: Findings,
) -> tuple[ExcludeRule, ...]:
    """Read the exclude rules: partial matches and `when`, both where both are given.

    `lost` are names of axes that could not be read; nothing is said of them again.
    """
    if len(rows) > MAX_RULES:
        hint = "one rule can take out many cells: when: \"subject in ['fox', 'owl']\""
        findings.error(("exclude",), f"has more than {MAX_RULES:,} rules", got=len(rows), hint=hint)
        return ()
    cells = math.prod(len(axis.values) for axis in axes) * replicas
    asked = sum("when" in row for _, row in rows)
    if asked * cells > MAX_ASKED:
        findings.error(
            ("exclude",),
            f"{asked:,} rules with when for {cells:,} cells ask more than {MAX_ASKED:,} times",
            hint="name the values themselves where that can be said: {subject: fox, size: square}",
        )
        return ()
    rules = []
    for number, row in rows:
        place: Place = ("exclude", number)
        wanted = {
            key: value for key, value in row.items() if key != "when" and key.partition(".")[0] not in lost
        }
        conditions = match_conditions(wanted, place, axes, replicas, findings)
        when = _when(row["when"], (*place, "when"), axes, lost, findings) if "when" in row else None
        rules.append(ExcludeRule(_rule_text(row), place, conditions, when))
    return tuple(rules)


def _when(
    source: str, place: Place, axes: Sequence[Axis], lost: Container[str], findings: Findings
) -> Template | None:
    try:
        expression = compile_expression(source)
    except ExpressionError as error:
        findings.error(place, f"the expression {error.message}", got=source, hint=error.hint)
        return None
    known = {name for axis in axes for name in axis.names} | {"replica"}
    unknown = [name for name in sorted(expression.names - known) if name not in lost]
    if unknown:
        what = "which is no axis" if len(unknown) == 1 else "which are no axes"
        findings.error(
            place,
            f"the expression uses {named(unknown)}, {what}",
            got=source,
            hint=nearest(unknown[0], known),
        )
    return expression


def _rule_text(row: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{key}: {value if isinstance(value, str) else orjson.dumps(value).decode()}"
        for key, value in row.items()
    )
