"""`zbatch run`: the run itself, and what Ctrl-C does to it."""

from __future__ import annotations

import asyncio
import gc
import os
import shlex
import signal
import sys
from pathlib import Path

import click

from zbatch.cli import options
from zbatch.cli.advice import raised, remade
from zbatch.cli.output import ExitCode, complain, complain_as_json, plural, say, tell
from zbatch.cli.warned import warning_lines
from zbatch.cli.whereabouts import locate_run
from zbatch.manifest.loader import load_manifest
from zbatch.model import JobState
from zbatch.plans import order_of_plan, read_plan
from zbatch.progress import progress_listener
from zbatch.runner.order import Ending, Order, Outcome
from zbatch.runner.preparation import InterruptedEarlyError
from zbatch.runner.session import Session
from zbatch.settings import Settings, resolve
from zbatch.state.directory import RunDirectory
from zbatch.state.run import Run
from zbatch.workflow import perform

_OBJECTS = 50_000
"""New objects after which Python looks for unreachable cycles; there are hardly any."""


@click.command(
    "run",
    epilog="Examples: zbatch run fox.yaml · zbatch run fox.yaml --only subject='red fox' --first 10 · "
    "zbatch run fox.yaml --endpoint https://api.highwayapi.ai --max-cost 5 · "
    "zbatch run fox.yaml --retry failed",
)
@click.argument("manifest", type=options.MANIFEST)
@options.with_options(options.endpoint, options.run_dir)
@click.option("-j", "--concurrency", type=click.IntRange(min=1), metavar="N", help="Tasks in flight at most.")
@options.with_options(
    options.rate, options.only, options.first, options.retry, options.reuse, options.max_cost
)
@click.option(
    "--api-key-file", type=click.Path(path_type=Path), metavar="FILE", help="The key; or ZBATCH_API_KEY."
)
@click.option("--no-report", is_flag=True, help="Do not write the contact sheet.")
@click.option(
    "--progress",
    type=click.Choice(["auto", "bar", "plain", "json", "none"]),
    default="auto",
    help="How to show it; auto is a bar on a terminal and plain lines elsewhere.",
)
@options.allow_outside
def command(
    manifest: Path,
    endpoint: str | None,
    run_dir: Path | str | None,
    concurrency: int | None,
    rate: str | None,
    only: tuple[str, ...],
    first: int | None,
    retry: tuple[str, ...],
    reuse: tuple[Path | str, ...],
    max_cost: str | None,
    api_key_file: Path | None,
    no_report: bool,
    progress: str,
    allow_outside: bool,
) -> int:
    """Run MANIFEST, always resuming: what is done stays, what is known is asked for, the rest is submitted.

    MANIFEST may also be a plan that `zbatch plan -o` saved. Ctrl-C finishes what is in flight; a second one
    leaves at once. Either way the next run goes on.
    """
    settings = Settings(
        endpoint=endpoint,
        run_dir=run_dir,
        api_key=options.api_key(api_key_file),
        concurrency=concurrency,
        rate=rate,
        only=only,
        first=first,
        retry=retry,
        max_cost=max_cost,
        allow_outside=allow_outside,
        api_key_file=api_key_file,
        reuse=tuple(locate_run(place, endpoint) for place in reuse),
    )
    saved = read_plan(manifest)
    if saved is not None:
        order = order_of_plan(saved, settings)
    else:
        order = resolve(load_manifest(manifest, allow_outside=allow_outside), settings)
    _calm_the_collector()
    listener = progress_listener(progress, sys.stderr)
    try:
        outcome = perform(order, listener, report=not no_report, started=answer_signals)
    except InterruptedEarlyError:
        tell("interrupted before anything was submitted; nothing was changed")
        return ExitCode.INTERRUPTED
    finally:
        listener.close()
    try:
        _print_results(outcome, report=not no_report)
    finally:  # what went wrong in the run is told though stdout takes nothing
        if progress != "json":
            _explain(outcome, order)
        elif outcome.error is not None:
            complain_as_json(str(outcome.error))
    return _exit_code(outcome)


def _calm_the_collector() -> None:
    """Look for cycles seldom, and never among the modules: with thousands in flight it costs a seventh."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_OBJECTS, 20, 50)


def answer_signals(session: Session, loop: asyncio.AbstractEventLoop) -> None:
    """First Ctrl-C, SIGTERM or SIGHUP: drain. Second: out at once, which is equally resumable."""
    count = 0

    def signalled() -> None:
        nonlocal count
        count += 1
        if count > 1:
            os.write(2, b"\nleft at once; the same command goes on, and nothing is submitted twice\n")
            os._exit(ExitCode.INTERRUPTED)
        session.drain()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # What was started to outlive its terminal (nohup) goes on when the terminal closes.
        if signal.getsignal(number) is not signal.SIG_IGN:
            loop.add_signal_handler(number, signalled)


def _print_results(outcome: Outcome, *, report: bool) -> None:
    total, done = sum(outcome.selected.values()), outcome.selected[JobState.DONE]
    say(f"{done:,} of {plural(total, 'job')} done in {outcome.directory}")
    if outcome.error is None:  # with one there may be no state to read
        with Run(outcome.directory) as run:
            if run.location is not None:
                say(f"pictures: {run.location}/images/")
            for line in warning_lines(run):
                say(line)
    index = RunDirectory(outcome.directory).index
    if report and index.exists():
        say(f"sheet: {index}")


def _explain(outcome: Outcome, order: Order) -> None:
    left = {state: number for state, number in outcome.selected.items() if number and state != JobState.DONE}
    if left:
        rest = ", ".join(f"{number} {state}" for state, number in left.items())
        # Where it was taken away there is nothing to ask; the error says what to do.
        known = RunDirectory(outcome.directory).exists()
        asked = (
            f"; zbatch status {shlex.quote(str(outcome.directory))} says why and what to do" if known else ""
        )
        tell(f"not done: {rest}{asked}")
    if outcome.error is not None:
        complain(str(outcome.error))
    match outcome.ending:
        case Ending.INTERRUPTED:
            tell(f"interrupted; this goes on where it stopped: {order.again}")
        case Ending.RUN_DEADLINE:
            tell("limits.run_deadline is over: run again to go on")
        case Ending.MAX_COST:
            with Run(outcome.directory) as run:
                again = outcome.selected[JobState.UNKNOWN] if remade(run) else 0
                command = raised(run, outcome.selected[JobState.PENDING] + again)
            tell(f"max_cost is reached: no more submits; to go on: {command}")


def _exit_code(outcome: Outcome) -> ExitCode:
    codes = {
        Ending.COMPLETE: ExitCode.OK,
        Ending.STOPPED: ExitCode.SURROUNDINGS,
        Ending.INTERRUPTED: ExitCode.INTERRUPTED,
    }
    return codes.get(outcome.ending, ExitCode.NOT_ALL_DONE)
