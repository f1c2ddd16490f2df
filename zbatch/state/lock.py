"""The lock that lets one process own a run directory."""

from __future__ import annotations

import fcntl
import os
import shlex
from types import TracebackType
from typing import Self

from zbatch.errors import DiskError, RunBusyError
from zbatch.state.directory import RunDirectory


class RunLock:
    """Holds a run directory for this process.

    An advisory `flock` on `.lock`: it dies with the process, and the descriptor is not inheritable, so no
    child keeps it alive.
    """

    def __init__(self, directory: RunDirectory) -> None:
        self._directory = directory
        self._path = directory.lock
        self._descriptor: int | None = None

    def __enter__(self) -> Self:
        """Take the lock.

        Raises:
            RunBusyError: another process has it; its process id is named.
            DiskError: the lock file cannot be written.
        """
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise DiskError(
                f"cannot lock the run: {self._path}: {error.strerror or error}",
                hint=self._directory.mend,
            ) from error
        try:
            self._own(descriptor)
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor
        return self

    def _own(self, descriptor: int) -> None:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(descriptor, 0)
            os.write(descriptor, f"{os.getpid()}\n".encode())
        except BlockingIOError as error:
            owner = os.read(descriptor, 32).decode("ascii", "replace").strip()
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
        if self._descriptor is not None:
            os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = None
