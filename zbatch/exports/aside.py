"""Files without a name, where an export keeps aside what it does not hold in memory."""

from __future__ import annotations

import tempfile
from typing import BinaryIO

from zbatch.errors import DiskError


def open_aside() -> BinaryIO:
    """Open such a file; it is gone when it is closed."""
    return tempfile.TemporaryFile(prefix="zbatch-export-")


def cannot_keep(error: OSError) -> DiskError:
    """Say that there is no room for such a file."""
    return DiskError(
        f"cannot write a temporary file in {tempfile.gettempdir()}: {error.strerror or error}",
        hint="make room there, or set TMPDIR to a directory that has some",
    )
