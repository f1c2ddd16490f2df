"""What a run may take: times in seconds, rates in submits a second, money in USD."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from zbatch.errors import UsageError

MAX_SECONDS: Final = 3650 * 86400
DEFAULT_MAX_JOBS: Final = 1_000_000
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


@dataclass(frozen=True, slots=True)
class Limits:
    """The `limits` of a manifest, defaults filled in."""

    concurrency: int = 8
    rate: float | None = None
    attempts: int = 2
    job_deadline: float = 1800.0
    run_deadline: float | None = None
    max_jobs: int = DEFAULT_MAX_JOBS
    max_cost: Decimal | None = None
    on_unknown: str = "hold"
    unchecked: frozenset[str] = frozenset()


def parse_limits(spec: Mapping[str, Any]) -> Limits:
    """Read `limits` of a manifest that the schema has passed."""
    given: dict[str, Any] = dict(spec)
    if "rate" in given:
        given["rate"] = parse_rate(given["rate"])
    for name in ("job_deadline", "run_deadline"):
        if name in given:
            given[name] = parse_duration(given[name])
    if "max_cost" in given:
        given["max_cost"] = Decimal(str(given["max_cost"]))
    given["unchecked"] = frozenset(given.get("unchecked", ()))
    return Limits(**given)


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
