"""From runs to a dataset: what to take is chosen first, then written aside, then given its name."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import orjson

from zbatch.errors import UsageError
from zbatch.exports.bucket_destination import BucketDestination
from zbatch.exports.card import write_card
from zbatch.exports.checksums import ABOUT
from zbatch.exports.destination import Destination
from zbatch.exports.imagefolder import write_imagefolder
from zbatch.exports.kohya import write_kohya
from zbatch.exports.options import Exported, Options
from zbatch.exports.pairs import write_pairs
from zbatch.exports.parquet import require_arrow, write_parquet
from zbatch.exports.selection import Selection
from zbatch.exports.sources import Sources
from zbatch.exports.splits import Split
from zbatch.exports.tables import write_csv, write_jsonl
from zbatch.exports.webdataset import write_webdataset
from zbatch.exports.writing import Work
from zbatch.picks.merging import Merged, merge_picks
from zbatch.picks.reading import read_picks
from zbatch.state.collection import Jobs
from zbatch.state.database import Meta
from zbatch.state.run import Run
from zbatch.storage import is_url, parse_location
from zbatch.version import __version__

PAIRS: Final = "near-duplicates.jsonl"
"""Who was left out for looking like whom."""

_WRITERS: Final[Mapping[str, Callable[[Work], None]]] = {
    "imagefolder": write_imagefolder,
    "webdataset": write_webdataset,
    "parquet": write_parquet,
    "kohya": write_kohya,
    "csv": write_csv,
    "jsonl": write_jsonl,
    "card": lambda _: None,
    "pairs": write_pairs,
}

_NEAR: Final = 0.02
_NEARLY: Final = 0.3
"""How far a share may be from the one that was asked without a word: of all images, or of itself."""

Progress = Callable[[str, int, int], None]
"""Told what is done (`looking`, `writing`), how many images of how many."""


def export(
    runs: Run | Jobs | str | Path | Iterable[Run | Jobs | str | Path],
    output: str | Path,
    options: Options | None = None,
    *,
    progress: Progress = lambda _what, _done, _all: None,
    processes: int | None = None,
    **more: Any,
) -> Exported:
    """Export the images of runs as a dataset into the directory `output`, which is there whole or not at all.

    `output` may be a place in an object store (`s3://bucket/prefix`): there `export.json` comes last.

    Options are given as a record, or by name as in `format="parquet", where="lora.scale > 0.4"`, where
    `split="test=0.1", split_by="subject"` are text, and `picks` may be files, one or several. The same export
    again does nothing; one that was interrupted goes on. `processes` says how many write at once (`None`: as
    many as there are processors, where there is enough to do). Jobs of a run that `Run.where` gave are taken
    with their condition, as `where` is; of several runs all have the same.

    Raises:
        UsageError: a name or a template is wrong, no image is left, or something else lies at `output`.
        DiskError: an image is gone or was changed, or the disk is full; what was done is kept aside.
    """
    if isinstance(more.get("split"), str):
        more["split"] = Split.parse(more["split"], more.pop("split_by", None))
    if (files := more.get("picks")) is not None and not isinstance(files, Merged):
        paths = [files] if isinstance(files, str | Path) else files
        more["picks"] = merge_picks(read_picks(path) for path in paths)
    try:
        chosen = options or Options(**more)
    except TypeError as error:
        raise UsageError(f"there is no such option of an export: {error}") from error
    given, where = _given([runs] if isinstance(runs, Run | Jobs | str | Path) else list(runs))
    if where is not None:
        both = where if chosen.where is None else f"({where}) and ({chosen.where})"
        chosen = replace(chosen, where=both)
    with contextlib.ExitStack() as stack:
        opened = [run if isinstance(run, Run) else stack.enter_context(Run(run)) for run in given]
        if not opened:
            raise UsageError("there is no run to export")
        selection = stack.enter_context(Selection(opened, chosen))
        selection.choose(lambda done, total: progress("looking", done, total))
        writing = functools.partial(progress, "writing")
        return _written(selection, str(output), writing, processes)


def _given(runs: Sequence[Run | Jobs | str | Path]) -> tuple[list[Run | str | Path], str | None]:
    """Give the runs that were given, and the expression that takes the jobs that were."""
    conditions = {run.expression if isinstance(run, Jobs) else None for run in runs}
    if len(conditions) > 1:
        raise UsageError(
            "jobs of several runs are exported under one condition, and these have several",
            hint='give the runs themselves, with where="..."',
        )
    return [run.run if isinstance(run, Jobs) else run for run in runs], next(iter(conditions), None)


def _written(
    selection: Selection, output: str, progress: Callable[[int, int], None], processes: int | None = None
) -> Exported:
    about = _about(selection)
    destination: Destination | BucketDestination
    if is_url(output):
        destination = BucketDestination(parse_location(output), about["digest"], about)
    else:
        destination = Destination(Path(output), about["digest"], about)
    if destination.complete():
        _check_copies(selection, output)
        return _result(selection, destination, made=False)
    _check_place(selection, output)
    if selection.options.needs_arrow:
        require_arrow()
    with destination:
        sources = Sources.of([run.pictures for run in selection.runs], check=selection.options.check)
        work = Work(selection, sources, destination, progress, selection.count(), processes)
        _WRITERS[selection.options.format](work)
        if selection.options.alike is not None:
            with destination.stream(PAIRS) as report:
                for line in _pair_lines(selection):
                    report.write(line)
        destination.put("README.md", write_card(selection, work.last_shard))
        destination.put(ABOUT, orjson.dumps(about, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
        destination.finish()
    return _result(selection, destination, made=True)


def _check_place(selection: Selection, output: str) -> None:
    """Refuse a place within a run: what lies there is the run's own."""
    place = Path(os.path.realpath(output))
    for run in selection.runs:
        if not is_url(output) and place.is_relative_to(os.path.realpath(run.directory.path)):
            raise UsageError(
                f"{output} lies within the run {run.directory.path}", hint="give another directory with -o"
            )


