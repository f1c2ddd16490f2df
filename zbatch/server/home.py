"""A server's own directory: its tasks, its images, and the secret that signs their URLs."""

from __future__ import annotations

import fcntl
import os
import secrets
from pathlib import Path
from typing import BinaryIO, Final

from zbatch.durable import make_durable_directory
from zbatch.errors import DiskError, RunBusyError
from zbatch.server.ledger import Ledger
from zbatch.server.shelf import DiskShelf

_SECRET_BYTES: Final = 32


class Home:
    """Takes a directory for one server at a time; let go of by `close`, or with the process."""

    def __init__(self, path: Path) -> None:
        """Take it, made where it is not there.

        Raises:
            DiskError: it cannot be made or read.
            RunBusyError: another server has it.
            StateError: what lies in it cannot be read.
        """
        self.path = path
        try:
            # Prompts, input images and images lie there: they are nobody else's.
            make_durable_directory(path, mode=0o700)
            self._lock = self._locked()
            self.secret = self._secret()
        except OSError as error:
            raise DiskError(
                f"cannot use the directory {path}: {error.filename or path}: {error.strerror or error}",
                hint="give another with --data-dir",
            ) from error
        try:
            self.shelf = DiskShelf(path / "images")
            self.ledger = Ledger(path / "tasks.sqlite3")
        except BaseException:
            self._lock.close()
            raise

    def _locked(self) -> BinaryIO:
        lock = (self.path / "lock").open("ab")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.close()
            raise RunBusyError(
                f"another server uses {self.path}", hint="stop it, or give this one --data-dir of its own"
            ) from error
        return lock

    def _secret(self) -> bytes:
        """Read what signs URLs, made once: those that were given out are good after a restart."""
        path = self.path / "secret"
        try:
            found = path.read_bytes()
        except FileNotFoundError:
            found = b""
        if len(found) == _SECRET_BYTES:
            return found
        made = secrets.token_bytes(_SECRET_BYTES)
        part = path.with_name("secret.part")
        part.unlink(missing_ok=True)
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(made)
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(path)
        return made

    def close(self) -> None:
        """Let another server have it."""
        self.ledger.let_go()
        self._lock.close()
