"""How commands speak: results on stdout, everything else on stderr, and what the exit codes mean."""

from __future__ import annotations

import os
import sys
from enum import IntEnum

import click


class ExitCode(IntEnum):
    """What a command ends with."""

    OK = 0
    NOT_ALL_DONE = 1
    USAGE = 2
    BUG = 3
    SURROUNDINGS = 4
    INTERRUPTED = 130


def say(text: str = "") -> None:
    """Write a result to stdout."""
    click.echo(text, color=None if _colour(sys.stdout) else False)


def tell(text: str) -> None:
    """Write a word about what is happening to stderr."""
    click.echo(text, err=True, color=None if _colour(sys.stderr) else False)


def complain(text: str) -> None:
    """Write what is wrong to stderr."""
    first, *rest = text.splitlines() or [""]
    label = (
        "" if first[:1] == "/" or ":" in first.split(" ")[0] else click.style("error: ", fg="red", bold=True)
    )
    tell("\n".join([label + first, *rest]))


def warn(text: str) -> None:
    """Write a warning to stderr."""
    tell(text)


def _colour(stream: object) -> bool:
    isatty = getattr(stream, "isatty", None)
    return bool(isatty and isatty()) and not os.environ.get("NO_COLOR")


def plural(number: int, one: str, many: str = "") -> str:
    """Write a number with its noun."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"
