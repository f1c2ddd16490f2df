"""Picks files for a run: what a person, or a rule, says of its images."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from zbatch.state.database import Meta
from zbatch.state.run import Run

Say = Callable[[Mapping[str, Any]], int | str | None]
"""From coordinates to a rating, `favourite`, `reject` or nothing."""


def write_picks(
    path: Path,
    run: Path,
    say: Say,
    *,
    who: str = "Ann",
    compared: tuple[str, Callable[[Any, Any], str]] | None = None,
) -> Path:
    """Write what `say` says of every image; `compared` is an axis and who wins of two of its values."""
    with Run(run) as opened:
        identity, name = opened.about(Meta.IDENTITY), opened.name
        cells = [(cell.key, dict(cell.coordinates)) for cell in opened.cells() if cell.key is not None]
    jobs = {}
    for key, at in cells:
        said = say(at)
        if said is not None:
            jobs[key] = {"rating": said} if isinstance(said, int) else {said: True}
    comparisons = []
    if compared is not None:
        axis, wins = compared
        for key, at in cells:
            for other, there in cells:
                rest = {name: value for name, value in at.items() if name != axis}
                if key < other and rest == {name: value for name, value in there.items() if name != axis}:
                    winner = wins(at[axis], there[axis])
                    comparisons.append({"a": key, "b": other, "winner": winner, "axis": axis})
    path.write_text(
        json.dumps(
            {
                "version": 1,
                "run": {"identity": identity, "name": name},
                "who": who,
                "jobs": jobs,
                "comparisons": comparisons,
            }
        ),
        "utf-8",
    )
    return path
