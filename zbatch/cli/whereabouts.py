"""What RUN means on the command line: a run directory, or the manifest whose run it is."""

from __future__ import annotations

import os
from pathlib import Path

from zbatch.api.endpoint import parse_endpoint
from zbatch.state.run import Run


def find_run(path: Path, endpoint: str | None) -> Run:
    """Open the run that a directory or a manifest names; for a manifest the endpoint counts as in `run`.

    Raises:
        UsageError: there is no run there.
        ManifestError: the manifest cannot be read.
    """
    return Run(locate_run(path, endpoint))


def locate_run(path: Path, endpoint: str | None) -> Path:
    """Give the directory of the run that is meant, whether or not there is one yet.

    Raises:
        ManifestError: the manifest cannot be read.
    """
    if path.is_dir() or path.suffix not in (".yaml", ".yml"):
        return path
    # Of no use to a directory, and half a second to import: `status` is asked often.
    from zbatch.manifest.loader import load_manifest  # noqa: PLC0415 - said above
    from zbatch.settings import ENDPOINT_VARIABLE, run_directory  # noqa: PLC0415 - said above

    manifest = load_manifest(path, allow_outside=True)
    named = endpoint or os.environ.get(ENDPOINT_VARIABLE) or manifest.endpoint
    return run_directory(manifest, parse_endpoint(named))
