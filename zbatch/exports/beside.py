"""What is written of a run's state beside its pictures: sidecars and `jobs.jsonl`, held against the state."""
# ruff: noqa: PTH118, PTH123 - paths are text: this is done for every picture of a run

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator
from typing import Final

import orjson

from zbatch.errors import UsageError
from zbatch.exports.hashing import Found, Lying, look_at
from zbatch.exports.provenance import job_line
from zbatch.exports.sidecars import Sidecars
from zbatch.exports.verification import Difference, Problem, Verification
from zbatch.state.directory import RunDirectory
from zbatch.state.owner import owner_of
from zbatch.state.run import Run

_ALWAYS: Final = frozenset({"key", "coordinates", "request", "file", "state", "sha256", "bytes"})
"""What every zbatch wrote into a line."""

_GOES_ON: Final = "a run goes on: sidecars and jobs.jsonl are written at its end, and were not looked at"


def check_beside(directory: RunDirectory, result: Verification) -> None:
    """Hold sidecars and `jobs.jsonl` against what the state says, byte for byte, unless a run goes on.

    What a run that was killed did not come to write is said, and is no difference; nor is a caption that
    somebody changed.
    """
    if owner_of(directory.lock) is not None:
        result.notes.append(_GOES_ON)
        return
    killed = _names_somebody(directory)
    notes: list[str] = []
    with Run(directory.path) as run:
        looked, differences = 1, list(_listing(run))
        try:
            sidecars = Sidecars.of(run)
            if sidecars is not None:
                differences += _sidecars(run, sidecars)
                looked += sidecars.expected - len(sidecars.edited)
                notes += sidecars.words()
        except UsageError as error:
            notes.append(f"captions beside the pictures were not looked at: {error.message}")
    if owner_of(directory.lock) is not None:  # it began meanwhile
        result.notes.append(_GOES_ON)
        return
    result.notes += notes
    if killed and differences:
        result.unwritten = len(differences)
        result.notes.append(
            f"the last run was killed before it wrote what lies beside the pictures: {differences[0].file}"
            f"{f' and {len(differences) - 1:,} others' if len(differences) > 1 else ''}; the next one does, "
            "and so do zbatch report and --mend"
        )
        return
    result.sidecars += looked
    for one in differences:
        result.add(one)


def _names_somebody(directory: RunDirectory) -> bool:
    """Tell whether the last owner of a run, which is none now, did not come to let go of it."""
    with contextlib.suppress(OSError):
        return bool(directory.lock.read_bytes().strip())
    return False


def _sidecars(run: Run, sidecars: Sidecars) -> Iterator[Difference]:
    for file in sidecars.files():
        if file.name.endswith(".json") and _is_earlier(_read(run, file.name), file.data):
            continue
        found = look_at(os.path.join(run.directory.path, file.name))
        yield _difference(
            file.name, file.key, hashlib.sha256(file.data).hexdigest(), len(file.data), found, ""
        )


def _read(run: Run, name: str) -> bytes:
    try:
        with open(os.path.join(run.directory.path, name), "rb") as stream:
            return stream.read()
    except OSError:
        return b""


def _is_earlier(there: bytes, line: bytes) -> bool:
    """Tell whether a line is what an earlier zbatch wrote, which said the same of less."""
    try:
        said = orjson.loads(there)
    except ValueError:
        return False
    if not isinstance(said, dict) or not said.keys() >= _ALWAYS:
        return False
    now = orjson.loads(line)
    same = all(name in now and now[name] == value for name, value in said.items())
    return same and orjson.dumps(said, option=orjson.OPT_APPEND_NEWLINE) == there


def _listing(run: Run) -> Iterator[Difference]:
    """Hold `jobs.jsonl` against the state, line by line: it may have a million."""
    path = run.directory.provenance
    digest, length, line_there, odd = hashlib.sha256(), 0, b"", 0
    with contextlib.ExitStack() as stack:
        stream = None
        with contextlib.suppress(OSError):
            stream = stack.enter_context(open(path, "rb"))
        for number, job in enumerate(run.facts(), 1):
            line = job_line(job)
            digest.update(line)
            length += len(line)
            with contextlib.suppress(OSError):
                line_there = b"" if stream is None else stream.readline(len(line) + 1)
            if not odd and line_there != line and not _is_earlier(line_there, line):
                odd = number
        with contextlib.suppress(OSError):
            if stream is not None and not odd and not stream.read(1):
                return
    found = look_at(os.fspath(path))
    words = f"from line {odd:,} on" if odd else "it goes on behind its last line"
    yield _difference(path.name, None, digest.hexdigest(), length, found, words)


def _difference(name: str, key: str | None, sha256: str, length: int, found: Found, where: str) -> Difference:
    there = found.lying is Lying.FILE
    words = where if there else (found.words or "missing")
    return Difference(
        Problem.SIDECAR,
        name,
        key,
        sha256=sha256,
        length=length,
        found_sha256=found.sha256 if there else None,
        found_length=found.length if there else None,
        found=words,
    )
