"""The lock that lets one process own a run directory."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shlex
from types import TracebackType
from typing import Self

from zbatch.errors import DiskError, RunBusyError
from zbatch.state.directory import RunDirectory


class RunLock:
    """Holds a run directory for this process.

    Advisory `flock`s on the directory, which nothing but its end takes from it, and on `.lock`, which names
    the process and holds on file systems that lock no directories. They die with the process, and the
    descriptors are not inheritable, so no child keeps them alive.
    """

    def __init__(self, directory: RunDirectory) -> None:
        self._directory = directory
        self._path = directory.lock
        self._descriptors: list[int] = []

    def __enter__(self) -> Self:
        """Take the lock.

        Raises:
            RunBusyError: another process has it; its process id is named.
            DiskError: the lock file cannot be written.
        """
        try:
            self._descriptors.append(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644))
            self._descriptors.append(os.open(self._directory.path, os.O_RDONLY | os.O_DIRECTORY))
        except OSError as error:
            self._let_go()
            raise DiskError(
                f"cannot lock the run: {self._path}: {error.strerror or error}",
                hint=self._directory.mend,
            ) from error
        try:
            self._own(*self._descriptors)
        except BaseException:
            self._let_go()
            raise
        return self

    def in_place(self) -> bool:
        """Tell whether the run lies where it lay: its directory, and a state in it, that may be looked at."""
        with contextlib.suppress(OSError, DiskError):
            here, held = os.stat(self._directory.path), os.fstat(self._descriptors[-1])  # noqa: PTH116 - beside fstat
            return os.path.samestat(here, held) and self._directory.exists()
        return False

    def _own(self, file: int, directory: int) -> None:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            try:
                fcntl.flock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise
            except OSError:
                pass  # of a file system that locks no directories
            os.ftruncate(file, 0)
            os.write(file, f"{os.getpid()}\n".encode())
        except BlockingIOError as error:
            owner = os.read(file, 32).decode("ascii", "replace").strip()
            place = self._path.parent
            raise RunBusyError(
                f"another process owns the run {place}" + (f" (process {owner})" if owner else ""),
                hint=f"wait for it to end, or watch it: zbatch status --watch {shlex.quote(str(place))}",
            ) from error
        except OSError as error:
            raise DiskError(f"cannot lock the run: {self._path}: {error.strerror or error}") from error

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._descriptors:
            os.ftruncate(self._descriptors[0], 0)
        self._let_go()

    def _let_go(self) -> None:
        while self._descriptors:
            os.close(self._descriptors.pop())
