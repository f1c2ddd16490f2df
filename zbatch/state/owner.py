"""Who owns a run now: the lock of `RunLock`, looked at by readers."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


def owner_of(lock: Path) -> int | None:
    """Give the id of the process that holds a run's lock file; `None` where none does or nothing can be said.

    A file that names nobody is not touched. One that does may be of a process that was killed: only then the
    lock is tried, shared and for an instant, so that a run that begins meets it hardly ever.
    """
    try:
        descriptor = os.open(lock, os.O_RDONLY)
    except OSError:
        return None
    try:
        named = os.read(descriptor, 32).decode("ascii", "replace").strip()
        if not named.isdecimal():
            return None
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return int(named)
    except OSError:  # of a file system without such locks
        return None
    finally:
        os.close(descriptor)
    return None
