"""An export into a directory: aside first, gone on with after a kill, under its name only when it is whole.

.NAME.partial/        beside the directory that is asked for, until that is whole
  plan.json           which export this is: what another one left here is not gone on with
  shards.jsonl        the large files that are whole, one a line, each on disk before its line is
  tree/               what becomes NAME
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import shlex
import shutil
import stat
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import orjson

from zbatch.durable import make_durable_directory, sync_directory
from zbatch.errors import DiskError, RunBusyError, UsageError
from zbatch.exports.about import read_about, told_of
from zbatch.exports.aside import open_aside
from zbatch.exports.checksums import CHECKSUMS, entries
from zbatch.exports.destination import Destination, Shard
from zbatch.exports.lengths import LENGTHS, Shortfall
from zbatch.exports.partial import partial_of
from zbatch.exports.streams import Stream
from zbatch.exports.tree import Tree, cannot_write
from zbatch.model import EXTENSIONS

_OURS: Final = frozenset({"plan.json", "shards.jsonl", "tree", "lock"})


class DirectoryDestination(Destination):
    """A directory on this machine that an export goes to. Use it as a context manager."""

    links = True

    def __init__(self, path: Path, digest: str, about: Mapping[str, Any]) -> None:
        """Name the directory; `digest` tells this export apart from any other, `about` says what it is."""
        super().__init__(digest, about)
        self.path: Path = path
        self._place = Path(os.path.realpath(path))
        self.partial = partial_of(path)
        self._tree = self.partial / "tree"
        self._shards: dict[str, Shard] = {}
        self._lock = -1

    def complete(self) -> bool:
        """Tell whether this very export lies there already.

        Raises:
            UsageError: something else does.
            DiskError: it cannot be looked at.
        """
        try:
            self.path.lstat()
            if not self.path.is_dir():
                raise UsageError(f"{self.path} is no directory", hint="give another one with -o")
            if not any(self.path.iterdir()):
                self._check_replaceable()
                return False
        except FileNotFoundError:
            return False
        except OSError as error:
            raise self._failed(error, self.path) from error
        there = read_about(self.path)
        if there is not None and there.get("digest") == self._digest:
            self._check_whole()
            if (self.partial / "plan.json").exists() and not self._tree.exists():
                shutil.rmtree(
                    self.partial, ignore_errors=True
                )  # of a process that was killed at its very end
            return True
        if there is not None:
            raise UsageError(
                f"{self.path} holds another export{told_of(there)}",
                hint="give another directory with -o, or remove that one",
            )
        raise UsageError(f"{self.path} is not empty", hint="give another directory with -o")

    def _check_replaceable(self) -> None:
        """Look whether a directory can take the place: what is written aside is on another disk."""
        if os.path.ismount(self._place):
            raise UsageError(
                f"{self.path} is where a disk is mounted: an export cannot take its place",
                hint=f"give a directory in it: -o {shlex.quote(str(self.path / 'export'))}",
            )

    def _check_whole(self) -> None:
        """Look whether the files of the export that lies there are all there, and as long as written down."""
        shortfall = Shortfall()
        shortfall.look(self._read(CHECKSUMS), self._read(LENGTHS), self._length_of)
        shortfall.complain(str(self.path), "directory")

    def _read(self, name: str) -> bytes | None:
        try:
            return (self.path / name).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise DiskError(f"cannot read {self.path / name}: {error.strerror or error}") from error

    def _length_of(self, name: str) -> int | None:
        try:
            found = os.stat(f"{self.path}/{name}")  # noqa: PTH116 - of a hundred thousand
        except OSError:
            return None
        return found.st_size if stat.S_ISREG(found.st_mode) else None

    def __enter__(self) -> Self:
        """Take the place aside, with what an interrupted run of this very export left there.

        Raises:
            RunBusyError: another process writes the export.
            DiskError: it cannot be written.
        """
        try:
            self._make()
            self._own()
            self._take_up()
            self.tree = Tree(os.fspath(self._tree), self.note, resumed=self.resumed)
            self._sums = (self._tree / CHECKSUMS).open("wb", buffering=1 << 20)
            self._lengths = open_aside()
        except OSError as error:
            self._let_go()
            raise self._failed(error, self.partial) from error
        except BaseException:
            self._let_go()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._let_go()

    def _make(self) -> None:
        try:
            make_durable_directory(self.partial)
        except FileExistsError as error:
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR)) from error

    def _own(self) -> None:
        self._lock = os.open(self.partial / "lock", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise RunBusyError(
                f"another process writes the export {self.path}", hint="wait for it to end"
            ) from error

    def _take_up(self) -> None:
        plan = self.partial / "plan.json"
        with contextlib.suppress(FileNotFoundError, ValueError):
            self.resumed = orjson.loads(plan.read_bytes()).get("digest") == self._digest
        if not self.resumed:
            self._clear()
            with plan.open("wb") as stream:
                stream.write(orjson.dumps({"digest": self._digest, **self._about}))
                stream.flush()
                os.fsync(stream.fileno())
            sync_directory(self.partial)
        self._tree.mkdir(exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            for line in (self.partial / "shards.jsonl").read_bytes().splitlines():
                with contextlib.suppress(ValueError, TypeError, FileNotFoundError):
                    shard = Shard(**orjson.loads(line))
                    if (self._tree / shard.name).stat().st_size == shard.bytes:
                        self._shards[shard.name] = shard

    def _clear(self) -> None:
        """Drop what another export left here half done."""
        strange = sorted(entry.name for entry in self.partial.iterdir() if entry.name not in _OURS)
        if strange:
            raise UsageError(
                f"{self.partial} holds what is no part of an export ({strange[0]})",
                hint="move it away: an export is written there before it gets its name",
            )
        self.discarded = self._tree.is_dir() and any(self._tree.iterdir())
        shutil.rmtree(self._tree, ignore_errors=True)
        (self.partial / "shards.jsonl").unlink(missing_ok=True)

    def stream(self, name: str) -> contextlib.AbstractContextManager[Stream]:
        """Make a file piece by piece, as a tree does."""
        return self.tree.stream(name)

    @property
    def target(self) -> Tree:
        """The tree that gets the name."""
        return self.tree

    @property
    def lock(self) -> int:
        """Give the open file that says whose this is: who holds it, too, is one of its writers."""
        return self._lock

    def put(self, name: str, data: bytes) -> None:
        """Make a small file, on disk.

        Raises:
            DiskError: the disk is full.
        """
        with self.tree.stream(name) as stream:
            stream.write(data)

    def shard(self, name: str) -> Shard | None:
        """Give a large file that an interrupted run left whole, and that is so still."""
        shard = self._shards.get(name)
        return shard if shard is not None and self._is_whole(shard) else None

    def _is_whole(self, shard: Shard) -> bool:
        """Read it: what lay aside may have been changed since, and would get a checksum that it has not."""
        try:
            with (self._tree / shard.name).open("rb", buffering=0) as stream:
                return hashlib.file_digest(stream, "sha256").hexdigest() == shard.sha256
        except OSError:
            return False

    def keep_shard(self, shard: Shard) -> None:
        """Have a run that goes on with this one find a large file whole.

        Raises:
            DiskError: that cannot be written.
        """
        path = self.partial / "shards.jsonl"
        line = orjson.dumps(shard, option=orjson.OPT_APPEND_NEWLINE)
        try:
            sync_directory((self._tree / shard.name).parent)
            with path.open("ab") as stream:
                stream.write(line)
                stream.flush()
                os.fsync(stream.fileno())
        except OSError as error:
            raise self._failed(error, path) from error

    def finish(self) -> None:
        """Give the export its name, whole and on disk.

        Raises:
            DiskError: it cannot be; everything is kept aside.
            UsageError: something else came to lie there meanwhile.
        """
        if self._sums is None:
            raise AssertionError("the destination was not entered")
        try:
            self._sums.flush()
            os.fsync(self._sums.fileno())
            self._sums.close()
            if self.loose:
                os.sync()  # one wait for all of them, in place of one for each
            there = 0
            for folder, _, files in os.walk(self._tree, topdown=False):
                there += len(files)
                sync_directory(folder)
            if there != self.files + 1:  # the checksums do not name themselves
                raise self._strange()
            self._take_place()
            sync_directory(self.partial.parent)
        except OSError as error:
            raise self._failed(error, self.path) from error
        shutil.rmtree(self.partial, ignore_errors=True)

    @property
    def aside(self) -> str:
        """The place aside."""
        return os.fspath(self.partial)

    def _leave(self) -> str:
        """Keep what has images in it: the tables come anew with every try."""
        ends = tuple(EXTENSIONS.values())
        if (self.partial / "shards.jsonl").exists() or any(
            name.endswith(ends) for _, _, names in os.walk(self._tree) for name in names
        ):
            return f"what is done is kept in {self.partial}, and the same command goes on with it"
        shutil.rmtree(self.partial, ignore_errors=True)
        return ""

    def _strange(self) -> UsageError:
        """Name a file that somebody put there: the same export has the same files wherever it is made."""
        with (self._tree / CHECKSUMS).open("rb") as stream:
            ours = {file for file, _ in entries(stream)} | {CHECKSUMS}
        names = (path.relative_to(self._tree).as_posix() for path in self._tree.rglob("*") if path.is_file())
        strange = next((name for name in sorted(names) if name not in ours), "a file that was taken away")
        return UsageError(
            f"{self._tree} holds what is no part of the export ({strange})",
            hint="move it away and give the command again: what is done is kept",
        )

    def _take_place(self) -> None:
        try:
            self._tree.rename(self._place)
        except OSError as error:
            if error.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
                raise UsageError(
                    f"something came to lie at {self.path} while the export was made",
                    hint=f"move it away and give the command again: all is kept in {self.partial}",
                ) from error
            raise

    def _sums_failed(self, error: OSError) -> DiskError:
        return self._failed(error, self._tree / CHECKSUMS)

    def _failed(self, error: OSError, path: str | Path) -> DiskError:
        return cannot_write(error, path, self.partial)

    def _let_go(self) -> None:
        if self._sums is not None:
            with contextlib.suppress(OSError):
                self._sums.close()
        if self._lengths is not None:
            with contextlib.suppress(OSError):
                self._lengths.close()
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1
