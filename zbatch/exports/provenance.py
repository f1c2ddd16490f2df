"""`jobs.jsonl`: one line for every job in the state, whatever its state (schemas/job-v1.schema.json)."""

from __future__ import annotations

from pathlib import Path

import orjson

from zbatch.durable import replacing
from zbatch.model import JobState
from zbatch.state.records import JobFacts
from zbatch.state.run import Run


def job_line(job: JobFacts) -> bytes:
    """Give the provenance of one job, a line of JSON."""
    error = None
    if job.reason is not None and job.state != JobState.DONE:
        error = {"reason": job.reason, "message": job.message or ""}
    line = {
        "key": job.key,
        "model": job.model,
        "coordinates": orjson.Fragment(job.coordinates),
        "request": orjson.Fragment(job.request),
        "file": job.file,
        "state": job.state,
        "attempts": job.attempts,
        "task_ids": orjson.Fragment(job.task_ids),
        "sha256": job.sha256,
        "bytes": job.length,
        "received_sha256": job.received_sha256,
        "width": job.width,
        "height": job.height,
        "media_type": job.media_type,
        "nsfw": orjson.Fragment(job.nsfw),
        "warnings": orjson.Fragment(job.warnings),
        "error": error,
        "submitted_at": job.submitted_at,
        "done_at": job.done_at,
        "reused_from": orjson.Fragment(job.reused_from),
    }
    return orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)


def write_provenance(run: Run) -> Path:
    """Rewrite `jobs.jsonl` aside and replace it; a reader sees the old one or the new one, whole.

    Raises:
        DiskError: it could not be written; the old one is untouched.
    """
    target = run.directory.provenance
    with replacing(target, hint="the state is safe: run `zbatch report` later") as stream:
        stream.writelines(map(job_line, run.facts()))
    return target
