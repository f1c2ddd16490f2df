"""The manifest's JSON Schema: where it lies, and whether a document is as it says.

Most are, and `jsonschema-rs` says so in a millisecond. What is not is put into words by `explanations`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Final, NamedTuple

import jsonschema_rs

from zbatch.manifest.findings import Findings, Place

_ROWS: Final = {"zip": "zipRow", "exclude": "excludeRule", "include": "includeRow"}
_STAND_INS: Final[Mapping[str, Any]] = {
    "axisValue": "x",
    "loraValue": "x",
    "zipRow": {"x": 1},
    "excludeRule": {"x": 1},
    "includeRow": {"x": 1},
}
"""What the items of long lists are called in the schema, and one of each that is as it should be."""

_LONG: Final = 100


def schema_text(name: str = "manifest-v1") -> str:
    """Give a schema file as text: from the package, or from the checkout of an editable install."""
    file = f"{name}.schema.json"
    packaged = resources.files("zbatch").joinpath("schemas", file)
    if packaged.is_file():
        return packaged.read_text("utf-8")
    return (Path(__file__).resolve().parents[2] / "schemas" / file).read_text("utf-8")


@cache
def definition(name: str) -> dict[str, Any]:
    """Give one definition of the manifest's schema as a schema of its own.

    `whole` is a manifest after merging, without the rules that the schema has for editors alone: the loader
    has better words for those.
    """
    return {"$ref": f"#/$defs/{name}", "$defs": json.loads(schema_text())["$defs"]}


def check_schema(data: Mapping[str, Any], findings: Findings) -> set[Place]:
    """Hold a document against the schema; give the places that are not as it says.

    Whoever reads on leaves these out, so that one mistake is one finding.
    """
    if _fits("whole", data):
        return set()
    # It imports jsonschema, which takes longer than all else here: what is right is spared that.
    from zbatch.manifest.explanations import explain  # noqa: PLC0415

    slim, lists = _without_long_lists(data)
    broken = explain(slim, "whole", (), findings)
    for long in lists:
        for number, item in enumerate(long.items):
            if _fits(long.kind, item):
                continue
            place = (*long.place, number)
            if findings.full:
                findings.left_out += 1
                broken.add(place)
            else:
                broken |= explain(item, long.kind, place, findings)
    return broken


def _fits(name: str, data: Any) -> bool:
    """Tell at once whether data is as a definition says; where not, jsonschema has the last word."""
    try:
        return _validator(name).is_valid(data)
    except ValueError:  # text that is no Unicode, such as half a surrogate pair
        return False


@cache
def _validator(name: str) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(definition(name))


class _LongList(NamedTuple):
    place: Place
    kind: str
    items: list[Any]


def _without_long_lists(data: Mapping[str, Any]) -> tuple[dict[str, Any], list[_LongList]]:
    """Take the long lists out of a document: item by item, those that are right cost next to nothing.

    Words for a mistake take some 50 microseconds a node, looked at or not, and one mistake in 10,000 lines is
    what a person has who works on such a manifest.
    """
    lists = list(_long_lists(data))
    slim = dict(data)
    for long in lists:
        if len(long.place) == 1:
            slim[str(long.place[0])] = [_STAND_INS[long.kind]]
        else:
            slim["matrix"] = {**slim["matrix"], long.place[1]: [_STAND_INS[long.kind]]}
    return slim, lists


def _long_lists(data: Mapping[str, Any]) -> Iterator[_LongList]:
    for section, kind in _ROWS.items():
        rows = data.get(section)
        if isinstance(rows, list) and len(rows) > _LONG:
            yield _LongList((section,), kind, rows)
    matrix = data.get("matrix")
    for axis, values in matrix.items() if isinstance(matrix, dict) else ():
        if isinstance(values, list) and len(values) > _LONG:
            yield _LongList(("matrix", axis), "loraValue" if axis == "lora" else "axisValue", values)
