"""Loading: a manifest parsed and checked, every problem that can be seen told at once."""

from __future__ import annotations

import contextlib
import itertools
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from zbatch.errors import ManifestError
from zbatch.manifest.findings import Findings
from zbatch.manifest.jobs import Expansion
from zbatch.manifest.parser import Manifest, parse_manifest
from zbatch.model import InputImage

_LOOKED_AT: Final = 2_000
"""Cells of a manifest that is wrong already that are rendered all the same, for what else is wrong."""

_APART: Final = frozenset(
    ("name", "description", "endpoint", "request", "limits", "price", "output", "report", "export")
)
"""Sections in which a mistake changes neither the cells nor the fields it is not about."""


def load_manifest(
    path: str | Path, *, allow_outside: bool = False, known_inputs: Iterable[InputImage] = ()
) -> Manifest:
    """Read a manifest and check all that can be checked without expanding it.

    `allow_outside` lets input images lie outside the manifest's directory. `known_inputs` are taken for what
    they say instead of being read: those of a copy that was kept without them.

    Raises:
        ManifestError: every problem found, each with its position; where there is one, also those that
            rendering the first cells shows.
    """
    findings = Findings()
    manifest = parse_manifest(Path(path), findings, allow_outside=allow_outside, known_inputs=known_inputs)
    if findings.failed:
        _look_further(manifest, findings)
        findings.raise_errors()
    return manifest


def expand(manifest: Manifest | str | Path, *, allow_outside: bool = False) -> Expansion:
    """Give the expansion of a manifest (or of the file it is in): iterate it for the jobs.

    Raises:
        ManifestError: with what can be seen without expanding; the rest when it is iterated.
    """
    if not isinstance(manifest, Manifest):
        manifest = load_manifest(manifest, allow_outside=allow_outside)
    return Expansion(manifest)


def _look_further(manifest: Manifest, findings: Findings) -> None:
    """Render some cells of a manifest that is wrong elsewhere, so that all can be mended in one go."""
    sections = {re.split(r"[.\[]", finding.path)[0] for finding in findings if finding.severity == "error"}
    grid = manifest.grid
    countable = grid.count <= manifest.limits.max_jobs and (grid.sample is None or grid.count <= _LOOKED_AT)
    if findings.full or not countable or not sections <= _APART:
        return
    untold = ("prompt", "image_url") if "request" in sections else ()
    with contextlib.suppress(ManifestError):  # what it holds is in the findings
        for _ in itertools.islice(Expansion(manifest, None, findings, untold).steps(), _LOOKED_AT):
            pass
