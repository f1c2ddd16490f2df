"""Taking a text apart into its outputs, which can be rendered one by one, and less often, than the whole."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from jinja2 import meta, nodes

from zbatch.expressions.sandbox import ENVIRONMENT, Fence, translated
from zbatch.expressions.simple import simple_parts, simple_text
from zbatch.expressions.templates import Template, is_template, text_of


@dataclass(frozen=True, slots=True)
class Part:
    """One output of a text: plain text (`literal`), or an expression.

    `begin` is there where it is nothing but a name, `{{ key }}`, or the beginning of one, `{{ key[:12] }}`:
    the name and how many characters, or `None` for all. `asked` says of each name which of its fields it is
    asked for (`{{ request.seed }}`), or `None` where it is used in any other way.
    """

    template: Template
    literal: str | None
    begin: tuple[str, int | None] | None
    asked: Mapping[str, frozenset[str] | None]

    @property
    def names(self) -> frozenset[str]:
        """Every name it needs."""
        return self.template.names


def take_apart(source: str) -> tuple[Part, ...] | None:
    """Take a text that compiles apart; `None` where it has statements (`{% if %}`), and no outputs alone.

    Rendering the parts and joining them gives what rendering the whole gives, as long as the steps they take
    together are within what one render may take.
    """
    if not is_template(source):
        return (Part(Template(source, frozenset(), lambda _: source, exact=False), source, None, {}),)
    with translated():
        plain = _outputs(ENVIRONMENT.parse(source))
        fenced = _outputs(Fence().visit(ENVIRONMENT.parse(source)))
    if plain is None or fenced is None:
        return None
    return tuple(_part(one, other) for one, other in zip(plain, fenced, strict=True))


def _outputs(tree: nodes.Template) -> list[nodes.Expr] | None:
    if len(tree.body) != 1 or not isinstance(tree.body[0], nodes.Output):
        return None
    return tree.body[0].nodes


def _part(plain: nodes.Expr, fenced: nodes.Expr) -> Part:
    tree = nodes.Template([nodes.Output([fenced], lineno=1)], lineno=1)
    tree.set_environment(ENVIRONMENT)
    names = frozenset(meta.find_undeclared_variables(tree)) - ENVIRONMENT.globals.keys()
    with translated():
        simple = simple_parts(tree)
        render = text_of(tree) if simple is None else simple_text(simple)
        template = Template("", names, render, exact=False)
    literal = plain.data if isinstance(plain, nodes.TemplateData) else None
    return Part(template, literal, _begin(plain), {name: _asked(plain, name) for name in names})


def _begin(node: nodes.Expr) -> tuple[str, int | None] | None:
    if isinstance(node, nodes.Name):
        return node.name, None
    if not (isinstance(node, nodes.Getitem) and isinstance(node.node, nodes.Name)):
        return None
    part = node.arg
    if not isinstance(part, nodes.Slice) or part.start is not None or part.step is not None:
        return None
    stop = part.stop.value if isinstance(part.stop, nodes.Const) else None
    count = stop if isinstance(stop, int) and not isinstance(stop, bool) and stop >= 0 else None
    return None if count is None else (node.node.name, count)


def _asked(node: nodes.Node, name: str) -> frozenset[str] | None:
    fields: set[str] = set()
    for field in _uses(node, name):
        if field is None:
            return None
        fields.add(field)
    return frozenset(fields)


def _uses(node: nodes.Node, name: str) -> Iterator[str | None]:
    """Give, for each use of a name, the field it is asked for; `None` for the name itself."""
    if isinstance(node, nodes.Name):
        if node.name == name:
            yield None
        return
    if isinstance(node, nodes.Getattr | nodes.Getitem) and isinstance(node.node, nodes.Name):
        field = node.attr if isinstance(node, nodes.Getattr) else _constant_text(node.arg)
        if node.node.name == name and field is not None:
            yield field
            return
    for child in node.iter_child_nodes():
        yield from _uses(child, name)


def _constant_text(node: nodes.Node) -> str | None:
    return node.value if isinstance(node, nodes.Const) and isinstance(node.value, str) else None
