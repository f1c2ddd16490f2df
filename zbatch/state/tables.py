"""Jobs as tables: a pandas DataFrame, a Hugging Face dataset. Both libraries are optional."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import orjson

from zbatch.errors import DiskError, UsageError
from zbatch.model import Artifact, Coordinates, JobState
from zbatch.state.captions import Captions, called
from zbatch.state.pictures import Pictures
from zbatch.state.records import JobRecord
from zbatch.state.verdicts import judgement

if TYPE_CHECKING:
    import datasets
    import pandas as pd

    from zbatch.state.run import Run

Columns = dict[str, list[Any]]

_LARGE: Final = 2**63

_COMMON: Final[dict[str, Callable[[JobRecord], Any]]] = {
    "key": lambda job: job.key,
    "prompt": lambda job: job.request.prompt,
    "seed": lambda job: job.request.seed,
    "model": lambda job: job.model,
    "width": lambda job: job.artifact and job.artifact.width,
    "height": lambda job: job.artifact and job.artifact.height,
    "nsfw": lambda job: judgement(job.nsfw) if job.artifact else None,
    "warnings": lambda job: "; ".join(job.artifact.warnings) or None if job.artifact else None,
    "sha256": lambda job: job.artifact and job.artifact.sha256,
}
"""Columns of both tables, beside the coordinates."""

_OF_A_RUN: Final[dict[str, Callable[[JobRecord], Any]]] = {
    "state": lambda job: job.state.value,
    "bytes": lambda job: job.artifact and job.artifact.bytes,
    "media_type": lambda job: job.artifact and job.artifact.media_type,
    "attempts": lambda job: job.attempts,
    "reason": lambda job: job.reason,
    "message": lambda job: job.message,
    "submitted_at": lambda job: job.submitted_at,
    "done_at": lambda job: job.done_at,
}


def data_frame(
    pictures: Pictures, placed: Iterable[tuple[Coordinates, JobRecord]], *, done_only: bool
) -> pd.DataFrame:
    """Make a DataFrame, a row for each job where it stands; `file` is the path or the URL of its picture.

    Raises:
        UsageError: pandas is not installed.
    """
    try:
        import pandas as pd  # noqa: PLC0415 - optional
    except ImportError as error:
        raise UsageError("to_pandas() needs pandas", hint="pip install pandas") from error
    gathered = _Gathered("file", _COMMON | _OF_A_RUN)
    for coordinates, job in placed:
        if job.artifact is not None or not done_only:
            gathered.add(coordinates, job, pictures.place(job.file) if job.artifact else None)
    frame: dict[str, Any] = {}
    for name, values in gathered.columns().items():
        if name == "state":
            frame[name] = pd.Categorical(values, [state.value for state in JobState])
        elif name in ("submitted_at", "done_at"):
            frame[name] = pd.to_datetime(pd.Series(values, dtype="str"), utc=True, format="ISO8601")
        else:
            frame[name] = pd.Series(values, dtype=_dtype(_kind(name, values), values))
    return pd.DataFrame(frame)


_CAPTION: Final = "text"
RESERVED: Final = frozenset({"image", "file", "file_name", "split", "cells", "request", "model", "run"})
"""Names that no coordinate has in a dataset, beside those of its columns."""


@dataclass(frozen=True, slots=True)
class _Standing:
    """A job where it stands, for its caption."""

    job: JobRecord
    coordinates: Coordinates

    @property
    def key(self) -> str:
        return self.job.key

    @property
    def request(self) -> Mapping[str, Any]:
        return self.job.request.body()

    @property
    def prompt(self) -> str:
        return self.job.request.prompt

    @property
    def called(self) -> str:
        return called(self.job.key, self.coordinates)


def dataset(run: Run, placed: Iterable[tuple[Coordinates, JobRecord]]) -> datasets.Dataset:
    """Make a Dataset of the jobs that are done, with an Image feature by path and the columns of an export.

    Raises:
        UsageError: `datasets` is not installed, nothing is done, the pictures lie in an object store, or the
            caption fails for an image, which is named.
        DiskError: pictures are gone, or not as long as they were.
    """
    pictures = run.pictures
    if pictures.location is not None:
        raise UsageError(
            f"the pictures lie in {pictures.location}, and a Dataset is made of files",
            hint="zbatch export --format parquet, or webdataset, makes what is loaded from anywhere",
        )
    try:
        import datasets  # noqa: PLC0415 - optional
    except ImportError as error:
        raise UsageError("to_datasets() needs Hugging Face datasets", hint="pip install datasets") from error
    captions = Captions(run)
    captions.check()
    gathered, gone = _Gathered("image", _COMMON, RESERVED | {_CAPTION}), _Gone()
    texts: list[str] = []
    keys: list[str] = []
    for coordinates, job in placed:
        if job.artifact is not None:
            path = os.path.abspath(pictures.place(job.artifact.file))  # noqa: PTH100 - text
            gone.look(path, job.artifact)
            gathered.add(coordinates, job, path)
            texts.append(captions.of(_Standing(job, coordinates)))
            keys.append(job.key)
    gone.complain(run)
    if not keys:
        raise UsageError("no job is done here, so there is no image to make a dataset of")
    made = gathered.columns()
    columns: Columns = {"image": made.pop("image"), _CAPTION: texts, "key": made.pop("key")}
    columns |= {"run": [run.directory.path.absolute().name] * len(keys), **made}
    if cells := _cells(run, keys):
        columns["cells"] = cells
    features: dict[str, Any] = {"image": datasets.Image()}
    for name, values in columns.items():
        if name != "image":
            features[name] = datasets.Value(_ARROW[_kind(name, values)])
    return datasets.Dataset.from_dict(columns, datasets.Features(features))


@dataclass(slots=True)
class _Gone:
    """Pictures that are not there, or not as long as they were: the first, and how many."""

    first: str = ""
    count: int = 0

    def look(self, path: str, artifact: Artifact) -> None:
        """Look at one: `datasets` opens it when it is asked for, and says nothing that helps."""
        try:
            length = os.stat(path).st_size  # noqa: PTH116 - a third of what Path.stat costs
        except (FileNotFoundError, NotADirectoryError):
            words = "is gone"
        except OSError as error:
            words = f"cannot be looked at: {error.strerror or error}"
        else:
            if length == artifact.bytes:
                return
            words = f"has {length:,} bytes, and had {artifact.bytes:,}"
        self.first = self.first or f"{path} {words}"
        self.count += 1

    def complain(self, run: Run) -> None:
        """Tell of them.

        Raises:
            DiskError: there are some.
        """
        if self.count:
            raise DiskError(
                f"{self.first}{f' ({self.count:,} pictures are not as they were)' * (self.count > 1)}",
                hint=f"zbatch verify {run.directory.path} says what lies there and what mends it",
            )


def _cells(run: Run, keys: Sequence[str]) -> list[str] | None:
    """Give the coordinates of every cell that shows each job, as JSON; `None` where none has several."""
    known = {facts.key: facts.coordinates.decode() for facts in run.facts()}
    cells = [known[key] for key in keys]
    return cells if any(len(orjson.loads(one)) > 1 for one in cells) else None


_ARROW: Final = {"text": "string", "integer": "int64", "number": "float64", "boolean": "bool"}
_DTYPES: Final = {"text": "str", "integer": "int64", "number": "float64", "boolean": "bool"}
_WITH_GAPS: Final = {"integer": "Int64", "boolean": "boolean"}


_KINDS: Final = dict.fromkeys(("seed", "width", "height", "bytes", "attempts"), "integer") | {
    "nsfw": "boolean"
}


def _dtype(kind: str, values: list[Any]) -> str:
    """Give pandas' type of a column: one that knows gaps only where there are some."""
    return _WITH_GAPS[kind] if kind in _WITH_GAPS and None in values else _DTYPES[kind]


