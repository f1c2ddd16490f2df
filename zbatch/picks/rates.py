"""Which values of an axis win, by comparisons: win rates with their intervals, and what would separate two.

A tie is half a win for both. The interval is Wilson's, at 95 %, on wins and half ties: pairs are drawn so
that every value meets every other equally often, then the plain rate ranks as a Bradley-Terry fit would, and
it stays finite where a value won everything, which a dozen comparisons often bring.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from zbatch.model import Scalar
from zbatch.picks.merging import Opinion
from zbatch.picks.records import Comparison

Z: Final = 1.959963984540054
"""Standard normal quantile of 97.5 %."""

Cells = Mapping[str, Sequence[Mapping[str, Scalar]]]
"""The coordinates of the cells that show each job, by its key."""


@dataclass(frozen=True, slots=True)
class Rate:
    """How one value stands: `wins` (ties count half) out of `count`; `rate` in its interval, all 0 to 1."""

    value: Scalar
    wins: float
    count: int

    @property
    def rate(self) -> float:
        """Share of comparisons won."""
        return self.wins / self.count

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's interval, 95 %."""
        return wilson(self.wins, self.count)


def wilson(wins: float, count: int) -> tuple[float, float]:
    """Give the 95 % interval of a rate of `wins` out of `count`, which is at least 1."""
    rate, z2 = wins / count, Z * Z
    middle = (rate + z2 / (2 * count)) / (1 + z2 / count)
    half = Z / (1 + z2 / count) * math.sqrt(rate * (1 - rate) / count + z2 / (4 * count * count))
    # Rounding may lead past the rate itself, where that is 0 or 1.
    return max(0.0, min(rate, middle - half)), min(1.0, max(rate, middle + half))


def win_rates(comparisons: Iterable[Comparison], axis: str, cells: Cells) -> list[Rate]:
    """Give the rate of every value of an axis that was compared, best first.

    Comparisons of other axes, of jobs that are not there, or whose images do not differ in just this axis
    (any more) count nowhere.
    """
    own = (pair for pair in comparisons if pair.axis == axis)
    rates = rates_by(own, cells, lambda cell: _mark(cell[axis]), lambda cell: cell[axis])
    return sorted(rates.values(), key=lambda rate: (-rate.rate, -rate.count))


def rates_by(
    comparisons: Iterable[Comparison],
    cells: Cells,
    key_of: Callable[[Mapping[str, Scalar]], Hashable],
    value_of: Callable[[Mapping[str, Scalar]], Scalar],
) -> dict[Hashable, Rate]:
    """Give the rate of all that `key_of` tells apart (`None` is nothing) of the cells that were compared."""
    wins: dict[Hashable, float] = {}
    counts: dict[Hashable, int] = {}
    values: dict[Hashable, Scalar] = {}
    for pair in comparisons:
        share = {"a": 1.0, "b": 0.0, "tie": 0.5}[pair.winner]
        for cell, won in zip(pair_cells(pair, cells) or (), (share, 1 - share), strict=False):
            key = key_of(cell)
            if key is not None:
                values.setdefault(key, value_of(cell))
                wins[key] = wins.get(key, 0.0) + won
                counts[key] = counts.get(key, 0) + 1
    return {key: Rate(values[key], wins[key], counts[key]) for key in values}


def pair_values(pair: Comparison, cells: Cells) -> tuple[Scalar, Scalar] | None:
    """Give the values that a pair compared: those of cells of its images that differ in its axis alone."""
    found = pair_cells(pair, cells)
    return None if found is None else (found[0][pair.axis], found[1][pair.axis])


def pair_cells(pair: Comparison, cells: Cells) -> tuple[Mapping[str, Scalar], Mapping[str, Scalar]] | None:
    """Give what a pair compared: cells of its images that differ in its axis alone."""
    for one in cells.get(pair.a, ()):
        for other in cells.get(pair.b, ()):
            differing = {
                name for name in one.keys() | other.keys() if _differ(one.get(name), other.get(name))
            }
            values = one.get(pair.axis), other.get(pair.axis)
            if differing == {pair.axis} and None not in values:
                return one, other
    return None


def _mark(value: Scalar) -> Hashable:
    return (isinstance(value, bool), value)  # `True == 1`, and they are two values


def _differ(one: Scalar, other: Scalar) -> bool:
    return one != other or isinstance(one, bool) is not isinstance(other, bool)


@dataclass(frozen=True, slots=True)
class Marginal:
    """What is said of the images at one value: how many are judged and rated, the mean of their ratings."""

    value: Scalar
    images: int
    ratings: int
    total: float
    favourites: int
    rejects: int

    @property
    def mean(self) -> float | None:
        """Mean of the images' ratings; `None` where none is rated."""
        return self.total / self.ratings if self.ratings else None


def is_off(coordinates: Mapping[str, Scalar]) -> bool:
    """Tell whether a cell shows a baseline under a LoRA's name: it says nothing about that LoRA."""
    return coordinates.get("lora.scale") == 0 and coordinates.get("lora.name") != "none"


def marginals(opinions: Mapping[str, Opinion], axis: str, cells: Cells) -> list[Marginal]:
    """Give what is said of the images at each value of an axis, each image once a value.

    A baseline that LoRAs share counts at its scale of 0, and for none of their names (as in `zbatch refine`).
    """
    said: dict[Hashable, list[Opinion]] = {}
    values: dict[Hashable, Scalar] = {}
    for key, shown in cells.items():
        if key not in opinions:
            continue
        at = [cell for cell in shown if cell.get(axis) is not None]
        marks = {_mark(cell[axis]): cell[axis] for cell in at if not (axis == "lora.name" and is_off(cell))}
        for mark, value in marks.items():
            values.setdefault(mark, value)
            said.setdefault(mark, []).append(opinions[key])
    return [
        Marginal(
            value=values[mark],
            images=len(told),
            ratings=sum(opinion.rating is not None for opinion in told),
            total=sum(opinion.rating or 0.0 for opinion in told),
            favourites=sum(opinion.favourite for opinion in told),
            rejects=sum(opinion.reject for opinion in told),
        )
        for mark, told in said.items()
    ]


def still_needed(best: Rate, second: Rate) -> int | None:
    """Say how many more comparisons each of two values needs to be told apart, if they go on as now.

    They are told apart (0) where both have six comparisons at least and their intervals do not touch. For two
    values that only met each other, whose rates add up to 1, that is where both leave out a half; for one
    that leads several by chance it is strict, as it should be. Else rates are taken to be less sure than so
    few comparisons make them, with one win and one loss added, p = (wins + 1) / (count + 2), and what is
    sought is the least n at which Wilson's intervals of these part. `None` where no number would do.
    """
    return needed(best.wins, best.count, second.wins, second.count)


LEAST: Final = 6
"""Comparisons of each of two values before they are told apart: five to nothing is no rarer than 1 in 16."""
_MOST: Final = 1 << 24


def needed(wins: float, count: int, wins_other: float, count_other: int) -> int | None:
    """See `still_needed`."""
    if min(count, count_other) >= LEAST and wilson(wins, count)[0] > wilson(wins_other, count_other)[1]:
        return 0
    p, q = (wins + 1) / (count + 2), (wins_other + 1) / (count_other + 2)

    def apart(games: int) -> bool:
        return wilson(p * games, games)[0] > wilson(q * games, games)[1]

    if p <= q or not apart(_MOST):
        return None
    low, high = 0, 1  # not apart at the first, apart at the second
    while not apart(high):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if apart(middle) else (middle, high)
    return max(1, high - min(count, count_other))
