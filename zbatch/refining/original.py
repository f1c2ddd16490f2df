"""The manifest that a run was made from: the file itself where it is as it was, else the copy in the run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from zbatch.errors import ManifestError, UsageError
from zbatch.manifest.loader import load_manifest
from zbatch.manifest.parser import Manifest
from zbatch.model import InputImage
from zbatch.state.database import Meta
from zbatch.state.run import Run
from zbatch.state.sources import find_source


@dataclass(frozen=True, slots=True)
class Original:
    """A manifest as a run was made from it.

    `data` are the bytes of its own file; `directory` is what its relative paths are relative to; `path` is
    the file where it is now, if it is; `note` says what a person should know about which one was taken.
    """

    manifest: Manifest
    data: bytes
    directory: Path
    path: Path | None
    note: str = ""


def find_original(run: Run) -> Original:
    """Find it.

    Raises:
        UsageError: neither is there as it was.
    """
    named = str(run.about(Meta.MANIFEST) or "")
    found = find_source(run, named) if named else None
    fingerprint = run.about(Meta.MANIFEST_SHA256)
    if found is not None:
        now = _loaded(found)
        if now is not None and now.document.fingerprint == fingerprint:
            return Original(now, now.document.sources[0].data, found.parent.resolve(), found)
    kept = _kept(run, named, found)
    if kept.document.fingerprint != fingerprint:
        raise UsageError(
            f"the copy of the manifest in {run.directory.manifest_sources} is not what the run was made from",
            hint=_MEND,
        )
    data = kept.document.sources[0].data
    if found is None:
        note = f"{named} is not found any more: refined from the copy that the run keeps"
        return Original(kept, data, kept.path.parent.resolve(), None, note)
    note = f"{found} has changed since the run: refined from the copy that the run keeps, not from that"
    return Original(kept, data, found.parent.resolve(), found, note)


_MEND = "run the manifest again, which keeps a copy of it, and refine then"


def _loaded(path: Path) -> Manifest | None:
    try:
        return load_manifest(path, allow_outside=True)
    except ManifestError:
        return None


def _kept(run: Run, named: str, found: Path | None) -> Manifest:
    """Load the copy that the run keeps.

    Raises:
        UsageError: there is none, or it cannot be read.
    """
    what = "the manifest is not found" if found is None else f"{found} has changed since"
    problem: Exception
    try:
        lock = yaml.safe_load(run.directory.manifest_lock.read_bytes())
        path = run.directory.manifest_sources / lock["sources"][0]["kept_as"]
        return load_manifest(path, allow_outside=True, known_inputs=input_images(run))
    except ManifestError as error:
        problem = UsageError(f"the copy of {named} that the run keeps cannot be followed: {_first(error)}")
    except (OSError, yaml.YAMLError, KeyError, TypeError, IndexError) as error:
        problem = error
    raise UsageError(
        f"{what}, and {run.directory.path} keeps no copy of its manifest that could be read ({problem})",
        hint=_MEND,
    ) from problem


def _first(error: ManifestError) -> str:
    return str(error).splitlines()[0]


def input_images(run: Run) -> Iterator[InputImage]:
    """Give the local input images that the run knows; the copy of its manifest was kept without them."""
    for sketch in run.sketches():
        if b'"sha256"' in sketch.request:
            body = sketch.body()
            for field in ("image_url", "mask"):
                if isinstance(body.get(field), Mapping):
                    yield InputImage(**body[field])
