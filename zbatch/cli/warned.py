"""What is odd about pictures that were kept, in a few lines."""

from __future__ import annotations

from typing import Final

from zbatch.cli.output import plural
from zbatch.state.run import Run

_MOST: Final = 5
"""Kinds that are told; jobs.jsonl has them all, each with its job."""


def warning_lines(run: Run) -> list[str]:
    """Say how many jobs are done with warnings, and each kind on a line of its own; nothing where none is."""
    warned = run.warned()
    if not warned.jobs:
        return []
    lines = [f"{warned.jobs:,} done with warnings (see jobs.jsonl)"]
    lines += [f"{count:>6,} {text}" for text, count in list(warned.kinds.items())[:_MOST]]
    if len(warned.kinds) > _MOST:
        lines.append(f"{'':>6} and {plural(len(warned.kinds) - _MOST, 'other kind')}")
    return lines
