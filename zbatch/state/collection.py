"""The jobs of a run as a collection: iterated in bounded memory, indexed, filtered, opened, tabled."""

from __future__ import annotations

import io
import itertools
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Container, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, overload

import orjson

from zbatch.errors import DiskError, UsageError
from zbatch.model import Coordinates
from zbatch.state.records import JobRecord
from zbatch.state.verdicts import judgement

if TYPE_CHECKING:
    import datasets
    import pandas as pd
    from PIL import Image

    from zbatch.state.run import Run

_KEY: Final = re.compile(r"[0-9a-f]{4,64}")
_FACTS: Final[dict[str, Callable[[JobRecord], Any]]] = {
    "key": lambda job: job.key,
    "state": lambda job: job.state.value,
    "model": lambda job: job.model,
    "prompt": lambda job: job.request.prompt,
    "seed": lambda job: job.request.seed,
    "request": lambda job: job.request.body(),
    "file": lambda job: job.file,
    "width": lambda job: job.artifact and job.artifact.width,
    "height": lambda job: job.artifact and job.artifact.height,
    "bytes": lambda job: job.artifact and job.artifact.bytes,
    "sha256": lambda job: job.artifact and job.artifact.sha256,
    "nsfw": lambda job: judgement(job.nsfw),
    "warnings": lambda job: list(job.artifact.warnings) if job.artifact else [],
    "attempts": lambda job: job.attempts,
    "reason": lambda job: job.reason,
}
"""What an expression may ask of a job, beside its coordinates."""


class Check(NamedTuple):
    """What a collection holds its jobs against, where they stand, and how it was written.

    `expression` tells whether `source` is one: `done` is none.
    """

    source: str
    holds: Callable[[Coordinates, JobRecord], bool]
    expression: bool = True


class NoSuchJobError(UsageError, LookupError):
    """No job of the run is called so, or several are."""


