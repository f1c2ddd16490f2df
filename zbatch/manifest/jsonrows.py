"""Rows of .jsonl and .json files: strict JSON, each value with its line and column."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

import orjson

from zbatch.manifest.findings import Findings, Mark
from zbatch.manifest.scalars import MAX_EXACT
from zbatch.model import canonical_number

Rows = Iterator[tuple[Any, int, int]]
"""Values with their lines and columns."""

_SPACE: Final = " \t\r\n"
_NO_SPACE: Final = re.compile(rf"[^{_SPACE}]")


class _JsonError(Exception):
    """Text that is no JSON that a manifest can take, and how far into it."""

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(message)
        self.offset = offset


def _whole_number(text: str) -> int:
    if len(text) > 20 or abs(int(text)) > MAX_EXACT:
        raise ValueError("a number too large to be exact")
    return int(text)


def _decimal(text: str) -> int | float:
    number = float(text)
    if abs(number) > MAX_EXACT:
        raise ValueError("a number too large to be exact")
    return canonical_number(number)


def _constant(text: str) -> Any:
    raise ValueError(f"{text} is no number")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    items = dict(pairs)
    if len(items) < len(pairs):
        numbers = {name: number for number, (name, _) in enumerate(pairs)}
        twice = next(name for number, (name, _) in enumerate(pairs) if numbers[name] != number)
        raise ValueError(f"the key {twice!r} is there twice")
    return items


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_whole_number, parse_float=_decimal, parse_constant=_constant
)


def _json_value(text: str, offset: int) -> tuple[Any, int]:
    """Decode the JSON value that begins at an offset; give it and where it ends.

    Raises:
        _JsonError: it is none, or holds what JSON readers take for different things.
    """
    try:
        value, end = _DECODER.raw_decode(text, offset)
        orjson.dumps(value)
    except json.JSONDecodeError as error:
        raise _JsonError(error.msg.lower(), error.pos) from error
    except RecursionError as error:
        raise _JsonError("it is nested too deep", offset) from error
    except orjson.JSONEncodeError as error:  # what our own JSON could not hold later on
        deep = "ecursion" in str(error)
        why = "it is nested too deep" if deep else "it holds half a character (a lone surrogate)"
        raise _JsonError(why, offset) from error
    except ValueError as error:
        raise _JsonError(str(error), offset) from error
    return value, end


def jsonl_rows(file: str, lines: Iterable[tuple[int, str]], findings: Findings) -> Rows:
    """Give the value of every line that is not empty; lines that are no JSON are findings."""
    for number, line in lines:
        begin = len(line) - len(line.lstrip(_SPACE))
        if begin == len(line):
            continue
        try:
            value, end = _json_value(line, begin)
            if end < len(line) and line[end:].strip(_SPACE):
                raise _JsonError("more stands behind the value", end)
        except _JsonError as error:
            findings.at(Mark(file, number, error.offset + 1), "", f"is no JSON: {error}")
            continue
        yield value, number, begin + 1


def json_rows(file: str, text: str, findings: Findings) -> Rows:
    """Give the items of a JSON list one by one: so each has its line."""
    places = _Places(text)
    at = _skip_space(text, 0)
    if at == len(text):
        return
    if text[at] != "[":
        findings.at(Mark(file, *places.find(at)), "", "must hold a list of values or of maps")
        return
    at = _skip_space(text, at + 1)
    try:
        while text[at : at + 1] != "]":
            value, end = _json_value(text, at)
            yield value, *places.find(at)
            at = _skip_space(text, end)
            if text[at : at + 1] == ",":
                at = _skip_space(text, at + 1)
                if text[at : at + 1] == "]":
                    raise _JsonError("expecting value", at)
            elif text[at : at + 1] != "]":
                raise _JsonError("expecting ',' or ']'", at)
        rest = _skip_space(text, at + 1)
        if rest < len(text):
            raise _JsonError("more stands behind the list", rest)
    except _JsonError as error:
        findings.at(Mark(file, *places.find(error.offset)), "", f"is no JSON: {error}")


def _skip_space(text: str, at: int) -> int:
    found = _NO_SPACE.search(text, at)
    return found.start() if found else len(text)


class _Places:
    """Turns offsets into lines and columns, each at or after the one before."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._line, self._begin = 1, 0

    def find(self, offset: int) -> tuple[int, int]:
        self._line += self._text.count("\n", self._begin, offset)
        self._begin = max(self._begin, self._text.rfind("\n", self._begin, offset) + 1)
        return self._line, offset - self._begin + 1
