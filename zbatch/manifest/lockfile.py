"""`manifest.lock.yaml`: a manifest as it was taken: values, where each was written, hash, version."""

from __future__ import annotations

from typing import Any

import yaml

from zbatch.manifest.findings import dotted
from zbatch.manifest.loader import Manifest
from zbatch.version import __version__


def lock_text(manifest: Manifest) -> str:
    """Write a manifest down, resolved."""
    document = manifest.document
    lock: dict[str, Any] = {
        "zbatch": __version__,
        "sources": [{"file": document.name, "sha256": document.sha256}],
        "manifest": document.data,
        "written_at": {
            dotted(place): f"{mark.file}:{mark.line}"
            for place, mark in document.marks.items()
            if place and not isinstance(_value(document.data, place), dict | list)
        },
    }
    return "# What this run was made from. Written by zbatch; edit the manifest instead.\n" + yaml.safe_dump(
        lock, sort_keys=False, allow_unicode=True, width=110
    )


def _value(data: Any, place: tuple[str | int, ...]) -> Any:
    for part in place:
        data = data[part]
    return data
