"""`export.json`: what an export says of itself, read by whoever comes to where one lies."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import orjson

from zbatch.errors import UsageError

ABOUT: Final = "export.json"
"""What an export is made of and holds; its checksums name it last."""

NEAR_DUPLICATES: Final = "near-duplicates.jsonl"
"""Who was left out for looking like whom."""


def read_about(path: Path, name: str = ABOUT) -> dict[str, Any] | None:
    """Give what an export says of itself; `None` where none lies there."""
    try:
        return about_of((path / name).read_bytes())
    except OSError:
        return None


def about_of(data: bytes) -> dict[str, Any] | None:
    """Read what an export says of itself; `None` where it is not that."""
    with contextlib.suppress(ValueError):
        about = orjson.loads(data)
        return about if isinstance(about, dict) else None
    return None


def told_of(about: Mapping[str, Any] | None) -> str:
    """Say in a few words which export it is that lies somewhere; nothing where it does not say."""
    if about is None or not isinstance(about.get("images"), dict):
        return ""
    return f": {about.get('format')}, {sum(about['images'].values()):,} images"


def unfinished(path: str, plan: Mapping[str, Any] | None) -> UsageError:
    """Say that an export was begun there and is not whole."""
    return UsageError(
        f"{path} is an export that was not finished{told_of(plan)}",
        hint="the `zbatch export` command that began it goes on with it",
    )
