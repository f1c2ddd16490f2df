"""What `zbatch diff` says of two runs, in words and as JSON."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import click

from zbatch.cli.output import plural
from zbatch.model import Coordinates, spelled
from zbatch.sheet.axes import ABSENT, Axis
from zbatch.sheet.diff.pairs import AtValue, Pairs, Verdict
from zbatch.sheet.diff.telling import again_words, alone_words, renamed_lines, request_lines, side_words

_BAR = 24
"""Characters of the longest bar."""
_MOST_VALUES = 24
"""Values of an axis that are told one by one."""
_MOST_SHOWN = 5
"""Pairs, and cells of one run only, that are named."""


def diff_lines(pairs: Pairs) -> Iterator[str]:
    """Say how many pairs there are, in what they differ, which lie apart most, and along which axes."""
    counts = pairs.counts()
    before, after = (side.label for side in pairs.sides)
    paired = counts[Verdict.SAME] + counts[Verdict.DIFFERENT] + counts[Verdict.UNFINISHED]
    yield f"{before} → {after}: {plural(paired, 'pair')}, {_counted(pairs, counts)}"
    for number, when in enumerate(("before:", "after: ")):
        yield f"  {when} {side_words(pairs, number)}"
    for line in filter(None, (again_words(pairs), *renamed_lines(pairs), *request_lines(pairs))):
        yield f"  {line}"
    yield from _change_lines(pairs)
    for verdict, label in ((Verdict.BEFORE, before), (Verdict.AFTER, after)):
        if counts[verdict]:
            yield from _alone_lines(pairs, verdict, label)


def _counted(pairs: Pairs, counts: Mapping[Verdict, int]) -> str:
    same = "the same" if pairs.tolerance is None else f"the same (within {pairs.tolerance:g})"
    words = {
        Verdict.DIFFERENT: "different",
        Verdict.SAME: same,
        Verdict.UNFINISHED: "without both pictures",
    }
    return ", ".join(
        click.style(f"{counts[verdict]:,} {said}", bold=verdict is Verdict.DIFFERENT)
        for verdict, said in words.items()
        if counts[verdict]
    )


def _change_lines(pairs: Pairs) -> Iterator[str]:
    known = [change for change in pairs.change if change is not None]
    unknown = sum(pairs.pictured(cell) and pairs.change[cell] is None for cell in pairs.cells)
    if unknown:
        yield f"{plural(unknown, 'pair')} not measured: the sizes differ, or a thumbnail is gone"
    if not any(known):
        if pairs.counts()[Verdict.DIFFERENT]:
            yield from _axes_lines(pairs)
        return
    ninth = quantiles(known, n=10, method="inclusive")[-1] if len(known) > 1 else known[0]
    yield (
        f"change (FLIP, 0 to 1): median {median(known):.3f}, nine of ten up to {ninth:.3f}, "
        f"largest {max(known):.3f}"
    )
    changed = (cell for cell in pairs.biggest() if pairs.change[cell])
    for cell in itertools.islice(changed, _MOST_SHOWN):
        yield f"  {pairs.change[cell]:.3f}  {_where(pairs.coordinates(cell))}"
    yield from _axes_lines(pairs)


def _axes_lines(pairs: Pairs) -> Iterator[str]:
    for axis, rows in pairs.by_axis():
        if len(rows) <= _MOST_VALUES:
            yield from _axis_lines(axis, rows)


def _axis_lines(axis: Axis, rows: list[AtValue]) -> Iterator[str]:
    """Say by value how many pairs differ, and their median change: most may be the same, and a few not."""
    yield f"by {axis.name}"
    names = [_short(spelled(row.value), 32) for row in rows]
    differ = [f"{row.different:,} of {row.pairs:,}" for row in rows]
    width, wide = max(map(len, names)), max(map(len, differ))
    top = max(row.median or 0 for row in rows)
    for name, many, row in zip(names, differ, rows, strict=True):
        shown = f"{name:>{width}}" if axis.numeric else f"{name:<{width}}"
        line = f"  {shown}  {many:>{wide}} differ"
        if row.median is not None:
            bar = "#" * round(_BAR * row.median / top) if top else ""
            line += f", median {row.median:.3f}  {bar}"
        yield line.rstrip()


def _alone_lines(pairs: Pairs, verdict: Verdict, label: str) -> Iterator[str]:
    alone = [cell for cell in pairs.cells if pairs.verdict(cell) is verdict]
    values = alone_words(pairs, verdict)
    yield f"only in {label}: {plural(len(alone), 'cell')}{f' ({values})' if values else ''}"
    for cell in alone[:_MOST_SHOWN]:
        yield f"  {_where(pairs.coordinates(cell))}"
    if len(alone) > _MOST_SHOWN:
        yield f"  ... and {len(alone) - _MOST_SHOWN:,} more (--json lists them, and the page shows them)"


def _where(coordinates: Coordinates) -> str:
    return ", ".join(f"{axis}={_short(spelled(value), 48)}" for axis, value in coordinates.items())


def _short(text: str, most: int) -> str:
    line = " ".join(text.split())
    return line if len(line) <= most else line[: most - 1] + "…"


def diff_json(pairs: Pairs, page: Path | None) -> dict[str, Any]:
    """Give the shape of `zbatch diff --json` (schemas/diff-v1.schema.json)."""
    counts = pairs.counts()
    return {
        "before": _run_json(pairs, 0),
        "after": _run_json(pairs, 1),
        "same": pairs.alike,
        "tolerance": pairs.tolerance,
        "reproduced": None if pairs.again is None else {"asked": pairs.again.asked, "of": pairs.again.of},
        "counts": {verdict.value: number for verdict, number in counts.items()},
        "renamed": [
            {"axis": found.axis or None, "before": found.before, "after": found.after}
            for found in pairs.found
        ],
        "requests": [change.to_json() for change in pairs.fields],
        "axes": [
            {
                "axis": axis.name,
                "values": [
                    {
                        "value": row.value,
                        "pairs": row.pairs,
                        "different": row.different,
                        "median": None if row.median is None else round(row.median, 4),
                    }
                    for row in rows
                ],
            }
            for axis, rows in pairs.by_axis()
        ],
        "pairs": [_pair_json(pairs, cell) for cell in pairs.biggest()],
        "before_only": _alone_json(pairs, Verdict.BEFORE),
        "after_only": _alone_json(pairs, Verdict.AFTER),
        "page": None if page is None else str(page),
    }


def _run_json(pairs: Pairs, number: int) -> dict[str, Any]:
    side = pairs.sides[number]
    about = {name: side.about[name] for name in ("name", "manifest", "model", "endpoint", "created_at")}
    return {"label": side.label, "directory": str(side.directory), **about}


def _pair_json(pairs: Pairs, cell: int) -> dict[str, Any]:
    before, after = pairs.jobs(cell)
    return {
        "coordinates": pairs.coordinates(cell),
        "verdict": pairs.verdict(cell).value,
        "change": pairs.change[cell],
        "before": _job_json(pairs, before),
        "after": _job_json(pairs, after),
    }


def _alone_json(pairs: Pairs, verdict: Verdict) -> list[dict[str, Any]]:
    return [
        {
            "coordinates": pairs.coordinates(cell),
            **_job_json(pairs, next(job for job in pairs.jobs(cell) if job != ABSENT)),
        }
        for cell in pairs.cells
        if pairs.verdict(cell) is verdict
    ]


def _job_json(pairs: Pairs, job: int) -> dict[str, Any]:
    jobs = pairs.sheet.jobs
    return {
        "key": jobs.key[job],
        "state": pairs.sheet.state(job).value,
        "file": jobs.file[job],
        "sha256": jobs.sha256[job] or None,
        "received_sha256": pairs.received[job] or None,
    }
