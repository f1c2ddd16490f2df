"""`zbatch verify --reproduce`: says what it costs, asks the endpoint, and compares."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from zbatch.api.endpoint import EndpointKind
from zbatch.cli.output import ExitCode, complain, plural, tell
from zbatch.cli.run import answer_signals
from zbatch.errors import UsageError
from zbatch.exports.about import read_about
from zbatch.exports.comparison import SAME, Comparison, Verdict, compare_jobs, counted
from zbatch.exports.export_check import is_export
from zbatch.exports.similarity import Similarity
from zbatch.progress import progress_listener
from zbatch.runner.order import Ending, Outcome
from zbatch.runner.preparation import InterruptedEarlyError
from zbatch.runner.reproduce import plan_reproduction
from zbatch.runner.reproduction import Reproduction
from zbatch.settings import Settings
from zbatch.state.directory import RunDirectory
from zbatch.state.run import Run
from zbatch.workflow import perform_again

_MOST_SHOWN = 20
_MOST_NAMED = 3

_WORDS = {
    Verdict.SAME_BYTES: "the same bytes",
    Verdict.SAME_PIXELS: "the same pixels, in other bytes",
    Verdict.DIFFERS: "other pixels",
    Verdict.OTHER_SIZE: "another size",
    Verdict.NOT_COMPARED: "not compared",
    Verdict.NOT_MADE: "not made",
    Verdict.NOT_ASKED: "not asked for",
}


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a person agreed to, and how it is to be done."""

    path: Path
    plan: Reproduction
    settings: Settings


@dataclass(frozen=True, slots=True)
class Reproduced:
    """What came of it. `attempts` are those made now; no `outcome`: nothing could be asked for."""

    plan: Reproduction
    outcome: Outcome | None
    attempts: int
    comparisons: tuple[Comparison, ...]
    interrupted: bool = False

    @property
    def exit_code(self) -> ExitCode:
        """What the command ends with, as far as this goes."""
        if self.interrupted:
            return ExitCode.INTERRUPTED
        if self.outcome is not None and self.outcome.error is not None:
            return ExitCode.SURROUNDINGS
        same = all(one.verdict in SAME for one in self.comparisons)
        return ExitCode.OK if same else ExitCode.NOT_ALL_DONE

    @property
    def cost(self) -> float | None:
        """USD for the attempts made now, where there is a price."""
        if self.plan.endpoint.kind is EndpointKind.PREVIEW:
            return 0.0
        return None if self.plan.price is None else float(self.plan.price * self.attempts)

    def to_json(self) -> dict[str, Any]:
        """Give the shape of `zbatch verify --reproduce --json`."""
        plan = self.plan
        return {
            "directory": str(plan.directory),
            "endpoint": plan.endpoint.url,
            "made_at": plan.made_at,
            "seed": plan.seed,
            "sampled": len(plan.jobs) + len(plan.left_out),
            "of": plan.of,
            "resumed": plan.resumed,
            "attempts": self.attempts,
            "cost": self.cost,
            "ending": None if self.outcome is None else self.outcome.ending.value,
            "counts": {verdict.value: number for verdict, number in counted(self.comparisons).items()},
            "pictures": [one.to_json() for one in self.comparisons],
        }


def prepared(
    places: Sequence[Path | str], many: int, seed: int, settings: Settings, *, yes: bool
) -> Prepared | None:
    """Draw the jobs, say what asking again costs, and have a person agree; `None` where none does.

    Raises:
        UsageError: not one run, nothing done in it, or nobody there to agree to what costs money.
    """
    path = _one_run(places, many)
    with Run(path) as run:
        plan = plan_reproduction(
            run, many, seed=seed, endpoint=settings.endpoint, allow_outside=settings.allow_outside
        )
    for command in plan.earlier:
        tell(f"note: an earlier --reproduce of other jobs is not finished; this goes on with it: {command}")
    tell(_announcement(plan))
    if plan.free or yes or not plan.submits:
        return _agreed(path, plan, settings)
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError(
            f"asking {plan.endpoint} again costs money, and nobody is there to agree to it",
            hint="nothing was sent and nothing recorded; give --yes to have it asked",
        )
    if click.confirm("ask for them?", err=True):
        return _agreed(path, plan, settings)
    tell("nothing was sent and nothing recorded")
    return None


def _agreed(path: Path, plan: Reproduction, settings: Settings) -> Prepared:
    if plan.jobs:
        tell(f"recorded in {plan.directory}")
    return Prepared(path, plan, settings)


def _one_run(places: Sequence[Path | str], many: int) -> Path:
    """Give the directory of the one run.

    Raises:
        UsageError: there are several places, or it is an export, or nothing that could be made again.
    """
    for place in places:
        if (isinstance(place, str) or not RunDirectory(place).exists()) and is_export(place):
            raise UsageError(
                f"{place} is an export, which cannot be made again by itself: --reproduce takes the run that "
                "it came from",
                hint=_origin(place, many),
            )
    if len(places) != 1 or not RunDirectory(Path(places[0])).exists():
        raise UsageError(
            "--reproduce takes one run", hint="give a run directory, or the manifest whose run it is"
        )
    return Path(places[0])


