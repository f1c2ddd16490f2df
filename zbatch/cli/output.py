"""How commands speak: results on stdout, everything else on stderr, and what the exit codes mean."""

from __future__ import annotations

import os
import re
import sys
from enum import IntEnum
from pathlib import Path

import click
import orjson


class ExitCode(IntEnum):
    """What a command ends with."""

    OK = 0
    NOT_ALL_DONE = 1
    USAGE = 2
    BUG = 3
    SURROUNDINGS = 4
    INTERRUPTED = 130


def say(text: str = "") -> None:
    """Write a result to stdout. Where nobody reads it any more, what the command did and ends with stands."""
    try:
        click.echo(text, color=None if _colour(sys.stdout) else False)
    except BrokenPipeError:
        sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - until the process ends


def tell(text: str) -> None:
    """Write a word about what is happening to stderr."""
    click.echo(text, err=True, color=None if _colour(sys.stderr) else False)


def complain(text: str) -> None:
    """Write what is wrong to stderr."""
    first, *rest = text.splitlines() or [""]
    placed = re.match(r"\S+:\d+:\d+: ", first) is not None
    label = "" if placed else click.style("error: ", fg="red", bold=True)
    tell("\n".join([label + first, *rest]))


def complain_as_json(text: str) -> None:
    """Write what is wrong to stderr for a machine that reads lines of JSON there."""
    tell(orjson.dumps({"type": "error", "message": text}).decode())


def _colour(stream: object) -> bool:
    isatty = getattr(stream, "isatty", None)
    return bool(isatty and isatty()) and not os.environ.get("NO_COLOR")


def plural(number: int, one: str, many: str = "") -> str:
    """Write a number with its noun."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"
