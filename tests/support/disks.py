"""Small disks of their own, for what happens to a run whose disk is full or read-only."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def mounted(place: Path, *, megabytes: int) -> Iterator[Path]:
    """Mount a disk of that size; skips the test where this process may not (no root, or a container)."""
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(place)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting needs root outside of a container, which this process is not")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)
