"""What stands at the top of a refined manifest: where it came from, and how to run it."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from zbatch.clock import now_iso
from zbatch.state.database import Meta
from zbatch.state.run import Run

_MARK: Final = "# Refined by zbatch from "
_COMMAND: Final = "#   zbatch run "


def header(
    run: Run, files: Sequence[Path], people: Sequence[str], target: Path, options: Sequence[str]
) -> list[str]:
    """Say where a manifest comes from and how to run it; `options` are those of its run."""
    manifest = str(run.about(Meta.MANIFEST_SHA256) or "")[:16]
    where = os.path.relpath(run.directory.path, target.absolute().parent)
    names = ", ".join(path.name for path in files)
    command = shlex.join(["zbatch", "run", str(target), *options])
    by = f"by {names} of {', '.join(people)}"
    return [
        _plain(f"{_MARK}the run {run.name} ({where}, manifest {manifest})"),
        _plain(f"# on {now_iso()[:10]}, {by}. What that run has made is not paid again:"),
        _plain(f"#   {command}"),
    ]


def _plain(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text)


def with_header(text: str, header: Sequence[str]) -> str:
    """Put a header at the top, below the line that names the schema; that of an earlier refinement goes."""
    newline = "\r\n" if "\r\n" in text else "\n"
    lines = text.split("\n")
    at = 1 if lines[0].startswith("# yaml-language-server:") else 0
    if lines[at : at + 1] and lines[at].startswith(_MARK):
        ends = [number for number in range(at, min(at + 4, len(lines))) if lines[number].startswith(_COMMAND)]
        if ends:
            del lines[at : ends[0] + 1]
    mine = [line + ("\r" if newline == "\r\n" else "") for line in header]
    return "\n".join([*lines[:at], *mine, *lines[at:]])
