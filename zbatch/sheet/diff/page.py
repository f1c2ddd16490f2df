"""The page of pairs: one file, with the thumbnails inside where a mail still carries it."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from zbatch.durable import write_aside
from zbatch.errors import DiskError, UsageError
from zbatch.model import media_type_of
from zbatch.sheet.axes import ABSENT, choose_view
from zbatch.sheet.diff.apart import thumbnail
from zbatch.sheet.diff.pairs import VERDICTS, Pairs, Side, Verdict
from zbatch.sheet.diff.telling import again_words, alone_words, renamed_lines, request_lines, side_words
from zbatch.sheet.packing import packed_numbers
from zbatch.sheet.page import Kind, render_page, script_of
from zbatch.state.directory import RunDirectory

INSIDE: Final = 20_000_000
"""Bytes of thumbnails that a page carries inside: as much as most mail takes."""

_MARK: Final = b'<meta name="generator" content="zbatch diff">'
_ABOUT: Final = ("title", "model", "endpoint", "endpoint_kind", "images")
"""What is told of either run."""

_HEAD: Final = 8192
"""Bytes at the beginning of a page in which it says what it is."""


def page_path(pairs: Pairs) -> Path:
    """Give where the page lies if no place is named: with the later run, by the earlier one's name."""
    before, after = pairs.sides
    name = before.label.replace("/", "-").lstrip(".") or "run"
    return after.directory / f"diff-{name}.html"


def check_place(path: Path, *, force: bool = False) -> None:
    """Refuse to replace what is no page of pairs; what a run stands on is not replaced with `force` either.

    Raises:
        UsageError: something else lies there.
        DiskError: it cannot be read, or there is no such directory.
    """
    if path.is_dir():
        raise UsageError(f"{path} is a directory", hint="name a file in it: -o DIR/diff.html")
    if not path.parent.is_dir():
        raise DiskError(f"cannot write {path}: there is no directory {path.parent}", hint="make it first")
    if not path.exists():
        return
    if path.suffix not in (".html", ".htm") and RunDirectory(path.parent).exists():
        raise UsageError(
            f"{path} belongs to a run", hint="choose another name, one that ends in .html: -o diff.html"
        )
    if force:
        return
    try:
        with path.open("rb") as stream:
            ours = _MARK in stream.read(_HEAD)
    except OSError as error:
        raise DiskError(f"cannot read {path}: {error.strerror or error}") from error
    if not ours:
        raise UsageError(
            f"{path} is there already, and is no page that `zbatch diff` wrote",
            hint="choose another name with -o, or let it be replaced with --force",
        )


def write_pairs(pairs: Pairs, path: Path, *, inside: int = INSIDE) -> bool:
    """Write the page of pairs, thumbnails inside up to so many bytes of them; tells whether they are.

    Originals are reached where they lie, by paths from the page's own directory.

    Raises:
        DiskError: it could not be written; an older one is untouched.
    """
    thumbnails = _thumbnails(pairs, inside)
    document = _document(pairs, path, thumbnails)
    page = render_page(
        replace(pairs.sheet, about=document["about"]), inline=script_of(document), kind=Kind.PAIRS
    )
    write_aside(path, page)
    return thumbnails is not None


def _document(pairs: Pairs, path: Path, thumbnails: dict[str, Any] | None) -> dict[str, Any]:
    """Give what the page reads: a sheet of the cells, and the other side of each."""
    before, after = pairs.sides
    about = {
        **after.about,
        "title": f"{before.label} → {after.label}",
        "description": "; ".join(_heading(pairs)),
        "endpoints": _endpoints(pairs),
        "facts": list(_facts(pairs)),
    }
    sheet = replace(pairs.sheet, about=about)
    grid = choose_view(sheet.axes, {})
    verdicts = [VERDICTS.index(pairs.verdict(cell)) for cell in pairs.cells]
    return {
        **sheet.document(),
        "kind": "pairs",
        "view": {
            "x": None,
            "y": None,
            "group": [],
            "sort": "change",
            "down": True,
            "grid": {"x": grid.x, "y": grid.y, "group": grid.group},
        },
        "pairs": {
            "sides": [_side(side, path) for side in pairs.sides],
            "before": packed_numbers(pairs.before),
            "verdicts": [verdict.value for verdict in VERDICTS],
            "verdict": packed_numbers(verdicts),
            "change": packed_numbers([_thousandths(change) for change in pairs.change]),
            "fields": [field.to_json() for field in pairs.fields],
            "words": _words(pairs),
            "tolerance": pairs.tolerance,
            "thumbnails": thumbnails,
        },
    }