class _Gathered:
    """Columns on their way. Coordinates come behind the picture and before the rest."""

    def __init__(
        self,
        picture: str,
        facts: dict[str, Callable[[JobRecord], Any]],
        taken: frozenset[str] = frozenset(),
    ) -> None:
        self._name = picture
        self._taken = {picture, *facts, *taken}
        self._pictures: list[str | None] = []
        self._facts = facts
        self._columns: Columns = {name: [] for name in facts}
        self._axes: Columns = {}

    def add(self, coordinates: Coordinates, job: JobRecord, picture: str | None) -> None:
        """Take a row."""
        row = len(self._pictures)
        self._pictures.append(picture)
        for name, fact in self._facts.items():
            self._columns[name].append(fact(job))
        for name, value in coordinates.items():
            column = self._axes.get(name)
            if column is None:
                column = self._axes[name] = []
            column.extend([None] * (row - len(column)))
            column.append(value)

    def columns(self) -> Columns:
        """Give them all, each as long as the others; a coordinate that says what a fact says is left out."""
        axes: Columns = {}
        for name, values in self._axes.items():
            values.extend([None] * (len(self._pictures) - len(values)))
            if self._columns.get(name) == values:
                continue
            axes[f"axis.{name}" if name in self._taken else name] = _of_one_type(values)
        return {self._name: self._pictures, **axes, **self._columns}


def _of_one_type(values: list[Any]) -> list[Any]:
    """Write a column of several types as text, numbers of two kinds apart."""
    kinds = {_type(value) for value in values if value is not None}
    if kinds == {"integer", "number"}:
        return [None if value is None else float(value) for value in values]
    if len(kinds) <= 1 and kinds != {"large"}:
        return values
    return [value if value is None or isinstance(value, str) else str(value) for value in values]


def _type(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer" if -_LARGE <= value < _LARGE else "large"
    return "number" if isinstance(value, float) else "text"


def _kind(name: str, values: list[Any]) -> str:
    """Give the type of a column, by its first value; where there is none, by its name."""
    first = next((value for value in values if value is not None), None)
    return _KINDS.get(name, "text") if first is None else _type(first)
