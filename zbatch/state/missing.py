"""The helper process that looks whether the pictures of done jobs still lie there, while the run goes on.

Started as `python -P -m zbatch.state.missing RUN`, it prints JSON lines: `[id, …]` of jobs whose picture is
gone or has another size, `{"unreadable": …}` where it could not look, and `"whole"` at the end. It is a
process of its own because a million calls of `stat` from a thread would contend with the event loop.

`missing_names` is the cheap look at the end of a run: whether the names are there, and nothing more.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import orjson

from zbatch.errors import DiskError
from zbatch.state.database import open_connection, translated
from zbatch.state.directory import RunDirectory
from zbatch.state.pictures import Pictures

_PAGE: Final = 5_000


def missing_files(directory: RunDirectory) -> Iterator[list[int]]:
    """Give, page by page of done jobs that the manifest shows, the ids of those whose picture is missing.

    Raises:
        DiskError: a file could not be looked at, which does not say that it is gone.
    """
    pictures = Pictures.of(directory)
    stored = None if pictures.location is None else pictures.stored()
    for page in _pages(directory):
        if stored is not None:
            yield [job_id for job_id, file, size, _ in page if stored.get(file) != size]
        else:
            yield [job_id for job_id, file, size, _ in page if _size(directory.path / file) != size]


def missing_names(directory: RunDirectory) -> Iterator[list[int]]:
    """Give, page by page, the ids of done jobs that the manifest shows and whose picture's name is not there.

    Each folder is listed once, which for a million names takes a second; no file is looked at.

    Raises:
        DiskError: a folder could not be listed, which does not say that it is empty.
    """
    folders: dict[str, frozenset[str]] = {}
    for page in _pages(directory):
        yield [job_id for job_id, file, _, _ in page if not _named(directory, file, folders)]


def _named(directory: RunDirectory, file: str, folders: dict[str, frozenset[str]]) -> bool:
    folder, _, name = file.rpartition("/")
    names = folders.get(folder)
    if names is None:
        folders[folder] = names = _names(directory.path / folder)
    return name in names


def _names(folder: Path) -> frozenset[str]:
    try:
        return frozenset(os.listdir(folder))  # noqa: PTH208 - a million names, not paths
    except (FileNotFoundError, NotADirectoryError):
        return frozenset()
    except OSError as error:
        raise DiskError(f"cannot look at {folder}: {error.strerror or error}") from error


def _pages(directory: RunDirectory) -> Iterator[list[tuple[int, str, int, int]]]:
    """Give id, file, bytes and position of done jobs that the manifest shows, in grid order.

    Each page is a query of its own: no long snapshot keeps the state's log from being folded in.
    """
    with contextlib.closing(open_connection(directory.state, read_only=True)) as connection:
        after = -1
        while True:
            with translated(directory.state):
                page = connection.execute(
                    """SELECT id, file, bytes, position FROM jobs WHERE state = 'done' AND position > ?
                       ORDER BY position LIMIT ?""",
                    (after, _PAGE),
                ).fetchall()
            if not page:
                return
            after = page[-1][3]
            yield page


def _size(path: Path) -> int | None:
    try:
        return os.stat(path).st_size  # noqa: PTH116 - a third of what Path.stat costs
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise DiskError(f"cannot look at {path}: {error.strerror or error}") from error


def main() -> None:
    """Look once through everything. Ctrl-C and a closed terminal are the parent's to answer."""
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    try:
        for ids in missing_files(RunDirectory(Path(sys.argv[1]))):
            if ids:
                _say(ids)
    except DiskError as error:
        _say({"unreadable": error.message})
    else:
        _say("whole")


def _say(words: object) -> None:
    sys.stdout.buffer.write(orjson.dumps(words) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
