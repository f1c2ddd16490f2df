"""The whole way of a run, for the command line and for notebooks: session, provenance, sheet."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

from zbatch.api.endpoint import parse_endpoint
from zbatch.errors import StorageError, ZbatchError
from zbatch.exports.provenance import write_provenance
from zbatch.exports.sidecars import write_sidecars
from zbatch.gallery import Gallery, notebook_display
from zbatch.logs import EventLog, Listeners
from zbatch.manifest.jobs import Expansion
from zbatch.manifest.loader import load_manifest
from zbatch.manifest.parser import Manifest
from zbatch.runner.events import Event, EventName, Listener, Silence
from zbatch.runner.loop import new_loop
from zbatch.runner.order import Order, Outcome
from zbatch.runner.plan import Plan
from zbatch.runner.plan import make_plan as plan_order
from zbatch.runner.reproduce import drawn_as_planned, drop_reproduction, write_reproduction
from zbatch.runner.reproduction import Reproduction
from zbatch.runner.session import Session
from zbatch.settings import ENDPOINT_VARIABLE, Settings, resolve
from zbatch.sheet import SheetData, publish, write_sheet
from zbatch.sheet.change import measure_changes
from zbatch.state.directory import RunDirectory
from zbatch.state.run import Run

_LOOK = 0.25
"""Seconds between two looks at a run that a notebook shows."""


def perform(
    order: Order,
    listener: Listener,
    *,
    report: bool = True,
    started: Callable[[Session, asyncio.AbstractEventLoop], None] | None = None,
) -> Outcome:
    """Run to the end, then write provenance, the sheet and sidecars, whatever the end was; to a store, too.

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
                data = SheetData.of(finished)
                measure_changes(data, finished.directory)
                write_sheet(finished, data=data)
            for words in write_sidecars(finished):
                listener.event(Event(EventName.NOTICE, None, "sidecars", words))
            if not isinstance(outcome.error, StorageError):
                publish(finished, data if report else None)
    except ZbatchError as error:
        # What stopped the run says more than what it then did to the report.
        if outcome.error is None:
            raise
        listener.event(Event(EventName.NOTICE, None, "report", str(error)))
    return outcome


def perform_again(
    plan: Reproduction,
    listener: Listener,
    settings: Settings,
    *,
    started: Callable[[Session, asyncio.AbstractEventLoop], None] | None = None,
) -> Outcome:
    """Ask an endpoint again for some pictures of a run (see `zbatch.runner.reproduce`), to the end.

    Of `settings`, the key, concurrency and rate count, and an endpoint only as one that a person named: that
    a run directory names one does not make it trusted.

    Raises:
        ZbatchError: it could not begin; nothing was sent. What stops it later is in the outcome.
    """
    write_reproduction(plan)
    try:
        manifest = load_manifest(plan.manifest, allow_outside=True)
        drawn_as_planned(plan, [job.key for job in Expansion(manifest)])
        return perform(_order_again(plan, manifest, settings), listener, started=started)
    finally:
        drop_reproduction(plan)


def _order_again(plan: Reproduction, manifest: Manifest, settings: Settings) -> Order:
    named = settings.endpoint or os.environ.get(ENDPOINT_VARIABLE)
    given = named is not None and parse_endpoint(named).url == plan.endpoint.url
    settings = replace(
        settings, endpoint=plan.endpoint.url, run_dir=plan.directory, allow_outside=plan.has_inputs
    )
    return replace(resolve(manifest, settings), endpoint_given=given)


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
    reuse: Iterable[str | Path] | str | Path = (),
    max_cost: str | float | Decimal | None = None,
    allow_outside: bool = False,
    report: bool = True,
    listener: Listener | None = None,
) -> Run:
    """Run a manifest, always resuming, and give the run. It shows itself in a notebook.

    Arguments are those of `zbatch run`, `reuse` takes run directories; `ZBATCH_ENDPOINT` and `ZBATCH_API_KEY`
    count as there. In a notebook, and without a `listener`, a small grid of thumbnails fills while it goes
    on; interrupting the kernel makes no new submits and finishes what is in flight, a second time does not
    wait for that.

    Raises:
        ManifestError: the manifest is wrong; nothing was submitted.
        KeyboardInterrupt: it was interrupted in a notebook; the same call goes on.
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
        reuse=(reuse,) if isinstance(reuse, str | Path) else tuple(reuse),
        max_cost=max_cost,
        allow_outside=allow_outside,
    )
    order = resolve(_loaded(manifest, allow_outside=allow_outside), settings)
    show = notebook_display() if listener is None else None
    if show is not None:
        outcome = _beside(Gallery(order.directory, show), order, report=report)
    else:
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
    reuse: Iterable[str | Path] | str | Path = (),
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
        reuse=(reuse,) if isinstance(reuse, str | Path) else tuple(reuse),
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


def _beside(gallery: Gallery, order: Order, *, report: bool) -> Outcome:
    """Run on a thread of its own, and show it from here: a notebook takes what is shown from this thread."""
    begun: list[tuple[Session, asyncio.AbstractEventLoop]] = []
    interrupted = False

    def started(session: Session, loop: asyncio.AbstractEventLoop) -> None:
        begun.append((session, loop))
        if interrupted:
            session.drain()

    work = _on_a_thread(lambda: perform(order, Silence(), report=report, started=started))
    while not work.done():
        try:
            wait([work], _LOOK)
            gallery.tick()
        except KeyboardInterrupt:
            if interrupted:
                raise
            interrupted = True
            for session, loop in begun:
                with contextlib.suppress(RuntimeError):  # it has just ended
                    loop.call_soon_threadsafe(session.drain)
    gallery.draw()
    if interrupted:
        raise KeyboardInterrupt
    return work.result()


def _outside_of_loops(work: Callable[[], Outcome]) -> Outcome:
    """Do work that runs an event loop; in a program that runs one itself, on a thread of its own."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return work()
    return _on_a_thread(work).result()


def _on_a_thread(work: Callable[[], Outcome]) -> Future[Outcome]:
    pool = ThreadPoolExecutor(1, thread_name_prefix="zbatch-run")
    future = pool.submit(work)
    pool.shutdown(wait=False)
    return future