def _check_copies(selection: Selection, output: str) -> None:
    """Refuse to call links copies: who asked for copies means to change them."""
    first = next(selection.entries(), None)
    if not selection.options.copy or is_url(output) or first is None:
        return
    source = selection.runs[first.run].pictures.place(first.file)
    for side in selection.sides:
        with contextlib.suppress(OSError):
            if Path(output, side, first.name).samefile(source):
                raise UsageError(
                    f"{output} is this export already, and its images are hard links to the run's",
                    hint="remove it or give another directory with -o, and --copy makes files of their own",
                )


def _about(selection: Selection) -> dict[str, Any]:
    """Give what `export.json` says: all that decides on the export's bytes, and what is in it."""
    options = selection.options
    runs = [
        {
            "run": label,
            "name": run.name,
            "manifest": str(run.about(Meta.MANIFEST) or "").replace("\\", "/").rpartition("/")[2],
            "manifest_sha256": run.about(Meta.MANIFEST_SHA256),
            "model": run.about(Meta.MODEL),
            "endpoint": run.about(Meta.ENDPOINT),
            "zbatch": run.about(Meta.VERSION),
        }
        for label, run in zip(selection.labels, selection.runs, strict=True)
    ]
    facts = {
        "zbatch": __version__,
        **options.as_json(),
        "captions": selection.captions,
        "split": None if selection.split is None else selection.split.as_json(),
        "runs": runs,
        "images": {side: selection.count(side) for side in selection.sides},
        "left_out": dict(selection.tally.taken_out),
        "differing": selection.tally.differing,
    }
    digest = hashlib.sha256(orjson.dumps([facts, selection.digest])).hexdigest()
    return {"digest": digest, **facts}


def _pair_lines(selection: Selection) -> Iterator[bytes]:
    for entry, like, distance in selection.named_pairs():
        line = {
            "key": entry.key,
            "file": entry.file,
            "run": selection.labels[entry.run],
            "like_key": like.key,
            "like_file": like.file,
            "like_run": selection.labels[like.run],
            "distance": distance,
        }
        yield orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)


def _result(selection: Selection, destination: Destination | BucketDestination, *, made: bool) -> Exported:
    return Exported(
        path=destination.path,
        format=selection.options.format,
        images={side: selection.count(side) for side in selection.sides},
        left_out=dict(selection.tally.taken_out),
        files=destination.files,
        bytes=destination.bytes,
        linked=destination.linked,
        made=made,
        notes=tuple(_notes(selection, destination, made=made)),
    )


def _shares(selection: Selection) -> Iterator[str]:
    """Say where a split is far from the share that was asked: a hash decides, for groups that may be few."""
    split, total = selection.split, selection.count()
    if split is None:
        return
    for side, asked in (("validation", split.validation), ("test", split.test)):
        share = selection.count(side) / total
        if isinstance(asked, float) and abs(share - asked) > max(_NEAR, asked * _NEARLY):
            groups = f"values of {split.by}" if split.by else "prompts with a seed"
            choose = f"; name them to choose: --split '{side}=VALUE|VALUE'" if split.by else ""
            yield (
                f"{side} has {share:.1%} of the images (asked for: {asked:.1%}): a hash decides for each of "
                f"few {groups}{choose}"
            )


def _notes(
    selection: Selection, destination: Destination | BucketDestination, *, made: bool
) -> Iterator[str]:
    differing = selection.tally.differing
    if differing:
        yield (
            f"{len(differing):,} jobs of later runs have other images than in an earlier one, whose images "
            f"were taken (the first: {differing[0][:12]}; all are in {ABOUT})"
        )
    if selection.alike:
        yield f"{len(selection.alike):,} near duplicates were left out: {PAIRS} says which, and for which"
    yield from _shares(selection)
    yield from _pair_notes(selection)
    if not made:
        return
    if destination.resumed:
        yield "an interrupted export was gone on with"
    if destination.discarded:
        yield "what another interrupted export had left aside was dropped"
    if destination.linked:
        yield (
            "the images are hard links to the run's: changing one changes both (--copy makes files of their "
            "own)"
        )
    elif destination.copied and destination.links and not selection.options.copy:
        yield "the images are copies: no links can be made from the run to there"


def _pair_notes(selection: Selection) -> Iterator[str]:
    if selection.options.picks is None:
        return
    tables = " and ".join(f"{side}/pairs.jsonl" for side in selection.sides)
    yield f"{len(selection.preferences):,} pairs{' in ' if tables else ''}{tables}"
    if selection.mixed:
        yield f"{selection.mixed:,} comparisons were left out: the two images have different prompts"
    if selection.parted:
        yield f"{selection.parted:,} pairs were left out: their images are on two sides of the split"
