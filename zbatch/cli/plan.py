"""`zbatch plan`: what a run would do and cost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click
import orjson

from zbatch.api.endpoint import EndpointKind
from zbatch.cli import options
from zbatch.cli.output import ExitCode, plural, say, tell
from zbatch.cli.whereabouts import locate_run
from zbatch.manifest.loader import load_manifest
from zbatch.plans import save_plan
from zbatch.runner.order import Order
from zbatch.runner.plan import Plan, make_plan
from zbatch.settings import Settings, resolve


@click.command("plan", epilog="Examples: zbatch plan fox.yaml · zbatch plan fox.yaml --only seed=1000 --json")
@click.argument("manifest", type=options.MANIFEST)
@options.with_options(
    options.endpoint,
    options.run_dir_long,
    options.only,
    options.first,
    options.rate,
    options.retry,
    options.reuse,
    options.max_cost,
    options.allow_outside,
)
@click.option(
    "-o",
    "--out",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Save the plan, for `zbatch run FILE`.",
)
@click.option("--json", "as_json", is_flag=True, help="The counts as JSON.")
def command(
    manifest: Path,
    endpoint: str | None,
    run_dir: Path | str | None,
    only: tuple[str, ...],
    first: int | None,
    rate: str | None,
    retry: tuple[str, ...],
    reuse: tuple[Path | str, ...],
    max_cost: str | None,
    allow_outside: bool,
    out: Path | None,
    as_json: bool,
) -> int:
    """Say what a run of MANIFEST would do and cost; nothing is submitted or written."""
    settings = Settings(
        endpoint=endpoint,
        run_dir=run_dir,
        only=only,
        first=first,
        rate=rate,
        retry=retry,
        max_cost=max_cost,
        allow_outside=allow_outside,
        reuse=tuple(locate_run(place, endpoint) for place in reuse),
    )
    order = resolve(load_manifest(manifest, allow_outside=allow_outside), settings)
    plan = make_plan(order, with_keys=out is not None)
    if out is not None:
        save_plan(plan, settings, order, out)
        tell(f"saved; zbatch run {out} does this and nothing more")
    if as_json:
        say(orjson.dumps(plan.to_json(), option=orjson.OPT_INDENT_2).decode())
    else:
        _print(plan, order)
    for warning in plan.warnings:
        tell(str(warning))
    return ExitCode.OK


def _print(plan: Plan, order: Order) -> None:
    say(f"{order.manifest.name} -> {order.directory} at {order.endpoint}")
    for label, number, words in (*_grid_lines(plan), *_run_lines(plan, order)):
        say(f"  {label:<10} {number:>9}   {words}".rstrip())
    if plan.seeds_chosen:
        chosen = plural(plan.seeds_chosen, "cell")
        say(f"  seeds: zbatch chose those of {chosen}; they are sent, written down and stay the same")
    attempts = order.manifest.limits.attempts
    if attempts > 1 and order.endpoint.kind is not EndpointKind.PREVIEW:
        say(f"  a task that fails is submitted again, {attempts} attempts in all; each may be billed")
    _budget(plan, order)


def _grid_lines(plan: Plan) -> Iterator[tuple[str, str, str]]:
    yield "cells", f"{plan.cells:,}", ""
    for rule, number in plan.excluded_by:
        yield "excluded", f"{number:,}", f"by {rule}"
    if plan.sampled_out:
        yield "left out", f"{plan.sampled_out:,}", "cells by sample"
    if plan.pairs:
        yield "pairs", f"{plan.pairs_covered:,}", f"of {plan.pairs:,} pairs of values are covered"
    yield "jobs", f"{plan.jobs:,}", ""
    for rule, number in plan.shared_by:
        yield "shared", f"{number:,}", f"{'cell' if number == 1 else 'cells'} by {rule}"


def _run_lines(plan: Plan, order: Order) -> Iterator[tuple[str, str, str]]:
    yield "done", f"{plan.done:,}", ""
    if order.reuse:
        runs = ", ".join(str(path) for path in order.reuse)
        yield "reused", f"{plan.reused:,}", f"made already by {runs}: taken over, not paid again"
    if plan.in_flight:
        yield "in flight", f"{plan.in_flight:,}", "asked for first"
    if plan.held:
        yield "held", f"{plan.held:,}", "failed, rejected or unknown: see zbatch status, --retry"
    if plan.dropped:
        yield "dropped", f"{plan.dropped:,}", "no longer in the manifest: kept, not shown"
    if plan.selected < plan.jobs:
        yield "selected", f"{plan.selected:,}", "by --only, --first"
    yield "to submit", f"{plan.to_submit:,}", ""
    if plan.cost is not None:
        free = order.endpoint.kind is EndpointKind.PREVIEW
        words = f"USD at {order.manifest.price} an image"
        yield (
            "cost",
            f"{plan.cost:.2f}",
            words + (" (the built-in endpoint itself costs nothing)" if free else ""),
        )
    if plan.spent:
        yield "spent", f"{plan.spent:.2f}", "USD so far, every attempt counted"
    if plan.seconds is not None:
        yield "time", _duration(plan.seconds), "at the rate asked for"


def _budget(plan: Plan, order: Order) -> None:
    budget = order.budget
    if (
        budget is not None
        and plan.cost is not None
        and plan.spent is not None
        and plan.spent + plan.cost > budget
    ):
        tell(f"warning: this passes max_cost of {budget} USD: the run will stop there and exit 1")


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes:02}m" if hours else f"{minutes}m{rest:02}s" if minutes else f"{rest}s"
