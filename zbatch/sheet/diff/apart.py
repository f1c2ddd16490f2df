"""How far the two pictures of each pair are from each other: measured once, and kept with the later run."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from zbatch.difference import measurable
from zbatch.errors import DiskError
from zbatch.sheet.axes import ABSENT
from zbatch.sheet.diff.pairs import Pairs
from zbatch.sheet.known import keep_numbers, known_numbers, pair_name
from zbatch.sheet.measuring import Group, measured

AT_ONCE: Final = 1000
"""Pairs after which what was measured is kept, and told of."""
_DIGITS: Final = 4


def with_changes(pairs: Pairs, told: Callable[[int, int], None] | None = None) -> Pairs:
    """Measure what is not known of the pairs, and give them with their changes.

    Where the same bytes came it is 0, and nothing is measured. `told` is told how many of how many are done.
    What cannot be kept, with a run that nobody may write to, is measured again another time.
    """
    file = pairs.sides[1].directory / "thumbs" / "pairs.json"
    known = known_numbers(file)
    unknown = list(_unknown(pairs, known).items()) if measurable() else []
    for start in range(0, len(unknown), AT_ONCE):
        known |= _measured(pairs, unknown[start : start + AT_ONCE])
        with contextlib.suppress(DiskError):
            keep_numbers(file, known)
        if told is not None:
            told(min(start + AT_ONCE, len(unknown)), len(unknown))
    return replace(pairs, change=tuple(_change(pairs, cell, known) for cell in pairs.cells))


def thumbnail(pairs: Pairs, job: int) -> Path | None:
    """Give the path of a job's thumbnail; `None` while there is no picture."""
    thumb = None if job == ABSENT else pairs.sheet.thumbnail(job)
    return None if thumb is None else pairs.side(job).directory / thumb


def _unknown(pairs: Pairs, known: Mapping[str, float]) -> dict[str, tuple[int, int]]:
    """Give the pairs to be measured by name: those whose pictures are the same to the byte are one."""
    named = {
        _name(pairs, cell): pairs.jobs(cell)
        for cell in pairs.cells
        if pairs.pictured(cell) and not _same(pairs, cell)
    }
    return {name: jobs for name, jobs in named.items() if name not in known}


def _measured(pairs: Pairs, some: Sequence[tuple[str, tuple[int, int]]]) -> dict[str, float]:
    groups = [
        Group(str(thumbnail(pairs, before)), (str(thumbnail(pairs, after)),)) for _, (before, after) in some
    ]
    return {
        name: round(numbers[0], _DIGITS)
        for (name, _), numbers in zip(some, measured(groups), strict=True)
        if numbers[0] is not None
    }


def _change(pairs: Pairs, cell: int, known: Mapping[str, float]) -> float | None:
    if not pairs.pictured(cell):
        return None
    return 0.0 if _same(pairs, cell) else known.get(_name(pairs, cell))


def _same(pairs: Pairs, cell: int) -> bool:
    before, after = pairs.jobs(cell)
    return pairs.received[before] == pairs.received[after]


def _name(pairs: Pairs, cell: int) -> str:
    before, after = pairs.jobs(cell)
    return pair_name(pairs.sheet.jobs.sha256[before], pairs.sheet.jobs.sha256[after])
