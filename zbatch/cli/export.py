"""`zbatch export`: the images of runs as a dataset."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Self, cast

import click
from click.core import ParameterSource
from tqdm import tqdm

from zbatch.cli import options, picked
from zbatch.cli.output import ExitCode, plural, say, tell
from zbatch.cli.whereabouts import locate_run
from zbatch.errors import UsageError
from zbatch.exports.exporting import export
from zbatch.exports.options import DROPS, FORMATS, Exported, Format, Options, check_meant
from zbatch.exports.splits import Split
from zbatch.picks.merging import Merged, merge_picks
from zbatch.state.database import Meta
from zbatch.state.run import Run
from zbatch.units import parse_size


@click.command(
    "export",
    epilog="Examples: zbatch export fox.yaml --format imagefolder -o fox-dataset · "
    "zbatch export runs/a runs/b --format parquet -o both --where 'lora.scale > 0.4 and not nsfw' "
    "--split test=0.1 · "
    "zbatch export fox.yaml --format pairs --picks ann.json --picks ben.json -o preferences · "
    "zbatch export fox.yaml --format webdataset -o shards --shard-size 1GB --near-duplicates 4",
)
@click.argument("runs", nargs=-1, required=True, type=options.PLACE, metavar="RUN...")
@click.option("--format", "format_", required=True, type=click.Choice(FORMATS), help="What to write.")
@click.option(
    "-o",
    "--output",
    required=True,
    type=options.PLACE,
    metavar="DIR",
    help="New directory, or s3://BUCKET/PREFIX.",
)
@options.endpoint
@click.option(
    "--where",
    metavar="EXPRESSION",
    help="Take only images for which it is true, in one of the cells that show it.",
)
@click.option("--caption", metavar="TEMPLATE", help="In place of the manifest's export.caption.")
@click.option(
    "--caption-column",
    default="text",
    metavar="NAME",
    show_default=True,
    help="The caption's column (not kohya, pairs).",
)
@click.option(
    "--split",
    metavar="SHARES",
    help="test=0.1,validation=5%, or test=VALUE|VALUE of --split-by, or none; else the manifest's.",
)
@click.option("--split-by", metavar="AXIS", help="Keep images that share a value of it on one side.")
@click.option(
    "--drop", multiple=True, type=click.Choice(DROPS), help="Leave such images out; may be repeated."
)
@click.option(
    "--near-duplicates",
    type=click.IntRange(0, 32),
    metavar="BITS",
    help="Leave out what looks like an earlier image: perceptual hashes differ in BITS of 64 or less. Try 4.",
)
@click.option(
    "--copy",
    is_flag=True,
    help="Copy images into folders (imagefolder, kohya, pairs); else they are hard links where that can be.",
)
@click.option(
    "--no-check",
    is_flag=True,
    help="Do not hold images against their hashes, only against their lengths (so is a card).",
)
@click.option(
    "--metadata",
    type=click.Choice(["jsonl", "parquet"]),
    default="jsonl",
    help="The table of an imagefolder. [default: jsonl]",
)
@click.option(
    "--shard-size",
    default="500MB",
    metavar="SIZE",
    show_default=True,
    help="Of a shard, at most (webdataset, parquet).",
)
@click.option(
    "--shard-count",
    type=click.IntRange(min=1),
    default=10_000,
    metavar="N",
    show_default=True,
    help="Images of a shard, at most (webdataset, parquet).",
)
@click.option("--license", "license_", metavar="ID", help="For the card, such as cc-by-4.0.")
@picked.picks
def command(
    runs: tuple[Path | str, ...],
    format_: str,
    output: Path | str,
    endpoint: str | None,
    where: str | None,
    caption: str | None,
    caption_column: str,
    split: str | None,
    split_by: str | None,
    drop: tuple[str, ...],
    near_duplicates: int | None,
    copy: bool,
    no_check: bool,
    metadata: str,
    shard_size: str,
    shard_count: int,
    license_: str | None,
    picks: tuple[Path, ...],
) -> int:
    """Write the images of one run or several as a dataset.

    RUN is a run directory, or the manifest whose run it is. Done images are taken, in grid order; a job that
    several runs have is taken once. The directory is there when it is whole: interrupted, the same command
    goes on.

    csv and jsonl are tables without images: `file` says where each lies in the directory of its `run`. The
    images are read all the same, to hold them against the hashes that are said of them: --no-check spares it.
    """
    check_meant(format_, _given(click.get_current_context()))
    if split is None and split_by is not None:
        raise UsageError("--split-by says by what, not how much", hint="add --split test=0.1")
    places = [locate_run(run, endpoint) for run in runs]
    chosen = Options(
        format=cast("Format", format_),
        where=where,
        caption=caption,
        caption_column=caption_column,
        split=None if split is None else Split.parse(split, split_by),
        drop=drop,
        alike=near_duplicates,
        copy=copy,
        check=not no_check,
        metadata="parquet" if metadata == "parquet" else "jsonl",
        shard_bytes=parse_size(shard_size),
        shard_count=shard_count,
        license=license_,
        picks=_merged(places, picks) if picks else None,
    )
    try:
        with _Bar() as bar:
            done = export(places, output, chosen, progress=bar.show)
    except KeyboardInterrupt:
        tell("interrupted: what is done is kept aside, and the same command goes on with it")
        return ExitCode.INTERRUPTED
    _summarise(done)
    return ExitCode.OK


def _given(context: click.Context) -> Iterator[str]:
    """Give the flags that were given, those that say what is so anyway too."""
    for parameter in context.command.params:
        if context.get_parameter_source(parameter.name or "") is ParameterSource.COMMANDLINE:
            yield parameter.opts[-1]


def _merged(places: Iterable[Path], files: Iterable[Path]) -> Merged:
    """Read and merge what people picked of the images of some runs."""
    runs = []
    for place in places:
        with Run(place) as run:
            keys = {job.key for job in run.facts() if job.coordinates != b"[]"}
            runs.append((str(run.about(Meta.IDENTITY) or ""), keys))
    return merge_picks(picked.read_all(files, runs))


class _Bar:
    """A bar on a terminal, and nothing elsewhere."""

    def __init__(self) -> None:
        self._what = ""
        self._bar: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def show(self, what: str, done: int, total: int) -> None:
        """Show how far it is."""
        if not sys.stderr.isatty():
            return
        if what != self._what:
            if self._bar is not None:
                self._bar.close()
            self._what = what
            self._bar = tqdm(total=total, desc=what, unit="images", leave=False)
        if self._bar is not None:
            self._bar.update(done - self._bar.n)


def _summarise(done: Exported) -> None:
    total = sum(done.images.values())
    sides = ", ".join(f"{side} {count:,}" for side, count in done.images.items())
    if not done.made:
        tell(f"{done.path} is this export already, complete: {plural(total, 'image')}; nothing was done")
        tell("  every file is there and as long as it was: what was looked at")
        tell(f"  `zbatch verify {done.path}` holds each against its hash")
    else:
        tell(
            f"{plural(total, 'image')} ({sides}) as {done.format}: {plural(done.files, 'file')}, "
            f"{done.bytes / 1e6:,.1f} MB"
        )
    for reason, count in done.left_out.items():
        tell(f"  left out: {count:,} {reason}")
    for note in done.notes:
        tell(f"  {note}")
    say(str(done.path))
