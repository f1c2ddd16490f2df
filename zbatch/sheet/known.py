"""What was measured of pairs of pictures, kept in a file: numbers by the hashes of the two."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import orjson

from zbatch.difference import MEASURE
from zbatch.durable import write_aside

_HASH: Final = 16
"""Hexadecimal digits of a picture's hash that stand for it here."""


def pair_name(before: str, after: str) -> str:
    """Name a pair by the hashes of its pictures: where one of them is made anew, it is another pair."""
    return f"{before[:_HASH]}-{after[:_HASH]}"


def known_numbers(file: Path) -> dict[str, float]:
    """Read what was measured before; what another measure said, or cannot be read, is measured again."""
    try:
        kept = orjson.loads(file.read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return {}
    if not isinstance(kept, dict) or kept.get("measure") != MEASURE:
        return {}
    found = kept.get("changes")
    pairs: list[tuple[object, object]] = list(found.items()) if isinstance(found, dict) else []
    return {name: number for name, number in pairs if isinstance(name, str) and isinstance(number, float)}


def keep_numbers(file: Path, numbers: Mapping[str, float]) -> None:
    """Write down what was measured.

    Raises:
        DiskError: it could not be written.
    """
    write_aside(file, orjson.dumps({"measure": MEASURE, "changes": dict(numbers)}))
