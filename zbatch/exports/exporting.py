"""From runs to a dataset: what to take is chosen first, then written aside, then given its name."""

from __future__ import annotations

import contextlib
import functools
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import orjson

from zbatch.errors import UsageError
from zbatch.exports.about import ABOUT, NEAR_DUPLICATES
from zbatch.exports.bucket_destination import BucketDestination
from zbatch.exports.card import write_card
from zbatch.exports.destination import Destination
from zbatch.exports.directory_destination import DirectoryDestination
from zbatch.exports.imagefolder import write_imagefolder
from zbatch.exports.kohya import write_kohya
from zbatch.exports.notes import notes
from zbatch.exports.options import Exported, Options
from zbatch.exports.pairs import write_pairs
from zbatch.exports.parquet import require_arrow, write_parquet
from zbatch.exports.placement import check_directory, check_location
from zbatch.exports.selection import Selection
from zbatch.exports.sources import ChangedError, Sources
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

Progress = Callable[[str, int, int], None]
"""Told what is done (`looking`, `writing`, `checking`), how many images of how many."""


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
    elif more.pop("split_by", None) is not None and more.get("split") is None:
        raise UsageError("split_by names the axis of a split, and there is none", hint='split="test=0.1"')
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
        return _written(selection, str(output), progress, processes)


def _given(runs: Sequence[Run | Jobs | str | Path]) -> tuple[list[Run | str | Path], str | None]:
    """Give the runs that were given, and the expression that takes the jobs that were."""
    conditions = {run.expression if isinstance(run, Jobs) else None for run in runs}
    if len(conditions) > 1:
        raise UsageError(
            "jobs of several runs are exported under one condition, and these have several",
            hint='give the runs themselves, with where="..."',
        )
    return [run.run if isinstance(run, Jobs) else run for run in runs], next(iter(conditions), None)


def _written(selection: Selection, output: str, progress: Progress, processes: int | None = None) -> Exported:
    about = _about(selection)
    destination: Destination
    if is_url(output):
        destination = BucketDestination(parse_location(output), about["digest"], about)
    else:
        destination = DirectoryDestination(Path(output), about["digest"], about)
    if destination.complete():
        _check_copies(selection, output)
        return _result(selection, destination, made=False)
    if is_url(output):
        check_location(parse_location(output), selection.runs)
    else:
        check_directory(Path(output), selection.runs)
    if selection.options.needs_arrow:
        require_arrow()
    with destination, destination.left_behind():
        sources = Sources.of([run.pictures for run in selection.runs], check=selection.options.check)
        total, writing = selection.count(), functools.partial(progress, "writing")
        work = Work(selection, sources, destination, writing, total, processes)
        try:
            _WRITERS[selection.options.format](work)
        except ChangedError as error:
            if not sources.here:  # all of them would have to come from the store once more
                raise
            looking = functools.partial(progress, "checking")
            raise sources.all_changed(selection.entries(), lambda done: looking(done, total)) from error
        if selection.options.alike is not None:
            with destination.stream(NEAR_DUPLICATES) as report:
                for line in _pair_lines(selection):
                    report.write(line)
        destination.put("README.md", write_card(selection, work.last_shard))
        destination.put_lengths()
        destination.put(ABOUT, orjson.dumps(about, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
        destination.finish()
    return _result(selection, destination, made=True)


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


def _result(selection: Selection, destination: Destination, *, made: bool) -> Exported:
    return Exported(
        path=destination.path,
        format=selection.options.format,
        images={side: selection.count(side) for side in selection.sides},
        left_out=dict(selection.tally.taken_out),
        files=destination.files,
        bytes=destination.bytes,
        linked=destination.linked,
        made=made,
        notes=tuple(notes(selection, destination, made=made)),
    )