def _origin(export: Path | str, many: int) -> str:
    """Say which command makes images of an export again; it knows runs by their names, not where they lie."""
    about = (read_about(export) if isinstance(export, Path) else None) or {}
    runs = about.get("runs")
    named = [run for run in runs if isinstance(run, dict)] if isinstance(runs, list) else []
    text = f"zbatch verify RUN --reproduce {many}"
    if not named:
        return f"{text}, with RUN the run directory: export.json names it"
    told = [
        f"{_printable(run.get('run'))} (of {_printable(run.get('manifest') or 'a manifest')})"
        for run in named[:_MOST_NAMED]
    ]
    more = f" and {len(named) - len(told):,} more" if len(named) > len(told) else ""
    one = "the run directory" if len(named) == 1 else "one of the run directories"
    return f"{text}, with RUN {one} {', '.join(told)}{more}, or its manifest"


def _printable(name: object) -> str:
    """Write a name that a file from anywhere says."""
    return "".join(c if c.isprintable() else "?" for c in str(name))[:80]


def _announcement(plan: Reproduction) -> str:
    drawn = len(plan.jobs) + len(plan.left_out)
    text = (
        f"asks {plan.endpoint} again for {drawn:,} of {plural(plan.of, 'done picture')} (seed {plan.seed}): "
    )
    if plan.resumed:
        text += f"goes on with {plan.directory}, "
    text += f"{plural(plan.submits, 'submit')}, {_price(plan)}"
    if plan.endpoint.url != plan.made_at:
        text += f"\n  they were made at {plan.made_at}"
    if plan.left_out:
        text += f"\n  {plural(len(plan.left_out), 'job')} cannot be asked for: {plan.left_out[0].why}"
    if not plan.jobs:
        return text
    return f"{text}\n  not counted in the cost and max_cost of the run"


def _price(plan: Reproduction) -> str:
    if plan.endpoint.kind is EndpointKind.PREVIEW:
        return "for nothing: the built-in endpoint"
    if plan.cost is None:
        local = plan.endpoint.kind is EndpointKind.LOCAL
        return "no price is known" + (" (this machine)" if local else ": what its account is billed")
    return f"{plan.cost:.2f} USD at {plan.price} an image"


def reproduced(prepared: Prepared) -> Reproduced:
    """Ask the endpoint, and compare what came.

    Raises:
        ZbatchError: it could not begin; nothing was sent.
    """
    plan = prepared.plan
    before, outcome = _attempts(plan), None
    if plan.jobs:
        listener = progress_listener("auto", sys.stderr)
        try:
            outcome = perform_again(plan, listener, prepared.settings, started=answer_signals)
        except InterruptedEarlyError:
            return Reproduced(plan, None, 0, (), interrupted=True)
        finally:
            listener.close()
    left_out = [
        Comparison(one.job.key, one.job.file, Verdict.NOT_ASKED, why=one.why) for one in plan.left_out
    ]
    comparisons: list[Comparison] = []
    if RunDirectory(plan.directory).exists():
        with Run(prepared.path) as run, Run(plan.directory) as again:
            comparisons += compare_jobs(run, again, plan.jobs)
    interrupted = outcome is not None and outcome.ending is Ending.INTERRUPTED
    made = _attempts(plan) - before
    return Reproduced(plan, outcome, made, (*comparisons, *left_out), interrupted=interrupted)


def _attempts(plan: Reproduction) -> int:
    if not RunDirectory(plan.directory).exists():
        return 0
    with Run(plan.directory) as run:
        return run.attempts()


def reproduced_lines(made: Reproduced) -> Iterator[str]:
    """Say what came of it."""
    cost = made.cost
    free = made.plan.endpoint.kind is EndpointKind.PREVIEW
    paid = "" if cost is None or free else f", {cost:.2f} USD"
    where = f", in {made.plan.directory}" if made.outcome is not None else ""
    yield f"asked again: {plural(made.attempts, 'submit')} now{paid}{where}"
    for verdict, count in counted(made.comparisons).items():
        yield f"  {click.style(_WORDS[verdict], bold=True)}: {count:,}"
        if verdict in SAME:
            continue
        shown = [one for one in made.comparisons if one.verdict is verdict][:_MOST_SHOWN]
        for one in shown:
            yield f"    {one.file}  (job {one.key[:16]}){_how(one)}"
        if count > len(shown):
            yield f"    ... and {count - len(shown):,} more (--json lists them)"

    if any(one.again is not None and one.verdict is not Verdict.SAME_BYTES for one in made.comparisons):
        place = made.plan.directory
        yield f"side by side: {shlex.join(['zbatch', 'diff', str(place.parent.parent), str(place)])}"


def _how(one: Comparison) -> str:
    text = f": {one.why}" if one.why else ""
    if one.likeness is not None:
        apart = one.likeness
        text += (
            f": SSIM {apart.ssim:.4f}, {apart.words}; {_flip(apart)}"
            f"channels differ by up to {apart.largest} of 255, {apart.mean:.2f} in the mean, "
            f"in {apart.differing:.1%} of the pixels"
        )
    return text + (f"\n      now {one.again}" if one.again is not None else "")


def _flip(apart: Similarity) -> str:
    return "" if apart.flip is None else f"ꟻLIP {apart.flip:.4f}; "


def explain(made: Reproduced) -> None:
    """Say on stderr what stopped it."""
    if made.exit_code is ExitCode.INTERRUPTED:
        tell("interrupted; the same command goes on where it stopped")
    if made.outcome is not None and made.outcome.error is not None:
        complain(str(made.outcome.error))
