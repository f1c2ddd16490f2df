"""`zbatch report`: the contact sheet of a run."""

from __future__ import annotations

import time
from pathlib import Path

import click

from zbatch.cli import options
from zbatch.cli.output import ExitCode, say
from zbatch.cli.whereabouts import find_run
from zbatch.exports.provenance import write_provenance
from zbatch.model import UNFINISHED, JobState
from zbatch.sheet import write_png, write_sheet, write_single_file
from zbatch.state.run import Run

_EVERY = 2.0


@click.command(
    "report",
    epilog="Examples: zbatch report runs/fox-preview · zbatch report fox.yaml --png fox.png · "
    "zbatch report runs/fox --single-file",
)
@click.argument("run", type=click.Path(path_type=Path))
@options.endpoint
@click.option(
    "--single-file", is_flag=True, help="Also write sheet.html, one file with the thumbnails inside."
)
@click.option(
    "--png", type=click.Path(path_type=Path), metavar="FILE", help="Also draw the sheet as a picture."
)
@click.option("--watch", is_flag=True, help="Write it again while the run goes on.")
def command(run: Path, endpoint: str | None, single_file: bool, png: Path | None, watch: bool) -> int:
    """Write the contact sheet and jobs.jsonl of RUN: a run directory, or the manifest whose run it is."""
    with find_run(run, endpoint) as opened:
        say(str(_write(opened)))
        if single_file:
            say(str(write_single_file(opened, opened.directory.path / "sheet.html")))
        if png is not None:
            for page in write_png(opened, png):
                say(str(page))
    if watch:
        _follow(run, endpoint)
    return ExitCode.OK


def _write(run: Run) -> Path:
    write_provenance(run)
    return write_sheet(run)


def _follow(path: Path, endpoint: str | None) -> None:
    before: dict[JobState, int] = {}
    while True:
        with find_run(path, endpoint) as run:
            counts = run.counts()
            if counts != before:
                _write(run)
                before = counts
        if not any(counts[state] for state in UNFINISHED):
            return
        time.sleep(_EVERY)
