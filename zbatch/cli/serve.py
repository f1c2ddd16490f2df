"""`zbatch serve`: the API on this machine."""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from zbatch.api.endpoint import EndpointKind, parse_endpoint
from zbatch.cli.output import ExitCode, say, tell
from zbatch.cli.painting import chosen_engine, painting_options
from zbatch.errors import DiskError, UsageError
from zbatch.personal import state_home
from zbatch.server.home import Home
from zbatch.server.quotas import Quota
from zbatch.server.rehearsal import Rehearsal, parse_latency, parse_share
from zbatch.server.serving import ENGINES, bind, serve_app
from zbatch.server.tasks import Limits
from zbatch.server.terms import Terms
from zbatch.units import parse_duration, parse_rate

Value = TypeVar("Value")

_GRACE: Final = 10.0
"""Seconds."""
_MOST_KEPT: Final = 200_000
_MOST_BYTES: Final = 20 * 2**30
"""Of results, on disk; those that were fetched go first."""


@click.command(
    "serve",
    epilog="Examples: zbatch serve · zbatch serve --fail 2% --latency 4s · zbatch serve --engine diffusers",
)
@click.option(
    "--host", default="127.0.0.1", show_default=True, help="Any other than loopback needs --api-key-file."
)
@click.option("--port", default=8788, show_default=True, type=click.IntRange(0, 65535), help="0 picks one.")
@click.option(
    "--engine",
    type=click.Choice(ENGINES),
    default="preview",
    show_default=True,
    help="What makes the images.",
)
@click.option(
    "--api-key-file", type=click.Path(path_type=Path), metavar="FILE", help="Keys to accept, one a line."
)
@click.option("--allow-private-urls", is_flag=True, help="Fetch input images from private addresses too.")
@click.option(
    "--public-url", metavar="URL", help="What callers reach it by through a proxy: image URLs begin so."
)
@click.option(
    "--data-dir",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Where tasks and results are kept; else a directory of your own for each port.",
)
@click.option("--keep", default="24h", show_default=True, metavar="TIME", help="How long results are kept.")
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    metavar="N",
    help="Images made at once: processors, or 1 for a model.",
)
@click.option(
    "--max-queue",
    type=click.IntRange(min=1),
    default=4096,
    show_default=True,
    metavar="N",
    help="Tasks that may wait; more is answered 429.",
)
@click.option(
    "--rate-limit",
    metavar="N/min",
    help="Submits that each key may make (without a key file: everybody together): 60/min, 2/s.",
)
@click.option(
    "--tasks-limit", type=click.IntRange(min=1), metavar="N", help="Tasks that each key may have in flight."
)
@click.option(
    "--latency",
    metavar="TIME",
    help="Rehearse how long tasks take: 4s, uniform:2s,6s, lognormal:4s,15s (median, 99th percentile).",
)
@click.option("--fail", metavar="SHARE", help="Rehearse failing tasks: 2%.")
@click.option(
    "--access-log",
    metavar="FILE",
    help="Write every call that could be read there, a JSON object a line; - is stderr.",
)
@painting_options
def command(
    host: str,
    port: int,
    engine: str,
    api_key_file: Path | None,
    allow_private_urls: bool,
    public_url: str | None,
    data_dir: Path | None,
    keep: str,
    workers: int | None,
    max_queue: int,
    rate_limit: str | None,
    tasks_limit: int | None,
    latency: str | None,
    fail: str | None,
    access_log: str | None,
    **painting: Any,
) -> int:
    """Serve the API until Ctrl-C. The URL is printed on stdout as soon as it answers.

    Tasks and results are on disk: a server that is started again at the same port goes on where it was.
    """
    terms = Terms(
        limits=Limits(
            result_ttl=_read("--keep", parse_duration, keep),
            max_waiting=max_queue,
            max_finished=_MOST_KEPT,
            max_finished_bytes=_MOST_BYTES,
        ),
        quota=Quota(
            rate=None if rate_limit is None else _read("--rate-limit", parse_rate, rate_limit),
            tasks=tasks_limit,
        ),
        rehearsal=Rehearsal(
            latency=None if latency is None else _read("--latency", parse_latency, latency),
            fail=0.0 if fail is None else _read("--fail", parse_share, fail),
        ),
        workers=workers,
        grace=_GRACE,
        public_url=None if public_url is None else _public(public_url),
    )
    with contextlib.ExitStack() as stack:
        if access_log is not None:
            stack.enter_context(_written(access_log))
        home = _home(data_dir, port)
        if home is not None:
            stack.callback(home.close)
        chosen = chosen_engine(engine, painting, allow_private_urls=allow_private_urls)
        app = serve_app(
            chosen, terms, home=home, api_key_file=api_key_file, allow_private_urls=allow_private_urls
        )
        serving = bind(app, host=host, port=port)
        say(serving.url)
        keys = "" if api_key_file else "; any key or none is accepted"
        tell(f"serving the {engine} engine at {serving.url} (Ctrl-C ends it{keys})")
        tell("tasks end with it: a port of its own was picked" if home is None else f"tasks in {home.path}")
        serving.run()
        tell("stopped" if home is None else "stopped; what was accepted goes on with the next start")
    return ExitCode.OK


def _read(option: str, parse: Callable[[str], Value], text: str) -> Value:
    """Read what an option was given, and name it where that cannot be read.

    Raises:
        UsageError: it cannot.
    """
    try:
        return parse(text)
    except UsageError as error:
        raise UsageError(f"{option}: {error.message}", hint=error.hint) from error


def _public(url: str) -> str:
    """Read what callers reach the server by.

    Raises:
        UsageError: it is no base URL.
    """
    endpoint = _read("--public-url", parse_endpoint, url)
    if endpoint.kind is EndpointKind.PREVIEW:
        raise UsageError("--public-url takes a base URL", hint="such as https://images.example.org")
    return endpoint.url


def _home(data_dir: Path | None, port: int) -> Home | None:
    """Give the directory that is meant; none for a port that is picked anew each time."""
    if data_dir is not None:
        return Home(data_dir)
    if port == 0:
        return None
    try:
        place = state_home()
    except RuntimeError as error:
        raise UsageError("you have no home directory to keep tasks in", hint="give --data-dir DIR") from error
    return Home(place / f"server-{port}")


@contextlib.contextmanager
def _written(path: str) -> Iterator[None]:
    """Have every call written to a file, or to stderr.

    Raises:
        DiskError: the file cannot be written.
    """
    try:
        handler = logging.StreamHandler(sys.stderr) if path == "-" else logging.FileHandler(path)
    except OSError as error:
        raise DiskError(f"cannot write the access log {path}: {error.strerror or error}") from error
    handler.setFormatter(logging.Formatter("%(message)s"))
    access = logging.getLogger("zbatch.access")
    access.addHandler(handler)
    access.setLevel(logging.INFO)
    access.propagate = False
    try:
        yield
    finally:
        access.removeHandler(handler)
        access.setLevel(logging.NOTSET)
        handler.close()
