"""Where a job of a run came from, and what has changed since: what `zbatch why` tells."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

import orjson
import yaml

from zbatch.errors import ManifestError, UsageError
from zbatch.manifest.jobs import Expansion
from zbatch.manifest.loader import load_manifest
from zbatch.manifest.parser import Manifest
from zbatch.manifest.tracing import Trace, trace_job
from zbatch.model import Coordinates, InputImage, JobState, fold
from zbatch.state.database import Meta
from zbatch.state.records import JobRecord, JobSketch
from zbatch.state.run import Run
from zbatch.state.sources import find_source

_KEY: Final = re.compile(r"[0-9a-f]{4,64}")
_FIELDS: Final = ("prompt", "size", "seed", "loras", "image_url", "strength", "mask", "output_format")
_MOST_ALIKE: Final = 10_000
"""Jobs with equally few differing fields, among which the nearest is the one whose fields differ least."""


class Difference(NamedTuple):
    """A field in which two requests differ: what it is there, and here."""

    field: str
    there: Any
    here: Any


@dataclass(frozen=True, slots=True)
class Neighbour:
    """The nearest other job, and where it differs."""

    key: str
    file: str
    differences: tuple[Difference, ...]


@dataclass(frozen=True, slots=True)
class Lineage:
    """What is known of one job.

    `record` is the job in the state, `None` where the run does not have it yet; `coordinates` are the cells
    the state knows. `trace` is what a manifest says of it: the one that is there now (`shown_now`), or the
    copy that the run keeps; `None` where neither gives it or can be read. `changed` tells whether the
    manifest is another than that of the run. `nearest_made` is the nearest job already made, where this one
    is not; `nearest_now` the nearest that the manifest gives now, where it no longer gives this one. `notes`
    say what could not be looked at, and why.
    """

    key: str
    request: Mapping[str, Any]
    record: JobRecord | None
    coordinates: tuple[Coordinates, ...]
    trace: Trace | None
    shown_now: bool
    changed: bool
    nearest_made: Neighbour | None
    nearest_now: Neighbour | None
    notes: tuple[str, ...]


def find_lineage(run: Run, job: str, path: Path | None = None) -> Lineage:
    """Say where a job came from. `job` is its key, the beginning of it, or its image's file.

    `path` is where the manifest is now; looked for where the run says it was unless given.

    Raises:
        UsageError: no such job, or several.
        ManifestError: the manifest that was given is wrong.
    """
    notes: list[str] = []
    manifest = _manifest_now(run, notes) if path is None else _checked(path)
    given = _Given(manifest)
    key = _find_key(run, given, job)
    record = run.job(key)
    trace = None if manifest is None else trace_job(manifest, key)
    shown_now = trace is not None
    if trace is None:
        trace = _kept(run, key, notes)
    request = trace.request if trace is not None else record.request.body() if record is not None else {}
    made = record is not None and record.state is JobState.DONE
    others = (sketch for sketch in run.sketches(JobState.DONE) if sketch.key != key)
    return Lineage(
        key=key,
        request=request,
        record=record,
        coordinates=tuple(run.cells_of(key)),
        trace=trace,
        shown_now=shown_now,
        changed=manifest is not None and manifest.document.fingerprint != run.about(Meta.MANIFEST_SHA256),
        nearest_made=None if made else _nearest(request, others),
        nearest_now=None if shown_now else _nearest(request, given),
        notes=tuple(notes),
    )


def _manifest_now(run: Run, notes: list[str]) -> Manifest | None:
    """Load the manifest where the run says it was: from here, or from a directory above the run's."""
    named = str(run.about(Meta.MANIFEST) or "")
    if not named:
        return None
    found = find_source(run, named)
    if found is None:
        notes.append(f"the manifest {named} is not there; --manifest says where it is now")
        return None
    try:
        manifest = _checked(found)
    except ManifestError as error:
        notes.append(
            f"the manifest {found} is wrong as it is now (zbatch validate says why): {_first(error)}"
        )
        return None
    if manifest.name != run.name:
        notes.append(
            f"{found} is called {manifest.name} and this run {run.name}: --manifest says which it is"
        )
        return None
    return manifest


class _Given:
    """The jobs a manifest gives, streamed anew each time: there may be a million. None without a manifest."""

    def __init__(self, manifest: Manifest | None) -> None:
        self._manifest = manifest

    def __iter__(self) -> Iterator[JobSketch]:
        for row in Expansion(self._manifest).rows() if self._manifest is not None else ():
            if row.key is not None and row.request is not None and row.file is not None:
                yield JobSketch(row.key, row.request, row.file)


def _checked(path: Path) -> Manifest:
    """Load a manifest and run through its expansion.

    Raises:
        ManifestError: it is wrong.
    """
    manifest = load_manifest(path, allow_outside=True)
    Expansion(manifest).check()
    return manifest


def _first(error: ManifestError) -> str:
    return str(error).splitlines()[0]


