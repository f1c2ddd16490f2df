"""Asking an endpoint again for pictures that are there: which, what it costs, and as what run.

What is asked again is a small run of its own, with a manifest of its own, below `reproduced/` in the run
directory: its state records every attempt before and after it is made, it resumes, and no task that was paid
is lost. Nothing in the first run is written.
"""

from __future__ import annotations

import contextlib
import itertools
import random
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import yaml

from zbatch.api.endpoint import Endpoint, parse_endpoint
from zbatch.durable import make_durable_directory, write_aside
from zbatch.errors import DiskError, UsageError, ZbatchError
from zbatch.manifest.inputs import InputChangedError, data_uri
from zbatch.model import UNFINISHED, JobState, Request
from zbatch.runner.replay import replay_text
from zbatch.runner.reproduction import LeftOut, Reproduction, local_inputs
from zbatch.state.database import Meta
from zbatch.state.directory import RunDirectory
from zbatch.state.records import JobRecord
from zbatch.state.run import Run
from zbatch.state.sources import find_source

_LIMITS: Final = ("concurrency", "rate", "job_deadline")
"""Limits of the run that are those of its endpoint; what it may cost and how long it may take is not."""


def plan_reproduction(
    run: Run, many: int, *, seed: int = 1, endpoint: str | None = None, allow_outside: bool = False
) -> Reproduction:
    """Draw done jobs and say what asking for them again would do; nothing is sent or written.

    The same `seed` draws the same jobs of the same run, spread over its grid. `endpoint` is asked instead of
    the one that made them. `allow_outside` lets input images lie outside the manifest's directory.

    Raises:
        UsageError: nothing is done yet, or the endpoint is no base URL.
    """
    made_at = str(run.about(Meta.ENDPOINT) or "")
    asked = parse_endpoint(endpoint or made_at)
    keys = _drawn(run, many, seed)
    if not keys:
        raise UsageError(
            f"{run.directory.path} has no picture that is done: there is nothing to ask for again"
        )
    drawn = [job for key in keys if (job := run.job(key)) is not None and job.artifact is not None]
    root = _root(run)
    left_out = tuple(
        LeftOut(job, why)
        for job in drawn
        if (why := _hindrance(job.request, root, allow_outside=allow_outside))
    )
    out = {one.job.key for one in left_out}
    jobs = tuple(job for job in drawn if job.key not in out)
    place, submits, earlier = _place(run.directory.reproduced, jobs, asked)
    return Reproduction(
        jobs=jobs,
        left_out=left_out,
        of=len(list(run.done_keys())),
        seed=seed,
        model=drawn[0].model if drawn else str(run.about(Meta.MODEL)),
        title=run.title,
        endpoint=asked,
        made_at=made_at,
        price=run.price,
        limits=tuple(_limits(run)),
        manifest=place.with_name(f"{place.name}.yaml"),
        directory=place,
        resumed=submits is not None,
        submits=len(jobs) if submits is None else submits,
        earlier=earlier,
        root=root,
    )


def write_reproduction(plan: Reproduction) -> None:
    """Write the manifest that asks for the jobs again, unless it goes on with one that is there.

    Raises:
        DiskError: it could not be written; nothing was sent.
    """
    if plan.resumed:
        return
    try:
        make_durable_directory(plan.manifest.parent)
    except OSError as error:
        raise DiskError(
            f"cannot make {plan.manifest.parent}: {error.strerror or error}", hint="nothing was sent"
        ) from error
    write_aside(plan.manifest, replay_text(plan).encode())


def drop_reproduction(plan: Reproduction) -> None:
    """Take back what was written of one that could not begin: without a state nothing was sent."""
    with contextlib.suppress(OSError, ZbatchError):
        if not plan.resumed and not RunDirectory(plan.directory).exists():
            plan.manifest.unlink(missing_ok=True)
            RunDirectory(plan.directory).log.unlink(missing_ok=True)
            for folder in (plan.directory, plan.manifest.parent):
                if folder.is_dir():
                    folder.rmdir()


