"""Small rows for tests of the store: jobs, cells and artifacts that are cheap to make."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from zbatch.model import Artifact, Cell, Job, Request, Row, job_key
from zbatch.state.advances import Done, Submitted, Submitting, Succeeded
from zbatch.state.store import PendingJob, Store

MODEL = "m"


def job(seed: int, file: str = "", output_format: str = "webp") -> Job:
    request = Request(f"n {seed}", seed, "256*256", output_format=output_format)
    key = job_key(MODEL, request)
    extension = {"webp": ".webp", "png": ".png", "jpeg": ".jpg"}[output_format]
    return Job(key, MODEL, request, f"images/{file or key[:16]}{extension}", {"seed": seed})


def grid(jobs: Iterable[Job], selected: Iterable[int] | None = None) -> Iterator[Row]:
    chosen = None if selected is None else set(selected)
    for planned in jobs:
        seed = planned.request.seed
        yield Row.of(Cell({"seed": seed}, planned.key), planned, selected=chosen is None or seed in chosen)


def store_of(path: Path, *jobs: Job, selected: Iterable[int] | None = None) -> Store:
    store = Store(path)
    with store.transaction():
        store.replace_grid(grid(jobs, selected), MODEL)
    return store


def pending(store: Store) -> dict[int, PendingJob]:
    return {job.request.seed: job for job in store.next_pending(-1, 1_000_000)}


def look(store: Store, sql: str, *values: object) -> list[tuple[Any, ...]]:
    """Read what is committed, over a connection of its own."""
    with closing(sqlite3.connect(store.path)) as connection:
        return connection.execute(sql, values).fetchall()


def artifact(file: str) -> Artifact:
    thumb = "thumbs/" + Path(file).stem + ".jpg"
    return Artifact(file, "a" * 64, "a" * 64, 10, 256, 256, "image/webp", thumb, 256, 256)


def bring_to(
    store: Store, job_id: int, state: str, *, succeeded: bool = False, file: str = "images/x.webp"
) -> None:
    """Move a pending job to a state by its ordinary way."""
    if state == "pending":
        return
    store.advance(Submitting(job_id))
    if state == "rejected":
        store.set_rejected(job_id, "ILLEGAL_PROMPT", "no")
    if state in ("submitting", "rejected"):
        return
    if state == "unknown" and not succeeded:
        store.set_unknown(job_id, "TIMEOUT", "no answer")
        return
    store.advance(Submitted(job_id, f"task-{job_id}"))
    if succeeded:
        store.advance(Succeeded(job_id))
    if state == "done":
        store.advance(Done(job_id, artifact(file), None))
    elif state == "failed":
        store.set_failed(job_id, "TASK_STATUS_FAILED", "out of memory")
    elif state == "unknown":
        store.set_unknown(job_id, "image_lost", "gone")
