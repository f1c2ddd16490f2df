"""Whole runs against a server, for tests: a small manifest, an order, and what came of it."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from PIL import Image
from support.misbehaving import MisbehavingServer

from zbatch.manifest.loader import load_manifest
from zbatch.model import JobState
from zbatch.runner.events import Event, Progress
from zbatch.runner.order import Order, Outcome
from zbatch.runner.wiring import Patience
from zbatch.settings import Settings, resolve
from zbatch.state.records import JobRecord
from zbatch.state.run import Run
from zbatch.workflow import perform

QUICK = Patience(
    first_guess=0.05,
    lost_after=0.3,
    picture_tries=4,
    picture_pause=0.01,
    unreached_at_first=0.3,
    unreached=1.0,
    unstored_at_first=0.5,
    unstored=0.5,
)
"""Everything a run waits for, short enough for a test."""

MANIFEST = """\
version: 1
name: trial
request: {{prompt: "job {{{{ seed }}}}", size: {size}}}
matrix: {{seed: {{from: 1, count: {jobs}}}}}
limits: {{{limits}}}
{more}
"""


class Recorder:
    """A listener that keeps what it is told."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.snapshots: list[Progress] = []

    def event(self, event: Event) -> None:
        self.events.append(event)

    def progress(self, progress: Progress) -> None:
        self.snapshots.append(progress)

    def names(self) -> list[str]:
        return [event.name.value for event in self.events]


@dataclass
class Finished:
    """What came of a run: its outcome, what it told, and its jobs by seed."""

    outcome: Outcome
    told: Recorder
    jobs: dict[int, JobRecord]

    @property
    def ending(self) -> str:
        return self.outcome.ending.value

    @property
    def states(self) -> dict[str, int]:
        return {state.value: number for state, number in self.outcome.counts.items() if number}


def write_manifest(
    folder: Path, jobs: int = 4, limits: str = "", more: str = "", *, size: str = "256*256"
) -> Path:
    path = folder / "trial.yaml"
    path.write_text(MANIFEST.format(jobs=jobs, limits=limits, more=more, size=size), "utf-8")
    return path


def order_for(manifest: Path, url: str, patience: Patience = QUICK, **settings: Any) -> Order:
    settings.setdefault("run_dir", manifest.parent / "run")
    given = Settings(endpoint=url, **settings)
    return replace(resolve(load_manifest(manifest), given), patience=patience)


def finish(order: Order, *, started: Any = None, told: Recorder | None = None) -> Finished:
    told = told or Recorder()
    outcome = perform(order, told, report=False, started=started)
    with Run(order.directory) as run:
        jobs = {record.request.seed: record for record in run.jobs()}
        check_files(run)
    return Finished(outcome, told, jobs)


def check_files(run: Run) -> None:
    """Every picture that is done is whole and is the one whose hash was written down."""
    for record in run.jobs():
        if record.state is not JobState.DONE:
            assert record.artifact is None
            continue
        assert record.artifact
        data = run.pictures.read(record.artifact.file)
        assert hashlib.sha256(data).hexdigest() == record.artifact.sha256
        with Image.open(io.BytesIO(data)) as image:
            image.load()
        assert (run.directory.path / record.artifact.thumb).stat().st_size > 0


def seed_of(server: MisbehavingServer, task_id: str) -> int:
    return int(server.tasks[task_id].body["seed"])
