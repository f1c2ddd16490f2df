"""The columns of a dataset: what every image has, and the coordinates, each of one type throughout."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import orjson

from zbatch.errors import UsageError
from zbatch.exports.entries import Entry
from zbatch.model import Coordinates, Scalar
from zbatch.state.tables import RESERVED

Kind = Literal["text", "integer", "number", "boolean", "nothing"]

FIXED: Final[dict[str, Kind]] = {
    "key": "text",
    "run": "text",
    "prompt": "text",
    "seed": "integer",
    "width": "integer",
    "height": "integer",
    "nsfw": "boolean",
    "warnings": "text",
    "sha256": "text",
}
"""Columns that every image has, beside its caption."""

_TAKEN: Final = frozenset({*FIXED, *RESERVED})
_LARGE: Final = 2**63


_PLAIN: Final[dict[type, Kind]] = {str: "text", float: "number", bool: "boolean", type(None): "nothing"}
"""Kinds that the type alone tells: an integer may be too large for one."""


def kind_of(value: Scalar) -> Kind:
    """Give the type of a column that holds this value."""
    match value:
        case None:
            return "nothing"
        case bool():
            return "boolean"
        case int():
            return "integer" if -_LARGE <= value < _LARGE else "text"
        case float():
            return "number"
    return "text"


@dataclass(slots=True)
class Found:
    """What the entries of a dataset have, gathered one by one."""

    names: dict[str, set[Kind]] = field(default_factory=dict)
    differ: set[str] = field(default_factory=set)
    judged: set[bool] = field(default_factory=set)
    """Whether the server said of an image that it is nsfw or not: yes, no, or of some."""
    several: bool = False
    """Whether an image stands in several cells."""
    everywhere: set[str] | None = None
    """Coordinates that every image has; one may be null."""

    def add(self, entry: Entry) -> None:
        """Look at an entry."""
        coordinates = entry.coordinates
        if self.everywhere is None:
            self.everywhere = set(coordinates)
        elif not self.everywhere <= coordinates.keys():
            self.everywhere.intersection_update(coordinates)
        for name, value in coordinates.items():
            kinds = self.names.get(name)
            if kinds is None:
                kinds = self.names[name] = set()
            if (kind := _PLAIN.get(type(value))) is None:
                kind = kind_of(value)
            if kind not in kinds:
                kinds.add(kind)
            if name in FIXED and name not in self.differ and value != getattr(entry, name, None):
                self.differ.add(name)
        self.judged.add(entry.nsfw is not None)
        self.several = self.several or len(entry.cells) > 1


class Columns:
    """Writes entries as rows: a dictionary of plain values, in one order, of one type a column."""

    def __init__(self, found: Found, runs: list[str], caption: str = "text") -> None:
        """Settle the columns.

        A coordinate that is called like a column of every image is `axis.NAME`, or left out where it says
        the same throughout. A column of several types is text.

        Raises:
            UsageError: two columns are called the same.
        """
        self.caption = caption
        self._runs = runs
        self._several = found.several
        self.coordinates: dict[str, str] = {}
        kinds: dict[str, Kind] = {caption: "text", **FIXED}
        if caption in _TAKEN:
            raise UsageError(f"--caption-column {caption!r} is another column's name", hint="such as text")
        for name, of in found.names.items():
            if name in FIXED and name not in found.differ:
                continue
            column = f"axis.{name}" if name in _TAKEN or name == caption else name
            if column in kinds:
                raise UsageError(
                    f"two columns would be called {column!r}",
                    hint="give another --caption-column, such as text",
                )
            self.coordinates[name] = column
            kinds[column] = _common(of)
        if found.several:
            kinds["cells"] = "text"
        self.kinds = kinds
        everywhere = found.everywhere or set()
        self.with_nulls = {
            column
            for name, column in self.coordinates.items()
            if name not in everywhere or "nothing" in found.names[name]
        }
        """Columns of coordinates, and `nsfw`, that are null in some row."""
        if False in found.judged:
            self.with_nulls.add("nsfw")
        self.uncertain = frozenset(
            column
            for column in self.with_nulls
            if kinds[column] not in ("text", "nothing") and (column != "nsfw" or True in found.judged)
        )
        """Columns that are null in some rows, and whose type those rows do not tell."""
        convert: dict[Kind, Callable[[Any], Any]] = {"text": _text, "number": float}
        self._converted = {
            name: convert[kinds[column]]
            for name, column in self.coordinates.items()
            if kinds[column] in convert
        }
        self._texts = [column for column, kind in kinds.items() if kind == "text"]

    def row(self, entry: Entry) -> dict[str, Any]:
        """Give an entry's columns."""
        row: dict[str, Any] = {
            self.caption: entry.caption,
            "key": entry.key,
            "run": self._runs[entry.run],
            "prompt": entry.prompt,
            "seed": entry.seed,
            "width": entry.width,
            "height": entry.height,
            "nsfw": entry.nsfw,
            "warnings": "; ".join(entry.warnings) or None,
            "sha256": entry.sha256,
        }
        coordinates = entry.coordinates
        for name, column in self.coordinates.items():
            value = coordinates.get(name)
            if value is not None and name in self._converted:
                value = self._converted[name](value)
            row[column] = value
        if self._several:
            row["cells"] = orjson.dumps(entry.cells).decode()
        return row

    def filled(self, row: dict[str, Any]) -> dict[str, Any]:
        """Put empty text for no text: who guesses types from JSON sees one type, in every split."""
        for column in self._texts:
            if row[column] is None:
                row[column] = ""
        return row

    def described(self) -> Iterator[tuple[str, str]]:
        """Give each column's name and what it holds, for people."""
        said = {
            self.caption: "the caption",
            "key": "the job: SHA-256 of the model and the whole request",
            "run": "the run it is from",
            "prompt": "as it was sent",
            "seed": "as it was sent",
            "width": "pixels",
            "height": "pixels",
            "nsfw": "whether the server flagged it; null or empty where it did not say",
            "warnings": "what is odd about it, else empty or null",
            "sha256": "of the image file",
            "cells": "JSON: the coordinates of every cell that shows it; the columns are those of the first",
        }
        for column, kind in self.kinds.items():
            yield column, said.get(column) or f"coordinate ({'text' if kind == 'nothing' else kind})"


def names_of(cells: Iterable[Coordinates]) -> dict[str, None]:
    """Give every coordinate's name that some cell has, in the order met."""
    names: dict[str, None] = {}
    for cell in cells:
        names.update(dict.fromkeys(cell))
    return names


def _common(kinds: set[Kind]) -> Kind:
    kinds = kinds - {"nothing"}
    if not kinds:
        return "nothing"
    if kinds == {"integer", "number"}:
        return "number"
    return kinds.pop() if len(kinds) == 1 else "text"


def _text(value: Scalar) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode() if _fits(value) else str(value)


def _fits(value: Scalar) -> bool:
    return not isinstance(value, int) or -_LARGE <= value < _LARGE
