"""The filters and tests of templates: Jinja's that are harmless as they are, and ours where they are not."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from jinja2 import Undefined
from jinja2 import filters as jinja_filters
from jinja2 import tests as jinja_tests

from zbatch.expressions.budget import ExpressionError, bounded_integer, bounded_text, charge, charge_for
from zbatch.model import canonical_number


def plain(value: Any) -> Any:
    """Hold what becomes text to scalars: printing nested lists is how a short template fills a memory.

    Raises:
        ExpressionError: it is no text, number or boolean.
    """
    if isinstance(value, Undefined):
        return str(value)  # raises, with the name in it; empty for an `if` without `else`
    if isinstance(value, bool):
        return "true" if value else "false"  # as it is written in a manifest
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ExpressionError("gives no finite number")
        return canonical_number(value)
    if value is None:
        raise ExpressionError(
            "is null where text is made", hint="give it a value: {{ name | default('', true) }}"
        )
    if isinstance(value, str | int | float) or hasattr(value, "__template_text__"):
        return value
    raise ExpressionError(
        f"makes text of {kind(value)}", hint="print one item, or join them: {{ name | join(', ') }}"
    )


def kind(value: Any) -> str:
    """Name the kind of a value in a message."""
    names = {
        "str": "text",
        "int": "a number",
        "float": "a number",
        "bool": "true or false",
        "NoneType": "null",
        "dict": "a map",
        "tuple": "a list",
        "range": "a list",
        "LoraValue": "a LoRA",
        "LabelledText": "text",
        "LabelledNumber": "a number",
    }
    name = type(value).__name__
    return names.get(name, f"a {name}")


def slugify(value: Any) -> str:
    """Make a name for a file of any text: lower case, accents dropped, `-` between words."""
    text = str(plain(value)).casefold()
    if not text.isascii():
        text = unicodedata.normalize("NFKD", str(plain(value))).casefold()
        text = "".join(character for character in text if not unicodedata.combining(character))
    return re.sub(r"[^\w.]+", "-", text).strip("-.") or "x"


def _slug(value: Any) -> str:
    # Normalising costs far more a character than anything else here.
    charge(len(str(plain(value))) // 10)
    return slugify(value)


def _join(value: Iterable[Any], d: str = "", attribute: None = None) -> str:
    if attribute is not None:
        raise ExpressionError("uses join with an attribute, which is not available")
    between = str(plain(d))
    parts = []
    length = 0
    for item in value:
        parts.append(str(plain(item)))
        length += len(parts[-1]) + len(between)
        bounded_text(length)
    return between.join(parts)


def concatenate(value: Iterable[Any]) -> str:
    """What `~` does."""
    return _join(value)


def counted(iterable: Iterable[Any]) -> Iterator[Any]:
    """Charge every step of a loop."""
    for item in iterable:
        charge(1)
        yield item


def _replace(s: Any, old: str, new: str, count: int = -1) -> str:
    text = str(plain(s))
    bounded_text(len(text) + text.count(old) * max(0, len(new) - len(old)))
    return text.replace(old, new, count)


def _center(value: Any, width: int = 80) -> str:
    bounded_text(width)
    return str(plain(value)).center(width)


def _indent(s: Any, width: int = 4, first: bool = False) -> str:  # noqa: FBT001, FBT002 - Jinja's signature
    text = str(plain(s))
    bounded_text(len(text) + width * (text.count("\n") + 1))
    lines = text.splitlines(keepends=True)
    return "".join(
        " " * width + line if (number or first) and line.strip() else line
        for number, line in enumerate(lines)
    )


def _format(value: Any, *args: Any) -> str:
    text = str(plain(value))
    if re.search(r"%[^a-zA-Z%]*(\*|[0-9]{4,})", text):
        raise ExpressionError("uses format with a width of over 999")
    widths = sum(int(width) for width in re.findall(r"[0-9]{1,3}", text))
    arguments = tuple(plain(arg) for arg in args)
    bounded_text(len(text) + widths + sum(len(str(arg)) for arg in arguments))
    try:
        return text % arguments
    except (TypeError, ValueError) as error:
        raise ExpressionError(f"fails in format: {error}") from error


def _string(value: Any) -> str:
    return str(plain(value))


def _trim(value: Any, chars: str | None = None) -> str:
    return str(plain(value)).strip(chars)


def _truncate(
    s: Any,
    length: int = 255,
    killwords: bool = False,  # noqa: FBT001, FBT002 - Jinja's signature
    end: str = "...",
    leeway: int = 5,
) -> str:
    if length < len(end) or leeway < 0:
        raise ExpressionError(f"truncates to {length} characters, which have no room for {end!r}")
    # It asks the environment for the leeway alone.
    return jinja_filters.do_truncate(None, str(plain(s)), length, killwords, end, leeway)  # type: ignore[arg-type]


def _unique(value: Iterable[Any]) -> list[Any]:
    return list(dict.fromkeys(value))


def _list(value: Iterable[Any]) -> list[Any]:
    # `counted` and not the length: a text of a hundred thousand characters becomes as many items.
    return list(counted(value))


def _sum(value: Iterable[Any], start: float = 0) -> Any:
    total: Any = start
    for item in (start, *value):
        if isinstance(item, Undefined):
            str(item)
        if not isinstance(item, int | float):
            raise ExpressionError(f"sums {kind(item)}, and only numbers have a sum")
    for item in value:
        total += item
    return total


def _round(value: Any, precision: int = 0, method: str = "common") -> Any:
    if not isinstance(precision, int) or not -20 <= precision <= 20:
        raise ExpressionError("rounds to a precision that is not -20 to 20")
    # Whether there is such a method is found out by Jinja itself.
    return jinja_filters.do_round(value, precision, method)  # type: ignore[arg-type]


def _int(value: Any, default: int = 0, base: int = 10) -> Any:
    return bounded_integer(jinja_filters.do_int(value, default, base))


_OWN_FILTERS: Final[Mapping[str, Callable[..., Any]]] = {
    "slug": _slug,
    "join": _join,
    "replace": _replace,
    "center": _center,
    "indent": _indent,
    "format": _format,
    "string": _string,
    "trim": _trim,
    "truncate": _truncate,
    "unique": _unique,
    "list": _list,
    "sum": _sum,
    "round": _round,
    "int": _int,
}
_JINJA_FILTERS: Final = frozenset(
    (
        "abs capitalize count d default first float last length lower max min reverse sort "
        "title upper wordcount"
    ).split()
)
_JINJA_TESTS: Final = frozenset(
    (
        "boolean defined divisibleby eq equalto even false float ge gt greaterthan in integer le lessthan "
        "lower lt mapping ne none number odd sequence string true undefined upper != < <= == > >="
    ).split()
)


def _charged(function: Callable[..., Any]) -> Callable[..., Any]:
    """Charge for what a filter looks at and for what it makes; keep the marks Jinja put on it."""

    def call(*args: Any, **kwargs: Any) -> Any:
        for value in (*args, *kwargs.values()):
            charge_for(value)
        return charge_for(function(*args, **kwargs))

    call.__dict__.update(getattr(function, "__dict__", {}))
    return call


_PLAIN_FILTERS: Final[Mapping[str, Callable[..., Any]]] = {
    name: jinja_filters.FILTERS[name] for name in _JINJA_FILTERS
}
FILTERS: Final[Mapping[str, Callable[..., Any]]] = {
    name: _charged(function) for name, function in {**_PLAIN_FILTERS, **_OWN_FILTERS}.items()
}
"""Every filter a template may use."""

_PLAIN_TESTS: Final[Mapping[str, Any]] = jinja_tests.TESTS
TESTS: Final[Mapping[str, Callable[..., Any]]] = {name: _charged(_PLAIN_TESTS[name]) for name in _JINJA_TESTS}
"""Every test (`is ...`) a template may use."""
