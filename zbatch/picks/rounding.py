"""How means and shares of picks are written: rounded as the page does it, so that both show one number."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal


def half_up(number: float, digits: int = 0) -> str:
    """Write a number of 0 or more with so many decimals, a half upwards, as `toFixed` does in the page."""
    return str(Decimal(number).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP))


def percent(share: float) -> str:
    """Write a share (0 to 1) in whole percent, as the page does."""
    return f"{half_up(100 * share)}%"
