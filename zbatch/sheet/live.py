"""The live sheet: what pages that are open already are told while a run goes on.

`fetch` fails on `file://`, so an open page reads small scripts that are put into `live/`, each whole by a
rename: `pulse.js` says how far things are; `1.js`, `2.js` and so on what changed, each written once. A page
that is opened later finds in `data.js` after which of them to go on. So what is written grows with what
changed, not with the size of the run: `data.js` is written anew only now and then, and at the end, when
`live/` has nothing left but the last pulse.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import fields, replace
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from zbatch.clock import monotonic, now_iso
from zbatch.durable import write_aside
from zbatch.errors import DiskError
from zbatch.model import JobState
from zbatch.sheet.change import known_changes, measure_changes
from zbatch.sheet.columns import JobColumns, JobReader
from zbatch.sheet.data import SheetData, about_run
from zbatch.sheet.page import render_data, render_page, script_of
from zbatch.state.database import Meta
from zbatch.state.directory import RunDirectory
from zbatch.state.records import JobRecord
from zbatch.state.run import Run

HEARTBEAT: Final = 10.0
"""Seconds after which a page is told that somebody is still there, though nothing changed."""

_MANY_PARTS: Final = 64
_RESTS: Final = 50
"""Writing `data.js` anew takes at most one fiftieth of the time."""

_CHANGING: Final = tuple(
    column.name for column in fields(JobColumns) if column.name not in ("key", "prompt", "seed", "rest")
)


class Pulse(StrEnum):
    """What a page is told of the run as a whole."""

    RUNNING = "running"
    WAITING = "waiting"  # for a process that runs it
    ENDED = "ended"
    STOPPED = "stopped"  # nobody watches any more


class LiveSheet:
    """The sheet of one run, kept up to date. It only reads the state, and never waits for who writes it."""

    def __init__(self, directory: RunDirectory) -> None:
        self._directory = directory
        self._session = ""
        self._part = self._oldest = self._kept = 0
        self._beat = 0
        self._told = self._written = float("-inf")
        self._cost = 0.0
        self._last: tuple[Any, ...] = ()
        self._changes = 0
        self._grid: tuple[Any, ...] | None = None
        self._reader = JobReader()
        self._data: SheetData
        self._states: list[str] = []

    def update(self, run: Run, pulse: Pulse) -> None:
        """Tell open pages what changed since the last time.

        Raises:
            DiskError: a file could not be written; what pages read is whole.
            StateError: the state is damaged.
        """
        states = list(run.states())
        grid = (run.about(Meta.GRID), run.about(Meta.MANIFEST_SHA256), len(states))
        if grid != self._grid:
            self._begin(run, grid, pulse)
            return
        changed = [
            number for number, (new, old) in enumerate(zip(states, self._states, strict=True)) if new != old
        ]
        if changed:
            records = self._records(run, changed)
            if records is None:
                self._begin(run, grid, pulse)
                return
            self._states = states
            self._write_part(changed, self._take(changed, records))
        if self._due():
            self._write_data(run)
        self._write_pulse(pulse)

    def end(self, run: Run, pulse: Pulse) -> None:
        """Write the sheet whole, as it is without anybody who watches, and tell open pages to read it.

        Raises:
            DiskError: a file could not be written; the old one is untouched.
            StateError: the state is damaged.
        """
        data = SheetData.of(run)
        if pulse is Pulse.ENDED:  # else somebody waits for it to stop
            measure_changes(data, self._directory)
        write_aside(self._directory.data, render_data(data, changes=known_changes(data, self._directory)))
        write_aside(self._directory.index, render_page(data))
        if self._grid is not None:  # else no page was told of anything
            self._states = list(run.states())
            self._part += 1
            self._oldest = self._part + 1
            self._write_pulse(pulse)
            self._clear()

    # ── what is known ────────────────────────────────────────────────────────────────────────────────────

    def _begin(self, run: Run, grid: tuple[Any, ...], pulse: Pulse) -> None:
        """Start anew: pages see by the session that what they know is of another grid."""
        self._reader = JobReader()
        self._data = SheetData.read(run, self._reader)
        self._grid = grid
        self._states = [self._data.state(number).value for number in range(len(self._data.jobs.key))]
        self._session = secrets.token_hex(4)
        self._part = self._kept = 0
        self._oldest = 1
        with _writing(self._directory.live):
            self._directory.live.mkdir(exist_ok=True)
        self._write_data(run)
        write_aside(self._directory.index, render_page(self._data))
        self._write_pulse(pulse)
        self._clear()

    def _records(self, run: Run, numbers: Iterable[int]) -> list[JobRecord] | None:
        """Read jobs by their numbers; `None` where one has left the grid meanwhile."""
        records = [run.job(self._data.jobs.key[number]) for number in numbers]
        found = [record for record in records if record is not None and record.shown]
        return found if len(found) == len(records) else None

    def _take(self, numbers: list[int], records: list[JobRecord]) -> dict[str, Any]:
        """Take jobs over as they are now; gives what a page needs to do the same."""
        reader = self._reader
        pools = {"strings": reader.strings, "shapes": reader.shapes, "verdicts": reader.verdicts}
        before = {name: len(pool.items) for name, pool in pools.items()}
        reader.columns, reader.received = JobColumns(), []
        for record in records:
            reader.add(record)
        columns = {name: getattr(reader.columns, name) for name in _CHANGING}
        for name, values in columns.items():
            whole = getattr(self._data.jobs, name)
            for number, value in zip(numbers, values, strict=True):
                whole[number] = value
        # Their pictures are other ones now: what is alike is found when the sheet is written whole.
        again = set(numbers)
        alike = (tuple(job for job in group if job not in again) for group in self._data.alike)
        self._data = replace(self._data, alike=tuple(group for group in alike if len(group) > 1))
        return {
            "jobs": columns,
            **{name: pool.items[before[name] :] for name, pool in pools.items()},
        }

    # ── what is written ──────────────────────────────────────────────────────────────────────────────────

    def _due(self) -> bool:
        """Tell whether pages that are opened now would have much to catch up with."""
        many = self._part - self._kept >= _MANY_PARTS or self._changes * 10 > len(self._states) + 1000
        return many and monotonic() - self._written > self._cost * _RESTS

    def _write_data(self, run: Run) -> None:
        started = monotonic()
        self._data.about.update(about_run(run))
        live = {"session": self._session, "part": self._part}
        write_aside(
            self._directory.data,
            render_data(self._data, live=live, changes=known_changes(self._data, self._directory)),
        )
        self._written = monotonic()
        self._cost = self._written - started
        # A page that is a little behind still finds what it has not read.
        for part in range(self._oldest, self._kept + 1):
            self._place_of(part).unlink(missing_ok=True)
        self._oldest, self._kept, self._changes = self._kept + 1, self._part, 0

    def _write_part(self, numbers: list[int], change: dict[str, Any]) -> None:
        self._part += 1
        self._changes += len(numbers)
        document = {"session": self._session, "part": self._part, "at": numbers, **change}
        _place(self._place_of(self._part), script_of(document, "zbatchPart"))

    def _write_pulse(self, pulse: Pulse) -> None:
        now = monotonic()
        news = (pulse, self._session, self._part, self._oldest)
        if news == self._last and now - self._told < HEARTBEAT:
            return
        self._last, self._told = news, now
        self._beat += 1
        document = {
            "session": self._session,
            "beat": self._beat,
            "part": self._part,
            "oldest": self._oldest,
            "state": pulse.value,
            "done": self._states.count(JobState.DONE.value),
            "total": len(self._states),
            "at": now_iso(),
        }
        _place(self._directory.live / "pulse.js", script_of(document, "zbatchPulse"))

    def _place_of(self, part: int) -> Path:
        return self._directory.live / f"{part}.js"

    def _clear(self) -> None:
        """Take away what no page is sent to any more."""
        for path in self._directory.live.glob("*.js"):
            if path.stem.isdecimal():
                path.unlink(missing_ok=True)


def _place(path: Path, data: bytes) -> None:
    """Put a file in its place whole. Not made durable: nobody needs it after a power cut."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    with _writing(path):
        try:
            part.write_bytes(data)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DiskError(f"cannot write {path}: {error.strerror or error}") from error
