"""Which of two images is preferred, and by how much: for training on preferences."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

from zbatch.picks.merging import Merged

_MOST = 4.0
"""How far ratings can be apart: 5 and 1."""


@dataclass(frozen=True, slots=True)
class Preference:
    """`chosen` is preferred to `rejected` (job keys). `margin` is above 0, at most 1.

    By comparison it is the share of those who chose it less that of those who chose the other, ties among
    them, and `votes` counts all. By rating it is how far the means are apart, as a part of the most there can
    be, and `votes` counts the ratings of the one with fewer. `axis` is what was compared; empty by rating.
    """

    chosen: str
    rejected: str
    margin: float
    source: Literal["comparison", "rating"]
    votes: int
    axis: str = ""


def preferences(merged: Merged, prompts: Mapping[str, str]) -> Iterator[Preference]:
    """Give every preference between images of one prompt; `prompts` has those of the images, by job key.

    Where two images were compared, their ratings do not count. Those that end in a tie are no preference.
    """
    compared: dict[tuple[str, str], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for pair in merged.comparisons:
        a, b = sorted((pair.a, pair.b))
        won = {"a": 1.0, "b": -1.0, "tie": 0.0}[pair.winner]
        compared[a, b][pair.axis].append(won if a == pair.a else -won)
    for (a, b), by_axis in sorted(compared.items()):
        votes = [vote for own in by_axis.values() for vote in own]
        margin = sum(votes) / len(votes)
        if margin and a in prompts and prompts[a] == prompts.get(b):
            chosen, rejected = (a, b) if margin > 0 else (b, a)
            axis = max(by_axis, key=lambda name: (len(by_axis[name]), name))
            yield Preference(chosen, rejected, abs(margin), "comparison", len(votes), axis)
    rated: dict[str, list[str]] = defaultdict(list)
    for key, opinion in sorted(merged.opinions.items()):
        if opinion.rating is not None and key in prompts:
            rated[prompts[key]].append(key)
    for keys in rated.values():
        for a, b in combinations(keys, 2):
            one, other = merged.opinions[a], merged.opinions[b]
            apart = (one.rating or 0.0) - (other.rating or 0.0)
            if apart and (a, b) not in compared:
                chosen, rejected = (a, b) if apart > 0 else (b, a)
                votes_of_fewer = min(one.ratings, other.ratings)
                yield Preference(chosen, rejected, abs(apart) / _MOST, "rating", votes_of_fewer)


def mixed(merged: Merged, prompts: Mapping[str, str]) -> int:
    """Count comparisons of images whose prompts differ: which is better says nothing about either prompt."""
    return sum(
        pair.a in prompts and pair.b in prompts and prompts[pair.a] != prompts[pair.b]
        for pair in merged.comparisons
    )
