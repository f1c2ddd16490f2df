"""`picks.json` read once, at the edge (schemas/picks-v1.schema.json); everyone else has records."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any, Final, NoReturn

import jsonschema_rs

from zbatch.errors import DiskError, UsageError
from zbatch.picks.records import UNDATED, VERSION, Comparison, Judgement, Picks
from zbatch.shapes import schema_text

LARGEST: Final = 200_000_000
"""Bytes of a file that may be picks: a million judgements are half of it."""

MOST: Final = 10
"""Mistakes of a file that are named."""

Place = tuple[str | int, ...]

_AGAIN: Final = "export the picks again from the page (Picks, Export)"


def read_picks(path: str | Path) -> Picks:
    """Read a picks file.

    Raises:
        UsageError: it is not one, is cut off, wrong in places (which are named), or of a newer version.
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
        UsageError: it is not one, is cut off, wrong in places (which are named), or of a newer version.
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
    _refuse(name, _mistakes(document))
    return _picks(document)


def _document(data: bytes | str, name: str) -> Any:
    try:
        text = data.decode("utf-8-sig") if isinstance(data, bytes) else data
        doubled: list[_Doubled] = []
        document = json.loads(
            text, object_pairs_hook=lambda pairs: _single(pairs, doubled), parse_constant=_no_number
        )
        _refuse(name, _twice(document, doubled))
        json.dumps(document, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:  # half a surrogate pair
        raise UsageError(f"{name} is no picks file: it has text that is no Unicode", hint=_AGAIN) from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{name} is no picks file: it is not text in UTF-8", hint=_AGAIN) from error
    except json.JSONDecodeError as error:
        cut = not error.doc[error.pos :].strip() or error.msg.startswith("Unterminated")
        what = "is cut off" if cut else f"is no JSON: {error.msg}"
        raise UsageError(
            f"{name}: line {error.lineno}, column {error.colno}: the picks file {what}", hint=_AGAIN
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


def _refuse(name: str, mistakes: Iterable[tuple[Place, str]]) -> None:
    """Name the mistakes of a file, the first ten.

    Raises:
        UsageError: there are any.
    """
    found = list(islice(mistakes, MOST + 1))
    if not found:
        return
    lines = []
    for place, message in found[:MOST]:
        where = ".".join(str(part)[:12] for part in place)
        lines.append(f"{name}: {where + ': ' if where else ''}{message[:300]}")
    more = f"\n{name}: and more" if len(found) > MOST else ""
    raise UsageError("\nerror: ".join(lines) + more, hint=f"mend it by hand, or {_AGAIN}")


def _twice(document: Any, doubled: Iterable[_Doubled]) -> Iterator[tuple[Place, str]]:
    for one in doubled:
        twice = f"{one.key!r} is there twice, and which of the two counts is not said"
        yield _place_of(document, one) or (), twice


def _mistakes(document: Mapping[str, Any]) -> Iterator[tuple[Place, str]]:
    """Give what is wrong, and where: what the schema says, and what no schema can."""
    known: set[Place] = set()
    for error in _validator().iter_errors(document):
        place = tuple(error.instance_path)
        known.add(place)
        yield place, error.message
    for place, message in _nonsense(document):
        if place not in known:
            yield place, message


def _nonsense(document: Mapping[str, Any]) -> Iterator[tuple[Place, str]]:
    """Give what contradicts itself, of a document of any shape."""
    yield from _no_time(document, ())
    jobs, comparisons = document.get("jobs"), document.get("comparisons")
    for key, said in jobs.items() if isinstance(jobs, dict) else ():
        if isinstance(said, dict):
            if said.get("favourite") is True and said.get("reject") is True:
                yield ("jobs", key), "an image is a favourite or a reject, not both"
            yield from _no_time(said, ("jobs", key))
    for number, pair in enumerate(comparisons if isinstance(comparisons, list) else ()):
        if isinstance(pair, dict):
            if "a" in pair and pair["a"] == pair.get("b"):
                yield ("comparisons", number), "an image is compared with itself"
            yield from _no_time(pair, ("comparisons", number))


def _no_time(part: Mapping[str, Any], place: Place) -> Iterator[tuple[Place, str]]:
    when = part.get("when")
    try:
        _when(when if isinstance(when, str) else None)
    except (ValueError, OverflowError):  # the 30th of February
        yield (*place, "when"), f"there is no such time: {when}"


def _picks(document: Mapping[str, Any]) -> Picks:
    """Make records of a document in which nothing is wrong."""
    run = document["run"]
    return Picks(
        identity=run["identity"],
        name=run.get("name", ""),
        who=document.get("who", "").strip(),
        source=document.get("source", ""),
        when=_when(document.get("when")),
        judgements={
            key: Judgement(
                said.get("rating"),
                said.get("favourite", False),
                said.get("reject", False),
                _when(said.get("when")),
            )
            for key, said in document["jobs"].items()
        },
        comparisons=tuple(
            Comparison(pair["a"], pair["b"], pair["winner"], pair["axis"], _when(pair.get("when")))
            for pair in document["comparisons"]
        ),
    )


def _when(text: str | None) -> datetime:
    return UNDATED if text is None else datetime.fromisoformat(text).astimezone(UTC)
