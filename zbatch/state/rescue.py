"""The rescue of a state whose file was deleted while a run went on: SQLite still holds what was in it."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import tempfile
from datetime import datetime
from pathlib import Path

from zbatch.durable import sync_directory
from zbatch.errors import DiskError
from zbatch.state.directory import RESCUED, RunDirectory
from zbatch.state.store import Store


def rescue(store: Store, directory: RunDirectory) -> DiskError:
    """Save a copy of the state beside the run directory, or where temporary files lie.

    Gives what is to be said: that the state was taken away, where the copy is, and what to do with it.
    """
    problem: Exception | None = None
    now = datetime.now().astimezone().strftime("%Y%m%d-%H%M%S")
    for folder in (directory.path.absolute().parent, Path(tempfile.gettempdir())):
        target = folder / f"{directory.path.name}{RESCUED}{now}.sqlite3"
        try:
            _save(store, target)
        except (OSError, DiskError, sqlite3.Error) as error:
            problem = error
        else:
            return _taken_away(directory, _way_on(directory, target))
    return _taken_away(
        directory,
        "put it back where it was moved away; the tasks in flight are written in it. A copy could not be "
        f"saved ({problem})",
    )


def _way_on(directory: RunDirectory, copy: Path) -> str:
    if directory.exists():
        return (
            f"another run lies there now. What this one held is saved in {copy}: give it a directory of its "
            "own, DIR: where it was moved to, or a new one with the copy as DIR/state.sqlite3; run again "
            "with -o DIR: the tasks in flight are asked for, nothing is paid twice"
        )
    return (
        f"what it held is saved in {copy}: put that at {directory.state} (or the run directory back where it "
        "was moved from) and run again: the tasks in flight are asked for, nothing is paid twice"
    )


def _taken_away(directory: RunDirectory, hint: str) -> DiskError:
    return DiskError(f"the state {directory.state} was taken away while the run went on", hint=hint)


def _save(store: Store, target: Path) -> None:
    # Made here, so that nothing that lies there is ever touched; SQLite writes into an empty file.
    os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644))
    try:
        store.copy_to(target)
        with target.open("rb") as stream:
            os.fsync(stream.fileno())
        sync_directory(target.parent)
    except BaseException:
        with contextlib.suppress(OSError):
            target.unlink()
        raise
