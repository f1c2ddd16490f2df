"""Where an export is written until it is whole: beside the directory that is asked for, by another name."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Final

PARTIAL: Final = ".partial"
"""How the place aside ends."""

_LONGEST: Final = 255
"""Bytes of a file's name."""


def partial_of(path: Path) -> Path:
    """Give the place aside where the export that gets this name is written."""
    place = Path(os.path.realpath(path))
    name = f".{place.name}{PARTIAL}"
    if len(os.fsencode(name)) > _LONGEST:
        name = f".{hashlib.sha256(os.fsencode(place.name)).hexdigest()[:32]}{PARTIAL}"
    return place.parent / name
