"""Texts that only print names and their fields, rendered without compiling them: nearly all there are.

Compiling a template takes Jinja a third of a millisecond, and a manifest may hold ten thousand. What is
rendered here comes out as Jinja would have it, mistakes included: a property test holds the two together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from jinja2 import nodes

from zbatch.expressions.budget import bounded_text
from zbatch.expressions.filters import plain
from zbatch.expressions.sandbox import ENVIRONMENT

_OTHERS = frozenset({"self", *ENVIRONMENT.globals})
"""Names that mean something without being given."""

_Part = str | tuple[str, str | None]
"""Plain text, or a name and the field of it that is printed, if it is not the name itself."""


def simple_parts(tree: nodes.Template) -> tuple[_Part, ...] | None:
    """Give what a text is made of; `None` where there is more in it than names and fields."""
    if len(tree.body) != 1 or not isinstance(tree.body[0], nodes.Output):
        return None
    parts = [_part(node) for node in tree.body[0].nodes]
    return None if None in parts else tuple(part for part in parts if part is not None)


def _part(node: nodes.Expr) -> _Part | None:
    if isinstance(node, nodes.TemplateData):
        return str(node.data)
    field = node.attr if isinstance(node, nodes.Getattr) else None
    name = node.node if isinstance(node, nodes.Getattr) else node
    return (name.name, field) if isinstance(name, nodes.Name) and name.name not in _OTHERS else None


def names_of(parts: tuple[_Part, ...]) -> frozenset[str]:
    """Give the names that are printed."""
    return frozenset(part[0] for part in parts if isinstance(part, tuple))


def value_of(name: str, field: str | None, context: Mapping[str, Any]) -> Any:
    """Look a name up as a template does: a missing one is an undefined, which raises when it is used."""
    value = context[name] if name in context else ENVIRONMENT.undefined(name=name)
    return value if field is None else ENVIRONMENT.getattr(value, field)


def simple_text(parts: tuple[_Part, ...]) -> Callable[[Mapping[str, Any]], str]:
    """Give the function that prints the parts, bounded as any text of a template."""

    def render(context: Mapping[str, Any]) -> str:
        texts = []
        length = 0
        for part in parts:
            text = part if isinstance(part, str) else str(plain(value_of(*part, context)))
            length += len(text)
            bounded_text(length)
            texts.append(text)
        return "".join(texts)

    return render
