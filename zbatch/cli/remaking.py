"""The manifest of one image, for `zbatch init --from FILE`: read, written, and held against the image."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from zbatch.errors import ManifestError, UsageError
from zbatch.manifest.findings import printable
from zbatch.manifest.loader import expand
from zbatch.manifest.remaking import Remake, remake
from zbatch.provenance import Record
from zbatch.provenance.reading import read_picture


def remade(picture: Path) -> tuple[Record, Remake]:
    """Read an image, and write the manifest that makes it again.

    Raises:
        UsageError: it is no image, or does not tell enough.
        DiskError: it cannot be read.
    """
    told = read_picture(picture)
    if told.record is None:
        raise UsageError(
            f"{picture} has no record of zbatch in it"
            + (f" that can be read: {told.unread}" * bool(told.unread)),
            hint="zbatch why FILE shows what it tells; a manifest can be made of images that zbatch made",
        )
    try:
        return told.record, remake(told.record, printable(picture.name))
    except UsageError as error:
        raise UsageError(f"{picture}: {error.message}", hint=error.hint) from error


def what_is_missing(path: Path, record: Record, made: Remake) -> Iterator[str]:
    """Say what a person has to do before the manifest at `path` makes the image again; mostly nothing."""
    absent = False
    for image in dict.fromkeys(made.inputs):
        place = path.parent / image.file
        if not place.is_file() or hashlib.sha256(place.read_bytes()).hexdigest() != image.sha256:
            absent = True
            yield f"it was made from an image of yours: put the file with SHA-256 {image.sha256} at {place}"
    if made.shortened:
        fields = ", ".join(map(printable, made.shortened))
        yield (
            f"{fields}: what may have been a secret in the URL is not in the image; put it back in {path}, "
            "for the very same job"
        )
    elif not absent and _key(path) != record.key:
        yield "note: what it asks for is not quite the job that the image names; zbatch why FILE shows that"


def _key(path: Path) -> str | None:
    try:
        return next((job.key for job in expand(path)), None)
    except ManifestError as error:
        raise UsageError(f"the image tells what no manifest may hold: {error}") from error
