"""What flags (or arguments), variables and the manifest say, settled into one order."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from zbatch.api.endpoint import Endpoint, parse_endpoint
from zbatch.errors import UsageError
from zbatch.expressions import ExpressionError, compile_template
from zbatch.manifest.parser import Manifest
from zbatch.model import RETRYABLE, JobState
from zbatch.runner.order import Order
from zbatch.state.again import Again
from zbatch.storage import Location, is_url, parse_run_location
from zbatch.units import parse_rate

KEY_VARIABLE = "ZBATCH_API_KEY"
ENDPOINT_VARIABLE = "ZBATCH_ENDPOINT"


@dataclass(frozen=True, slots=True)
class Settings:
    """What flags (or arguments) and variables say; where they say nothing, the manifest decides.

    `rate` is written as in the manifest (`60/min`), `max_cost` in USD. `api_key_file` is where `api_key` was
    read from, where it was: the command that goes on names it. `reuse` are run directories.
    """

    endpoint: str | None = None
    run_dir: str | Path | None = None
    api_key: str | None = None
    concurrency: int | None = None
    rate: str | None = None
    only: tuple[str, ...] = ()
    first: int | None = None
    retry: tuple[str, ...] = ()
    max_cost: str | float | Decimal | None = None
    allow_outside: bool = False
    api_key_file: Path | None = None
    reuse: tuple[str | Path, ...] = ()


def resolve(manifest: Manifest, settings: Settings) -> Order:
    """Settle flags against variables against the manifest.

    Raises:
        UsageError: a setting that cannot be read.
    """
    given = settings.endpoint or os.environ.get(ENDPOINT_VARIABLE) or None
    endpoint = parse_endpoint(given or manifest.endpoint)
    return Order(
        manifest=manifest,
        endpoint=endpoint,
        endpoint_given=given is not None,
        directory=run_directory(manifest, endpoint, settings.run_dir),
        location=run_location(manifest, endpoint, settings.run_dir),
        key=settings.api_key or os.environ.get(KEY_VARIABLE) or None,
        only=settings.only,
        first=settings.first,
        retry=_states(settings.retry),
        reuse=tuple(Path(place) for place in settings.reuse),
        concurrency=settings.concurrency,
        rate=None if settings.rate is None else parse_rate(settings.rate),
        max_cost=_max_cost(settings.max_cost, manifest),
        again=_again(manifest, settings, given),
    )


def _again(manifest: Manifest, settings: Settings, endpoint: str | None) -> str:
    """Write the command that goes on: all that bounds the run or leads to it, as it was given."""
    given = {
        "--endpoint": endpoint,
        "-o": settings.run_dir,
        "--max-cost": settings.max_cost,
        "--first": settings.first,
        "--rate": settings.rate,
        "-j": settings.concurrency,
        "--api-key-file": settings.api_key_file,
    }
    options = [(flag, str(value)) for flag, value in given.items() if value is not None]
    options += [("--only", value) for value in settings.only]
    options += [("--reuse", str(value)) for value in settings.reuse]
    alone = [("--allow-outside",)] if settings.allow_outside else []
    return str(Again(("zbatch", "run", str(manifest.path)), (*options, *alone)))


def run_directory(manifest: Manifest, endpoint: Endpoint, run_dir: str | Path | None = None) -> Path:
    """Say where the run of a manifest against an endpoint lies; the state of one in an object store, here.

    Raises:
        UsageError: `output.dir` does not render, or is no place that is known.
    """
    location = run_location(manifest, endpoint, run_dir)
    return Path(_place(manifest, endpoint, run_dir)) if location is None else state_of(location)


def run_location(
    manifest: Manifest, endpoint: Endpoint, run_dir: str | Path | None = None
) -> Location | None:
    """Say where in an object store its pictures go; `None` where they go into the run directory.

    Raises:
        UsageError: as `run_directory`.
    """
    place = _place(manifest, endpoint, run_dir)
    if not is_url(place):
        return None
    return parse_run_location(place)


def state_of(location: Location) -> Path:
    """Give the directory where the state of a run lies whose pictures go to a place in an object store."""
    return Path("runs") / location.name


def _place(manifest: Manifest, endpoint: Endpoint, run_dir: str | Path | None) -> str:
    if run_dir is not None:
        return str(run_dir)
    try:
        directory = str(compile_template(manifest.output_dir).render({"name": manifest.name}))
    except ExpressionError as error:
        raise UsageError(f"output.dir: the template {error.message}", hint=error.hint) from error
    return directory.rstrip("/") + endpoint.suffix


def _states(names: Iterable[str]) -> tuple[JobState, ...]:
    retryable = (*RETRYABLE, JobState.SUBMITTED)
    found = []
    for name in (part.strip() for text in names for part in text.split(",")):
        if name not in retryable:
            raise UsageError(f"--retry takes {', '.join(retryable)} (got {name!r})")
        found.append(JobState(name))
    return tuple(dict.fromkeys(found))


def _max_cost(value: str | float | Decimal | None, manifest: Manifest) -> Decimal | None:
    if value is None:
        return None
    try:
        cost = Decimal(str(value))
    except ArithmeticError as error:
        raise UsageError(f"--max-cost takes USD, such as 5.00 (got {value!r})") from error
    if not cost.is_finite() or cost < 0:
        raise UsageError(f"--max-cost takes USD, such as 5.00 (got {value!r})")
    if manifest.price is None:
        raise UsageError(
            "--max-cost needs a price in the manifest", hint="add price: with the USD an image costs"
        )
    return cost
