"""`zbatch report`: the contact sheet of a run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from zbatch.cli import options, picked
from zbatch.cli.following import await_run, follow
from zbatch.cli.output import ExitCode, plural, say, tell
from zbatch.cli.picked import read_all
from zbatch.cli.whereabouts import find_run, locate_run
from zbatch.difference import measurable
from zbatch.errors import UsageError
from zbatch.exports.provenance import write_provenance
from zbatch.exports.sidecars import write_sidecars
from zbatch.model import JobState
from zbatch.picks.merging import merge_picks
from zbatch.sheet import SheetData, publish, write_png, write_sheet, write_single_file
from zbatch.sheet.change import UNASKED, measure_changes
from zbatch.state.database import Meta
from zbatch.state.run import Run


@click.command(
    "report",
    epilog="Examples: zbatch report runs/fox-preview · zbatch report fox.yaml --png fox.png · "
    "zbatch report runs/fox --single-file · zbatch report fox.yaml --picks ann.json --picks ben.json · "
    "zbatch report fox.yaml --watch",
)
@click.argument("run", type=options.PLACE)
@options.endpoint
@click.option(
    "--single-file", is_flag=True, help="Also write sheet.html, one file with the thumbnails inside."
)
@click.option(
    "--png", type=click.Path(path_type=Path), metavar="FILE", help="Also draw the sheet as a picture."
)
@click.option(
    "--changes",
    is_flag=True,
    help=f"Measure how far every picture is from its baseline, not only the next {UNASKED:,} of them.",
)
@click.option(
    "--watch",
    is_flag=True,
    help="Keep it up to date while another process runs RUN: an open page fills. Ends with the run.",
)
@picked.picks
def command(
    run: Path | str,
    endpoint: str | None,
    single_file: bool,
    png: Path | None,
    watch: bool,
    changes: bool,
    picks: tuple[Path, ...],
) -> int:
    """Write the contact sheet and jobs.jsonl of RUN: a run directory, or the manifest whose run it is."""
    if watch:
        # By its directory from here on: a manifest need not be read again, and may be edited meanwhile.
        run = place = locate_run(run, endpoint)
        await_run(place)
        follow(place)
    with find_run(run, endpoint) as opened:
        write_provenance(opened)
        data = _with_picks(SheetData.of(opened), opened, picks)
        _measure(data, opened, everything=changes)
        if not watch or picks:
            say(str(write_sheet(opened, data=data)))
            publish(opened, data)
        if single_file:
            _say_size(write_single_file(opened, opened.directory.path / "sheet.html", data=data))
        if png is not None:
            for page in write_png(opened, png, notice=tell):
                say(str(page))
        for words in write_sidecars(opened):
            tell(f"note: {words}")
    return ExitCode.OK


def _with_picks(data: SheetData, run: Run, files: tuple[Path, ...]) -> SheetData:
    """Put what people picked beside the run's data: the page counts it with what its reader says."""
    if not files:
        return data
    picks = read_all(files, [(str(run.about(Meta.IDENTITY) or ""), set(data.jobs.key))])
    merged = merge_picks(picks)
    made = {key for job, key in enumerate(data.jobs.key) if data.state(job) is JobState.DONE}
    judged = f"{len(made & merged.opinions.keys()):,} of {plural(len(made), 'image')} judged"
    compared = sum({pair.a, pair.b} <= made for pair in merged.comparisons)
    tell(f"picks: {judged}, {plural(compared, 'comparison')}, by {', '.join(merged.people)}")
    return replace(data, picks=picks)


def _measure(data: SheetData, run: Run, *, everything: bool) -> None:
    if everything and not measurable():
        raise UsageError(
            "--changes needs the package flip-evaluator, which is not installed",
            hint="pip install flip-evaluator; for some platforms there is no build of it",
        )
    left = measure_changes(data, run.directory, most=None if everything else UNASKED).left
    if left:
        tell(f"how far {left:,} pictures are from their baselines is not measured yet: --changes measures it")


def _say_size(path: Path) -> None:
    say(str(path))
    tell(f"{path.name}: {path.stat().st_size / 1e6:,.1f} MB, thumbnails only; the originals stay in images/")
