"""The two clocks: wall time for what is written down, monotonic time for waiting."""

from __future__ import annotations

import time
from datetime import UTC, datetime


def now_iso() -> str:
    """Wall time, UTC, ISO 8601 with milliseconds: for records and logs, never for measuring a wait."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def monotonic() -> float:
    """Seconds on a clock that never goes back: for waits, deadlines and rates."""
    return time.monotonic()
