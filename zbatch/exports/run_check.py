"""A run against its state: every picture that is done, what was made of it, and what else lies among them."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from zbatch.errors import SurroundingsError, UsageError
from zbatch.exports.beside import check_beside
from zbatch.exports.checksums import CHECKSUMS
from zbatch.exports.hashing import Found, Lying, look_at, look_at_all
from zbatch.exports.sniffing import sniff
from zbatch.exports.strays import strays
from zbatch.exports.thumbnails import thumbnail_fault
from zbatch.exports.verification import Difference, Problem, Told, Verification
from zbatch.state.directory import RunDirectory
from zbatch.state.kept import KeptFile, KeptFiles, Lost
from zbatch.state.pictures import Pictures
from zbatch.storage import is_url

_IN_FLIGHT: Final = 32
"""Pictures asked of an object store at once: each is waited for, and none is large."""

_LOOKS: Final = 3
"""Looks at a picture that a run makes anew time and again."""

_MOST_DESCRIBED: Final = 200
"""Files that are opened once more to say what they are."""


def verify_run(
    path: str | Path, tell: Told | None = None, *, threads: int | None = None, decode: bool = False
) -> Verification:
    """Hold a run's files against its state; neither is touched, and a run that goes on is not held up.

    Every picture is read whole, those in an object store from there; sidecars and `jobs.jsonl` are what the
    state says, byte for byte. Thumbnails have no hash: they begin and end as they should, and with `decode`
    they decode and look as they did. What a run changes meanwhile is looked at again and is no difference.
    `tell` is told of progress.

    Raises:
        UsageError: no run lies there; an export has a function of its own.
        StateError: the state is damaged, gone, or a newer zbatch's.
        DiskError: the state cannot be read.
    """
    begun = time.monotonic()
    directory = _run_at(path)
    result = Verification("run", directory.path, decoded=decode)
    pictures = Pictures.of(directory)
    if pictures.location is not None:
        threads = threads or _IN_FLIGHT

    def look(name: str) -> Found:
        return look_at(pictures.place(name)) if pictures.location is None else _look_in_store(pictures, name)

    def is_whole(file: KeptFile, found: Found) -> bool:
        same = found.sha256 == file.sha256 and found.length == file.length
        return same and not thumbnail_fault(directory, file, decode=decode)

    with KeptFiles(directory) as kept:
        lost = list(kept.lost())  # what a run takes back meanwhile is not
        names = ((file, file.file) for page in kept.pages() for file in _counted(page, result))
        for seen in look_at_all(names, is_whole, look=look, threads=threads):
            result.add_seen(seen.files, seen.length, len(seen.odd))
            for file, found in seen.odd:
                _judge(directory, kept, file, found, result, look, decode=decode)
            if tell is not None:
                tell(seen.files, seen.length)
        _name_holders(kept, result)
        check_beside(directory, result)
        _count_lost(lost, result, look)
        for stray in strays(pictures, directory, kept, result.notes):
            result.add_left_over(stray)
    result.seconds = time.monotonic() - begun
    return result


def _run_at(path: str | Path) -> RunDirectory:
    if is_url(str(path)):
        raise UsageError(
            f"{path} is no run directory",
            hint="give the directory where the run's state lies; of an export there: zbatch.verify_export()",
        )
    directory = RunDirectory(Path(path))
    if not directory.exists():
        if (directory.path / CHECKSUMS).is_file():
            raise UsageError(
                f"{path} is an export and no run directory", hint=f"zbatch.verify_export({str(path)!r})"
            )
        directory.check_lost()
        raise UsageError(
            f"{path} is no run directory: it has no {directory.state.name}",
            hint="give the directory that `zbatch run` named",
        )
    return directory


def _counted(page: Sequence[KeptFile], result: Verification) -> Sequence[KeptFile]:
    result.thumbnails += sum(file.thumb != file.file for file in page)
    return page


def _count_lost(lost: Iterable[Lost], result: Verification, look: Callable[[str], Found]) -> None:
    """Count the pictures that runs found gone already, and have not brought back: they are no less gone."""
    for key, file, digest, state, why in lost:
        if look(file).lying is not Lying.NOTHING:
            continue  # told of as left over
        result.files += 1
        words = f"its job is {state} since{f': {why}' if why else ''}"
        result.add(Difference(Problem.MISSING, file, key, sha256=digest, found=words))


def _look_in_store(pictures: Pictures, name: str) -> Found:
    try:
        data = pictures.bucket.get(name)
    except SurroundingsError as error:
        return Found(Lying.UNREADABLE, words=error.message)
    if data is None:
        return Found(Lying.NOTHING)
    return Found(Lying.FILE, len(data), hashlib.sha256(data).hexdigest())


def _judge(
    directory: RunDirectory,
    kept: KeptFiles,
    file: KeptFile,
    found: Found,
    result: Verification,
    look: Callable[[str], Found],
    *,
    decode: bool,
) -> None:
    """Take a picture that, or whose thumbnail, is not whole; one that a run makes anew is looked at again."""
    for _ in range(_LOOKS):
        now = kept.now(file.id)
        if now is None:  # the run that goes on has taken it back
            result.files -= 1
            result.overtaken += 1
            return
        if now == file:
            difference = difference_of(file.file, file.sha256, file.length, found)
            if difference is None:
                result.whole += 1
                if words := thumbnail_fault(directory, file, decode=decode):
                    result.add(Difference(Problem.THUMBNAIL, file.thumb, file.key, file.shown, found=words))
                return
            if len(result.differences) < _MOST_DESCRIBED and found.lying is Lying.FILE:
                difference = _described(difference, directory.path / file.file)
            result.add(replace(difference, key=file.key, shown=file.shown))
            return
        file, found = now, look(now.file)
    result.overtaken += 1


def difference_of(file: str, sha256: str, length: int | None, found: Found) -> Difference | None:
    """Hold what was found at a path against its hash and, where it is known, its length in bytes."""
    if found.lying is Lying.FILE:
        if found.sha256 == sha256 and length in (None, found.length):
            return None
        shorter = length is not None and found.length < length
        return Difference(
            Problem.TRUNCATED if shorter else Problem.CHANGED,
            file,
            sha256=sha256,
            length=length,
            found_sha256=found.sha256,
            found_length=found.length,
        )
    problems = {
        Lying.NOTHING: Problem.MISSING,
        Lying.NO_FILE: Problem.NO_FILE,
        Lying.UNREADABLE: Problem.UNREADABLE,
    }
    return Difference(problems[found.lying], file, sha256=sha256, length=length, found=found.words)


def _described(difference: Difference, path: Path) -> Difference:
    seen = sniff(path)
    problem = difference.problem
    if seen.other:
        problem = Problem.OTHER_TYPE
    elif seen.whole:  # shorter, and yet not cut off
        problem = Problem.CHANGED
    return replace(difference, problem=problem, found=seen.words)


def _name_holders(kept: KeptFiles, result: Verification) -> None:
    """Say of files that changed whose picture they are now, where they are another job's."""
    digests = {one.found_sha256 for one in result.differences if one.found_sha256}
    if not digests:
        return
    holders = kept.holders(sorted(digests))
    result.differences = [
        replace(one, holds=holders[one.found_sha256][0]) if one.found_sha256 in holders else one
        for one in result.differences
    ]
