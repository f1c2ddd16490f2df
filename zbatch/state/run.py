"""`Run`: a run directory as everyone reads it: sheet, exports, status, notebooks. It only reads."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Self

import orjson

from zbatch.errors import DiskError, StateError, UsageError
from zbatch.model import Cell, Coordinates, JobState
from zbatch.state.again import Again
from zbatch.state.census import Census
from zbatch.state.collection import Collection
from zbatch.state.database import Meta
from zbatch.state.directory import RunDirectory
from zbatch.state.owner import owner_of
from zbatch.state.pictures import Pictures
from zbatch.state.records import JOB_FACTS, REUSED_FROM, JobFacts, JobRecord, JobSketch, job_record
from zbatch.state.spending import Spending
from zbatch.storage import Location, parse_location

_TASKS: Final = """(SELECT json_group_array(task_id) FROM
    (SELECT task_id FROM attempts WHERE job_id = j.id AND task_id IS NOT NULL ORDER BY number)) AS tasks"""

_PAGE: Final = 1_000

_LOOKED_AT: Final = 20_000
"""Pictures that `gone` looks for at most: a second's worth on a slow disk."""


_ASKED_FOR: Final = 3.0
"""Seconds for which `gone` tries an object store."""


class Run(Census, Collection):
    """A run directory, read while it runs or long after, without blocking whoever writes it.

    It is the collection of the jobs that its manifest shows: iterate it, index it by number or key, ask
    `where`, open `image`, make tables of it. Use it as a context manager, or let it go: it holds one
    read-only connection.
    """

    @classmethod
    def open(cls, path: str | Path) -> Self:
        """Open a run directory.

        Raises:
            UsageError: there is no run there.
            StateError: a newer zbatch wrote it, or it is damaged or gone.
        """
        return cls(path)

    def __init__(self, path: str | Path) -> None:
        """Open a run directory.

        Raises:
            UsageError: there is no run there.
            StateError: a newer zbatch wrote it, or it is damaged or gone.
        """
        directory = RunDirectory(Path(path))
        if not directory.exists():
            directory.check_lost()
            raise UsageError(
                f"{path} is not a run directory (it has no state.sqlite3)",
                hint="give the directory that `zbatch run` named, or the manifest whose run it is",
            )
        super().__init__(directory)
        self._meta: dict[str, Any] = {
            name: orjson.loads(value) for name, value in self._rows("SELECT name, value FROM meta")
        }

    def __bool__(self) -> bool:
        return True  # one without jobs is a run, too

    def _source(self) -> Run:
        return self

    def __repr__(self) -> str:
        try:
            counts = ", ".join(f"{number} {state}" for state, number in self.counts().items() if number)
        except (StateError, DiskError, sqlite3.Error):  # a repr never raises
            counts = "closed or unreadable"
        return f"<Run {self.name!r} at {self.directory.path}: {counts or 'no jobs'}>"

    @property
    def name(self) -> str:
        """Name of the manifest."""
        return str(self._meta.get(Meta.NAME, self.directory.path.name))

    @property
    def title(self) -> str:
        """What to write over the sheet."""
        return str(self._meta.get(Meta.TITLE) or self.name)

    @property
    def view(self) -> Mapping[str, Any]:
        """How the manifest asks the sheet to be laid out: `x`, `y`, `group` (axis names), each optional."""
        return dict(self._meta.get(Meta.VIEW) or {})

    @property
    def price(self) -> Decimal | None:
        """USD an image, where the manifest says so."""
        return self.spending.price

    @property
    def again(self) -> Again:
        """The command that goes on with it, as the last run was given."""
        return Again.read(self._meta.get(Meta.AGAIN))

    @property
    def location(self) -> Location | None:
        """The place in an object store where its pictures lie; `None` where they lie in its directory."""
        url = self._meta.get(Meta.LOCATION)
        return None if url is None else parse_location(url)

    @cached_property
    def pictures(self) -> Pictures:
        """Its pictures, wherever they lie."""
        return Pictures(self.directory, self.location)

    def running(self) -> int | None:
        """Give the id of the process whose run this is just now; `None` where none goes on."""
        return owner_of(self.directory.lock)

    def about(self, name: Meta) -> Any:
        """Give another fact about the run, or `None`."""
        return self._meta.get(name)

    def cost(self) -> Decimal | None:
        """USD for every attempt ever made or possibly made, where there is a price."""
        return self.spending.of(self.attempts())

    @property
    def spending(self) -> Spending:
        """What attempts cost, each at the price that it was made at."""
        return Spending.read(self._meta.get(Meta.PRICE), self._meta.get(Meta.EARLIER_PRICES))

    def jobs(self, *, shown_only: bool = False) -> Iterator[JobRecord]:
        """Every job in the state: those the manifest shows in grid order, then the others."""
        return self._records("WHERE j.position IS NOT NULL" if shown_only else "")

    def states(self) -> Iterator[str]:
        """State of every job the manifest shows, in the order of `jobs`; from an index alone."""
        rows = self._rows("SELECT state FROM jobs WHERE position IS NOT NULL ORDER BY position, id")
        return (state for (state,) in rows)

    def gone(self) -> int | None:
        """Count done jobs whose pictures are not where they were put; `None` where they are too many to look.

        The next run looks at all of them.

        Raises:
            StorageError: they lie in an object store, which cannot be asked.
        """
        done = f"state = 'done' AND position IS NOT NULL LIMIT {_LOOKED_AT + 1:d}"
        files = [file for (file,) in self._rows(f"SELECT file FROM jobs WHERE {done}")]  # noqa: S608 - a number
        if len(files) > _LOOKED_AT:
            return None
        if files and self.location is not None:
            stored = Pictures(self.directory, self.location, patience=_ASKED_FOR).stored()
            return sum(file not in stored for file in files)
        return sum(not (self.directory.path / file).exists() for file in files)

    def done_keys(self) -> Iterator[str]:
        """Keys of the done jobs that the manifest shows, in grid order; from an index."""
        rows = self._rows(
            "SELECT key FROM jobs WHERE state = 'done' AND position IS NOT NULL ORDER BY position"
        )
        return (key for (key,) in rows)

    def newest(self, many: int) -> list[str]:
        """Give the keys of the jobs whose pictures came last, the last one first."""
        rows = self._rows(
            f"""SELECT key FROM jobs WHERE state = 'done' AND position IS NOT NULL
                ORDER BY done_at DESC, position DESC LIMIT {many:d}"""  # noqa: S608 - a number
        )
        return [key for (key,) in rows]

    def facts(self) -> Iterator[JobFacts]:
        """Every job in the order of `jobs`, raw: a million of them in bounded memory."""
        return map(JobFacts._make, self._rows(JOB_FACTS))

    def job(self, key: str) -> JobRecord | None:
        """One job by its key; `None` where the state has no such job."""
        return next(self._records("WHERE j.key = ?", key), None)

    def sketches(self, state: JobState | None = None) -> Iterator[JobSketch]:
        """Every job (in one state), in short, whether the manifest shows it or not."""
        wanted, values = ("", ()) if state is None else ("WHERE state = ?", (state.value,))
        rows = self._rows(f"SELECT key, request, file FROM jobs {wanted} ORDER BY id", *values)  # noqa: S608 - one of two
        return (JobSketch(key, request.encode(), file) for key, request, file in rows)

    def files(self, key: str = "") -> Iterator[tuple[str, str]]:
        """Key and file of every job whose key begins with `key`."""
        return self._rows("SELECT key, file FROM jobs WHERE key >= ? AND key < ? || 'g'", key, key)

    def cells_of(self, key: str) -> Iterator[Coordinates]:
        """Give the coordinates of every cell that shows a job, in grid order."""
        rows = self._rows(
            """SELECT c.coordinates FROM cells c JOIN jobs j ON j.id = c.job_id WHERE j.key = ?
               ORDER BY c.position""",
            key,
        )
        return (orjson.loads(coordinates) for (coordinates,) in rows)

    def shared(self) -> set[str]:
        """Give the keys of the jobs that several cells show."""
        rows = self._rows(
            "SELECT key FROM jobs WHERE id IN (SELECT job_id FROM cells GROUP BY job_id HAVING count(*) > 1)"
        )
        return {key for (key,) in rows}

    def _records(self, where: str, *values: str) -> Iterator[JobRecord]:
        rows = self._rows(
            f"""SELECT j.*, {_TASKS}, {REUSED_FROM}, (SELECT coordinates FROM cells WHERE job_id = j.id
                    ORDER BY position LIMIT 1) AS at
                FROM jobs j {where} ORDER BY j.position IS NULL, j.position, j.id""",  # noqa: S608 - of this module
            *values,
            named=True,
        )
        return map(job_record, rows)

    def placed(self, *, every_cell: bool, skip: int = 0) -> Iterator[tuple[Coordinates, JobRecord]]:
        """Give the jobs that the manifest shows, each where it stands: at its first cell, or at every one.

        In grid order, without the first ones to `skip`, page by page: a run that goes on is not held up by
        who takes long over them.
        """
        first = "" if every_cell else "AND j.position = c.position"
        after = -1
        while page := list(
            self._rows(
                f"""SELECT c.position AS place, c.coordinates AS at, j.*, {_TASKS}, {REUSED_FROM}
                    FROM cells c JOIN jobs j ON j.id = c.job_id {first}
                    WHERE c.position > {after:d} ORDER BY c.position LIMIT {_PAGE} OFFSET {skip:d}""",  # noqa: S608 - of this module
                named=True,
            )
        ):
            for row in page:
                job = job_record(row)
                yield job.coordinates, job
            after, skip = page[-1]["place"], 0

    def axes(self) -> list[str]:
        """Give the name of every coordinate that some cell has, in grid order."""
        rows = self._rows(
            """SELECT axis.key FROM cells c, json_each(c.coordinates) axis
               GROUP BY axis.key ORDER BY min(c.position), min(axis.id)"""
        )
        return [name for (name,) in rows]

    def cells(self) -> Iterator[Cell]:
        """Every cell in grid order, those that an exclude rule took out among them."""
        rows = self._rows(
            """SELECT c.coordinates, j.key, c.excluded_by FROM cells c LEFT JOIN jobs j ON j.id = c.job_id
               ORDER BY c.position"""
        )
        return (Cell(orjson.loads(coordinates), key, rule) for coordinates, key, rule in rows)

    def coordinates(self) -> dict[str, list[Coordinates]]:
        """By job key, the coordinates of every cell that shows it, in grid order."""
        found: dict[str, list[Coordinates]] = {}
        for cell in self.cells():
            if cell.key is not None:
                found.setdefault(cell.key, []).append(cell.coordinates)
        return found

    def _repr_html_(self) -> str:
        """Show the run in a notebook: its counts and its first thumbnails, inline."""
        from zbatch.state.notebook import run_html  # noqa: PLC0415 - only notebooks need it

        return run_html(self)
