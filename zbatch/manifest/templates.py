"""Values with templates in them, each leaf with its place, and the vars they are made of."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from zbatch.errors import ZbatchError
from zbatch.expressions import ExpressionError, Template, compile_template
from zbatch.manifest.findings import LOST, Findings, Place

MAX_TEMPLATES: Final = 500_000
"""Characters that all different templates of a manifest may have together."""

RESERVED: Final = frozenset(
    (
        "name request key vars replica include label matrix when range loop self "
        "none true false None True False and or not in is if elif else for"
    ).split()
)
"""Names that templates, rules or rows give another meaning: no axis and no var may have one."""


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


def unknown_value(place: Place) -> ValueTemplate:
    """Stand for a value that a finding has told of already, so that nothing follows from its absence."""
    return ValueTemplate(place, frozenset(), constant=False, render=lambda _: None)


def compile_value(value: Any, place: Place, findings: Findings) -> ValueTemplate | None:
    """Compile every string in a value; `None` after a finding where one does not compile."""
    if value is LOST:
        return ValueTemplate(place, frozenset(), constant=True, render=lambda _: LOST)
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
        template = _compiled(value, findings)
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


def _compiled(value: str, findings: Findings) -> Template:
    """Compile a text, once for a document: each character takes microseconds, and rows repeat a text.

    Raises:
        ExpressionError: it does not compile, or is one too many.
    """
    document = findings.document
    if document is None or not _has_braces(value):
        return compile_template(value)
    template = document.templates.get(value)
    if template is None:
        document.template_text += len(value)
        if document.template_text > MAX_TEMPLATES:
            raise ExpressionError(
                f"is too much: all different ones up to here have more than {MAX_TEMPLATES:,} characters",
                hint="put what differs into axes, zip or a data file",
            )
        template = document.templates[value] = compile_template(value)
    return template


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
    for first in variables:
        # A stack of our own: a chain of vars may be longer than Python recurses.
        path: dict[str, list[str]] = {}
        waiting = [first]
        while waiting:
            name = waiting[-1]
            if name in ordered:
                waiting.pop()
                continue
            uses = path.setdefault(name, sorted(variables[name].names & variables.keys(), reverse=True))
            if not uses:
                ordered[name] = variables[name]
                path.pop(name)
                waiting.pop()
                continue
            used = uses.pop()
            if used in path:
                _report_cycle(list(path), used, variables, findings)
            else:
                waiting.append(used)
    return tuple(ordered.items())


def _report_cycle(
    path: list[str], used: str, variables: Mapping[str, ValueTemplate], findings: Findings
) -> None:
    cycle = [*path[path.index(used) :], used]
    shown = cycle if len(cycle) <= 8 else [*cycle[:4], "...", *cycle[-3:]]
    findings.error(variables[used].place, f"uses itself: {' -> '.join(shown)}")


def check_vars(names: Iterable[str], axes: Container[str], findings: Findings) -> None:
    """Refuse vars with a name that means something else in templates."""
    for name in names:
        if name in RESERVED or name == "lora":
            hint = "that name has a meaning of its own"
            findings.error(("vars", name), f"a var cannot be called {name!r}", hint=hint, key=True)
        elif name in axes:
            findings.error(
                ("vars", name), f"{name!r} is an axis already", hint="give one of them another name", key=True
            )


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