def _kept(run: Run, key: str, notes: list[str]) -> Trace | None:
    """Trace a job in the copy of the manifest that the run keeps."""
    try:
        lock = yaml.safe_load(run.directory.manifest_lock.read_bytes())
        path = run.directory.manifest_sources / lock["sources"][0]["kept_as"]
        trace = trace_job(load_manifest(path, allow_outside=True, known_inputs=_inputs(run, key)), key)
    except (OSError, yaml.YAMLError, KeyError, TypeError, IndexError):
        notes.append("the run keeps no copy of its manifest that could be read")
        return None
    except ManifestError as error:
        notes.append(f"the copy of the manifest in the run cannot be followed: {_first(error)}")
        return None
    if trace is None:
        notes.append("it comes from an earlier manifest, of which the run keeps no copy")
    return trace


def _inputs(run: Run, key: str) -> Iterator[InputImage]:
    """Give the local input images that the run knows, a job's own last: they win where a file changed."""
    record = run.job(key)
    bodies = (sketch.body() for sketch in run.sketches() if b'"sha256"' in sketch.request)
    for body in itertools.chain(bodies, () if record is None else (record.request.body(),)):
        for field in ("image_url", "mask"):
            if isinstance(body.get(field), Mapping):
                yield InputImage(**body[field])


# ── finding the job ──────────────────────────────────────────────────────────────────────────────────────


def _find_key(run: Run, given: Iterable[JobSketch], job: str) -> str:
    """Find the one job that is meant.

    Raises:
        UsageError: none is, or several are.
    """
    found: dict[str, str] = {}
    if _KEY.fullmatch(job.lower()):
        found = dict(run.files(job.lower()))
        found.update((sketch.key, sketch.file) for sketch in given if sketch.key.startswith(job.lower()))
    if not found:
        wanted = _file_names(run, job)
        found = {key: file for key, file in run.files() if fold(file) in wanted}
        found.update((sketch.key, sketch.file) for sketch in given if fold(sketch.file) in wanted)
    if len(found) == 1:
        return next(iter(found))
    if not found:
        raise UsageError(
            f"no job of this run is called {job!r}",
            hint="give a job key (its first 4 characters or more) or an image's file: see jobs.jsonl",
        )
    listed = ", ".join(f"{key[:16]} ({file})" for key, file in list(found.items())[:5])
    raise UsageError(f"{job!r} means {len(found):,} jobs: {listed}", hint="give more characters of the key")


def _file_names(run: Run, job: str) -> set[str]:
    """Give what an image's file may be called in the run: as written, or below its directory or its URL."""
    names = {fold(job), fold(f"images/{job}")}
    if run.location is not None and job.startswith(f"{run.location}/"):
        names.add(fold(job.removeprefix(f"{run.location}/")))
    path = Path(job).resolve()
    if path.is_relative_to(run.directory.path.resolve()):
        names.add(fold(path.relative_to(run.directory.path.resolve()).as_posix()))
    return names


# ── the nearest other job ────────────────────────────────────────────────────────────────────────────────


def _nearest(request: Mapping[str, Any], others: Iterable[JobSketch]) -> Neighbour | None:
    """Find the job that differs in the fewest fields, and among those by the least."""
    fewest = len(_FIELDS) + 1
    alike: list[tuple[JobSketch, tuple[Difference, ...]]] = []
    for sketch in others:
        differences = tuple(_differences(request, sketch.body()))
        if not differences or len(differences) > fewest:
            continue
        if len(differences) < fewest:
            fewest, alike = len(differences), []
        if len(alike) < _MOST_ALIKE:
            alike.append((sketch, differences))
    if not alike:
        return None
    sketch, differences = min(alike, key=lambda pair: sum(map(_distance, pair[1])))
    return Neighbour(sketch.key, sketch.file, differences)


def _differences(request: Mapping[str, Any], other: Mapping[str, Any]) -> Iterator[Difference]:
    for field in _FIELDS:
        here, there = request.get(field), other.get(field)
        if here != there and _identity(here) != _identity(there):
            yield Difference(field, there, here)


def _identity(value: Any) -> Any:
    """Give what counts of a value: of a local input image its hash, wherever the file lies."""
    return value.get("sha256", value) if isinstance(value, Mapping) else value


def _distance(difference: Difference) -> float:
    """Say how far a field is from another, from 0 to 1."""
    _, there, here = difference
    if isinstance(there, int | float) and isinstance(here, int | float):
        return min(1.0, abs(there - here) / (abs(there) + abs(here) + 1))
    texts = [value if isinstance(value, str) else orjson.dumps(value).decode() for value in (there, here)]
    same = _common(*texts)
    same += _common(*(text[same:][::-1] for text in texts))
    return 1 - same / max(map(len, texts))


def _common(left: str, right: str) -> int:
    """Count the characters with which both begin."""
    unlike = (number for number, pair in enumerate(zip(left, right, strict=False)) if pair[0] != pair[1])
    return next(unlike, min(len(left), len(right)))
