"""The sandboxed Jinja environment: strict, pure and bounded.

Templates come from manifests that strangers wrote. They may look at the names they are given and nothing
else: no attribute walks, no time, no randomness, no files. Filters, tests, methods and globals stand on allow
lists; what can grow (repetition, concatenation, padding, loops) is bounded; every loop step and every item a
filter touches is charged to one budget for a render.
"""

from __future__ import annotations

import contextlib
import re
import threading
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from jinja2 import StrictUndefined, TemplateSyntaxError, Undefined, UndefinedError, meta, nodes
from jinja2.exceptions import SecurityError, TemplateRuntimeError
from jinja2.parser import Parser
from jinja2.runtime import LoopContext
from jinja2.sandbox import SandboxedEnvironment
from jinja2.visitor import NodeTransformer

from zbatch.model import canonical_number

MAX_TEXT: Final = 1_000_000
"""Characters one text may reach, in the middle of an expression too."""

MAX_STEPS: Final = 100_000
"""Loop steps and filter items of one render."""

MAX_BITS: Final = 4_096
"""Size of the largest integer an expression may reach."""


class ExpressionError(Exception):
    """A template or expression that does not parse, is not allowed, or failed on the values it was given.

    `undefined` is the name that was missing, where that was it.
    """

    def __init__(self, message: str, *, hint: str = "", undefined: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.undefined = undefined


class _Budget(threading.local):
    left = MAX_STEPS


_budget = _Budget()


def _charge(steps: int) -> None:
    _budget.left -= steps
    if _budget.left < 0:
        raise ExpressionError(f"takes more than {MAX_STEPS:,} steps", hint="loop over less")


def _bounded_text(length: int) -> None:
    if length > MAX_TEXT:
        raise ExpressionError(f"builds a text of more than {MAX_TEXT:,} characters")


def _plain(value: Any) -> Any:
    """Hold what becomes text to scalars: printing nested lists is how a short template fills a memory."""
    if isinstance(value, Undefined):
        str(value)  # raises, with the name in it
    if isinstance(value, float):
        return canonical_number(value)
    if value is None:
        raise ExpressionError(
            "is null where text is made", hint="give it a value: {{ name | default('', true) }}"
        )
    if isinstance(value, str | int | float) or hasattr(value, "__template_text__"):
        return value
    raise ExpressionError(
        f"makes text of a {type(value).__name__}",
        hint="print one item, or join them: {{ name | join(', ') }}",
    )


# ── filters ──────────────────────────────────────────────────────────────────────────────────────────────


def slugify(value: Any) -> str:
    """Make a name for a file of any text: lower case, accents dropped, `-` between words."""
    text = unicodedata.normalize("NFKD", str(_plain(value))).casefold()
    text = "".join(character for character in text if not unicodedata.combining(character))
    return re.sub(r"[^\w.]+", "-", text).strip("-.") or "x"


def _join(value: Iterable[Any], d: str = "", attribute: None = None) -> str:
    if attribute is not None:
        raise ExpressionError("join takes no attribute here")
    parts = []
    length = 0
    for item in value:
        parts.append(str(_plain(item)))
        length += len(parts[-1]) + len(d)
        _bounded_text(length)
    return d.join(parts)


def _concatenate(value: Iterable[Any]) -> str:
    return _join(value)


def _replace(s: Any, old: str, new: str, count: int = -1) -> str:
    text = str(_plain(s))
    _bounded_text(len(text) + text.count(old) * max(0, len(new) - len(old)))
    return text.replace(old, new, count)


def _center(value: Any, width: int = 80) -> str:
    _bounded_text(width)
    return str(_plain(value)).center(width)


def _indent(s: Any, width: int = 4, first: bool = False) -> str:  # noqa: FBT001, FBT002 - Jinja's signature
    text = str(_plain(s))
    _bounded_text(len(text) + width * (text.count("\n") + 1))
    lines = text.splitlines(keepends=True)
    return "".join(
        " " * width + line if (number or first) and line.strip() else line
        for number, line in enumerate(lines)
    )


def _format(value: Any, *args: Any) -> str:
    text = str(_plain(value))
    if re.search(r"%[^a-zA-Z%]*(\*|\d{4,})", text):
        raise ExpressionError("format takes widths of up to 999")
    try:
        return text % tuple(_plain(arg) for arg in args)
    except (TypeError, ValueError) as error:
        raise ExpressionError(f"format: {error}") from error


def _string(value: Any) -> str:
    return str(_plain(value))


def _unique(value: Iterable[Any]) -> list[Any]:
    return list(dict.fromkeys(value))


_OWN_FILTERS: Final[Mapping[str, Callable[..., Any]]] = {
    "slug": slugify,
    "join": _join,
    "replace": _replace,
    "center": _center,
    "indent": _indent,
    "format": _format,
    "string": _string,
    "unique": _unique,
    "list": list,
}
_JINJA_FILTERS: Final = frozenset(
    (
        "abs capitalize count d default first float int last length lower max min reverse round sort sum "
        "title trim truncate upper wordcount"
    ).split()
)
_JINJA_TESTS: Final = frozenset(
    (
        "boolean defined divisibleby eq equalto even false float ge gt greaterthan in integer le lessthan "
        "lower lt mapping ne none number odd sequence string true undefined upper != < <= == > >="
    ).split()
)
_TEXT_METHODS: Final = frozenset(
    (
        "capitalize casefold count endswith find isalpha isdigit islower isupper lower lstrip partition "
        "removeprefix removesuffix rfind rpartition rsplit rstrip split splitlines startswith strip "
        "swapcase title upper"
    ).split()
)
_LOOP_FIELDS: Final = frozenset("index index0 first last length revindex revindex0 cycle".split())
_NODES: Final = (
    nodes.Template,
    nodes.Output,
    nodes.TemplateData,
    nodes.If,
    nodes.For,
    nodes.Assign,
    nodes.Name,
    nodes.Const,
    nodes.Tuple,
    nodes.List,
    nodes.Dict,
    nodes.Pair,
    nodes.Keyword,
    nodes.CondExpr,
    nodes.Filter,
    nodes.Test,
    nodes.Call,
    nodes.Getitem,
    nodes.Getattr,
    nodes.Slice,
    nodes.Concat,
    nodes.Compare,
    nodes.Operand,
    nodes.BinExpr,
    nodes.UnaryExpr,
)


def _charged(function: Callable[..., Any]) -> Callable[..., Any]:
    """Charge a filter for the items it touches; keep the marks Jinja put on it (`pass_environment`)."""

    def call(*args: Any, **kwargs: Any) -> Any:
        for value in (*args[:2],):
            if isinstance(value, str | list | tuple | Mapping | range):
                _charge(1 + len(value) // (1_000 if isinstance(value, str) else 1))
        return function(*args, **kwargs)

    call.__dict__.update(getattr(function, "__dict__", {}))
    return call


def _counted(iterable: Iterable[Any]) -> Iterator[Any]:
    for item in iterable:
        _charge(1)
        yield item


def _bounded_range(*args: int) -> range:
    numbers = range(*args)
    if len(numbers) > MAX_STEPS:
        raise ExpressionError(f"range of more than {MAX_STEPS:,} numbers")
    return numbers


class _Environment(SandboxedEnvironment):
    """Jinja with everything off that is not on a list above."""

    intercepted_binops = frozenset(["+", "-", "*", "/", "//", "%", "**"])

    def __init__(self) -> None:
        super().__init__(
            undefined=StrictUndefined, keep_trailing_newline=True, finalize=_plain, optimized=False
        )
        self.filters = {
            name: _charged(function)
            for name, function in {
                **{name: self.filters[name] for name in _JINJA_FILTERS},
                **_OWN_FILTERS,
            }.items()
        }
        # Names with a space cannot be written in a template: these two only our own rewriting uses.
        self.filters[" counted"] = _counted
        self.filters[" concatenate"] = _concatenate
        self.tests = {name: test for name, test in self.tests.items() if name in _JINJA_TESTS}
        self.globals = {"range": _bounded_range}

    def getattr(self, obj: Any, attribute: str) -> Any:
        if isinstance(obj, Mapping):
            return obj[attribute] if attribute in obj else self.undefined(obj=obj, name=attribute)
        allowed: Iterable[str] = getattr(type(obj), "__template_fields__", ())
        if isinstance(obj, str):
            allowed = _TEXT_METHODS
        elif isinstance(obj, LoopContext):
            allowed = _LOOP_FIELDS
        if attribute in allowed:
            return getattr(obj, attribute)
        if isinstance(obj, Undefined):
            str(obj)  # raises, with the name that was missing first
        raise ExpressionError(f"{attribute!r} is not something a template may ask of {_kind(obj)}")

    def getitem(self, obj: Any, argument: Any) -> Any:
        if isinstance(argument, str) and not isinstance(obj, Mapping):
            return self.getattr(obj, argument)
        if isinstance(obj, Undefined):
            str(obj)
        try:
            return obj[argument]
        except (LookupError, TypeError, ValueError, AttributeError):
            return self.undefined(obj=obj, name=str(argument)[:80])

    def is_safe_callable(self, obj: Any) -> bool:
        owner = getattr(obj, "__self__", None)
        if isinstance(owner, str):
            _charge(1 + len(owner) // 1_000)
            return obj.__name__ in _TEXT_METHODS
        return obj is _bounded_range or isinstance(owner, LoopContext)

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        _bound_operator(operator, left, right)
        return super().call_binop(context, operator, left, right)


def _kind(value: Any) -> str:
    names = {
        "str": "text",
        "int": "a number",
        "float": "a number",
        "bool": "true or false",
        "NoneType": "null",
    }
    name = type(value).__name__
    return names.get(name, f"a {name}")


def _bound_operator(operator: str, left: Any, right: Any) -> None:
    sizes = [len(side) for side in (left, right) if isinstance(side, str | list | tuple)]
    numbers = [side for side in (left, right) if isinstance(side, int)]
    if operator == "*" and sizes and numbers:
        if sizes[0] * max(numbers) > MAX_TEXT:
            raise ExpressionError(f"repeats to more than {MAX_TEXT:,} characters or items")
    elif operator == "+" and len(sizes) == 2:
        _bounded_text(sum(sizes))
    elif operator == "%" and isinstance(left, str):
        raise ExpressionError(
            "% on text is not available", hint="use the format filter: {{ '%03d' | format(n) }}"
        )
    elif operator == "**" and len(numbers) == 2:
        if numbers[1] > 0 and abs(numbers[0]).bit_length() * numbers[1] > MAX_BITS:
            raise ExpressionError(f"makes a number of more than {MAX_BITS:,} bits")
    elif operator == "*" and len(numbers) == 2 and sum(n.bit_length() for n in numbers) > MAX_BITS:
        raise ExpressionError(f"makes a number of more than {MAX_BITS:,} bits")


class _Fence(NodeTransformer):
    """Refuse what is not on the list of nodes, count loops, and bound `~`."""

    def generic_visit(self, node: nodes.Node, *args: Any, **kwargs: Any) -> nodes.Node:
        if not isinstance(node, _NODES):
            name = type(node).__name__.lower()
            raise ExpressionError(
                f"{name} is not available in templates", hint="use expressions, if, for and set"
            )
        if isinstance(node, nodes.Filter | nodes.Test) and isinstance(node.name, str):
            self._known(node)
        return super().generic_visit(node, *args, **kwargs)

    def _known(self, node: nodes.Filter | nodes.Test) -> None:
        kind, names = (
            ("filter", _ENVIRONMENT.filters)
            if isinstance(node, nodes.Filter)
            else ("test", _ENVIRONMENT.tests)
        )
        if node.name not in names:
            known = ", ".join(sorted(name for name in names if name.isidentifier()))
            raise ExpressionError(f"no {kind} named {node.name!r}", hint=f"there are: {known}")

    def visit_For(self, node: nodes.For) -> nodes.Node:  # noqa: N802 - Jinja calls it
        if node.recursive:
            raise ExpressionError("recursive loops are not available in templates")
        self.generic_visit(node)
        node.iter = nodes.Filter(node.iter, " counted", [], [], None, None, lineno=node.lineno)
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802 - Jinja calls it
        self.generic_visit(node)
        parts = nodes.List(node.nodes, lineno=node.lineno)
        return nodes.Filter(parts, " concatenate", [], [], None, None, lineno=node.lineno)


_ENVIRONMENT: Final = _Environment()


# ── what the rest of zbatch uses ─────────────────────────────────────────────────────────────────────────


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
        _budget.left = MAX_STEPS
        with _translated():
            return self._render(context)


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    """Turn what Jinja and the operators raise into `ExpressionError`, once, here."""
    try:
        yield
    except UndefinedError as error:
        match = re.match(r"'(?:[^']*' has no attribute ')?([^']+)'", str(error.message))
        raise ExpressionError(str(error.message), undefined=match and match.group(1)) from error
    except TemplateSyntaxError as error:
        message = str(error.message)
        raise ExpressionError(f"does not parse: {message}", hint=_syntax_hint(message)) from error
    except SecurityError as error:
        raise ExpressionError("calls something templates may not call") from error
    except (RecursionError, MemoryError, SyntaxError) as error:
        raise ExpressionError("is nested too deeply") from error
    except (TemplateRuntimeError, ArithmeticError, TypeError, ValueError, LookupError) as error:
        raise ExpressionError(f"fails: {error}") from error


def _syntax_hint(message: str) -> str:
    return (
        "braces that are no template are written {{ '{{' }}"
        if message.startswith(("unexpected", "expected"))
        else ""
    )


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
    with _translated():
        tree = _Fence().visit(_ENVIRONMENT.parse(source))
        exact = _single_expression(tree)
        names = frozenset(meta.find_undeclared_variables(tree)) - _ENVIRONMENT.globals.keys()
        if exact is not None:
            return Template(source, names, _expression(exact), exact=True)
        template = _ENVIRONMENT.from_string(tree)
    root = template.root_render_func
    shared = template.globals

    def render(context: Mapping[str, Any]) -> str:
        parts = []
        length = 0
        for part in root(template.new_context({**shared, **context}, shared=True)):
            length += len(part)
            _bounded_text(length)
            parts.append(part)
        return "".join(parts)

    return Template(source, names, render, exact=False)


def compile_expression(source: str) -> Template:
    """Compile a bare expression, such as that of `exclude: when:`.

    Raises:
        ExpressionError: it does not parse, or uses what is not on the lists.
    """
    with _translated():
        if is_template(source):
            raise ExpressionError("is an expression and takes no braces", hint="write it without {{ }}")
        parser = Parser(_ENVIRONMENT, source, state="variable")
        expression = parser.parse_expression()
        if not parser.stream.eos:
            raise ExpressionError(f"does not parse: unexpected {str(parser.stream.current)!r}")
        output = nodes.Output([expression], lineno=1)
        tree = nodes.Template([output], lineno=1)
        tree.set_environment(_ENVIRONMENT)
        _Fence().visit(tree)
        names = frozenset(meta.find_undeclared_variables(tree)) - _ENVIRONMENT.globals.keys()
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
    template = _ENVIRONMENT.from_string(tree)
    shared = template.globals

    def evaluate(context: Mapping[str, Any]) -> Any:
        scope = template.new_context({**shared, **context}, shared=True)
        for _ in template.root_render_func(scope):
            pass
        return _value(scope.vars["result"])

    return evaluate


def _value(value: Any) -> Any:
    if isinstance(value, Undefined):
        str(value)  # raises, with the name in it
    if isinstance(value, float):
        return canonical_number(value)
    if isinstance(value, range | tuple):
        return list(value)
    if value is None or isinstance(value, str | int | list | Mapping) or hasattr(value, "__template_text__"):
        return value
    raise ExpressionError(f"gives {_kind(value)}, which is no value of a manifest")
