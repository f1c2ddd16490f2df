"""What comes of holding files against what was written down of them: records for whoever tells it."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

MOST_LISTED: Final = 100_000
"""Differences, and files that belong to no job, that are listed; all are counted. What bounds the memory."""

Told = Callable[[int, int], None]
"""Is told of progress: so many more files, so many more bytes."""


class Problem(StrEnum):
    """How a file differs from what was written down of it."""

    MISSING = "missing"
    TRUNCATED = "truncated"  # shorter than it was
    CHANGED = "changed"
    OTHER_TYPE = "other_type"  # an HTML page, a picture of another format
    NO_FILE = "no_file"  # a directory, a pipe, a link in a circle
    UNREADABLE = "unreadable"  # no permission, or the disk fails: nothing is known of it
    THUMBNAIL = "thumbnail"  # of a picture; it can be made again
    SIDECAR = "sidecar"  # beside a picture, or jobs.jsonl: not what the state says; it can be written anew
    UNLISTED = "unlisted"  # a line of a checksum file that is none, or leads out of its directory


def told(name: str) -> str:
    """Write a file's name for JSON: where its bytes are no UTF-8, they are escaped."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return os.fsencode(name).decode("utf-8", "backslashreplace")
    return name


def on_a_line(name: str) -> str:
    """Write a file's name for a person, on one line: what does not print is escaped."""
    name = told(name)
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode("ascii") for one in name)


@dataclass(frozen=True, slots=True)
class Difference:
    """One file that is not as it was written down.

    `key` is its job's, `shown` says whether the manifest still shows that; an export has neither. Lengths are
    in bytes; what was found is `None` where there was nothing to read. `found` says in words what lies there,
    `holds` which job's picture it is, where it is one of another job of the run.
    """

    problem: Problem
    file: str
    key: str | None = None
    shown: bool = True
    sha256: str = ""
    length: int | None = None
    found_sha256: str | None = None
    found_length: int | None = None
    found: str = ""
    holds: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Give the shape of `zbatch verify --json`."""
        there = self.found_length is not None
        return {
            "problem": self.problem.value,
            "file": told(self.file),
            "key": self.key,
            "shown": self.shown,
            "expected": {"sha256": self.sha256 or None, "bytes": self.length},
            "found": {
                "sha256": self.found_sha256 if there else None,
                "bytes": self.found_length,
                "words": self.found or None,
                "picture_of": self.holds,
            },
        }


@dataclass(frozen=True, slots=True)
class LeftOver:
    """A file among the pictures that is no done job's.

    `key` and `state` are those of a job that is not done and may yet come to own it, or of a done one whose
    picture is another file, in another format.
    """

    file: str
    length: int
    key: str | None = None
    state: str | None = None


@dataclass(slots=True)
class Verification:
    """What came of it. `kind` is `run` or `export`; `notes` say what could not be looked at.

    `files`, `bytes` and `whole` are of what has a hash written down: a run's pictures, an export's files.
    `thumbnails` and `sidecars` count what else was looked at of a run, `jobs.jsonl` among the sidecars;
    `decoded` says whether thumbnails were. `unwritten` counts the sidecars that a run that was killed did not
    come to write: those are no differences.
    `counts` counts every difference, by problem, `differences` lists the first of them. `overtaken` counts
    the pictures that a run that went on meanwhile changed: those are no differences.
    """

    kind: str
    path: Path | str
    files: int = 0
    bytes: int = 0
    whole: int = 0
    overtaken: int = 0
    thumbnails: int = 0
    sidecars: int = 0
    decoded: bool = False
    unwritten: int = 0
    counts: Counter[Problem] = field(default_factory=Counter)
    differences: list[Difference] = field(default_factory=list)
    left_over_count: int = 0
    left_over: list[LeftOver] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def add_seen(self, files: int, length: int, odd: int) -> None:
        """Count files that were looked at, with their bytes; all but the `odd` ones are whole."""
        self.files += files
        self.bytes += length
        self.whole += files - odd

    def add(self, difference: Difference) -> None:
        """Take a difference."""
        self.counts[difference.problem] += 1
        if len(self.differences) < MOST_LISTED:
            self.differences.append(difference)

    def add_left_over(self, file: LeftOver) -> None:
        """Take a file that is no done job's."""
        self.left_over_count += 1
        if len(self.left_over) < MOST_LISTED:
            self.left_over.append(file)

    @property
    def differs(self) -> bool:
        """Tell whether anything is certainly not as it was written down."""
        return self.counts.total() > self.counts[Problem.UNREADABLE]

    @property
    def unreadable(self) -> int:
        """Count the files of which nothing can be said."""
        return self.counts[Problem.UNREADABLE]

    def to_json(self) -> dict[str, Any]:
        """Give the shape of `zbatch verify --json`."""
        return {
            "kind": self.kind,
            "path": told(str(self.path)),
            "files": self.files,
            "bytes": self.bytes,
            "whole": self.whole,
            "changed_meanwhile": self.overtaken,
            "thumbnails": self.thumbnails,
            "sidecars": self.sidecars,
            "sidecars_unwritten": self.unwritten,
            "counts": {problem.value: self.counts[problem] for problem in Problem},
            "differences": [difference.to_json() for difference in self.differences],
            "left_over_count": self.left_over_count,
            "left_over": [
                {"file": told(one.file), "bytes": one.length, "key": one.key, "state": one.state}
                for one in self.left_over
            ],
            "notes": self.notes,
            "seconds": round(self.seconds, 3),
        }
