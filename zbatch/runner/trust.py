"""Endpoints that this person once named by flag or variable: these may have the key.

Kept in the person's own state directory, never in a run directory: a repository could bring that along.
"""

from __future__ import annotations

from pathlib import Path

from zbatch.api.endpoint import Endpoint
from zbatch.durable import write_aside
from zbatch.errors import ZbatchError
from zbatch.personal import state_home


def _file() -> Path:
    return state_home() / "endpoints"


def is_trusted(endpoint: Endpoint) -> bool:
    """Tell whether this person once named the endpoint."""
    try:
        return endpoint.url in _file().read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError, RuntimeError):
        return False


def trust(endpoint: Endpoint) -> None:
    """Remember an endpoint. Where that cannot be written it has to be named each time, and that is all."""
    if is_trusted(endpoint):
        return
    try:
        path = _file()
        path.parent.mkdir(parents=True, exist_ok=True)
        known = path.read_text("utf-8") if path.is_file() else ""
        write_aside(path, f"{known}{endpoint.url}\n".encode())
    except (OSError, UnicodeDecodeError, RuntimeError, ZbatchError):
        return
