"""What can be mended of a run with no one being asked: what is in the way set aside, the rest made again."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from zbatch.errors import SurroundingsError
from zbatch.exports.hashing import Lying, look_at
from zbatch.exports.provenance import write_provenance
from zbatch.exports.sidecars import Sidecars
from zbatch.exports.verification import Difference, Problem, Verification
from zbatch.state.artifacts import BadImageError, thumbnail_of
from zbatch.state.directory import RunDirectory
from zbatch.state.kept import KeptFile, KeptFiles
from zbatch.state.lock import RunLock
from zbatch.state.pictures import Pictures
from zbatch.state.placing import place_all
from zbatch.state.run import Run
from zbatch.storage import Bucket

SET_ASIDE: Final = "set-aside"
"""Below the run directory: what lay where a picture should. Nothing is ever deleted."""

_IN_THE_WAY: Final = frozenset({Problem.CHANGED, Problem.TRUNCATED, Problem.OTHER_TYPE, Problem.NO_FILE})


@dataclass(slots=True)
class Mended:
    """What was done: names from the run directory, and why the rest was not."""

    set_aside: list[str] = field(default_factory=list)
    thumbnails: list[str] = field(default_factory=list)
    sidecars: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)


def can_set_aside(difference: Difference) -> bool:
    """Tell whether the next run would fetch the picture again, were what lies there not in the way."""
    return difference.shown and difference.problem in _IN_THE_WAY


def mend_run(result: Verification) -> Mended:
    """Move what lies where pictures should into `set-aside/`; make thumbnails and sidecars again.

    Sidecars, and `jobs.jsonl` among them, are written anew from the state where they are not what it says.

    The state is not touched: the next run finds those pictures gone and asks their tasks for them again. Each
    file is looked at once more before it is moved. Pictures of jobs that the manifest no longer shows stay,
    as no run would fetch them.

    Raises:
        RunBusyError: a run goes on there.
        DiskError: the run cannot be locked, or its state not read.
    """
    directory, mended = RunDirectory(Path(result.path)), Mended()
    pictures = Pictures.of(directory)
    with RunLock(directory), KeptFiles(directory) as kept:
        keys = [one.key for one in result.differences if one.key is not None]
        files = {file.key: file for file in _of_keys(kept, keys)}
        for one in result.differences:
            file = files.get(one.key or "")
            if file is None:
                continue
            if one.problem is Problem.THUMBNAIL:
                _make_thumbnail(directory, pictures, file, mended)
            elif can_set_aside(one) and pictures.location is not None:
                _set_aside_in_store(pictures.bucket, file, mended)
            elif can_set_aside(one):
                _set_aside(directory, file, mended)
        if result.counts[Problem.SIDECAR] or result.unwritten:
            _write_sidecars(directory, result, mended)
    return mended


def _write_sidecars(directory: RunDirectory, result: Verification, mended: Mended) -> None:
    try:
        with Run(directory.path) as run:
            listing = directory.provenance.name
            if result.unwritten or any(
                one.problem is Problem.SIDECAR and one.file == listing for one in result.differences
            ):
                write_provenance(run)
                mended.sidecars.append(listing)
            work = Sidecars.of(run)
            mended.sidecars += () if work is None else work.written()
    except SurroundingsError as error:
        mended.failed.append(error.message)


def _of_keys(kept: KeptFiles, keys: Iterable[str]) -> Iterable[KeptFile]:
    wanted = set(keys)
    return (file for page in kept.pages() for file in page if file.key in wanted)


def _set_aside(directory: RunDirectory, file: KeptFile, mended: Mended) -> None:
    path = directory.path / file.file
    found = look_at(str(path))
    if found.lying is Lying.NOTHING or (found.sha256, found.length) == (file.sha256, file.length):
        return
    target = _free(directory.path / SET_ASIDE / file.file)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        path.rename(target)
    except OSError as error:
        mended.failed.append(f"cannot move {file.file} to {target}: {error.strerror or error}")
    else:
        mended.set_aside.append(file.file)


def _set_aside_in_store(bucket: Bucket, file: KeptFile, mended: Mended) -> None:
    try:
        data = bucket.get(file.file)
        if data is None or hashlib.sha256(data).hexdigest() == file.sha256:
            return
        # By what it holds: whatever was set aside before stays.
        bucket.move(file.file, f"{SET_ASIDE}/{hashlib.sha256(data).hexdigest()[:16]}/{file.file}")
    except SurroundingsError as error:
        mended.failed.append(error.message)
    else:
        mended.set_aside.append(file.file)


def _free(path: Path) -> Path:
    number, free = 1, path
    while free.exists() or free.is_symlink():
        number += 1
        free = path.with_name(f"{path.stem}-{number}{path.suffix}")
    return free


def _make_thumbnail(directory: RunDirectory, pictures: Pictures, file: KeptFile, mended: Mended) -> None:
    try:
        data = pictures.read(file.file)
        if hashlib.sha256(data).hexdigest() != file.sha256:
            return
        (problem,) = place_all(directory, [[(file.thumb, thumbnail_of(data))]])
    except SurroundingsError as error:
        mended.failed.append(error.message)
    except BadImageError as error:
        mended.failed.append(f"{file.file}: {error}")
    else:
        if problem is None:
            mended.thumbnails.append(file.thumb)
        else:
            mended.failed.append(problem.message)
