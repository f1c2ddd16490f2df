"""Values with templates in them, each leaf with its place, and the vars they are made of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from zbatch.errors import ZbatchError
from zbatch.expressions import ExpressionError, compile_template
from zbatch.manifest.findings import Findings, Place


class RenderError(ZbatchError):
    """A template failed on the values of one cell. Caught inside this package, where it becomes a finding."""

    def __init__(self, place: Place, cause: ExpressionError) -> None:
        super().__init__(cause.message, hint=cause.hint)
        self.place = place
        self.undefined = cause.undefined


@dataclass(frozen=True, slots=True)
class ValueTemplate:
    """A value whose strings are templates: text, number, list or map. `names` are what it needs."""

    place: Place
    names: frozenset[str]
    constant: bool
    render: Callable[[Mapping[str, Any]], Any]


def compile_value(value: Any, place: Place, findings: Findings) -> ValueTemplate | None:
    """Compile every string in a value; `None` after a finding where one does not compile."""
    if isinstance(value, str):
        return _compile_text(value, place, findings)
    if isinstance(value, list):
        parts = [compile_value(item, (*place, n), findings) for n, item in enumerate(value)]
        whole = [part for part in parts if part is not None]
        if len(whole) < len(parts):
            return None
        renders = [part.render for part in whole]
        return _composed(place, whole, lambda context: [render(context) for render in renders])
    if isinstance(value, dict):
        named = {name: compile_value(item, (*place, name), findings) for name, item in value.items()}
        present = {name: part for name, part in named.items() if part is not None}
        if len(present) < len(named):
            return None
        return _composed(
            place,
            present.values(),
            lambda context: {name: part.render(context) for name, part in present.items()},
        )
    return ValueTemplate(place, frozenset(), constant=True, render=lambda _: value)


def _compile_text(value: str, place: Place, findings: Findings) -> ValueTemplate | None:
    try:
        template = compile_template(value)
    except ExpressionError as error:
        findings.error(place, f"the template {error.message}", got=value, hint=error.hint)
        return None

    def render(context: Mapping[str, Any]) -> Any:
        try:
            return template.render(context)
        except ExpressionError as error:
            raise RenderError(place, error) from error

    return ValueTemplate(
        place, template.names, constant=value == template.source and not _has_braces(value), render=render
    )


def _has_braces(value: str) -> bool:
    return "{{" in value or "{%" in value or "{#" in value


def _composed(
    place: Place, parts: Iterable[ValueTemplate], render: Callable[[Mapping[str, Any]], Any]
) -> ValueTemplate:
    parts = list(parts)
    names = frozenset(name for part in parts for name in part.names)
    return ValueTemplate(place, names, all(part.constant for part in parts), render)


def order_vars(
    variables: Mapping[str, ValueTemplate], findings: Findings
) -> tuple[tuple[str, ValueTemplate], ...]:
    """Put vars into an order in which each comes after those it uses; cycles are findings."""
    ordered: dict[str, ValueTemplate] = {}

    def visit(name: str, path: tuple[str, ...]) -> None:
        if name in path:
            cycle = " -> ".join((*path[path.index(name) :], name))
            findings.error(variables[name].place, f"uses itself: {cycle}")
            return
        if name in ordered:
            return
        for used in sorted(variables[name].names & variables.keys()):
            visit(used, (*path, name))
        ordered.setdefault(name, variables[name])

    for name in variables:
        visit(name, ())
    return tuple(ordered.items())


def needed_names(names: Iterable[str], variables: Mapping[str, ValueTemplate]) -> frozenset[str]:
    """Close a set of names over the vars among them: every name that has to be known to render."""
    needed: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name in needed:
            continue
        needed.add(name)
        if name in variables:
            waiting.extend(variables[name].names)
    return frozenset(needed)
