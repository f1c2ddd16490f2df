"""Pictures of one request made twice: the same bytes, the same pixels, or how far off."""

from __future__ import annotations

import hashlib
import io
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from PIL import Image

from zbatch.errors import DiskError
from zbatch.exports.similarity import Similarity, similarity
from zbatch.model import Artifact
from zbatch.state.records import JobRecord
from zbatch.state.run import Run


class Verdict(StrEnum):
    """How a picture that was made again is to the first."""

    SAME_BYTES = "same_bytes"  # as they came from the server
    SAME_PIXELS = "same_pixels"  # in other bytes: written by another encoder, with other metadata
    DIFFERS = "differs"
    OTHER_SIZE = "other_size"
    NOT_COMPARED = "not_compared"  # one of the two is gone or changed since
    NOT_MADE = "not_made"  # the endpoint made none: the job's state and reason say why
    NOT_ASKED = "not_asked"  # a local input image changed or is gone


SAME = frozenset({Verdict.SAME_BYTES, Verdict.SAME_PIXELS})


@dataclass(frozen=True, slots=True)
class Comparison:
    """One job and its two pictures. Paths are from the run directory; `why` says what there is to say."""

    key: str
    file: str
    verdict: Verdict
    again: str | None = None
    likeness: Similarity | None = None
    why: str = ""

    def to_json(self) -> dict[str, Any]:
        """Give the shape of `zbatch verify --reproduce --json`."""
        return {
            "key": self.key,
            "verdict": self.verdict.value,
            "file": self.file,
            "reproduced": self.again,
            "likeness": None if self.likeness is None else self.likeness.to_json(),
            "why": self.why or None,
        }


def counted(comparisons: Iterable[Comparison]) -> dict[Verdict, int]:
    """Count by verdict, in the order of verdicts, those that there are."""
    counts = Counter(one.verdict for one in comparisons)
    return {verdict: counts[verdict] for verdict in Verdict if counts[verdict]}


def compare_jobs(run: Run, again: Run, jobs: Iterable[JobRecord]) -> Iterator[Comparison]:
    """Hold what was made again against what the run has, job by job."""
    for job in jobs:
        other = again.job(job.key)
        if job.artifact is None:
            continue
        if other is None or other.artifact is None:
            yield Comparison(job.key, job.file, Verdict.NOT_MADE, why=_standing(other))
        else:
            yield _compared(run, job, job.artifact, again, other.artifact)


def _standing(job: JobRecord | None) -> str:
    if job is None:
        return "it was not submitted"
    why = ": ".join(filter(None, (job.reason, job.message)))
    return f"{job.state.value}: {why}" if why else job.state.value


def _compared(run: Run, job: JobRecord, first: Artifact, made: Run, second: Artifact) -> Comparison:
    again = (made.directory.path.relative_to(run.directory.path) / second.file).as_posix()
    if first.received_sha256 == second.received_sha256:
        return Comparison(job.key, first.file, Verdict.SAME_BYTES, again)
    try:
        left, right = _read(run, first), _read(made, second)
    except _NotAsItWasError as error:
        return Comparison(
            job.key, first.file, Verdict.NOT_COMPARED, again, why=f"other bytes came, and {error}"
        )
    if left.size != right.size:
        sizes = f"{left.width}*{left.height} then, {right.width}*{right.height} now"
        return Comparison(job.key, first.file, Verdict.OTHER_SIZE, again, why=sizes)
    apart = similarity(left, right)
    verdict = Verdict.SAME_PIXELS if apart is None else Verdict.DIFFERS
    return Comparison(job.key, first.file, verdict, again, apart)


class _NotAsItWasError(Exception):
    """A picture that cannot be compared; the message says why."""


def _read(run: Run, artifact: Artifact) -> Image.Image:
    """Read a picture that is what the state says it is."""
    try:
        data = run.pictures.read(artifact.file)
    except DiskError as error:
        raise _NotAsItWasError(error.message) from error
    if hashlib.sha256(data).hexdigest() != artifact.sha256:
        raise _NotAsItWasError(f"{run.pictures.place(artifact.file)} was changed since")
    image = Image.open(io.BytesIO(data))
    image.load()
    return image
