"""Compiling and rendering: texts with `{{ }}` in them, and bare expressions."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from jinja2 import Undefined, meta, nodes
from jinja2.parser import Parser

from zbatch.expressions.budget import (
    MAX_SOURCE,
    ExpressionError,
    bounded_integer,
    bounded_text,
    charge_for,
    new_budget,
)
from zbatch.expressions.filters import kind
from zbatch.expressions.sandbox import ENVIRONMENT, Fence, translated
from zbatch.expressions.simple import names_of, simple_parts, simple_text, value_of
from zbatch.model import canonical_number


class Template:
    """A compiled template or expression.

    `names` are the names it needs. A template that is exactly one `{{ expression }}` keeps the type of its
    value (`exact`); any other gives text.
    """

    __slots__ = ("_render", "exact", "names", "source")

    def __init__(
        self, source: str, names: frozenset[str], render: Callable[[Mapping[str, Any]], Any], *, exact: bool
    ) -> None:
        self.source = source
        self.names = names
        self.exact = exact
        self._render = render

    def render(self, context: Mapping[str, Any]) -> Any:
        """Evaluate with the names of `context`.

        Raises:
            ExpressionError: an undefined name, a forbidden or unbounded operation, or a failing one.
        """
        new_budget()
        with translated():
            return self._render(context)


def is_template(source: str) -> bool:
    """Tell whether a text has anything for Jinja in it."""
    return "{{" in source or "{%" in source or "{#" in source


def compile_template(source: str) -> Template:
    """Compile a text with `{{ }}` in it.

    Raises:
        ExpressionError: it does not parse, or uses what is not on the lists.
    """
    if not is_template(source):
        return Template(source, frozenset(), lambda _: source, exact=False)
    _bounded_source(source)
    with translated():
        tree = Fence().visit(ENVIRONMENT.parse(source))
        exact = _single_expression(tree)
        parts = simple_parts(tree)
        if parts is not None:
            render = _simple_value(parts[0]) if exact is not None else simple_text(parts)
            return Template(source, names_of(parts), render, exact=exact is not None)
        names = frozenset(meta.find_undeclared_variables(tree)) - ENVIRONMENT.globals.keys()
        if exact is not None:
            return Template(source, names, _expression(exact), exact=True)
        return Template(source, names, text_of(tree), exact=False)


def text_of(tree: nodes.Template) -> Callable[[Mapping[str, Any]], str]:
    """Compile a tree that the fence has passed to the text it makes, bounded while it is made."""
    template = ENVIRONMENT.from_string(tree)
    root = template.root_render_func
    shared = template.globals

    def render(context: Mapping[str, Any]) -> str:
        parts = []
        length = 0
        for part in root(template.new_context({**shared, **context}, shared=True)):
            length += len(part)
            bounded_text(length)
            parts.append(part)
        return "".join(parts)

    return render


def compile_expression(source: str) -> Template:
    """Compile a bare expression, such as that of `exclude: when:`.

    Raises:
        ExpressionError: it does not parse, or uses what is not on the lists.
    """
    _bounded_source(source)
    with translated():
        if is_template(source):
            raise ExpressionError("takes no braces", hint="write it without {{ }}")
        parser = Parser(ENVIRONMENT, source, state="variable")
        expression = parser.parse_expression()
        if not parser.stream.eos:
            raise ExpressionError(f"does not parse: unexpected {str(parser.stream.current)!r}")
        output = nodes.Output([expression], lineno=1)
        tree = nodes.Template([output], lineno=1)
        tree.set_environment(ENVIRONMENT)
        Fence().visit(tree)
        names = frozenset(meta.find_undeclared_variables(tree)) - ENVIRONMENT.globals.keys()
        return Template(source, names, _expression(output.nodes[0]), exact=True)


def _single_expression(tree: nodes.Template) -> nodes.Expr | None:
    if len(tree.body) == 1 and isinstance(tree.body[0], nodes.Output) and len(tree.body[0].nodes) == 1:
        only = tree.body[0].nodes[0]
        return None if isinstance(only, nodes.TemplateData) else only
    return None


def _expression(expression: nodes.Expr) -> Callable[[Mapping[str, Any]], Any]:
    """Compile an expression whose value keeps its type (Jinja's own turns undefined names into values)."""
    target = nodes.Name("result", "store", lineno=1)
    tree = nodes.Template([nodes.Assign(target, expression, lineno=1)], lineno=1)
    template = ENVIRONMENT.from_string(tree)
    shared = template.globals

    def evaluate(context: Mapping[str, Any]) -> Any:
        scope = template.new_context({**shared, **context}, shared=True)
        for _ in template.root_render_func(scope):
            pass
        return _value(scope.vars["result"])

    return evaluate


def _simple_value(part: Any) -> Callable[[Mapping[str, Any]], Any]:
    name, field = part
    return lambda context: _value(value_of(name, field, context))


def _value(value: Any) -> Any:
    """Hold what an expression gives to values a manifest can have; lists and maps all the way down."""
    charge_for(value)
    return _held(value)


def _held(value: Any) -> Any:
    if isinstance(value, Undefined):
        return str(value)  # raises, with the name in it; empty for an `if` without `else`
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ExpressionError("gives no finite number")
        return canonical_number(value)
    if isinstance(value, range | tuple | list):
        return [_held(item) for item in value]
    if isinstance(value, Mapping):
        return {_key(name): _held(item) for name, item in value.items()}
    if value is None or isinstance(value, str | int) or hasattr(value, "__template_text__"):
        return bounded_integer(value)
    raise ExpressionError(f"gives {kind(value)}, which is no value of a manifest")


def _key(name: Any) -> str:
    if not isinstance(name, str):
        raise ExpressionError(f"gives a map with {kind(name)} as a key")
    return name


def _bounded_source(source: str) -> None:
    if len(source) > MAX_SOURCE:
        raise ExpressionError(
            f"is longer than {MAX_SOURCE:,} characters", hint="put the parts into vars, or shorten it"
        )
