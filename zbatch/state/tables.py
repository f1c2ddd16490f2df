"""Jobs as tables: a pandas DataFrame, a Hugging Face dataset. Both libraries are optional."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final

from zbatch.errors import UsageError
from zbatch.model import Coordinates, JobState
from zbatch.state.pictures import Pictures
from zbatch.state.records import JobRecord
from zbatch.state.verdicts import is_flagged

if TYPE_CHECKING:
    import datasets
    import pandas as pd

Columns = dict[str, list[Any]]

_LARGE: Final = 2**63

_COMMON: Final[dict[str, Callable[[JobRecord], Any]]] = {
    "key": lambda job: job.key,
    "prompt": lambda job: job.request.prompt,
    "seed": lambda job: job.request.seed,
    "model": lambda job: job.model,
    "width": lambda job: job.artifact and job.artifact.width,
    "height": lambda job: job.artifact and job.artifact.height,
    "nsfw": lambda job: is_flagged(job.nsfw) if job.artifact else None,
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


def dataset(pictures: Pictures, placed: Iterable[tuple[Coordinates, JobRecord]]) -> datasets.Dataset:
    """Make a Dataset of the jobs that are done, with an Image feature by path.

    Raises:
        UsageError: `datasets` is not installed, nothing is done, or the pictures lie in an object store.
    """
    if pictures.location is not None:
        raise UsageError(
            f"the pictures lie in {pictures.location}, and a Dataset is made of files",
            hint="zbatch export --format parquet, or webdataset, makes what is loaded from anywhere",
        )
    try:
        import datasets  # noqa: PLC0415 - optional
    except ImportError as error:
        raise UsageError("to_datasets() needs Hugging Face datasets", hint="pip install datasets") from error
    gathered = _Gathered("image", _COMMON)
    for coordinates, job in placed:
        if job.artifact is not None:
            gathered.add(coordinates, job, os.path.abspath(pictures.place(job.artifact.file)))  # noqa: PTH100 - text
    columns = gathered.columns()
    if not columns["image"]:
        raise UsageError("no job is done here, so there is no image to make a dataset of")
    features: dict[str, Any] = {"image": datasets.Image()}
    for name, values in columns.items():
        if name != "image":
            features[name] = datasets.Value(_ARROW[_kind(name, values)])
    return datasets.Dataset.from_dict(columns, datasets.Features(features))


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

    def __init__(self, picture: str, facts: dict[str, Callable[[JobRecord], Any]]) -> None:
        self._name = picture
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
            taken = name in self._columns or name == self._name
            axes[f"axis.{name}" if taken else name] = _of_one_type(values)
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
