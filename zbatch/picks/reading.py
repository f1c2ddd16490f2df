"""`picks.json` read once, at the edge (schemas/picks-v1.schema.json); everyone else has records."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Final, NoReturn

import jsonschema_rs

from zbatch.errors import DiskError, UsageError
from zbatch.picks.records import UNDATED, VERSION, Comparison, Judgement, Picks
from zbatch.shapes import schema_text

LARGEST: Final = 200_000_000
"""Bytes of a file that may be picks: a million judgements are half of it."""

_AGAIN: Final = "export the picks again from the page (Picks, Export)"


def read_picks(path: str | Path) -> Picks:
    """Read a picks file.

    Raises:
        UsageError: it is not one, is cut off, wrong in a place (which is named), or of a newer version.
        DiskError: it cannot be read.
    """
    try:
        size = Path(path).stat().st_size
        if size > LARGEST:
            raise UsageError(f"{path} is no picks file: it has {size / 1e6:,.0f} MB", hint=_AGAIN)
        data = Path(path).read_bytes()
    except FileNotFoundError as error:
        raise UsageError(f"there is no picks file {path}", hint=_AGAIN) from error
    except IsADirectoryError as error:
        raise UsageError(f"{path} is a directory, not a picks file", hint=_AGAIN) from error
    except OSError as error:
        raise DiskError(f"cannot read {path}: {error.strerror or error}") from error
    return parse_picks(data, str(path))


def parse_picks(data: bytes | str, name: str = "picks.json") -> Picks:
    """Make records of a picks file's text; `name` is what messages call it.

    Raises:
        UsageError: it is not one, is cut off, wrong in a place (which is named), or of a newer version.
    """
    document = _document(data, name)
    if not isinstance(document, dict) or not {"version", "run"} <= document.keys():
        raise UsageError(f"{name} is JSON, but not a picks file (no `version` and `run`)", hint=_AGAIN)
    version = document["version"]
    if isinstance(version, int) and version > VERSION:
        raise UsageError(
            f"{name} is of version {version}; this zbatch reads version {VERSION}",
            hint="update zbatch: pip install -U zbatch",
        )
    error = next(_validator().iter_errors(document), None)
    if error is not None:
        _wrong(name, error.instance_path, error.message)
    return _picks(document, name)


def _document(data: bytes | str, name: str) -> Any:
    try:
        text = data.decode("utf-8-sig") if isinstance(data, bytes) else data
        doubled: list[_Doubled] = []
        document = json.loads(
            text, object_pairs_hook=lambda pairs: _single(pairs, doubled), parse_constant=_no_number
        )
        if doubled:
            place = _place_of(document, doubled[0]) or ()
            _wrong(name, place, f"{doubled[0].key!r} is there twice, and which of the two counts is not said")
        json.dumps(document, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:  # half a surrogate pair
        raise UsageError(f"{name} is no picks file: it has text that is no Unicode", hint=_AGAIN) from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{name} is no picks file: it is not text in UTF-8", hint=_AGAIN) from error
    except json.JSONDecodeError as error:
        cut = not error.doc[error.pos :].strip() or error.msg.startswith("Unterminated")
        what = "is cut off" if cut else f"is no JSON: {error.msg}"
        raise UsageError(
            f"{name}:{error.lineno}:{error.colno}: the picks file {what}", hint=_AGAIN
        ) from error
    except (RecursionError, ValueError) as error:
        raise UsageError(f"{name} is no picks file: {error}", hint=_AGAIN) from error
    return document


class _Doubled(dict[str, Any]):
    """A map that has a key twice, which a reader that takes the last would not see."""

    key: str


def _single(pairs: list[tuple[str, Any]], doubled: list[_Doubled]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    twice = _Doubled(found)
    twice.key = next(key for key, many in Counter(key for key, _ in pairs).items() if many > 1)
    doubled.append(twice)
    return twice


def _place_of(document: Any, sought: object) -> tuple[str | int, ...] | None:
    """Find where a part of a document stands."""
    if document is sought:
        return ()
    parts: Iterable[tuple[str | int, Any]] = ()
    if isinstance(document, dict):
        parts = document.items()
    elif isinstance(document, list):
        parts = enumerate(document)
    for step, part in parts:
        rest = _place_of(part, sought)
        if rest is not None:
            return (step, *rest)
    return None


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"it has {text}, which is no number in JSON")


@cache
def _validator() -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(json.loads(schema_text("picks-v1")))


def _picks(document: Mapping[str, Any], name: str) -> Picks:
    judgements = {}
    for key, said in document["jobs"].items():
        when = _when(said.get("when"), name, ("jobs", key))
        favourite, reject = said.get("favourite", False), said.get("reject", False)
        if favourite and reject:
            _wrong(name, ("jobs", key), "an image is a favourite or a reject, not both")
        judgements[key] = Judgement(said.get("rating"), favourite, reject, when)
    comparisons = []
    for number, pair in enumerate(document["comparisons"]):
        if pair["a"] == pair["b"]:
            _wrong(name, ("comparisons", number), "an image is compared with itself")
        when = _when(pair.get("when"), name, ("comparisons", number))
        comparisons.append(Comparison(pair["a"], pair["b"], pair["winner"], pair["axis"], when))
    run = document["run"]
    return Picks(
        identity=run["identity"],
        name=run.get("name", ""),
        who=document.get("who", "").strip(),
        source=document.get("source", ""),
        when=_when(document.get("when"), name, ()),
        judgements=judgements,
        comparisons=tuple(comparisons),
    )


def _when(text: str | None, name: str, place: tuple[str | int, ...]) -> datetime:
    if text is None:
        return UNDATED
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):  # the 30th of February
        _wrong(name, (*place, "when"), f"there is no such time: {text}")


def _wrong(name: str, place: tuple[str | int, ...] | list[str | int], message: str) -> NoReturn:
    where = ".".join(str(part)[:12] for part in place)
    raise UsageError(
        f"{name}: {where + ': ' if where else ''}{message[:300]}", hint=f"mend it by hand, or {_AGAIN}"
    )
