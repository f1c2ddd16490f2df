"""The whole way of a run, for the command line and for notebooks: settings, session, provenance, sheet."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson

from zbatch.api.endpoint import Endpoint, parse_endpoint
from zbatch.errors import UsageError, ZbatchError
from zbatch.exports.provenance import write_provenance
from zbatch.expressions import ExpressionError, compile_template
from zbatch.logs import EventLog, Listeners
from zbatch.manifest.limits import parse_rate
from zbatch.manifest.loader import Manifest, load_manifest
from zbatch.model import JobState
from zbatch.runner.events import Event, EventName, Listener, Silence
from zbatch.runner.plan import Plan
from zbatch.runner.plan import make_plan as plan_order
from zbatch.runner.session import Order, Outcome, Session
from zbatch.sheet import write_sheet
from zbatch.state.directory import RunDirectory, write_aside
from zbatch.state.run import Run

KEY_VARIABLE = "ZBATCH_API_KEY"
ENDPOINT_VARIABLE = "ZBATCH_ENDPOINT"
_NEW_PLAN = "make a new plan: zbatch plan ... -o FILE"


@dataclass(frozen=True, slots=True)
class Settings:
    """What flags (or arguments) and variables say; where they say nothing, the manifest decides.

    `rate` is written as in the manifest (`60/min`), `max_cost` in USD.
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
        key=settings.api_key or os.environ.get(KEY_VARIABLE) or None,
        only=settings.only,
        first=settings.first,
        retry=_states(settings.retry),
        concurrency=settings.concurrency,
        rate=None if settings.rate is None else parse_rate(settings.rate),
        max_cost=_max_cost(settings.max_cost, manifest),
    )


def run_directory(manifest: Manifest, endpoint: Endpoint, run_dir: str | Path | None = None) -> Path:
    """Say where the run of a manifest against an endpoint lies.

    Raises:
        UsageError: `output.dir` does not render.
    """
    if run_dir is not None:
        return Path(run_dir)
    try:
        directory = str(compile_template(manifest.output_dir).render({"name": manifest.name}))
    except ExpressionError as error:
        raise UsageError(f"output.dir: the template {error.message}", hint=error.hint) from error
    return Path(directory.rstrip("/") + endpoint.suffix)


def _states(names: Iterable[str]) -> tuple[JobState, ...]:
    retryable = (JobState.FAILED, JobState.REJECTED, JobState.UNKNOWN)
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


def save_plan(plan: Plan, settings: Settings, order: Order, path: Path) -> None:
    """Save a plan with everything that `run` needs to do it, and nothing else.

    Raises:
        DiskError: it could not be written.
    """
    saved = {
        "zbatch_plan": 1,
        "manifest": str(order.manifest.path.resolve()),
        "endpoint": order.endpoint.url,
        "run_dir": str(order.directory.resolve()),
        "only": list(settings.only),
        "first": settings.first,
        "retry": list(order.retry),
        "max_cost": None if order.max_cost is None else str(order.max_cost),
        "rate": settings.rate,
        "allow_outside": settings.allow_outside,
        "to_submit": plan.to_submit,
        "jobs": list(plan.keys),
    }
    write_aside(path, orjson.dumps(saved, option=orjson.OPT_INDENT_2) + b"\n")


def read_plan(path: Path) -> dict[str, Any] | None:
    """Read a saved plan; `None` where the file is none (a manifest, say).

    Raises:
        UsageError: it is a damaged one.
    """
    if path.suffix != ".json":
        return None
    try:
        saved = orjson.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot read the plan {path}: {error}") from error
    if not isinstance(saved, dict) or saved.get("zbatch_plan") != 1:
        raise UsageError(f"{path} is no plan that `zbatch plan -o` saved")
    return saved


def order_of_plan(saved: Mapping[str, Any], settings: Settings) -> Order:
    """Give the order a saved plan stands for, after checking that it would do what was planned and no more.

    `settings` are those given now: key, concurrency and rate count; an endpoint may only be the plan's own.
    That the plan names an endpoint does not make it trusted: a file says so, not a person.

    Raises:
        UsageError: the manifest gives other jobs now, or more would be submitted; says what changed.
    """
    _check_plan_settings(saved, settings)
    try:
        manifest = load_manifest(saved["manifest"], allow_outside=saved["allow_outside"])
        named = settings.endpoint or os.environ.get(ENDPOINT_VARIABLE)
        settings = replace(
            settings,
            endpoint=saved["endpoint"],
            run_dir=saved["run_dir"],
            only=tuple(saved["only"]),
            first=saved["first"],
            retry=tuple(saved["retry"]),
            max_cost=saved["max_cost"],
            rate=settings.rate or saved["rate"],
        )
        planned, to_submit = set(saved["jobs"]), int(saved["to_submit"])
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError(f"the plan is damaged ({error})", hint=_NEW_PLAN) from error
    given = named is not None and parse_endpoint(named).url == saved["endpoint"]
    order = replace(resolve(manifest, settings), endpoint_given=given)
    plan = plan_order(order)
    now = set(plan.keys)
    if planned != now:
        raise UsageError(
            f"the manifest has changed since the plan: {len(now - planned)} jobs are new, "
            f"{len(planned - now)} are gone",
            hint=_NEW_PLAN,
        )
    if plan.to_submit > to_submit:
        raise UsageError(
            f"the plan was to submit {to_submit} jobs, and now it would be {plan.to_submit}",
            hint=_NEW_PLAN,
        )
    return order


