"""What RUN means on the command line: a run directory, the manifest whose run it is, or its URL."""

from __future__ import annotations

import os
from pathlib import Path

from zbatch.api.endpoint import parse_endpoint
from zbatch.errors import UsageError, ZbatchError
from zbatch.state.again import Again
from zbatch.state.directory import RunDirectory
from zbatch.state.run import Run
from zbatch.storage import parse_run_location


def find_run(path: Path | str, endpoint: str | None) -> Run:
    """Open the run that a directory, manifest or URL names; for a manifest the endpoint counts as in `run`.

    Raises:
        UsageError: there is no run there.
        ManifestError: the manifest cannot be read.
    """
    return Run(locate_run(path, endpoint))


def locate_run(path: Path | str, endpoint: str | None) -> Path:
    """Give the directory of the run that is meant, whether or not there is one yet.

    Raises:
        ManifestError: the manifest cannot be read.
        UsageError: a URL in an object store that is not where the pictures of a run here lie.
    """
    if isinstance(path, str):
        return _of_location(path)
    if path.is_dir() or path.suffix not in (".yaml", ".yml"):
        return path
    # Of no use to a directory, and half a second to import: `status` is asked often.
    from zbatch.manifest.loader import load_manifest  # noqa: PLC0415 - said above
    from zbatch.settings import ENDPOINT_VARIABLE, run_directory  # noqa: PLC0415 - said above

    manifest = load_manifest(path, allow_outside=True)
    named = endpoint or os.environ.get(ENDPOINT_VARIABLE) or manifest.endpoint
    return run_directory(manifest, parse_endpoint(named))


def going_on(run: Run) -> Again:
    """Give the command that goes on with this very run; one that was moved is named by its place."""
    again, here = run.again, run.directory.path
    if run.location is not None:
        return again
    try:
        there = Path(again.place or locate_run(Path(again.begin[-1]), again.endpoint))
        same = there.resolve() == here.resolve()
    except (ZbatchError, OSError):  # the manifest is not there, or cannot be read now
        same = False
    return again if same else again.into(here)


def _of_location(url: str) -> Path:
    """Find the run whose pictures lie at a URL, by the rule that named its directory."""
    from zbatch.settings import state_of  # noqa: PLC0415 - as above

    location = parse_run_location(url)
    directory = state_of(location)
    if RunDirectory(directory).exists():
        with Run(directory) as run:
            if run.location == location:
                return directory
    raise UsageError(
        f"no run here has its pictures in {location}: its state would be in {directory}",
        hint="give the run directory, or the command in the directory where the run was made",
    )
