"""How a rehearsed server behaves: how long its tasks take, and how many of them fail."""

from __future__ import annotations

import math
import random
import re
from dataclasses import dataclass
from typing import Final

from zbatch.errors import UsageError
from zbatch.units import parse_duration

_P99: Final = 2.3263478740408408
"""Standard deviations from the median of a normal distribution to its 99th percentile."""
_HELP: Final = "write 4s, uniform:2s,6s or lognormal:4s,15s (median, 99th percentile)"


@dataclass(frozen=True, slots=True)
class Latency:
    """How long tasks take, from submit to end, in seconds: `fixed`, `uniform` or `lognormal`."""

    kind: str
    first: float
    second: float

    def draw(self, source: random.Random) -> float:
        """Draw one task's."""
        if self.kind == "uniform":
            return source.uniform(self.first, self.second)
        if self.kind == "lognormal":
            return self.first * math.exp(source.gauss(0, math.log(self.second / self.first) / _P99))
        return self.first


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What is laid over the engine; nothing by default. `fail` is a share, 0 to 1."""

    latency: Latency | None = None
    fail: float = 0.0


def parse_latency(text: str) -> Latency:
    """Read `4s`, `uniform:2s,6s` or `lognormal:4s,15s`.

    Raises:
        UsageError: it is none of these.
    """
    kind, colon, rest = text.strip().partition(":")
    times = [parse_duration(part) for part in (rest if colon else kind).split(",")]
    if not colon and len(times) == 1:
        return Latency("fixed", times[0], times[0])
    if kind not in ("uniform", "lognormal") or len(times) != 2:
        raise UsageError(f"a latency cannot be read (got {text!r})", hint=_HELP)
    if times[0] > times[1]:
        raise UsageError(f"the second time of a latency is the longer one (got {text!r})", hint=_HELP)
    return Latency(kind, times[0], times[1])


def parse_share(text: str) -> float:
    """Read `2%` or `0.02` as a share of all.

    Raises:
        UsageError: it is neither, or more than all.
    """
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?|\.[0-9]+)(%?)", text.strip())
    share = math.inf if match is None else float(match[1]) / (100 if match[2] else 1)
    if not 0 <= share <= 1:
        raise UsageError(f"a share is written as 2% or 0.02 (got {text!r})")
    return share
