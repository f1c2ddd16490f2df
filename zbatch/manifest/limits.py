"""What a run may take: times in seconds, rates in submits a second, money in USD."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from zbatch.units import parse_duration, parse_rate

DEFAULT_MAX_JOBS: Final = 1_000_000


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