# ── which jobs ───────────────────────────────────────────────────────────────────────────────────────────


def _drawn(run: Run, many: int, seed: int) -> list[str]:
    """Draw one key of each of `many` equal stretches of the done jobs, in grid order."""
    keys = list(run.done_keys())
    if many >= len(keys):
        return keys
    chance = random.Random(seed)  # noqa: S311 - a sample, no secret
    bounds = [number * len(keys) // many for number in range(many + 1)]
    return [keys[chance.randrange(low, high)] for low, high in itertools.pairwise(bounds)]


def _root(run: Run) -> Path | None:
    """Find the directory that local input images are relative to: that of the manifest."""
    named = run.about(Meta.MANIFEST)
    found = find_source(run, named) if named else None
    return None if found is None else found.parent.resolve()


def _hindrance(request: Request, root: Path | None, *, allow_outside: bool) -> str:
    """Say why a job cannot be asked for again: a local input image of it; empty where it can."""
    for image in local_inputs(request):
        if root is None:
            return f"its input image {image.file} is not found: the manifest is not where it was"
        if not allow_outside and not (root / image.file).resolve().is_relative_to(root):
            return f"its input image {image.file} lies outside the manifest's directory (--allow-outside)"
        try:
            data_uri(image, root)
        except InputChangedError as error:
            return error.message
        except ZbatchError as error:
            return f"its input image {image.file} {error.message}"
    return ""


# ── where it is recorded ─────────────────────────────────────────────────────────────────────────────────


def _place(
    folder: Path, jobs: Sequence[JobRecord], asked: Endpoint
) -> tuple[Path, int | None, tuple[str, ...]]:
    """Give the run directory, the submits left where that run was begun, and what else is unfinished."""
    wanted, earlier = {job.key for job in jobs}, []
    found: tuple[Path, int] | None = None
    for place, run in _unfinished(folder):
        counts = run.counts()
        same = run.about(Meta.ENDPOINT) == asked.url and {key for key, _ in run.files()} == wanted
        if same and found is None:
            found = place, counts[JobState.PENDING]
        elif counts[JobState.SUBMITTED] or counts[JobState.SUBMITTING]:
            earlier.append(str(run.again))
    if found is not None:
        return *found, tuple(earlier)
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    name, number = stamp, 1
    while (folder / name).exists() or (folder / f"{name}.yaml").exists():
        number += 1
        name = f"{stamp}-{number}"
    return folder / name, None, tuple(earlier)


def _unfinished(folder: Path) -> Iterator[tuple[Path, Run]]:
    """Give the runs below that have something left to do, the newest first."""
    for manifest in sorted(folder.glob("*.yaml"), reverse=True):
        place = manifest.with_suffix("")
        try:
            if not RunDirectory(place).exists():
                continue
            run = Run(place)
        except ZbatchError:
            continue  # damaged: what it was is not known
        with run:
            if any(run.counts()[state] for state in UNFINISHED):
                yield place, run


def _limits(run: Run) -> Iterator[tuple[str, Any]]:
    """Give what the manifest of the run says of its endpoint's limits, from the copy that the run keeps."""
    try:
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        lock = yaml.load(run.directory.manifest_lock.read_bytes(), Loader=loader)  # noqa: S506 - a safe one
        limits = lock["manifest"]["limits"]
    except (OSError, yaml.YAMLError, KeyError, TypeError):
        return
    for name in _LIMITS:
        if isinstance(limits, dict) and name in limits:
            yield name, limits[name]


def drawn_as_planned(plan: Reproduction, keys: Sequence[str]) -> None:
    """Check that the manifest, as it was read, asks for the jobs that were drawn and for nothing else.

    Raises:
        UsageError: an input image changed between the look at it and now.
    """
    if set(keys) != {job.key for job in plan.jobs}:
        raise UsageError(
            f"{plan.manifest} gives other jobs than were drawn: an input image changed a moment ago",
            hint="nothing was sent; try again",
        )
