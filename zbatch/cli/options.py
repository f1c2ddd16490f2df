"""Options that several commands share, and what they have in common: finding the manifest or the run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from zbatch.errors import DiskError, UsageError
from zbatch.storage import is_url

F = TypeVar("F", bound=Callable[..., Any])

MANIFEST = click.Path(path_type=Path)


class _Place(click.ParamType):  # type: ignore[type-arg]
    """A directory, or a URL in an object store: that stays the text it is, as a path it would be another."""

    name = "place"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path | str:
        if value == "":
            self.fail("is empty: give a directory, or the URL of a place in an object store", param, ctx)
        return value if isinstance(value, Path) or is_url(value) else Path(value)


PLACE = _Place()


def with_options(*options: Callable[[F], F]) -> Callable[[F], F]:
    """Put several options on a command, first to last."""

    def decorate(function: F) -> F:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


endpoint = click.option(
    "--endpoint", metavar="URL", help="`preview` or a base URL. [variable: ZBATCH_ENDPOINT]"
)
run_dir = click.option(
    "-o", "--run-dir", metavar="DIR", type=PLACE, help="Run directory, or s3://BUCKET/PREFIX for its images."
)
run_dir_long = click.option(
    "--run-dir", metavar="DIR", type=PLACE, help="Run directory, or s3://BUCKET/PREFIX for its images."
)
only = click.option(
    "--only",
    multiple=True,
    metavar="AXIS=VALUE[,VALUE]",
    help="Submit only these cells; may be repeated (and). A value in double quotes may hold commas.",
)
first = click.option("--first", type=click.IntRange(min=1), metavar="N", help="Submit only the first N jobs.")
rate = click.option("--rate", metavar="N/min", help="Submits a second, minute or hour at most: 60/min, 2/s.")
retry = click.option(
    "--retry",
    multiple=True,
    metavar="STATES",
    help="Submit again: failed, rejected, unknown (may be billed twice), submitted (given up on).",
)
allow_outside = click.option(
    "--allow-outside", is_flag=True, help="Let input images lie outside the manifest's directory."
)
reuse = click.option(
    "--reuse",
    multiple=True,
    metavar="RUN",
    type=PLACE,
    help="Take over pictures that this run has made already, by links; may be repeated.",
)
max_cost = click.option("--max-cost", metavar="USD", help="Stop before all attempts cost more than this.")


def api_key(path: Path | None) -> str | None:
    """Read the key file that --api-key-file names: its first line that is no comment.

    Raises:
        DiskError: it cannot be read.
        UsageError: there is no key in it.
    """
    if path is None:
        return None
    try:
        lines = path.read_text("utf-8").splitlines()
    except OSError as error:
        raise DiskError(f"cannot read the key file {path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"the key file {path} is no text") from error
    for line in lines:
        if line.strip() and not line.lstrip().startswith("#"):
            return line.strip()
    raise UsageError(f"the key file {path} holds no key")
