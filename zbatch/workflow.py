"""The whole way of a run, for the command line and for notebooks: session, provenance, sheet."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable
from decimal import Decimal
from pathlib import Path

from zbatch.errors import ZbatchError
from zbatch.exports.provenance import write_provenance
from zbatch.logs import EventLog, Listeners
from zbatch.manifest.loader import load_manifest
from zbatch.manifest.parser import Manifest
from zbatch.runner.events import Event, EventName, Listener, Silence
from zbatch.runner.loop import new_loop
from zbatch.runner.order import Order, Outcome
from zbatch.runner.plan import Plan
from zbatch.runner.plan import make_plan as plan_order
from zbatch.runner.session import Session
from zbatch.settings import Settings, resolve
from zbatch.sheet import write_sheet
from zbatch.state.directory import RunDirectory
from zbatch.state.run import Run


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
        with asyncio.Runner(loop_factory=new_loop) as runner:
            outcome = runner.run(execute())
    finally:
        log.close()
    if outcome.error is not None and not RunDirectory(outcome.directory).exists():
        return outcome  # taken away while it went on: there is nothing to write of
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
        only=_several(only),
        first=first,
        retry=_several(retry),
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
    retry: Iterable[str] = (),
    rate: str | None = None,
    max_cost: str | float | Decimal | None = None,
    allow_outside: bool = False,
) -> Plan:
    """Say what `run` would do and cost, checking everything; nothing is submitted or written.

    Raises:
        ManifestError: with everything that is wrong.
    """
    settings = Settings(
        endpoint=endpoint,
        run_dir=run_dir,
        only=_several(only),
        first=first,
        retry=_several(retry),
        rate=rate,
        max_cost=max_cost,
        allow_outside=allow_outside,
    )
    return plan_order(resolve(_loaded(manifest, allow_outside=allow_outside), settings))


def _several(given: Iterable[str]) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(given)


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
