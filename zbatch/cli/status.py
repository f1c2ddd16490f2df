"""`zbatch status`: how a run stands, why, and what to do next."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import click
import orjson

from zbatch.cli import options
from zbatch.cli.advice import advice, cap_reached
from zbatch.cli.curves import curves_json, print_curves, response_curves
from zbatch.cli.output import ExitCode, plural, say
from zbatch.cli.warned import warning_lines
from zbatch.cli.whereabouts import find_run
from zbatch.errors import StorageError, UsageError
from zbatch.model import UNFINISHED, JobState
from zbatch.state.database import Meta
from zbatch.state.run import Run
from zbatch.state.sources import edited

_EVERY = 2.0


@click.command("status", epilog="Examples: zbatch status runs/fox-preview · zbatch status fox.yaml --json")
@click.argument("run", type=options.PLACE)
@options.endpoint
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Counts, cost, failures, warnings and the process that runs it, as JSON.",
)
@click.option(
    "--curves",
    is_flag=True,
    help="How far pictures move from their baseline along each axis of numbers, a LoRA's scale say.",
)
@click.option("--watch", is_flag=True, help="Say it again every two seconds until nothing is left to do.")
def command(run: Path | str, endpoint: str | None, as_json: bool, curves: bool, watch: bool) -> int:
    """Say how RUN stands: a run directory, the manifest whose run it is, or its URL in a store."""
    if curves:
        with find_run(run, endpoint) as opened:
            found = response_curves(opened)
        if as_json:
            say(orjson.dumps(curves_json(found), option=orjson.OPT_INDENT_2).decode())
        else:
            print_curves(found)
        return ExitCode.OK
    while True:
        with find_run(run, endpoint) as opened:
            finished = not _open_jobs(opened)
            if as_json:
                say(orjson.dumps(_json(opened), option=0 if watch else orjson.OPT_INDENT_2).decode())
            else:
                if watch and sys.stdout.isatty():
                    click.clear()
                _print(opened)
        if not watch or finished:
            return ExitCode.OK
        time.sleep(_EVERY)


def _open_jobs(run: Run) -> int:
    counts = run.counts()
    return sum(counts[state] for state in UNFINISHED)


def _priced(run: Run) -> str:
    attempts, earlier = run.attempts(), run.spending.before
    now = attempts - sum(count for _, count in earlier)
    parts = [*earlier, (run.price, now)] if now or not earlier else earlier
    return ", ".join(
        f"{plural(count, 'attempt') if number == 0 else f'{count:,}'} at {price}"
        for number, (price, count) in enumerate(parts)
    )


def _json(run: Run) -> dict[str, Any]:
    cost, warned = run.cost(), run.warned()
    return {
        "running": run.running(),
        "counts": {state.value: number for state, number in run.counts().items()},
        "cost": None if cost is None else float(cost),
        "failures": [
            {
                "reason": failure.reason,
                "count": failure.count,
                "example": failure.example,
                "retry": failure.retry,
                "state": failure.state.value,
            }
            for failure in run.failures()
        ],
        "taken_over": [{"run": path, "count": number} for path, number in run.taken_over().items()],
        "stopped": run.about(Meta.STOPPED),
        "location": None if run.location is None else str(run.location),
        "gone": _gone(run)[0],
        "edited": edited(run),
        "done_with_warnings": warned.jobs,
        "warnings": [{"warning": text, "count": count} for text, count in warned.kinds.items()],
    }


def _print(run: Run) -> None:
    counts, cost = run.counts(), run.cost()
    total = sum(counts.values())
    say(f"{run.title}: {counts[JobState.DONE]:,} of {plural(total, 'job')} done  ({run.directory.path})")
    for state, number in counts.items():
        if number and state is not JobState.DONE:
            say(f"  {state:<11}{number:>8,}")
    for path, number in run.taken_over().items():
        say(f"  {plural(number, 'picture')} taken over from {path}: not submitted here, in no cost below")
    if cost is not None:
        free = run.about(Meta.ENDPOINT_KIND) == "preview"
        label = "would have cost (preview is free)" if free else "cost so far"
        say(f"  {label} {cost:.2f} USD: {_priced(run)}")
    _print_pictures(run)
    if names := edited(run):
        say(f"  edited since: {', '.join(names)}: `zbatch plan` says what a run would do now")
    if run.orphans():
        say(f"  {plural(run.orphans(), 'job')} of earlier manifests kept, not shown")
    if counts[JobState.PENDING] and cap_reached(run):
        budget = run.about(Meta.MAX_COST)
        say(f"  max_cost of {budget} USD is reached: raise it in limits or with --max-cost to go on")
    for line in warning_lines(run):
        say(f"  {line}")
    _print_why(run)
    _print_next(run)


def _print_pictures(run: Run) -> None:
    if run.location is not None:
        say(f"  pictures are in {run.location}")
    gone, unknown = _gone(run)
    if gone:
        taken = " (for those taken over, with --reuse)" if run.taken_over() else ""
        words = f"the next run asks for them{taken}, for nothing"
        say(f"  pictures of {plural(gone, 'done job')} are gone: {words}")
    elif unknown:
        say(f"  whether all of them are there is not known: {unknown}")


def _gone(run: Run) -> tuple[int | None, str]:
    """Count the pictures that are gone; or say why that is not known. A store is not asked all the time."""
    if run.location is not None and run.running() is not None:
        return None, ""
    try:
        return run.gone(), ""
    except (StorageError, UsageError) as error:
        return None, error.message


def _print_why(run: Run) -> None:
    failures, stopped = run.failures(), run.about(Meta.STOPPED)
    if failures or stopped:
        say("why:")
    if stopped:
        say(f"  the last run was stopped: {_short(stopped)}")
    for failure in failures:
        reason = failure.reason or "no reason given"
        say(f"  {failure.count:>6,} {failure.state}: {reason}: {_short(failure.example)}")


def _print_next(run: Run) -> None:
    owner = run.running()
    if owner is not None:
        say(f"a run is going on (process {owner})")
        return
    lines = advice(run)
    if lines:
        say("next:")
    for line in lines:
        say(f"  {line}")


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 160 else line[:157] + "..."
