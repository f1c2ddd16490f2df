"""An export in an object store against its checksums, which lie there beside it."""

from __future__ import annotations

import hashlib
import io
import time
from collections.abc import Iterable, Iterator
from typing import Final

from zbatch.errors import StorageError
from zbatch.exports.about import ABOUT, about_of, unfinished
from zbatch.exports.bucket_destination import PLAN, UNFINISHED
from zbatch.exports.checksums import CHECKSUMS, entries, leads_out
from zbatch.exports.hashing import Found, Lying, Seen, look_at_all
from zbatch.exports.run_check import difference_of
from zbatch.exports.verification import Difference, LeftOver, Problem, Told, Verification
from zbatch.state.pictures import READERS_PATIENCE
from zbatch.storage import Bucket, Location

_AT_ONCE: Final = 32
"""Objects asked for together: a store takes its time over each."""


def is_stored_export(location: Location) -> bool:
    """Tell whether a place in a store carries a checksum file.

    Raises:
        UsageError: an export lies there that is not finished, and has none yet.
        StorageError: it cannot be asked.
    """
    bucket = _bucket(location)
    if bucket.length(CHECKSUMS) is not None:
        return True
    if (plan := bucket.get(PLAN)) is not None:
        raise unfinished(str(location), about_of(plan))
    return False


def verify_stored_export(
    location: Location, tell: Told | None = None, *, threads: int | None = None
) -> Verification:
    """Hold the objects at a place against its checksums; objects that no line names are leftovers.

    Each is read whole. An export that is not finished is a difference: its checksums come near its end.

    Raises:
        StorageError: its checksums cannot be read, or it cannot be listed.
    """
    begun = time.monotonic()
    bucket = _bucket(location)
    result = Verification("export", str(location))
    there = {one.name: one.length for one in bucket.list()}
    sums = bucket.get(CHECKSUMS)
    if sums is None:
        raise StorageError(f"{location} has no {CHECKSUMS}", hint="an export has one when it is whole")
    listed = {CHECKSUMS}

    def look(name: str) -> Found:
        return look_at_object(bucket, name)

    files = _files(sums, result, listed)
    take(look_at_all(files, _is_whole, look=look, threads=threads or _AT_ONCE), result, tell)
    if ABOUT not in there and ABOUT not in listed:
        result.add(Difference(Problem.UNLISTED, CHECKSUMS, found=f"it does not name {ABOUT}: it was cut off"))
    _add_left_over(result, {name: length for name, length in there.items() if name not in listed})
    result.seconds = time.monotonic() - begun
    return result


def take(looks: Iterable[Seen[tuple[str, str]]], result: Verification, tell: Told | None) -> None:
    """Count what was looked at of an export, and hold what is odd against its checksum."""
    for seen in looks:
        result.add_seen(seen.files, seen.length, len(seen.odd))
        for (file, sha256), found in seen.odd:
            difference = difference_of(file, sha256, None, found)
            if difference is not None:
                result.add(difference)
        if tell is not None:
            tell(seen.files, seen.length)


def _add_left_over(result: Verification, left: dict[str, int]) -> None:
    for name, length in left.items():
        result.add_left_over(LeftOver(name, length))
    if any(name.startswith(f"{UNFINISHED}/") for name in left):
        result.notes.append(f"{UNFINISHED}/ says that it was not finished: the command that made it goes on")


def stored_bytes(location: Location) -> tuple[int, int]:
    """Count the objects at a place, and their bytes; for a bar.

    Raises:
        StorageError: it cannot be listed.
    """
    lengths = [one.length for one in _bucket(location).list()]
    return len(lengths), sum(lengths)


def look_at_object(bucket: Bucket, name: str) -> Found:
    """Read and hash an object, in parts where it is large; whatever is in the way is found, never raised."""
    digest, length = hashlib.sha256(), 0
    try:
        for piece in bucket.pieces(name):
            digest.update(piece)
            length += len(piece)
        if not length and bucket.length(name) is None:
            return Found(Lying.NOTHING)
    except StorageError as error:
        return Found(Lying.UNREADABLE, words=error.message)
    return Found(Lying.FILE, length, digest.hexdigest())


def _files(sums: bytes, result: Verification, listed: set[str]) -> Iterator[tuple[tuple[str, str], str]]:
    for number, (file, sha256) in enumerate(entries(io.BytesIO(sums)), 1):
        if file is None or leads_out(file):
            why = "is no line of a checksum file" if file is None else "leads out of the place"
            result.add(Difference(Problem.UNLISTED, f"{CHECKSUMS}:{number}", found=f"{why}: {sha256[:100]}"))
            continue
        listed.add(file)
        yield (file, sha256), file


def _is_whole(entry: tuple[str, str], found: Found) -> bool:
    return found.sha256 == entry[1]


def _bucket(location: Location) -> Bucket:
    return Bucket(location, patience=READERS_PATIENCE)