class Collection(ABC):
    """The jobs of a run that its manifest shows, in grid order; or those of them that an expression takes.

    Nothing is kept: each look reads the state as it is then. A job stands where the first cell that shows it
    stands, of an expression the first for which it is true, and is given with those coordinates, as it is in
    exports.
    """

    _conditions: tuple[Check, ...] = ()

    @abstractmethod
    def _source(self) -> Run:
        """Give the run whose jobs they are."""

    def __iter__(self) -> Iterator[JobRecord]:
        return (job for _, job in self._placed(every_cell=False))

    def __len__(self) -> int:
        if not self._conditions:
            return sum(self._source().counts().values())
        return sum(1 for _ in self)

    def __bool__(self) -> bool:
        return next(iter(self), None) is not None

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and any(job.key == key for job in self._called(key))

    @overload
    def __getitem__(self, which: int | str) -> JobRecord: ...

    @overload
    def __getitem__(self, which: slice) -> list[JobRecord]: ...

    def __getitem__(self, which: int | str | slice) -> JobRecord | list[JobRecord]:
        """Give a job by its number in grid order, its key or the beginning of it, or its image's file.

        Raises:
            IndexError: there are not so many jobs.
            NoSuchJobError: no job is called so, or several are.
        """
        if isinstance(which, slice):
            start, stop, step = which.indices(len(self))
            if step > 0:
                return list(itertools.islice(self._from(start), 0, max(0, stop - start), step))
            return list(self)[which]
        if isinstance(which, str):
            return self._only(which)
        number = which if which >= 0 else len(self) + which
        job = next(self._from(number), None) if number >= 0 else None
        if job is None:
            raise IndexError(f"there is no job {which}: there are {len(self):,}")
        return job

    def where(self, expression: str) -> Jobs:
        """Give those of them that an expression takes, such as `lora.scale > 0.4 and not nsfw`.

        A job that several cells show is given where the expression is true for one of them, with its
        coordinates. The expressions are those of `when` and of `zbatch export --where`, over coordinates
        (null where a job does not stand on that axis) and `key, state, model, prompt, seed, request, file,
        width, height, bytes, sha256, nsfw, warnings, attempts, reason`.

        Raises:
            UsageError: it does not compile, or uses a name that no job has. While they are given: it fails
                for a job, which is named.
        """
        from zbatch.expressions.conditions import Condition  # noqa: PLC0415 - Jinja takes long to import

        condition = Condition(expression, self._source().axes(), _FACTS)

        def holds(coordinates: Coordinates, job: JobRecord) -> bool:
            called = f"the job {job.key[:12]} ({orjson.dumps(coordinates).decode()[:200]})"
            return condition.holds(coordinates, lambda name: _FACTS[name](job), called)

        return Jobs(self._source(), (*self._conditions, Check(expression, holds)))

    def done(self) -> Jobs:
        """Give those of them that are done and so have an image."""
        done = Check("done", lambda _, job: job.artifact is not None, expression=False)
        return Jobs(self._source(), (*self._conditions, done))

    def images(self) -> Iterator[tuple[JobRecord, Image.Image]]:
        """Open their images, one after the other; jobs that are not done have none and are left out.

        Raises:
            DiskError: an image is gone, or is no picture any more.
        """
        return ((job, self.image(job)) for job in self if job.artifact is not None)

    def image(self, which: JobRecord | int | str, *, thumbnail: bool = False) -> Image.Image:
        """Open the image of a job, or its thumbnail: read whole, the file closed.

        Raises:
            NoSuchJobError, IndexError: there is no such job.
            UsageError: it is not done.
            DiskError: its file is gone, or is no picture any more.
        """
        from PIL import Image  # noqa: PLC0415 - `status` opens runs and no images

        job = which if isinstance(which, JobRecord) else self[which]
        if job.artifact is None:
            raise UsageError(f"the job {job.key[:16]} has no image: it is {job.state}")
        run = self._source()
        path = run.directory.path / job.artifact.thumb if thumbnail else run.pictures.place(job.artifact.file)
        try:
            here = thumbnail or run.location is None
            source = path if here else io.BytesIO(run.pictures.read(job.artifact.file))
            with Image.open(source) as image:
                image.load()
                return image
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            words = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            raise DiskError(
                f"cannot open the image {path}: {words}",
                hint=f"zbatch verify {self._source().directory.path} says what lies there and what mends it",
            ) from error

    def path(self, which: JobRecord | int | str) -> Path:
        """Give where the image of a job lies, or will lie.

        Raises:
            NoSuchJobError, IndexError: there is no such job.
            UsageError: it lies in an object store, where there are no paths.
        """
        job = which if isinstance(which, JobRecord) else self[which]
        run = self._source()
        if run.location is not None:
            place = run.pictures.place(job.file)
            raise UsageError(f"{place} lies in an object store and has no path", hint="image() opens it")
        return run.directory.path / job.file

    def to_pandas(self, *, done_only: bool = False) -> pd.DataFrame:
        """Give one row a cell: coordinates as columns, and what is known of the job it shows. Needs pandas.

        A coordinate that has the name of another column is `axis.NAME`, or is left out where it says the
        same. `file` is the image's path, none where it is not done.

        Raises:
            UsageError: pandas is not installed.
        """
        from zbatch.state.tables import data_frame  # noqa: PLC0415 - its imports are optional

        return data_frame(self._source().pictures, self._placed(every_cell=True), done_only=done_only)

    def to_datasets(self) -> datasets.Dataset:
        """Give a `datasets.Dataset` of those that are done, a row a job. Needs Hugging Face `datasets`.

        `image` is an Image feature by path: pictures are opened when they are asked for, from where they lie.
        The other columns are those of an export (`text` is the caption), and `model`.

        Raises:
            UsageError: `datasets` is not installed, nothing is done, or a caption fails.
            DiskError: pictures are gone, or not as long as they were.
        """
        from zbatch.state.tables import dataset  # noqa: PLC0415 - its imports are optional

        return dataset(self._source(), self._placed(every_cell=False))

    def _placed(self, *, every_cell: bool) -> Iterator[tuple[Coordinates, JobRecord]]:
        """Give every job where it stands: at its first cell, or at every cell that shows it."""
        placed = self._source().placed(every_cell=every_cell)
        if not self._conditions:
            return placed
        if every_cell:
            return (pair for pair in placed if self._meets(*pair))
        shared = self._source().shared()
        return (found for _, job in placed if (found := self._standing(job, shared)) is not None)

    def _standing(self, job: JobRecord, shared: Container[str]) -> tuple[Coordinates, JobRecord] | None:
        """Give a job at the first cell where it meets the conditions; `shared` are those of several cells."""
        if self._meets(job.coordinates, job):
            return job.coordinates, job
        for cell in self._source().cells_of(job.key) if job.key in shared else ():
            if self._meets(cell, job):
                return cell, replace(job, coordinates=cell)
        return None

    def _from(self, number: int) -> Iterator[JobRecord]:
        """Give the jobs from a number on; without conditions those before it are not read."""
        if self._conditions:
            return itertools.islice(iter(self), number, None)
        return (job for _, job in self._source().placed(every_cell=False, skip=number))

    def _meets(self, coordinates: Coordinates, job: JobRecord) -> bool:
        return all(condition.holds(coordinates, job) for condition in self._conditions)

    def _only(self, name: str) -> JobRecord:
        found = list(itertools.islice(self._called(name), 6))
        if len(found) == 1:
            return found[0]
        if not found:
            raise NoSuchJobError(
                f"no job here is called {name!r}",
                hint="give a number, a key (its first 4 characters or more), or an image's file",
            )
        listed = ", ".join(f"{job.key[:16]} ({job.file})" for job in found[:5])
        raise NoSuchJobError(f"{name!r} means several jobs: {listed}", hint="give more of the key")

    def _called(self, name: str) -> Iterator[JobRecord]:
        """Give the jobs whose key begins so, or whose image's file is called so."""
        keys = [key for key, _ in self._source().files(name)] if _KEY.fullmatch(name) else []
        if not keys:
            folder = self._source().directory.path
            inside = Path(name).is_relative_to(folder)
            file = Path(name).relative_to(folder).as_posix() if inside else name
            keys = [key for key, known in self._source().files() if known in (file, f"images/{file}")]
        jobs = (job for key in keys if (job := self._source().job(key)) is not None and job.shown)
        found = (self._standing(job, (job.key,)) for job in jobs)
        return (placed[1] for placed in found if placed is not None)


class Jobs(Collection):
    """Jobs of a run that meet conditions (see `Run.where`)."""

    def __init__(self, run: Run, conditions: tuple[Check, ...]) -> None:
        self.run = run
        self._conditions = conditions

    @property
    def expression(self) -> str | None:
        """The expressions of `where` as one; `None` where there is none."""
        sources = [condition.source for condition in self._conditions if condition.expression]
        return sources[0] if len(sources) == 1 else " and ".join(f"({one})" for one in sources) or None

    def _source(self) -> Run:
        return self.run

    def __repr__(self) -> str:
        where = " and ".join(condition.source for condition in self._conditions)
        return f"<{len(self):,} jobs of {self.run.name!r} where {where}>"
