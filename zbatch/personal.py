"""The person's own directory on this machine, for what belongs to no run."""

from __future__ import annotations

import os
from pathlib import Path


def state_home() -> Path:
    """Give the directory for state, by the XDG base directory specification; it may not be there yet.

    Raises:
        RuntimeError: nobody's home can be told.
    """
    home = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(home) / "zbatch"