def _check_plan_settings(saved: Mapping[str, Any], settings: Settings) -> None:
    """Refuse flags that would make another run of the plan than was planned.

    Raises:
        UsageError: naming the first.
    """
    decided = {
        "-o/--run-dir": settings.run_dir,
        "--only": settings.only,
        "--first": settings.first,
        "--retry": settings.retry,
        "--max-cost": settings.max_cost,
        "--allow-outside": settings.allow_outside,
    }
    for flag, value in decided.items():
        if value:
            raise UsageError(f"{flag} was decided by the plan", hint=_NEW_PLAN)
    if settings.endpoint is not None and parse_endpoint(settings.endpoint).url != saved.get("endpoint"):
        raise UsageError(f"the plan was made for the endpoint {saved.get('endpoint')}", hint=_NEW_PLAN)


def perform(
    order: Order,
    listener: Listener,
    *,
    report: bool = True,
    started: Callable[[Session, asyncio.AbstractEventLoop], None] | None = None,
) -> Outcome:
    """Run to the end, then write provenance and the sheet, whatever the end was.

    `started` is handed the session and its loop, for whoever wants to drain it.

    Raises:
        ZbatchError: the run could not begin. What stops it later is in the outcome.
    """
    log = EventLog(RunDirectory(order.directory).log)
    session = Session(order, Listeners(log, listener))

    async def execute() -> Outcome:
        if started is not None:
            started(session, asyncio.get_running_loop())
        return await session.execute()

    try:
        outcome = asyncio.run(execute())
    finally:
        log.close()
    try:
        with Run(outcome.directory) as finished:
            write_provenance(finished)
            if report:
                write_sheet(finished)
    except ZbatchError as error:
        # What stopped the run says more than what it then did to the report.
        if outcome.error is None:
            raise
        listener.event(Event(EventName.NOTICE, None, "report", str(error)))
    return outcome


def run(
    manifest: str | Path | Manifest,
    *,
    endpoint: str | None = None,
    run_dir: str | Path | None = None,
    api_key: str | None = None,
    concurrency: int | None = None,
    rate: str | None = None,
    only: Iterable[str] = (),
    first: int | None = None,
    retry: Iterable[str] = (),
    max_cost: str | float | Decimal | None = None,
    allow_outside: bool = False,
    report: bool = True,
    listener: Listener | None = None,
) -> Run:
    """Run a manifest, always resuming, and give the run. It shows itself in a notebook.

    Arguments are those of `zbatch run`; `ZBATCH_ENDPOINT` and `ZBATCH_API_KEY` count as there.

    Raises:
        ManifestError: the manifest is wrong; nothing was submitted.
        SurroundingsError: endpoint, account, disk or lock stopped it; everything up to then is kept.
    """
    settings = Settings(
        endpoint=endpoint,
        run_dir=run_dir,
        api_key=api_key,
        concurrency=concurrency,
        rate=rate,
        only=(only,) if isinstance(only, str) else tuple(only),
        first=first,
        retry=(retry,) if isinstance(retry, str) else tuple(retry),
        max_cost=max_cost,
        allow_outside=allow_outside,
    )
    order = resolve(_loaded(manifest, allow_outside=allow_outside), settings)
    outcome = _outside_of_loops(lambda: perform(order, listener or Silence(), report=report))
    if outcome.error is not None:
        raise outcome.error
    return Run(outcome.directory)


def make_plan(
    manifest: str | Path | Manifest,
    *,
    endpoint: str | None = None,
    run_dir: str | Path | None = None,
    only: Iterable[str] = (),
    first: int | None = None,
    allow_outside: bool = False,
) -> Plan:
    """Say what `run` would do and cost, checking everything; nothing is submitted or written.

    Raises:
        ManifestError: with everything that is wrong.
    """
    settings = Settings(
        endpoint=endpoint, run_dir=run_dir, only=tuple(only), first=first, allow_outside=allow_outside
    )
    return plan_order(resolve(_loaded(manifest, allow_outside=allow_outside), settings))


def _loaded(manifest: str | Path | Manifest, *, allow_outside: bool) -> Manifest:
    return (
        manifest if isinstance(manifest, Manifest) else load_manifest(manifest, allow_outside=allow_outside)
    )


def _outside_of_loops(work: Callable[[], Outcome]) -> Outcome:
    """Do work that runs an event loop; in a notebook, which runs one itself, on a thread of its own."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return work()
    outcomes: list[Outcome] = []
    errors: list[BaseException] = []

    def target() -> None:
        try:
            outcomes.append(work())
        except BaseException as error:  # noqa: BLE001 - handed on below
            errors.append(error)

    thread = threading.Thread(target=target, name="zbatch-run")
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return outcomes[0]
