"""The sandboxed Jinja environment: strict, pure and bounded.

Templates come from manifests that strangers wrote. They may look at the names they are given and nothing
else: no attribute walks, no time, no randomness, no files. Filters, tests, methods and globals stand on allow
lists; what can grow (repetition, concatenation, padding, loops) is bounded; every loop step and everything an
operator, a comparison or a filter touches is charged to one budget for a render.
"""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from jinja2 import StrictUndefined, TemplateSyntaxError, Undefined, UndefinedError, nodes
from jinja2.exceptions import SecurityError, TemplateRuntimeError
from jinja2.runtime import LoopContext
from jinja2.sandbox import SandboxedEnvironment
from jinja2.visitor import NodeTransformer

from zbatch.expressions.budget import ExpressionError, bound_operator, bounded_range, charge_for
from zbatch.expressions.filters import FILTERS, TESTS, concatenate, counted, kind, plain
from zbatch.model import spelled
from zbatch.spelling import nearest_word

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
_STATEMENTS: Final = {
    "assignblock": "set with a body",
    "callblock": "call",
    "filterblock": "filter with a body",
    "fromimport": "import",
    "nsref": "namespace",
}


_TOKENS: Final = {
    "'end of print statement'": "}}",
    "'end of statement block'": "%}",
    "Encountered unknown tag": "there is no tag",
    "'end of template'": "the end",
    "end of template": "the end",
    "end of print statement": "}}",
    "end of statement block": "%}",
}
"""Jinja's names of tokens, and how people write them."""


_COMPARED: Final = re.compile(r"'(.+)' not supported between instances of '(\w+)' and '(\w+)'")
_COMBINED: Final = re.compile(
    r"unsupported operand type\(s\) for (\S+?)(?: or \w+\(\))?: '(\w+)' and '(\w+)'"
)
_TYPES: Final = {
    "str": "text",
    "int": "a number",
    "float": "a number",
    "bool": "true or false",
    "NoneType": "null",
    "list": "a list",
    "tuple": "a list",
    "dict": "a map",
}
_TYPED: Final = re.compile(
    rf"(?:(?:object|argument) of )?(?:type )?(?<!\w)'?({'|'.join(_TYPES)})\b'?(?: object)?"
)
"""Types, as Python says them."""


class _Environment(SandboxedEnvironment):
    """Jinja with everything off that is not on a list above."""

    intercepted_binops = frozenset(["+", "-", "*", "/", "//", "%", "**"])

    def __init__(self) -> None:
        super().__init__(
            undefined=StrictUndefined, keep_trailing_newline=True, finalize=plain, optimized=False
        )
        # Names with a space cannot be written in a template: these only our own rewriting uses.
        self.filters = {
            **FILTERS,
            " counted": counted,
            " concatenate": concatenate,
            " charged": charge_for,
        }
        self.tests = dict(TESTS)
        self.globals = {"range": bounded_range}

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
        raise ExpressionError(f"asks {kind(obj)} for {attribute!r}, which is not available")

    def getitem(self, obj: Any, argument: Any) -> Any:
        if isinstance(argument, str) and not isinstance(obj, Mapping):
            return self.getattr(obj, argument)
        if isinstance(obj, Undefined):
            str(obj)
        try:
            return obj[argument]
        except (LookupError, TypeError, ValueError, AttributeError):
            return self.undefined(obj=obj, name=spelled(argument)[:80])

    def is_safe_callable(self, obj: Any) -> bool:
        if isinstance(obj, Undefined):
            str(obj)
        owner = getattr(obj, "__self__", None)
        if isinstance(owner, str):
            charge_for(owner)
            return obj.__name__ in _TEXT_METHODS
        return obj is bounded_range or isinstance(owner, LoopContext)

    def call(self, context: Any, obj: Any, /, *args: Any, **kwargs: Any) -> Any:
        for value in args:
            charge_for(value)
        result = super().call(context, obj, *args, **kwargs)
        return result if isinstance(result, range) else charge_for(result)  # a range is not built yet

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        bound_operator(operator, left, right)
        return super().call_binop(context, operator, left, right)


