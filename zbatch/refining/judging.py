"""Which values win, by a rule that is told with every outcome.

A value with fewer votes than are asked for (images of it that somebody judged, or comparisons made of it)
neither wins nor loses. Where two values at least were compared blind that often, win rates decide: a value
stays while it is not told apart from the best one (see `zbatch.picks.rates`). Else stars do: a value stays
while its images have at most half a star less than the best value's, on average. A favourite keeps a value
that would go, but it has not won. A value most of whose judged images are rejects goes (but where that is so
of all of them, another axis is to blame, and they are compared). All that anybody did may be to mark
favourites: then, where a value has enough of them, what holds none was not chosen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from operator import itemgetter
from typing import Final

from zbatch.picks.merging import Merged
from zbatch.picks.rates import Rate, still_needed
from zbatch.picks.rounding import half_up, percent
from zbatch.refining.dimensions import Dimension, Key, Value
from zbatch.refining.evidence import Said

MARGIN: Final = 0.5
"""Stars a value may be behind the best one."""

VOTES: Final = 3
"""Images of a value that somebody must have judged, or comparisons made of it, to win or lose by them."""

UNTOUCHED: Final = "not asked for"
"""Why the values of a dimension stay that is not to be refined."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of a value, and why. `won` says that it was found good, not merely left."""

    value: Value
    kept: bool
    won: bool
    why: str


def judge(dimension: Dimension, said: Mapping[Key, Said], picks: Merged, votes: int) -> list[Verdict]:
    """Apply the rule to one dimension."""
    judged = [one for one in said.values() if one.images]
    blamed = all(one.rejected for one in judged) and any(one.rejects < one.images for one in judged)
    rates = [one.rate for one in said.values() if one.rate is not None and one.rate.count >= votes]
    if len(rates) > 1:
        best = max(rates, key=lambda rate: rate.rate)
        return [
            _by_rate(value, said[value.key], best, votes, rejects_go=not blamed) for value in dimension.values
        ]
    rated = [one.stars for one in judged if one.images >= votes and (blamed or not one.rejected)]
    favourites_only = not any(one.ratings for one in picks.opinions.values()) and any(
        one.favourites >= votes for one in judged
    )
    bar = _Bar(max(rated, default=0.0), votes, favourites_only, not blamed)
    return [_by_stars(value, said[value.key], bar) for value in dimension.values]


def lacking(dimension: Dimension, said: Mapping[Key, Said], votes: int) -> str:
    """Say how many votes are missing where nothing can go by them; empty where some can, or nobody voted."""
    images = [(said[value.key].images, value.short) for value in dimension.values]
    compared = [
        (0 if (rate := said[value.key].rate) is None else rate.count, value.short)
        for value in dimension.values
    ]
    most, judged = max(images, key=itemgetter(0))
    count, met = max(compared, key=itemgetter(0))
    second = sorted(count for count, _ in compared)[-2:][0]  # a win rate is held against another one
    if max(most, second) >= votes or not (most or count):
        return ""
    found = []
    if most:
        found.append(f"{judged}, the most judged, has {_images(most)} and lacks {votes - most:,}")
    if count:
        enough = f"lacks {votes - count:,}" if count < votes else "no other has enough"
        found.append(f"{met}, the most compared, has {_comparisons(count)} and {enough}")
    if max(most, second):
        found.append(f"--votes {max(most, second)} goes by what there is")
    of_rest = ", of what stays of the other axes" if dimension.last else ""
    return (
        f"{dimension.name}: too few votes for any value to go: it takes {_images(votes)} or as many "
        f"comparisons of a value (--votes){of_rest}; {'; '.join(found)}"
    )


@dataclass(frozen=True, slots=True)
class _Bar:
    """What values are held against: the `best` mean of those with as many images as `needed`."""

    best: float
    needed: int
    favourites_only: bool
    rejects_go: bool


def _by_rate(value: Value, said: Said, best: Rate, votes: int, *, rejects_go: bool) -> Verdict:
    rate = said.rate
    if said.rejected and rejects_go and said.images >= votes:
        return Verdict(value, kept=False, won=False, why=_rejects(said))
    if rate is None or rate.count < votes:
        count = 0 if rate is None else rate.count
        return Verdict(value, kept=True, won=False, why=f"only {_comparisons(count)}")
    low, high = rate.interval
    why = f"won {percent(rate.rate)} of {rate.count} ({percent(low)} to {percent(high)})"
    # What is not told apart from the best stays; new numbers come only round what may well be the best.
    stays = still_needed(best, rate) != 0
    if not stays and said.favourites:
        return Verdict(value, kept=True, won=False, why=f"{why}: kept by {_favourites(said)} alone")
    return Verdict(value, kept=stays, won=high >= best.rate, why=why)


def _by_stars(value: Value, said: Said, bar: _Bar) -> Verdict:
    if not said.images:
        why = "no favourite" if bar.favourites_only else "not judged"
        return Verdict(value, kept=not bar.favourites_only, won=False, why=why)
    if said.rejected and bar.rejects_go and said.images >= bar.needed:
        return Verdict(value, kept=False, won=False, why=_rejects(said))
    why = f"{half_up(said.stars, 1)} stars of {said.images}"
    if said.images < bar.needed:
        also = f", {_favourites(said)}" if said.favourites else ""
        return Verdict(value, kept=True, won=False, why=f"{why}{also}: too few to go by")
    stays = said.stars >= bar.best - MARGIN
    if said.favourites and not stays:
        return Verdict(value, kept=True, won=False, why=f"{why}: kept by {_favourites(said)} alone")
    if said.favourites:
        why += f", {_favourites(said)}"
    return Verdict(value, kept=stays, won=stays, why=why)


def _rejects(said: Said) -> str:
    return f"{said.rejects} of {said.images} rejected"


def _favourites(said: Said) -> str:
    return f"{said.favourites} favourite{'s' * (said.favourites != 1)}"


def _images(many: int) -> str:
    return f"{many:,} image{'s' * (many != 1)}"


def _comparisons(many: int) -> str:
    return f"{many:,} comparison{'s' * (many != 1)}"
