"""`jobs.jsonl`: one line for every job in the state, whatever its state (schemas/job-v1.schema.json)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from zbatch.model import Coordinates, JobState
from zbatch.state.directory import replacing
from zbatch.state.run import JobRecord, Run


def job_line(job: JobRecord, coordinates: Sequence[Coordinates]) -> dict[str, Any]:
    """Give the provenance of one job."""
    artifact = job.artifact
    error = None
    if job.reason is not None and job.state is not JobState.DONE:
        error = {"reason": job.reason, "message": job.message or ""}
    return {
        "key": job.key,
        "model": job.model,
        "coordinates": list(coordinates),
        "request": job.request.body(),
        "file": job.file,
        "state": job.state.value,
        "attempts": job.attempts,
        "task_ids": list(job.task_ids),
        "sha256": artifact and artifact.sha256,
        "bytes": artifact and artifact.bytes,
        "received_sha256": artifact and artifact.received_sha256,
        "width": artifact and artifact.width,
        "height": artifact and artifact.height,
        "media_type": artifact and artifact.media_type,
        "nsfw": job.nsfw,
        "warnings": list(artifact.warnings) if artifact else [],
        "error": error,
        "submitted_at": job.submitted_at,
        "done_at": job.done_at,
    }


def write_provenance(run: Run) -> Path:
    """Rewrite `jobs.jsonl` aside and replace it; a reader sees the old one or the new one, whole.

    Raises:
        DiskError: it could not be written; the old one is untouched.
    """
    target = run.directory.provenance
    coordinates: Mapping[str, list[Coordinates]] = run.coordinates()
    with replacing(target, hint="the state is safe: run `zbatch report` later") as stream:
        for job in run.jobs():
            stream.write(orjson.dumps(job_line(job, coordinates.get(job.key, ()))))
            stream.write(b"\n")
    return target
