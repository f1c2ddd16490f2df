"""`zbatch why`: where a job came from, and what has changed since."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click
import orjson

from zbatch.cli import options
from zbatch.cli.output import ExitCode, plural, say, tell
from zbatch.cli.pictured import tell_of_file
from zbatch.cli.whereabouts import find_run
from zbatch.errors import UsageError
from zbatch.lineage import Lineage, Neighbour, find_lineage
from zbatch.manifest.findings import printable
from zbatch.manifest.tracing import Origin, TracedCell, differing
from zbatch.manifest.values import called
from zbatch.model import Coordinates

_MOST_SHOWN = 20


@click.command(
    "why",
    epilog="Examples: zbatch why runs/fox-preview 3f2a9c41 · zbatch why fox.yaml images/3f2a9c41.webp · "
    "zbatch why Downloads/fox.png",
)
@click.argument("run", metavar="RUN|FILE", type=options.PLACE)
@click.argument("job", required=False)
@options.endpoint
@click.option(
    "--manifest",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Where the manifest is now, if not where the run was made from.",
)
@click.option("--json", "as_json", is_flag=True, help="All of it as JSON.")
def command(
    run: Path | str, job: str | None, endpoint: str | None, manifest: Path | None, as_json: bool
) -> int:
    """Say where JOB of RUN came from, and what has changed since; or what an image's FILE tells by itself.

    RUN is a run directory, or the manifest whose run it is; JOB a job key, its first characters, or the
    image's file. For every field of the request: its value, the template or axis that made it, and file, line
    and column of each. Where the manifest has changed: the nearest job already made, and which fields differ.

    FILE is an image that zbatch made, wherever it lies and whatever it is called now; no run is needed.
    """
    if job is None:
        if isinstance(run, str) or run.is_dir() or run.suffix in (".yaml", ".yml"):
            raise UsageError(
                f"which job of {run}?",
                hint=f"zbatch why {run} JOB: a job key, its beginning, or an image's file",
            )
        tell_of_file(run, as_json=as_json)
        return ExitCode.OK
    if manifest is None and isinstance(run, Path) and run.suffix in (".yaml", ".yml") and run.is_file():
        manifest = run
    with find_run(run, endpoint) as opened:
        lineage = find_lineage(opened, job, manifest)
    if as_json:
        say(orjson.dumps(_json(lineage), option=orjson.OPT_INDENT_2).decode())
    else:
        for line in (*_standing(lineage), *_fields(lineage), *_cells(lineage), *_changes(lineage)):
            say(line)
    for note in lineage.notes:
        tell(f"note: {note}")
    return ExitCode.OK


def _standing(lineage: Lineage) -> Iterator[str]:
    record, trace = lineage.record, lineage.trace
    file = record.file if record is not None else trace.file if trace is not None else ""
    state = record.state.value if record is not None else "not in this run yet"
    yield f"{click.style(lineage.key, bold=True)}"
    yield f"  {state}: {file}" if file else f"  {state}"
    if record is None:
        return
    if record.attempts:
        tasks = ", ".join(record.task_ids)
        when = f", submitted {record.submitted_at}" if record.submitted_at else ""
        done = f", done {record.done_at}" if record.done_at else ""
        yield f"  {plural(record.attempts, 'attempt')}{when}{done}{f', task {tasks}' if tasks else ''}"
    if record.reused_from is not None:
        yield from _reused(record.reused_from)
    if record.reason:
        yield f"  {record.reason}: {record.message or ''}".rstrip(": ")


def _reused(reused: Mapping[str, Any]) -> Iterator[str]:
    made = reused["made"]
    yield f"  taken over from {reused['run']} (seen from this run's directory) on {reused['taken_at']}"
    tasks = ", ".join(made["task_ids"])
    where = "" if made["run"] == reused["run"] else f"in {made['run']} "
    task = f", task {tasks}" if tasks else ""
    when = f"submitted {made['submitted_at']}, done {made['done_at']}"
    yield f"  made {where}by {made['endpoint']}, {when}{task}"


def _fields(lineage: Lineage) -> Iterator[str]:
    trace = lineage.trace
    if trace is None:
        yield "request:"
        for field, value in lineage.request.items():
            yield f"  {field} = {_short(value)}"
        return
    yield "request, and what made it:" if lineage.shown_now else "request, and what made it then:"
    for origin in trace.fields:
        yield from _tree(origin, 1)


def _tree(origin: Origin, depth: int) -> Iterator[str]:
    indent = "  " * depth
    name = click.style(origin.name, bold=True) if depth == 1 else origin.name
    where = f"  {click.style(_position(origin), fg='cyan')}" if origin.mark is not None else ""
    note = f"  ({origin.note})" if origin.note else ""
    yield f"{indent}{name} = {_short(origin.value)}{where}{note}"
    if origin.written is not None:
        yield f"{indent}  written as {_short(origin.written)}"
    for part in origin.parts:
        yield from _tree(part, depth + 1)


def _position(origin: Origin) -> str:
    if origin.mark is None:
        return ""
    return f"{origin.mark.file}:{origin.mark.line}:{origin.mark.column}: {origin.path}"


def _cells(lineage: Lineage) -> Iterator[str]:
    trace = lineage.trace
    if trace is None:
        if not lineage.coordinates:
            yield "cells: the manifest shows it in none"
            return
        yield f"{plural(len(lineage.coordinates), 'cell')}:"
        for at in lineage.coordinates[:_MOST_SHOWN]:
            yield f"  {_written(at)}"
        return
    verb = "shows" if trace.cell_count == 1 else "show"
    verb = verb if lineage.shown_now else "showed"
    one = "" if trace.cell_count == 1 else " (equal requests are one job)"
    yield f"{plural(trace.cell_count, 'cell')} {verb} it{one}:"
    first, *others = trace.cells
    yield f"  {_written(first.coordinates) or '(the only one)'}{_row(first)}"
    for cell in others[: _MOST_SHOWN - 1]:
        yield f"  {_written(differing(first.coordinates, cell.coordinates))}{_row(cell)}  (the rest as above)"
    if trace.cell_count > _MOST_SHOWN:
        yield f"  ... and {trace.cell_count - _MOST_SHOWN:,} more (--json lists them)"


def _row(cell: TracedCell) -> str:
    return "" if cell.row is None else f"  by {click.style(_position(cell.row), fg='cyan')}"


def _written(coordinates: Coordinates) -> str:
    return ", ".join(f"{name}={called(value)}" for name, value in coordinates.items())


def _changes(lineage: Lineage) -> Iterator[str]:
    if lineage.changed:
        gives = "still gives this job" if lineage.shown_now else "no longer gives this job"
        if lineage.record is None:
            gives = "gives this job, which the run does not have yet"
        yield f"the manifest has changed since the run: it {gives}"
    if lineage.nearest_now is not None:
        yield from _neighbour("the nearest job it gives now", lineage.nearest_now, "now", "then")
    if lineage.nearest_made is not None:
        yield from _neighbour("the nearest job already made", lineage.nearest_made, "there", "here")


def _neighbour(title: str, neighbour: Neighbour, there: str, here: str) -> Iterator[str]:
    fields = ", ".join(difference.field for difference in neighbour.differences)
    yield f"{title} differs in {fields}: {neighbour.key[:16]} ({neighbour.file})"
    for difference in neighbour.differences:
        yield f"  {difference.field}"
        yield f"    {there + ':':<6} {_value(difference.there)}"
        yield f"    {here + ':':<6} {_value(difference.here)}"


def _value(value: Any) -> str:
    return "nothing" if value is None else _short(value)


def _short(value: Any) -> str:
    """Write a value on one line, whole: what differs may stand at its end."""
    if isinstance(value, str) and value == value.strip() != "":
        return printable(value)
    return orjson.dumps(value).decode()


def _json(lineage: Lineage) -> dict[str, Any]:
    record, trace = lineage.record, lineage.trace
    return {
        "key": lineage.key,
        "state": None if record is None else record.state.value,
        "file": record.file if record is not None else trace.file if trace is not None else None,
        "task_ids": [] if record is None else list(record.task_ids),
        "reused_from": None if record is None else record.reused_from,
        "request": dict(lineage.request),
        "coordinates": [dict(at) for at in lineage.coordinates],
        "manifest_changed": lineage.changed,
        "in_manifest": lineage.shown_now,
        "fields": None if trace is None else [_origin_json(origin) for origin in trace.fields],
        "cells": None if trace is None else [_cell_json(cell) for cell in trace.cells],
        "cell_count": len(lineage.coordinates) if trace is None else trace.cell_count,
        "nearest_made": _neighbour_json(lineage.nearest_made),
        "nearest_now": _neighbour_json(lineage.nearest_now),
        "notes": list(lineage.notes),
    }


def _origin_json(origin: Origin) -> dict[str, Any]:
    mark = origin.mark
    return {
        "name": origin.name,
        "value": origin.value,
        "path": origin.path or None,
        "file": None if mark is None else mark.file,
        "line": None if mark is None else mark.line,
        "column": None if mark is None else mark.column,
        "written": origin.written,
        "note": origin.note or None,
        "parts": [_origin_json(part) for part in origin.parts],
    }


def _cell_json(cell: TracedCell) -> dict[str, Any]:
    return {
        "coordinates": dict(cell.coordinates),
        "values": [_origin_json(value) for value in cell.values],
        "include": None if cell.row is None else _origin_json(cell.row),
    }


def _neighbour_json(neighbour: Neighbour | None) -> Mapping[str, Any] | None:
    if neighbour is None:
        return None
    differences = {field: {"there": there, "here": here} for field, there, here in neighbour.differences}
    return {"key": neighbour.key, "file": neighbour.file, "differences": differences}
