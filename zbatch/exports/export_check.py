"""An export against its checksum file: in a directory, or in an object store."""
# ruff: noqa: PTH118 - paths are text: this is done for every file of an export

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

from zbatch.errors import DiskError, UsageError
from zbatch.exports.about import ABOUT, read_about, unfinished
from zbatch.exports.checksums import CHECKSUMS, entries, leads_out
from zbatch.exports.hashing import Found, look_at_all
from zbatch.exports.partial import PARTIAL, partial_of
from zbatch.exports.shards import bad_samples
from zbatch.exports.stored_check import is_stored_export, take, verify_stored_export
from zbatch.exports.strays import files_below, size_of
from zbatch.exports.verification import Difference, LeftOver, Problem, Told, Verification
from zbatch.state.directory import RunDirectory
from zbatch.storage import is_url, parse_location

_MOST_SHARDS: Final = 10
"""Shards that are read once more: they are large."""


def is_export(path: str | Path) -> bool:
    """Tell whether a directory, or a place in an object store, carries a checksum file.

    Raises:
        UsageError: an export that is not finished lies there, it is a URL of no object store, or no path.
        StorageError: the store cannot be asked.
    """
    if is_url(str(path)):
        return is_stored_export(parse_location(str(path)))
    path = Path(path)
    try:
        if (path / CHECKSUMS).is_file():
            return True
        for aside in (path, partial_of(path)):
            if aside.name.endswith(PARTIAL) and (aside / "plan.json").is_file():
                raise unfinished(str(path), read_about(aside, "plan.json"))
    except OSError as error:  # of a name that is too long, say
        raise UsageError(f"{path} cannot be looked at: {error.strerror or error}") from error
    return False


def verify_export(path: str | Path, tell: Told | None = None, *, threads: int | None = None) -> Verification:
    """Hold an export's files against its checksums; files that no line names are leftovers.

    `path` is its directory, or the URL of its place in an object store.

    Raises:
        UsageError: it is a run directory.
        DiskError: the checksum file cannot be read.
    """
    if is_url(str(path)):
        return verify_stored_export(parse_location(str(path)), tell, threads=threads)
    begun = time.monotonic()
    path = Path(path)
    if RunDirectory(path).exists() and not (path / CHECKSUMS).exists():
        raise UsageError(f"{path} is a run directory and no export", hint=f"zbatch.verify_run({str(path)!r})")
    result = Verification("export", path)
    listed: set[int] = {hash(CHECKSUMS)}  # of a million names their hashes are a fifth
    take(look_at_all(_files(path, result, listed), _is_whole, threads=threads), result, tell)
    if hash(ABOUT) not in listed and (path / ABOUT).exists():
        result.add(Difference(Problem.UNLISTED, CHECKSUMS, found=f"it does not name {ABOUT}: it was cut off"))
    root = os.fspath(path)
    for file in files_below(root, "", result.notes):
        if hash(file) not in listed:
            result.add_left_over(LeftOver(file, size_of(root, file)))
    _name_samples(path, result)
    result.seconds = time.monotonic() - begun
    return result


def _name_samples(path: Path, result: Verification) -> None:
    """Say of the first shards that differ which samples do: each is read once more for it."""
    shards = [
        number
        for number, one in enumerate(result.differences)
        if one.found_length is not None and one.file.endswith((".tar", ".parquet"))
    ]
    for number in shards[:_MOST_SHARDS]:
        one = result.differences[number]
        result.differences[number] = replace(one, found=bad_samples(path / one.file))


def _is_whole(entry: tuple[str, str], found: Found) -> bool:
    return found.sha256 == entry[1]


def listed_bytes(path: Path) -> tuple[int, int]:
    """Count the files that a checksum file names, and their bytes as they are; for a bar, so roughly.

    Raises:
        DiskError: the checksum file cannot be read.
    """
    files = length = 0
    for file, _ in _entries(path / CHECKSUMS):
        files += 1
        try:
            length += os.stat(os.path.join(path, file or "")).st_size if file else 0  # noqa: PTH116 - a third of Path.stat
        except (OSError, ValueError):
            continue
    return files, length


def _files(path: Path, result: Verification, listed: set[int]) -> Iterator[tuple[tuple[str, str], str]]:
    for number, (file, sha256) in enumerate(_entries(path / CHECKSUMS), 1):
        if file is None or leads_out(file):
            why = "is no line of a checksum file" if file is None else "leads out of the directory"
            result.add(Difference(Problem.UNLISTED, f"{CHECKSUMS}:{number}", found=f"{why}: {sha256[:100]}"))
            continue
        listed.add(hash(os.path.normpath(file)))
        yield (file, sha256), os.path.join(path, file)


def _entries(path: Path) -> Iterator[tuple[str | None, str]]:
    try:
        with path.open("rb") as stream:
            yield from entries(stream)
    except OSError as error:
        raise DiskError(f"cannot read {path}: {error.strerror or error}") from error
