"""Rates, times and sizes as people write them: `60/min`, `90s`, `500MB`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from zbatch.errors import UsageError

MAX_SECONDS: Final = 3650 * 86400
_SECONDS: Final[Mapping[str, float]] = {
    "ms": 0.001,
    "s": 1,
    "sec": 1,
    "m": 60,
    "min": 60,
    "h": 3600,
    "hour": 3600,
    "d": 86400,
}
_BYTES: Final[Mapping[str, int]] = {
    "": 1,
    "k": 10**3,
    "m": 10**6,
    "g": 10**9,
    "ki": 2**10,
    "mi": 2**20,
    "gi": 2**30,
}


def parse_rate(text: str) -> float:
    """Read `60/min`, `2/s` or `1000/h` as submits a second.

    Raises:
        UsageError: it is none of these, or 0.
    """
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)/(s|sec|min|h|hour)", text.strip())
    if match is None or float(match[1]) == 0:
        raise UsageError(f"a rate is written as 60/min, 2/s or 1000/h (got {text!r})")
    return float(match[1]) / _SECONDS[match[2]]


def parse_duration(text: str) -> float:
    """Read `90s`, `30m` or `8h` as seconds.

    Raises:
        UsageError: it is none of these, 0, or longer than ten years.
    """
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d)", text.strip())
    if match is None:
        raise UsageError(f"a time is written as 90s, 30m or 8h (got {text!r})")
    seconds = float(match[1]) * _SECONDS[match[2]]
    if not 0 < seconds <= MAX_SECONDS:
        raise UsageError(f"a time is more than 0 and at most ten years (got {text!r})")
    return seconds


def parse_size(text: str) -> int:
    """Read `500MB`, `1GB`, `512MiB` or a plain number of bytes; a MB has a million, a MiB 1024 times 1024.

    Raises:
        UsageError: it is none of these, or 0.
    """
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)\s*((?:k|m|g)i?)?b?", text.strip(), re.IGNORECASE)
    size = 0 if match is None else int(float(match[1]) * _BYTES[(match[2] or "").lower()])
    if size < 1:
        raise UsageError(f"a size is written as 500MB, 1GB or 512MiB (got {text!r})")
    return size
