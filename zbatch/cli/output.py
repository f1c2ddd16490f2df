"""How commands speak: results on stdout, everything else on stderr, and what the exit codes mean."""

from __future__ import annotations

import os
import re
import sys
from enum import IntEnum
from pathlib import Path
from typing import TextIO

import click
import orjson

from zbatch.errors import DiskError


class ExitCode(IntEnum):
    """What a command ends with."""

    OK = 0
    NOT_ALL_DONE = 1
    USAGE = 2
    BUG = 3
    SURROUNDINGS = 4
    INTERRUPTED = 130


def say(text: str = "") -> None:
    """Write a result to stdout. Where nobody reads it any more, what the command did and ends with stands.

    Raises:
        DiskError: it cannot be written.
    """
    try:
        click.echo(text, color=None if _colour(sys.stdout) else False)
    except BrokenPipeError:
        sys.stdout = _nowhere()
    except OSError as error:
        raise unwritable(error) from error


def say_bytes(data: bytes) -> None:
    """Write a piece of a long result to stdout.

    Raises:
        BrokenPipeError: nobody reads it any more.
        DiskError: it cannot be written.
    """
    try:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise unwritable(error) from error


def unwritable(error: OSError) -> DiskError:
    """Give what to say where stdout takes no more, and let go of it: its rest is not tried again."""
    sys.stdout = _nowhere()
    return DiskError(
        f"cannot write to standard output: {error.strerror or error}",
        hint="the run's files are safe; only what was to be shown is lost",
    )


def tell(text: str) -> None:
    """Write a word about what is happening to stderr; where it takes none, what is done stands."""
    try:
        click.echo(text, err=True, color=None if _colour(sys.stderr) else False)
    except OSError:
        sys.stderr = _nowhere()


def _nowhere() -> TextIO:
    return Path(os.devnull).open("w", encoding="utf-8")  # until the process ends


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
