"""Denser round the winners: which numbers come between the values of an axis, and beyond its ends.

Round a winner the step is quartered, half way to its neighbours: where 0.6 wins among steps of 0.2, that
gives 0.5, 0.55, 0.65 and 0.7. A neighbour's half is the neighbour's own business. At an end of the axis the
last step goes on beyond it, where that is allowed. Whole numbers stay whole.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Final

Number = int | float

_EXACT: Final = 6
"""Decimals of a new number that are kept, all of them."""

_DIGITS: Final = 3
"""Digits of a gap that count for one which has more (half a third, say)."""


@dataclass(frozen=True, slots=True)
class Span:
    """What new values may be: between `low` and `high` (inclusive; `None` is no bound), whole or not.

    `beyond` says whether they may lie beyond the values there are.
    """

    whole: bool = False
    beyond: bool = False
    low: Number | None = None
    high: Number | None = None


def denser(values: Sequence[Number], winners: Collection[Number], span: Span) -> list[Number]:
    """Give the numbers that come new, ascending; exact decimals, none of them there already."""
    known = sorted({_exact(value) for value in values})
    won = {_exact(value) for value in winners}
    found = {
        point
        for index, value in enumerate(known)
        if value in won
        for point in _round(known, index, span)
        if _allowed(point, span)
    }
    numbers = {_number(point) for point in found} - {_number(value) for value in known}
    return sorted(numbers)


def _round(known: Sequence[Fraction], index: int, span: Span) -> Iterator[Fraction]:
    """Give the points round one value."""
    value = known[index]
    below = value - known[index - 1] if index else None
    above = known[index + 1] - value if index + 1 < len(known) else None
    if span.beyond:
        below, above = below or above, above or below
    for gap, sign in ((below, -1), (above, 1)):
        if gap is not None:
            yield from (_short(value + sign * part, gap) for part in _parts(gap, whole=span.whole))


def _parts(gap: Fraction, *, whole: bool) -> list[Fraction]:
    parts = [gap / 4, gap / 2]
    return [Fraction(math.floor(part)) for part in parts if part >= 1] if whole else parts


def _short(point: Fraction, gap: Fraction) -> Fraction:
    """Give a point exactly, where it is a short decimal, or as one that is as good in a gap of that size."""
    if (point * 10**_EXACT).denominator == 1:
        return point
    return round(point, _DIGITS - math.floor(math.log10(gap)))


def _allowed(point: Fraction, span: Span) -> bool:
    return not (
        (span.low is not None and point < _exact(span.low))
        or (span.high is not None and point > _exact(span.high))
    )


def _exact(value: Number) -> Fraction:
    return Fraction(repr(value))  # the shortest text of a float is what was written


def _number(value: Fraction) -> Number:
    """Give a point as a number: of decimals as few as say where it is."""
    return value.numerator if value.denominator == 1 else float(value)


def written(value: Number) -> str:
    """Write a number as YAML takes it: without an exponent."""
    return str(value) if isinstance(value, int) else f"{Decimal(repr(value)):f}"


def ordered(values: Sequence[Number], new: Sequence[Number]) -> list[Number]:
    """Put new numbers among old ones in their order; where they have none, at the end."""
    pairs = list(itertools.pairwise(values))
    if all(one <= other for one, other in pairs):
        return sorted([*values, *new])
    if all(one >= other for one, other in pairs):
        return sorted([*values, *new], reverse=True)
    return [*values, *new]
