"""What an unquoted scalar of a manifest means.

Read by the core rules of YAML 1.2; what YAML 1.1 readers take for something else (`no`, `010`, `1e3`, dates)
is a problem that says to quote, never a guess.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from zbatch.model import Scalar, canonical_number

MAX_EXACT: Final = 2**53
"""Whole numbers beyond this are not exact everywhere: JSON readers take them for others."""

_LONGEST_NUMBER: Final = 40
_NUMERIC: Final = frozenset("0123456789.+-_")
_INTEGER: Final = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_DECIMAL: Final = re.compile(r"[-+]?([0-9]+\.[0-9]*|\.[0-9]+)")
_CONSTANTS: Final = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_BEGINS: Final = frozenset("0123456789.+-")
_WORDS: Final = frozenset("yes Yes YES no No NO on On ON off Off OFF".split())
_AMBIGUOUS: Final = (
    (re.compile(r"[-+]?0[0-9_]+"), "is octal to some YAML readers"),
    (re.compile(r"[-+]?0[xob][0-9a-fA-F_]+"), "is a number to some YAML readers and text to others"),
    (
        re.compile(r"[-+]?[0-9][0-9_]*_[0-9_]*(\.[0-9_]*)?"),
        "is a number to some YAML readers and text to others",
    ),
    (
        re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)[eE][-+]?[0-9]+"),
        "is text to some YAML readers and a number to others",
    ),
    (re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"), "is no finite number"),
    (re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt ].*)?"), "is a date to some YAML readers"),
    (
        re.compile(r"[-+]?[1-9][0-9]*(:[0-5]?[0-9])+(\.[0-9]*)?"),
        "is a number to base 60 to some YAML readers",
    ),
)


class ScalarProblem(NamedTuple):
    """Why a scalar cannot stay as it is written, and what to write."""

    message: str
    hint: str


def read_scalar(text: str) -> tuple[Scalar, ScalarProblem | None]:
    """Read an unquoted scalar; where readers of YAML differ, as text and with a problem."""
    if text in _CONSTANTS:
        return _CONSTANTS[text], None
    if text[0] not in _BEGINS:  # most texts: no pattern is tried on them
        if text in _WORDS:
            return text, ScalarProblem("is true or false to some YAML readers", _plainer(text))
        return text, None
    if len(text) > _LONGEST_NUMBER:  # no pattern runs over a text of megabytes
        return text, _too_large() if _NUMERIC.issuperset(text) and text[0] != "." else None
    if _INTEGER.fullmatch(text):
        return _exact(text, int(text))
    for pattern, why in _AMBIGUOUS:
        if pattern.fullmatch(text):
            return text, ScalarProblem(why, _plainer(text))
    if _DECIMAL.fullmatch(text):
        return _exact(text, canonical_number(float(text)))
    return text, None


def _exact(text: str, number: float) -> tuple[Scalar, ScalarProblem | None]:
    return (number, None) if abs(number) <= MAX_EXACT else (text, _too_large())


def _too_large() -> ScalarProblem:
    return ScalarProblem("is a number too large or too long to be exact", "quote it where text is meant")


def _plainer(text: str) -> str:
    quoted = f'quote it where text is meant: "{text}"'
    if text.lower() in ("yes", "on", "no", "off"):
        return f"{quoted}, or write {'true' if text.lower() in ('yes', 'on') else 'false'}"
    try:
        number = float(text.replace("_", ""))
    except ValueError:
        return quoted
    if number != number or abs(number) > 1e15:  # noqa: PLR0124 - not a number
        return quoted
    plain = f"{number:.12f}".rstrip("0").rstrip(".")
    return f"{quoted}, or write {plain}" if float(plain) == number else quoted
