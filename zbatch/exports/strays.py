"""What lies among a run's pictures and is none that its state has: leftovers, of whatever origin."""
# ruff: noqa: PTH118 - paths are text: this is done for every picture of a run

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Final

from zbatch.errors import SurroundingsError
from zbatch.exports.verification import LeftOver, told
from zbatch.model import EXTENSIONS, UNFINISHED, JobState, fold
from zbatch.state.directory import RunDirectory
from zbatch.state.kept import KeptFiles, Owner
from zbatch.state.owner import owner_of
from zbatch.state.pictures import Pictures

_AT_ONCE: Final = 2_000
"""Names that are looked up together."""

_PICTURES: Final = tuple(EXTENSIONS.values())


def strays(
    pictures: Pictures, directory: RunDirectory, kept: KeptFiles, notes: list[str]
) -> Iterator[LeftOver]:
    """Give the files in images/ that are no done job's picture, nor lie beside one under its name.

    That is in the run directory, or in the store where its pictures lie. While a run goes on, the pictures
    that it is just putting there are not among them. What cannot be looked into is said in `notes`.
    """
    batch: list[str] = []
    for one in _names(pictures, directory, notes):
        batch.append(one)
        if len(batch) == _AT_ONCE:
            yield from _unowned(pictures, directory, kept, batch)
            batch = []
    if batch:
        yield from _unowned(pictures, directory, kept, batch)


def _names(pictures: Pictures, directory: RunDirectory, notes: list[str]) -> Iterator[str]:
    if pictures.location is None:
        yield from files_below(os.fspath(directory.path), directory.images.name, notes)
        return
    try:
        yield from (one.name for one in pictures.bucket.list(directory.images.name))
    except SurroundingsError as error:
        notes.append(f"{error.message}; what else lies there is not known")


def files_below(root: str, folder: str, notes: list[str]) -> Iterator[str]:
    """Give the name, from `root`, of every file below a folder, which may go away meanwhile.

    Links are not followed. What cannot be looked into is said in `notes`.
    """
    folders = [folder]
    while folders:
        here = folders.pop()
        try:
            with os.scandir(os.path.join(root, here)) as entries:
                for entry in entries:
                    name = f"{here}/{entry.name}" if here else entry.name
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(name)
                    else:
                        yield name
        except (FileNotFoundError, NotADirectoryError):
            continue  # its pictures are missing, and that is said
        except OSError as error:
            notes.append(
                f"cannot list {here or root}: {error.strerror or error}; what else lies there is not known"
            )


def size_of(root: str | None, name: str) -> int:
    """Give the bytes of a file, 0 where it has gone, or lies in a store."""
    if root is None:
        return 0
    try:
        return os.lstat(os.path.join(root, name)).st_size
    except OSError:
        return 0


def _unowned(
    pictures: Pictures, directory: RunDirectory, kept: KeptFiles, batch: Sequence[str]
) -> Iterator[LeftOver]:
    # A name whose bytes are no text is in no state, and cannot be asked for.
    strange = [name for name in batch if told(name) != name]
    strange += kept.strange([name for name in batch if told(name) == name])
    if not strange:
        return
    root = os.fspath(directory.path) if pictures.location is None else None
    under_way = owner_of(directory.lock) is not None
    owners = kept.owners([_stem(name) for name in strange if told(name) == name])
    for name in strange:
        mine = owners.get(fold(_stem(name)), [])
        if not mine:
            yield LeftOver(name, size_of(root, name))
        elif name.endswith(_PICTURES) and not any(_owns(owner, name, under_way) for owner in mine):
            yield LeftOver(name, size_of(root, name), mine[0].key, mine[0].state.value)


def _stem(name: str) -> str:
    """Give the name of the picture that a file is or lies beside: `fox.json` beside `fox.webp`."""
    return name if name.endswith(_PICTURES) else name.rpartition(".")[0] or name


def _owns(owner: Owner, name: str, under_way: bool) -> bool:  # noqa: FBT001 - of the run, not of the call
    if owner.state is not JobState.DONE:
        return under_way and owner.state in UNFINISHED
    return owner.file.rpartition(".")[2] == name.rpartition(".")[2]
