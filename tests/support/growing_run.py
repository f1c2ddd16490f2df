"""A run that goes on as far as a test says: real state, real pictures, a lock that is held or not."""

from __future__ import annotations

from pathlib import Path

from support.sample_run import MODEL, Sample, _artifact, _grid, _write_meta

from zbatch.model import Artifact
from zbatch.sheet.live import LiveSheet, Pulse
from zbatch.state.advances import Done, Submitted, Submitting
from zbatch.state.directory import RunDirectory
from zbatch.state.run import Run
from zbatch.state.store import Store


class GrowingRun:
    """A run of which so many jobs are done as were asked for, and its sheet."""

    def __init__(self, path: Path, sample: Sample | None = None) -> None:
        self.sample = sample or Sample(troubles=False, excluded=False)
        self.directory = RunDirectory(path)
        self.directory.create()
        self.sheet = LiveSheet(self.directory)
        self._pool: dict[tuple[str, int], Artifact] = {}
        self._number = 0
        self._store = Store(self.directory.state)
        self.plan(self.sample)

    def plan(self, sample: Sample) -> None:
        """Take over a grid, as a run does at its beginning."""
        self.sample = sample
        store = self._store
        with store.transaction():
            _write_meta(store, sample)
            store.replace_grid(_grid(sample), MODEL)

    def make(self, many: int) -> None:
        """Have so many more jobs done."""
        store = self._store
        with store.transaction():
            for job in store.next_pending(-1, many):
                store.advance(Submitting(job.id))
                store.advance(Submitted(job.id, f"5f0c{self._number:04x}-1111-4222-8333-{job.key[:12]}"))
                artifact = _artifact(
                    self.directory, self._pool, self.sample, job.key, job.request, self._number
                )
                store.advance(Done(job.id, artifact, None))
                self._number += 1

    def fail(self, reason: str, message: str) -> None:
        """Have the next job fail."""
        store = self._store
        with store.transaction():
            (job,) = store.next_pending(-1, 1)
            store.advance(Submitting(job.id))
            store.advance(Submitted(job.id, "5f0cffff-1111-4222-8333-000000000000"))
            store.set_failed(job.id, reason, message)

    def tell(self, pulse: Pulse = Pulse.RUNNING) -> Path:
        """Have open pages told; gives the page."""
        with Run(self.directory.path) as run:
            self.sheet.update(run, pulse)
        return self.directory.index

    def end(self, pulse: Pulse = Pulse.ENDED) -> None:
        """End the watching."""
        with Run(self.directory.path) as run:
            self.sheet.end(run, pulse)

    def close(self) -> None:
        """Let go of the state."""
        self._store.close()
