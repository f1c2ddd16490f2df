"""How far each picture with LoRAs is from its baseline: the one of the same coordinates without any.

Measured once a pair, from the thumbnails, and kept beside them by the pictures' hashes: a sheet that is
written again measures what is new. Writing a sheet only reads what is known.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import orjson

from zbatch.difference import MEASURE, measurable
from zbatch.durable import write_aside
from zbatch.model import JobState
from zbatch.sheet.axes import ABSENT
from zbatch.sheet.data import SheetData
from zbatch.sheet.measuring import Group, measured
from zbatch.state.directory import RunDirectory
from zbatch.state.run import Run

UNASKED: Final = 2000
"""Pairs that are measured without being asked for: some ten seconds of one core."""
_DIGITS: Final = 4
_HASH: Final = 16
"""Hexadecimal digits of a picture's hash that stand for it here."""


@dataclass(frozen=True, slots=True)
class Changes:
    """What is known of a run's changes: how many were just measured, and how many are left unmeasured."""

    measured: int
    left: int


def changes(data: SheetData, directory: RunDirectory) -> list[float | None]:
    """Give each job's change from its baseline, from 0 (the same) to 1, where it is known; by its number."""
    known = _known(_file(directory))
    column: list[float | None] = [None] * len(data.jobs.key)
    if known:
        for job, base in baselines(data):
            column[job] = known.get(_name(data, job, base))
    return column


def measure_changes(run: Run, *, most: int | None = UNASKED) -> Changes:
    """Measure the changes of a run that are not known yet, at most so many, and keep them.

    Raises:
        StateError: the state is damaged.
        DiskError: what was measured could not be written down.
    """
    if not measurable():
        return Changes(0, 0)
    data = SheetData.of(run)
    file = _file(run.directory)
    known = _known(file)
    # Jobs whose pictures are the same to the byte are one pair.
    pairs = {_name(data, *pair): pair for pair in baselines(data)}
    unknown = [pair for name, pair in pairs.items() if name not in known]
    chosen = unknown[:most]
    found = dict(_measured(data, run.directory.path, chosen))
    if found:
        file.parent.mkdir(exist_ok=True)
        write_aside(file, orjson.dumps({"measure": MEASURE, "changes": known | found}))
    return Changes(len(found), len(unknown) - len(chosen))


def baselines(data: SheetData) -> Iterator[tuple[int, int]]:
    """Pair each picture that has LoRAs with the one at the same coordinates that has none, by job numbers.

    Of several cells that show a job, the first with a baseline counts.
    """
    columns = [
        column
        for axis, column in zip(data.axes, data.cells.coordinates, strict=True)
        if axis.name not in ("lora.name", "lora.scale")
    ]
    if len(columns) == len(data.axes):
        return
    done = [data.state(job) is JobState.DONE for job in range(len(data.jobs.key))]
    bare = ["loras" not in rest for rest in data.rests]
    base: dict[tuple[int, ...], int] = {}
    others: list[tuple[int, tuple[int, ...]]] = []
    places = zip(*columns, strict=True) if columns else iter(() for _ in data.cells.job)
    for job, place in zip(data.cells.job, places, strict=False):
        if job == ABSENT or not done[job]:
            continue
        if bare[data.jobs.rest[job]]:
            base.setdefault(place, job)
        else:
            others.append((job, place))
    seen: set[int] = set()
    for job, place in others:
        if job not in seen and place in base:
            seen.add(job)
            yield job, base[place]


def _measured(data: SheetData, root: Path, pairs: Iterable[tuple[int, int]]) -> Iterator[tuple[str, float]]:
    """Measure pairs, those of one baseline together; what cannot be read or compared is left out."""
    groups: dict[int, list[int]] = {}
    for job, base in pairs:
        groups.setdefault(base, []).append(job)
    asked = [
        Group(str(root / _thumb(data, base)), tuple(str(root / _thumb(data, job)) for job in jobs))
        for base, jobs in groups.items()
    ]
    for (base, jobs), numbers in zip(groups.items(), measured(asked), strict=True):
        for job, number in zip(jobs, numbers, strict=True):
            if number is not None:
                yield _name(data, job, base), round(number, _DIGITS)


def _thumb(data: SheetData, job: int) -> str:
    thumb = data.thumbnail(job)
    if thumb is None:
        raise AssertionError("only pictures that are there are paired")
    return thumb


def _name(data: SheetData, job: int, base: int) -> str:
    """Name a pair by its pictures: where one of them is made anew, it is another pair."""
    return f"{data.jobs.sha256[base][:_HASH]}-{data.jobs.sha256[job][:_HASH]}"


def _file(directory: RunDirectory) -> Path:
    return directory.thumbs / "changes.json"


def _known(file: Path) -> dict[str, float]:
    """Read what was measured before; what another measure said, or cannot be read, is measured again."""
    try:
        kept = orjson.loads(file.read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return {}
    if not isinstance(kept, dict) or kept.get("measure") != MEASURE:
        return {}
    found = kept.get("changes")
    pairs: Sequence[tuple[object, object]] = list(found.items()) if isinstance(found, dict) else []
    return {name: number for name, number in pairs if isinstance(name, str) and isinstance(number, float)}
