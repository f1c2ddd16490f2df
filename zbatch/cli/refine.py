"""`zbatch refine`: the next manifest, denser round what won."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from zbatch.api.endpoint import EndpointKind
from zbatch.cli import options
from zbatch.cli.output import ExitCode, plural, say, tell
from zbatch.cli.whereabouts import find_run
from zbatch.errors import UsageError
from zbatch.refining.choosing import Choice, Wishes, new_text
from zbatch.refining.judging import UNTOUCHED, VOTES, Verdict
from zbatch.refining.naming import Request
from zbatch.refining.refinement import Refinement, refine
from zbatch.refining.telling import nothing_new, stands

_MOST_SHOWN = 12


@click.command(
    "refine",
    epilog="Examples: zbatch refine runs/fox --picks picks.json · "
    "zbatch refine fox.yaml --picks ann.json --picks ben.json -o denser.yaml --keep lora.scale=0 · "
    "zbatch refine runs/fox --picks picks.json --axis lora.scale",
)
@click.argument("run", type=options.PLACE)
@click.option(
    "--picks",
    "picks",
    multiple=True,
    required=True,
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="What was picked in the page; one file of each person.",
)
@click.option(
    "-o", "--out", metavar="FILE", type=click.Path(path_type=Path), help="The next manifest. [NAME-2.yaml]"
)
@click.option("--force", is_flag=True, help="Replace that file if it is there.")
@click.option("--axis", "only", multiple=True, metavar="AXIS", help="Refine only this axis; may be repeated.")
@click.option(
    "--keep", multiple=True, metavar="AXIS=VALUE[,VALUE]", help="Keep these values, whatever was said."
)
@click.option(
    "--drop", multiple=True, metavar="AXIS=VALUE[,VALUE]", help="Drop these values, whatever was said."
)
@click.option(
    "--votes",
    type=click.IntRange(min=1),
    default=VOTES,
    show_default=True,
    metavar="N",
    help="Judged images, or comparisons, that a value needs to win or lose.",
)
@click.option("--same-run", is_flag=True, help="Keep the name: the next run goes on in the directory of RUN.")
@options.endpoint
def command(
    run: Path | str,
    picks: tuple[Path, ...],
    out: Path | None,
    force: bool,
    only: tuple[str, ...],
    keep: tuple[str, ...],
    drop: tuple[str, ...],
    votes: int,
    same_run: bool,
    endpoint: str | None,
) -> int:
    """Write the manifest that comes after RUN: denser round the winners, losing values gone, the rest kept.

    RUN is a run directory, or the manifest whose run it is. Values win by blind comparisons where there are
    enough, else by stars: those within half a star of the best value stay, and those with a favourite; those
    mostly rejected go, and those with too few votes stay. Round a winning number the step is quartered. What
    was already made need not be paid again: `zbatch run NEW --reuse RUN` takes it over.
    """
    wishes = Wishes(_by_axis(keep, "--keep"), _by_axis(drop, "--drop"), only, votes)
    with find_run(run, endpoint) as opened:
        refinement = refine(opened, Request(picks, wishes, out, force=force, same_run=same_run))
    refinement.write()
    for line in _lines(refinement):
        say(line)
    for note in refinement.notes:
        tell(f"note: {note}")
    for warning in refinement.warnings:
        tell(warning)
    return ExitCode.OK


def _by_axis(texts: Sequence[str], flag: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for text in texts:
        axis, equals, values = text.partition("=")
        if not equals or not values.strip():
            raise UsageError(f"{flag} takes AXIS=VALUE[,VALUE] (got {text!r})")
        found.setdefault(axis.strip(), []).append(values.strip())
    return found


def _lines(refinement: Refinement) -> Iterator[str]:
    plan = refinement.plan
    judged = plural(refinement.judged, "judged image")
    if refinement.compared:
        judged += f" and {plural(refinement.compared, 'comparison')}"
    yield f"{refinement.target}: by {judged} of {refinement.run} ({', '.join(refinement.people)})"
    width = max(len(one.dimension.name) for one in refinement.choices)
    for choice in refinement.choices:
        yield from _choice(choice, width)
    shared = f"{plural(refinement.made_already, 'image')} made already"
    yield f"plan: {plural(plan.jobs, 'job')}: {shared}, {plan.to_submit:,} to submit{_cost(refinement)}"
    if not plan.to_submit:
        yield nothing_new(refinement.choices)
        return
    yield "next:"
    yield f"  {refinement.command('plan')}"
    yield f"  {refinement.command('run')}"


def _cost(refinement: Refinement) -> str:
    if refinement.plan.cost is None:
        return ""
    free = refinement.order.endpoint.kind is EndpointKind.PREVIEW
    return f", {refinement.plan.cost:.2f} USD" + (" (the built-in endpoint costs nothing)" if free else "")


def _choice(choice: Choice, width: int) -> Iterator[str]:
    name = choice.dimension.name
    if choice.untouched:
        yield f"  {name:<{width}}  all {len(choice.verdicts)} stay: {UNTOUCHED}"
        return
    if not choice.changed:
        yield f"  {name:<{width}}  all {len(choice.verdicts)} stay: {_some(choice.verdicts)}"
        return
    if choice.new or choice.new_loras:
        yield f"  {name:<{width}}  now   {new_text(choice)}"
        name = ""
    yield f"  {name:<{width}}  kept  {_some(choice.kept)}"
    if dropped := [one for one in choice.verdicts if not one.kept]:
        yield f"  {'':<{width}}  gone  {_some(dropped)}"


def _some(verdicts: Sequence[Verdict]) -> str:
    shown = ", ".join(map(stands, verdicts[:_MOST_SHOWN]))
    more = len(verdicts) - _MOST_SHOWN
    return f"{shown} and {more:,} more" if more > 0 else shown
