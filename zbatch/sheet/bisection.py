"""The largest number that still fits, where every smaller one does too."""

from __future__ import annotations

from collections.abc import Callable


def largest(low: int, high: int, fits: Callable[[int], bool]) -> int:
    """Give the largest number from `low` to `high` that fits; `low` where no larger one does."""
    while low < high:
        half = (low + high + 1) // 2
        low, high = (half, high) if fits(half) else (low, half - 1)
    return low
