"""A run's manifest as it is now, beside what the run was made from."""

from __future__ import annotations

import contextlib
import hashlib
from pathlib import Path

from zbatch.state.database import Meta
from zbatch.state.run import Run


def find_source(run: Run, named: str) -> Path | None:
    """Find a file where the run says it was: from a directory above the run's, or from here."""
    above, here = run.directory.path.resolve().parents, Path()
    # From here first where that is above the run, as its name is then the one that the person knows.
    bases = [here, *above] if here.resolve() in above else [*above, here]
    return next((base / named for base in bases if (base / named).is_file()), None)


def edited(run: Run) -> list[str]:
    """Name the files that the run was made from and that hold something else now.

    What is not found, cannot be read, or was noted by no earlier version, is not told of.
    """
    names = []
    for named, sha256 in run.about(Meta.SOURCES) or ():
        with contextlib.suppress(OSError):
            found = find_source(run, named)
            if found is not None and hashlib.sha256(found.read_bytes()).hexdigest() != sha256:
                names.append(named)
    return names
