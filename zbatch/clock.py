"""The two clocks: wall time for what is written down, monotonic time for waiting."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from functools import lru_cache


def now_iso() -> str:
    """Wall time, UTC, ISO 8601 with milliseconds: for records and logs, never for measuring a wait."""
    seconds, milliseconds = divmod(time.time_ns() // 1_000_000, 1000)
    return f"{_second(seconds)}.{milliseconds:03}Z"


@lru_cache(maxsize=4)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def monotonic() -> float:
    """Seconds on a clock that never goes back: for waits, deadlines and rates."""
    return time.monotonic()


def clock_time(seconds: float) -> str:
    """Say what a clock on the wall shows so many seconds from now: local time, `HH:MM:SS`."""
    return (datetime.now(UTC) + timedelta(seconds=seconds)).astimezone().strftime("%H:%M:%S")


def suspended() -> float:
    """Seconds that this machine has spent asleep; only differences mean anything.

    Linux counts them (CLOCK_BOOTTIME runs on while CLOCK_MONOTONIC stands still). Elsewhere the wall clock
    takes its place, and setting that looks like sleep: only what does no harm may follow from it.
    """
    boottime = getattr(time, "CLOCK_BOOTTIME", None)
    return (time.time() if boottime is None else time.clock_gettime(boottime)) - time.monotonic()
