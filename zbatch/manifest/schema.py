"""Whether a document is as the manifest's JSON Schema says.

Most are, and `jsonschema-rs` says so in a millisecond. What is not is put into words by `explanations`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Final

import jsonschema_rs

from zbatch.manifest.findings import Findings, Place
from zbatch.shapes import schema_text

_ROWS: Final = {"zip": "zipRow", "exclude": "excludeRule", "include": "includeRow"}
_MAPS: Final = ("vars", "loras", "matrix")
_STAND_INS: Final[Mapping[str, Any]] = {
    "axisValue": "x",
    "loraValue": "x",
    "loraItem": "x",
    "zipRow": {"x": 1},
    "excludeRule": {"x": 1},
    "includeRow": {"x": 1},
}
"""What the items of long lists are called in the schema, and one of each that is as it should be."""

_LONG: Final = 100


def definition(name: str) -> dict[str, Any]:
    """Give one definition of the manifest's schema as a schema of its own.

    `whole` is a manifest after merging, without the rules that the schema has for editors alone: the loader
    has better words for those.
    """
    return {"$ref": f"#/$defs/{name}", "$defs": _definitions()}


@cache
def _definitions() -> Any:
    return json.loads(schema_text())["$defs"]


def check_schema(data: Mapping[str, Any], findings: Findings) -> set[Place]:
    """Hold a document against the schema; give the places that are not as it says.

    Whoever reads on leaves these out, so that one mistake is one finding.
    """
    if _fits("whole", data):
        return set()
    # It imports jsonschema, which takes longer than all else here: what is right is spared that.
    from zbatch.manifest.explanations import explain  # noqa: PLC0415 - said above

    def tell(data: Any, kind: str, place: Place) -> set[Place]:
        if findings.full:
            findings.left_out += 1
            return {place}
        if not isinstance(data, dict) or kind not in ("whole", "includeRow"):
            return explain(data, kind, place, findings)
        slim, misfits = _without_what_fits(data, kind, place)
        broken = explain(slim, kind, place, findings)
        return broken.union(*(tell(*misfit) for misfit in misfits))

    return tell(data, "whole", ())


def _fits(name: str, data: Any) -> bool:
    """Tell at once whether data is as a definition says; where not, jsonschema has the last word."""
    try:
        return _validator(name).is_valid(data)
    except ValueError:  # text that is no Unicode, such as half a surrogate pair
        return False


@cache
def _validator(name: str) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(definition(name))


_Misfit = tuple[Any, str, Place]


def _without_what_fits(
    data: Mapping[str, Any], kind: str, place: Place
) -> tuple[dict[str, Any], list[_Misfit]]:
    """Take long lists and maps out of a document or a row; give what is left, and what in them does not fit.

    Words for a mistake take some 50 microseconds for every value that is looked at, and one mistake in 10,000
    lines is what a person has who works on such a manifest.
    """
    slim = dict(data)
    misfits: list[_Misfit] = []
    for where, item_kind, items in _long_lists(data, kind):
        misfits += [
            (item, item_kind, (*place, *where, number))
            for number, item in enumerate(items)
            if not _fits(item_kind, item)
        ]
        stand_in = [_STAND_INS[item_kind]]
        slim[where[0]] = {**slim[where[0]], where[1]: stand_in} if len(where) > 1 else stand_in
    for name in _MAPS if kind == "whole" else ("matrix",):
        entries = slim.get(name)
        if isinstance(entries, dict) and len(entries) > _LONG:
            parts = ({key: item} for key, item in entries.items())
            misfits += [(part, name, (*place, name)) for part in parts if not _fits(name, part)]
            slim[name] = {}
    return slim, misfits


def _long_lists(data: Mapping[str, Any], kind: str) -> Iterator[tuple[tuple[str, ...], str, list[Any]]]:
    for section, row in _ROWS.items() if kind == "whole" else ():
        rows = data.get(section)
        # Rows of include have long lists of their own.
        if isinstance(rows, list) and len(rows) > (0 if section == "include" else _LONG):
            yield (section,), row, rows
    matrix, request = data.get("matrix"), data.get("request")
    for axis, values in matrix.items() if isinstance(matrix, dict) else ():
        if isinstance(values, list) and len(values) > _LONG:
            yield ("matrix", axis), "loraValue" if axis == "lora" else "axisValue", values
    loras = request.get("loras") if isinstance(request, dict) else None
    if isinstance(loras, list) and len(loras) > _LONG:
        yield ("request", "loras"), "loraItem", loras
