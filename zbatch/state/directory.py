"""The run directory: where its files lie, and whether a run lies or may begin there."""

from __future__ import annotations

import contextlib
import glob
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from zbatch.durable import make_durable_directory
from zbatch.errors import DiskError, StateError, UsageError


@dataclass(frozen=True, slots=True)
class RunDirectory:
    """The paths of one run. Making the record touches nothing on disk."""

    path: Path

    @property
    def state(self) -> Path:
        """The truth, in SQLite."""
        return self.path / "state.sqlite3"

    @property
    def images(self) -> Path:
        """Artifacts."""
        return self.path / "images"

    @property
    def thumbs(self) -> Path:
        """Thumbnails, made once, when the artifact is."""
        return self.path / "thumbs"

    @property
    def lock(self) -> Path:
        """Held, and signed, by the process that owns the run."""
        return self.path / ".lock"

    @property
    def parts(self) -> Path:
        """Files being written; whatever a crash leaves here is worth nothing."""
        return self.path / ".parts"

    @property
    def reserve(self) -> Path:
        """Room kept for the last words of a run whose disk is full."""
        return self.path / ".reserve"

    @property
    def index(self) -> Path:
        """The contact sheet."""
        return self.path / "index.html"

    @property
    def data(self) -> Path:
        """The contact sheet's data."""
        return self.path / "data.js"

    @property
    def live(self) -> Path:
        """What open pages are told while somebody watches the run."""
        return self.path / "live"

    @property
    def provenance(self) -> Path:
        """One line for every job in the state."""
        return self.path / "jobs.jsonl"

    @property
    def log(self) -> Path:
        """Every event."""
        return self.path / "run.log.jsonl"

    @property
    def manifest_lock(self) -> Path:
        """The manifest resolved."""
        return self.path / "manifest.lock.yaml"

    @property
    def manifest_sources(self) -> Path:
        """The manifest's sources as they were."""
        return self.path / "manifest.src"

    @property
    def reproduced(self) -> Path:
        """A manifest and a run for each time that the endpoint was asked again."""
        return self.path / "reproduced"

    def reproductions(self) -> list[Path]:
        """Give the directories of the runs in `reproduced`, the newest last."""
        found = [state.parent for state in self.reproduced.glob("*/state.sqlite3")]
        return sorted(found, key=lambda path: path.name)

    def exists(self) -> bool:
        """Tell whether there is a run here.

        Raises:
            DiskError: the directory cannot be looked into.
        """
        with _looked_into():
            return self.state.is_file()

    def create(self) -> None:
        """Make the directory and its rooms.

        Raises:
            DiskError: naming the path that could not be made, or that leads out of the directory.
            UsageError: the path is a directory full of something else.
        """
        self.check()
        try:
            self._check_links()
            for path in (self.path, *self._rooms()):
                make_durable_directory(path)
            self._check_devices()
        except OSError as error:
            raise DiskError(
                f"cannot make the run directory {self.path}: {error.filename or self.path}: "
                f"{error.strerror or error}",
                hint=f"nothing was submitted; {self.mend}",
            ) from error

    @property
    def mend(self) -> str:
        """What to do where it cannot be written: where a run lies here, another directory is no way out."""
        if self.exists() or self._has_pictures():
            return f"mend that and run again; {_ANEW}"
        return "choose a writable place with -o/--run-dir"

    def check(self) -> None:
        """Check that a run lies here, or may begin here.

        Raises:
            DiskError: it cannot be looked into.
            StateError: a run lay here, and its state was damaged or is gone.
            UsageError: the path is a directory full of something else.
        """
        with _looked_into():
            if self.exists():
                self._check_damaged()
            else:
                self.check_lost()
                self._check_foreign()

    def _check_damaged(self) -> None:
        if self.state.stat().st_size == 0 and self._has_pictures():
            raise StateError(
                f"the state {self.state} is empty, though {self.images} has pictures: it was damaged",
                hint=f"restore it from a backup; {_ANEW}",
            )

    def _check_foreign(self) -> None:
        strange = self.path.is_dir() and sorted(e.name for e in self.path.iterdir() if e.name not in _OURS)
        if strange:
            raise UsageError(
                f"{self.path} is not a run directory and is not empty (it holds {strange[0]})",
                hint="give another directory with -o/--run-dir or output.dir",
            )

    def check_lost(self) -> None:
        """Check that where there is no state, none was lost.

        Raises:
            StateError: a copy of it lies beside the directory, or pictures in it.
        """
        if copies := self.rescued():
            raise StateError(
                f"{self.path} has no state, and beside it lies what an earlier run there saved of its own, "
                f"{copies[-1]}",
                hint=f"put that at {self.state} and run again: nothing is paid twice; or move it away: then "
                "everything is submitted and paid again",
            )
        if self._has_pictures():
            raise StateError(
                f"{self.images} has pictures, but the state {self.state} is gone",
                hint=f"restore it from a backup; {_ANEW}",
            )

    def _has_pictures(self) -> bool:
        with contextlib.suppress(OSError), os.scandir(self.images) as entries:
            return next(entries, None) is not None
        return False

    def rescued(self) -> list[Path]:
        """Copies of the state beside it, oldest first, that runs saved when it was taken from them."""
        place = self.path.absolute()
        return sorted(place.parent.glob(f"{glob.escape(place.name)}{RESCUED}*.sqlite3"))

    def _rooms(self) -> tuple[Path, ...]:
        return self.images, self.thumbs, self.parts

    def _check_links(self) -> None:
        """A picture is never written outside the run directory: better said before one is paid for."""
        real = os.path.realpath(self.path)
        for path in self._rooms():
            if path.is_symlink() and not (target := Path(os.path.realpath(path))).is_relative_to(real):
                raise DiskError(
                    f"{path} leads out of the run directory by a symbolic link, to {target}",
                    hint=f"nothing was submitted; {_ELSEWHERE}",
                )

    def _check_devices(self) -> None:
        """A picture is written aside and moved into place whole, which takes one file system for both."""
        device = self.parts.stat().st_dev
        for path in self._rooms():
            if path.stat().st_dev != device:
                raise DiskError(
                    f"{path} lies on another file system than {self.parts}: "
                    "no picture can be moved there whole",
                    hint=f"nothing was submitted; {_ELSEWHERE}",
                )

    def closed(self, folder: str, hint: str) -> DiskError | None:
        """Give what keeps files out of a folder below, made already or not: with `hint`, or `None`."""
        root = os.path.realpath(self.path)
        if os.path.commonpath((os.path.realpath(folder), root)) != root:
            return DiskError(
                f"{folder} leads out of the run directory by a symbolic link: no picture is written there",
                hint=hint,
            )
        folder = os.path.abspath(folder)  # noqa: PTH100 - a relative one has no end that exists
        while not os.path.lexists(folder):
            folder = os.path.dirname(folder)  # noqa: PTH120 - text, as below: asked for every folder of a run
        if not os.path.isdir(folder):  # noqa: PTH112 - as above
            return DiskError(f"{folder} is no directory: no picture can be written into it", hint=hint)
        if not os.access(folder, os.W_OK | os.X_OK):
            return DiskError(
                f"nothing may be written into {folder}: no permission, or a read-only disk", hint=hint
            )
        return None

    def clear_parts(self) -> None:
        """Drop what a crash left half written. Only the owner of the lock may.

        Raises:
            DiskError: naming the directory.
        """
        try:
            shutil.rmtree(self.parts, ignore_errors=True)
            self.parts.mkdir(exist_ok=True)
        except OSError as error:
            raise DiskError(f"cannot empty {self.parts}: {error.strerror or error}") from error

    @contextlib.contextmanager
    def reserved(self) -> Iterator[None]:
        """Hold some room while a run goes on, which `give_reserve` gives back when the disk is full.

        Raises:
            DiskError: there is not even that much.
        """
        self._take_reserve()
        try:
            yield
        finally:
            self.give_reserve()

    def _take_reserve(self) -> None:
        try:
            with self.reserve.open("wb") as stream:
                stream.write(bytes(RESERVE_BYTES))
                stream.flush()
                os.fsync(stream.fileno())
        except OSError as error:
            self.give_reserve()
            raise DiskError(
                f"no room to begin a run in {self.path}: {error.strerror or error}",
                hint="nothing was submitted; make room and run again",
            ) from error

    def give_reserve(self) -> None:
        """Give the room back to whoever must still write what cannot be asked again."""
        with contextlib.suppress(OSError):
            self.reserve.unlink(missing_ok=True)


RESERVE_BYTES = 2**20
RESCUED = "-rescued-"
"""Between the name of a run directory and a time, in the name of a copy of its state."""
_ANEW = "in another directory, given with -o, everything would be submitted and paid again"
_ELSEWHERE = (
    "to keep pictures elsewhere, have the whole run directory there: by a symbolic link to it, "
    "by -o/--run-dir, or by output.dir"
)
_OURS = frozenset({".lock", ".parts", ".reserve", "images", "thumbs", "run.log.jsonl"})


@contextlib.contextmanager
def _looked_into() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DiskError(
            f"cannot look into the run directory {error.filename}: {error.strerror or error}",
            hint="mend that and run again",
        ) from error
