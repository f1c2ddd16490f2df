"""Where an export may not lie: within a run, or within another export, among whose files its own would be."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from zbatch.errors import StorageError, UsageError
from zbatch.exports.about import ABOUT, about_of, read_about, told_of
from zbatch.exports.bucket_destination import PLAN
from zbatch.exports.checksums import CHECKSUMS
from zbatch.exports.partial import PARTIAL
from zbatch.state.pictures import CLAIM, READERS_PATIENCE
from zbatch.state.run import Run
from zbatch.storage import Bucket, Location

_TAIL: Final = 1 << 10
"""Bytes at the end of checksums in which the last line is: those of an export name `export.json` there."""


def check_directory(path: Path, runs: Sequence[Run]) -> None:
    """Refuse a directory that lies within a run that is exported, or within any export.

    Raises:
        UsageError: it does.
    """
    place = Path(os.path.realpath(path))
    for run in runs:
        if place.is_relative_to(os.path.realpath(run.directory.path)):
            raise _within(str(path), f"the run {run.directory.path}", "directory")
    for parent in place.parents:
        if _is_export(parent):
            told = told_of(read_about(parent))
            raise _within(str(path), f"the export {parent}{told}", "directory")


def check_location(location: Location, runs: Sequence[Run]) -> None:
    """Refuse a place in a store that lies within any run's place there, or within any export.

    Raises:
        UsageError: it does.
    """
    for run in runs:
        if run.location is not None and f"{location}/".startswith(f"{run.location}/"):
            raise _within(str(location), f"the run {run.location}", "place")
    for parent in _parents(location):
        if (what := _lying_at(parent)) is not None:
            raise _within(str(location), what, "place")


def _within(place: str, what: str, kind: str) -> UsageError:
    return UsageError(f"{place} lies within {what}", hint=f"give another {kind} with -o")


def _is_export(folder: Path) -> bool:
    if "digest" in (read_about(folder) or {}):
        return True
    if folder.name.endswith(PARTIAL) and "digest" in (read_about(folder, "plan.json") or {}):
        return True  # one that is not finished
    with contextlib.suppress(OSError), (folder / CHECKSUMS).open("rb") as stream:
        stream.seek(max(0, stream.seek(0, os.SEEK_END) - _TAIL))
        return f"  {ABOUT}\n".encode() in stream.read()
    return False


def _lying_at(location: Location) -> str | None:
    """Say what lies at a place in a store, if it is ours.

    One may be allowed a place and not what is above it: what cannot be looked at is passed over.
    """
    with contextlib.suppress(StorageError):
        bucket = Bucket(location, patience=READERS_PATIENCE)
        if bucket.length(CLAIM) is not None:
            return f"the run {location}"
        for name in (ABOUT, PLAN):
            data = bucket.get(name)
            about = None if data is None else about_of(data)
            if about is not None and "digest" in about:
                return f"the export {location}{told_of(about)}"
    return None


def _parents(location: Location) -> Iterator[Location]:
    prefix = location.prefix
    while prefix:
        prefix = prefix.rpartition("/")[0]
        yield Location(location.scheme, location.bucket, prefix)
