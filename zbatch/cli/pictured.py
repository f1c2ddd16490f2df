"""What an image file tells by itself, printed: `zbatch why FILE`."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import click
import orjson

from zbatch.cli.output import plural, say, tell
from zbatch.errors import UsageError
from zbatch.manifest.findings import printable
from zbatch.manifest.values import called
from zbatch.provenance import Record, is_parameters, record_body
from zbatch.provenance.reading import Told, read_picture
from zbatch.state.directory import RunDirectory

_MOST_SHOWN: Final = 20


def tell_of_file(path: Path, *, as_json: bool) -> None:
    """Print what a file tells.

    Raises:
        UsageError: it is no picture, or tells nothing.
        DiskError: it cannot be read.
    """
    told = read_picture(path)
    if not told.whole:
        tell(f"note: {path} is damaged: not every pixel of it decodes")
    if told.unread:
        tell(f"note: it holds a record of zbatch that cannot be read: {told.unread}")
    if told.record is None and not (told.parameters and is_parameters(told.parameters)):
        raise UsageError(f"{path} does not tell what made it", hint=_hint(path))
    if as_json:
        say(orjson.dumps(_json(told), option=orjson.OPT_INDENT_2).decode())
        return
    for line in _lines(told):
        say(line)
    if told.record is not None:
        tell(f"to make it again: zbatch init --from {shlex.quote(printable(str(path)))} DIR")


def _hint(path: Path) -> str:
    runs = (folder for folder in path.resolve().parents if RunDirectory(folder).state.is_file())
    run = next(runs, None)
    if run is not None:
        thumb = path.resolve().parent == RunDirectory(run).thumbs
        job = path.stem if thumb else str(path)  # thumbnails are called by their jobs
        return f"its run knows: zbatch why {shlex.quote(str(run))} {shlex.quote(job)}"
    return (
        "zbatch writes that into images, unless the manifest says output: {embed: false}; editors and sites "
        "may take it out. Where the run is that made it: zbatch why RUN FILE"
    )


def _lines(told: Told) -> Iterator[str]:
    size = f", {told.width}x{told.height} pixels" if told.width else ""
    yield f"{printable(str(told.path))}: {told.media_type or 'a picture'}{size}, {plural(told.bytes, 'byte')}"
    if told.record is None:
        ours = "Version: zbatch" in (told.parameters or "")
        tool = "zbatch, whose own record in it cannot be read; its parameters say:" if ours else None
        yield f"made by {tool or 'another tool than zbatch, which says:'}"
        yield from (f"  {printable(line)}" for line in (told.parameters or "").splitlines())
        return
    yield from _record(told.record)


def _record(record: Record) -> Iterator[str]:
    origin = record.origin
    where = "the built-in preview" if origin.endpoint_kind == "preview" else printable(origin.endpoint)
    yield f"job {click.style(printable(record.key), bold=True)}"
    yield f"  made by {printable(record.model)} at {where}, with zbatch {printable(origin.version)}"
    yield f"  from the manifest {printable(origin.manifest)}, SHA-256 {printable(origin.manifest_sha256)}"
    yield f"  it came as bytes of SHA-256 {printable(record.received_sha256)}"
    yield "request:"
    for field, value in record.request.items():
        note = "  (without its query, which may be a secret)" if field in record.shortened else ""
        yield f"  {printable(field)} = {_short(value)}{note}"
    one = "" if record.cells == 1 else " (equal requests are one job)"
    yield f"{plural(record.cells, 'cell')} showed it{one}:"
    for at in record.coordinates[:_MOST_SHOWN]:
        text = ", ".join(f"{name}={called(value)}" for name, value in at.items())
        yield f"  {printable(text) or '(the only one)'}"
    left = record.cells - min(_MOST_SHOWN, len(record.coordinates))
    if left > 0:
        yield f"  ... and {left:,} more"


def _short(value: Any) -> str:
    if isinstance(value, str) and value == value.strip() != "":
        return printable(value)
    return printable(orjson.dumps(value).decode())


def _json(told: Told) -> dict[str, Any]:
    return {
        "file": str(told.path),
        "bytes": told.bytes,
        "sha256": told.sha256,
        "media_type": told.media_type or None,
        "width": told.width or None,
        "height": told.height or None,
        "whole": told.whole,
        "record": None if told.record is None else record_body(told.record),
        "parameters": told.parameters,
    }