def _heading(pairs: Pairs) -> Iterator[str]:
    """Say what differs between the requests, and which picture of a pair is of which run."""
    yield from filter(None, [again_words(pairs), *request_lines(pairs)])
    yield f"left: {side_words(pairs, 0, place=False)}; right: {side_words(pairs, 1, place=False)}"


def _words(pairs: Pairs) -> list[str]:
    """Say it line by line, with where the runs lie, what was renamed, and what stands in one of them only."""
    words = [f"left: {side_words(pairs, 0)}", f"right: {side_words(pairs, 1)}"]
    words += filter(None, [again_words(pairs), *request_lines(pairs), *renamed_lines(pairs)])
    for side, verdict in zip(pairs.sides, (Verdict.BEFORE, Verdict.AFTER), strict=True):
        if alone := alone_words(pairs, verdict):
            words.append(f"only in {side.label}: {alone}")
    return words


def _endpoints(pairs: Pairs) -> str:
    """Say where the pictures come from; of one place, once."""
    named = [_host(side.about["endpoint"]) for side in pairs.sides]
    return " → ".join(dict.fromkeys(named))


def _host(endpoint: str) -> str:
    return endpoint.removeprefix("https://").removeprefix("http://").rstrip("/")


def _facts(pairs: Pairs) -> Iterator[tuple[str, str]]:
    for number, side in enumerate(pairs.sides):
        about = side.about
        made = f"{about['model']} at {about['endpoint']}"
        yield side.label, f"{about['title']}: {side_words(pairs, number)}, {made}"


def _side(side: Side, page: Path) -> dict[str, Any]:
    home = os.path.relpath(os.path.realpath(side.directory), os.path.realpath(page.parent))
    base = "" if home == "." else quote(Path(home).as_posix(), errors="surrogateescape") + "/"
    about = {name: side.about[name] for name in _ABOUT}
    return {"label": side.label, "base": f"./{base}", "first": side.first, "about": about}


def _thousandths(change: float | None) -> int | None:
    return None if change is None else round(1000 * change)


def _thumbnails(pairs: Pairs, limit: int) -> dict[str, Any] | None:
    """Give the thumbnails as `data:` URIs, one that several jobs have once, and by job its number there."""
    jobs = range(len(pairs.received))
    first: dict[str, int] = {}
    for job in jobs:
        if pairs.received[job]:
            first.setdefault(pairs.received[job], job)
    wanted = {job: path for job in first.values() if (path := thumbnail(pairs, job)) is not None}
    if sum(_size(path) for path in wanted.values()) * 4 // 3 > limit:
        return None
    uris = dict(_uris(wanted.items()))
    numbers = {job: number for number, job in enumerate(uris)}
    return {
        "uris": list(uris.values()),
        "of": packed_numbers([numbers.get(first.get(pairs.received[job], ABSENT), ABSENT) for job in jobs]),
    }


def _uris(paths: Iterable[tuple[int, Path]]) -> Iterator[tuple[int, str]]:
    for job, path in paths:
        try:
            data = path.read_bytes()
        except OSError:
            continue  # gone: the page says so where it would stand
        yield job, f"data:{media_type_of(path.name)};base64,{base64.b64encode(data).decode()}"


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