class Fence(NodeTransformer):
    """Refuse what is not on the list of nodes; charge loops, comparisons and slices; bound `~`."""

    def generic_visit(self, node: nodes.Node, *args: Any, **kwargs: Any) -> nodes.Node:
        """Refuse a node, or go on below it."""
        if not isinstance(node, _NODES):
            name = type(node).__name__.lower()
            raise ExpressionError(
                f"uses {_STATEMENTS.get(name, name)}, which is not available",
                hint="use expressions, if, for and set",
            )
        if isinstance(node, nodes.Filter | nodes.Test) and isinstance(node.name, str):
            self._known(node)
        return super().generic_visit(node, *args, **kwargs)

    def _known(self, node: nodes.Filter | nodes.Test) -> None:
        names: Mapping[str, Any] = FILTERS if isinstance(node, nodes.Filter) else TESTS
        if node.name not in names:
            known = sorted(name for name in names if name.isidentifier())
            close = nearest_word(node.name, known, alike=0.7)
            what = "filter" if names is FILTERS else "test"
            raise ExpressionError(
                f"uses {node.name!r}, and there is no such {what}",
                hint=f"did you mean {close}?" if close else f"there are: {', '.join(known)}",
            )

    def visit_Const(self, node: nodes.Const) -> nodes.Node:  # noqa: N802 - Jinja calls it
        """Refuse numbers too large to be any: Jinja would write `inf` into its program, which is no name."""
        if isinstance(node.value, float) and not math.isfinite(node.value):
            raise ExpressionError("holds a number too large to be one")
        return node

    def visit_For(self, node: nodes.For) -> nodes.Node:  # noqa: N802 - Jinja calls it
        """Count the steps of a loop."""
        if node.recursive:
            raise ExpressionError("uses a recursive loop, which is not available")
        self.generic_visit(node)
        node.iter = _through(" counted", node.iter)
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802 - Jinja calls it
        """Bound what `~` builds."""
        self.generic_visit(node)
        return _through(" concatenate", nodes.List(node.nodes, lineno=node.lineno))

    def visit_Compare(self, node: nodes.Compare) -> nodes.Node:  # noqa: N802 - Jinja calls it
        """Charge for what is compared."""
        self.generic_visit(node)
        node.expr = _weighed(node.expr)
        for operand in node.ops:
            operand.expr = _weighed(operand.expr)
        return node

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Node:  # noqa: N802 - Jinja calls it
        """Charge for what is sliced."""
        self.generic_visit(node)
        if isinstance(node.arg, nodes.Slice):
            node.node = _weighed(node.node)
        return node


def _through(name: str, node: Any) -> nodes.Filter:
    return nodes.Filter(node, name, [], [], None, None, lineno=node.lineno)


def _weighed(node: nodes.Expr) -> nodes.Expr:
    return node if isinstance(node, nodes.Const) else _through(" charged", node)


ENVIRONMENT: Final = _Environment()
"""The one environment; it holds no state."""


@contextlib.contextmanager
def translated() -> Iterator[None]:
    """Turn what Jinja and the operators raise into `ExpressionError`, once, here."""
    try:
        yield
    except UndefinedError as error:
        raise _undefined(str(error.message)) from error
    except TemplateSyntaxError as error:
        raise _syntax(str(error.message)) from error
    except SecurityError as error:
        raise ExpressionError("calls something templates may not call") from error
    except (RecursionError, MemoryError, SyntaxError) as error:
        raise ExpressionError("is nested too deeply") from error
    except TypeError as error:
        raise ExpressionError(f"fails: {_in_words(str(error))}") from error
    except ZeroDivisionError as error:
        raise ExpressionError("divides by zero") from error
    except (TemplateRuntimeError, ArithmeticError, ValueError, LookupError) as error:
        raise ExpressionError(f"fails: {error}") from error


def _undefined(message: str) -> ExpressionError:
    attribute = re.match(r"'?(.*?)'? has no (?:attribute|element) '?([^']+)'?", message)
    if attribute:
        return ExpressionError(f"asks for {attribute[2]!r}, which is not there")
    name = re.match(r"'([^']+)' is undefined", message)
    if name is None:
        return ExpressionError(f"fails: {message}")
    return ExpressionError(f"needs {name[1]!r}, which is not defined", undefined=name[1])


def _in_words(message: str) -> str:
    """Say what Python says of types in the words of manifests."""
    match = _COMPARED.match(message) or _COMBINED.match(message)
    if match is None:
        return _TYPED.sub(lambda found: _TYPES[found[1]], message)
    left, right = (_TYPES.get(name, f"a {name}") for name in match.groups()[1:])
    return f"{match[1]} does not go with {left} and {right}"


def _syntax(message: str) -> ExpressionError:
    unclosed = re.search(r"block that needs to be closed is '(\w+)'", message)
    if unclosed:
        return ExpressionError(f"does not parse: {unclosed[1]!r} needs its {'end' + unclosed[1]!r}")
    for jinja, word in _TOKENS.items():
        message = message.replace(jinja, word)
    message = message.rstrip(".").replace("unexpected the end", "it ends too early")
    hint = "text braces are written {{ '{{' }}" if "too early" in message and "}}" in message else ""
    return ExpressionError(f"does not parse: {message}", hint=hint)
