"""Several people's picks as one: ratings are averaged, favourites and rejects decided by vote.

The rules. Files with one name (or, without a name, from one browser) are one person's: of each image what was
said last counts. An image's rating is the mean over those who rated it. It is a favourite where more than
half of those who judged it in any way made it one, and a reject likewise; half is not enough. Comparisons
all count, each once however often its file was handed in.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass

import orjson

from zbatch.picks.records import Comparison, Judgement, Picks


@dataclass(frozen=True, slots=True)
class Opinion:
    """What all people together say of an image: sums and votes. `judges` said anything of it at all."""

    judges: int
    ratings: int
    stars: int
    favourites: int
    rejects: int

    @property
    def rating(self) -> float | None:
        """Mean of the ratings; `None` where nobody rated it."""
        return self.stars / self.ratings if self.ratings else None

    @property
    def favourite(self) -> bool:
        """Tell whether most of those who judged it made it a favourite."""
        return 2 * self.favourites > self.judges

    @property
    def reject(self) -> bool:
        """Tell whether most of those who judged it rejected it."""
        return 2 * self.rejects > self.judges


@dataclass(frozen=True, slots=True)
class Merged:
    """Everyone's picks. `people` are their names, sorted, with `someone` for each who gave none."""

    identities: tuple[str, ...]
    people: tuple[str, ...]
    opinions: Mapping[str, Opinion]
    comparisons: tuple[Comparison, ...]

    @property
    def digest(self) -> str:
        """Tell these picks from all others."""
        said = [(key, *astuple(opinion)) for key, opinion in self.opinions.items()]
        return hashlib.sha256(orjson.dumps([said, [pair.as_json() for pair in self.comparisons]])).hexdigest()

    @property
    def keys(self) -> set[str]:
        """Keys of all jobs about which something is said."""
        return set(self.opinions).union(*((pair.a, pair.b) for pair in self.comparisons))


def merge_picks(picks: Iterable[Picks]) -> Merged:
    """Merge picks: in whatever order they are given, the outcome is one."""
    files = sorted(picks, key=lambda one: (one.who.lower(), one.source, one.when, one.as_bytes()))
    people: dict[object, list[Picks]] = defaultdict(list)
    for number, one in enumerate(files):
        people[one.who.lower() or (one.source, None if one.source else number)].append(one)
    said: dict[str, list[Judgement]] = defaultdict(list)
    comparisons: list[Comparison] = []
    for theirs in people.values():
        comparisons += {pair: None for one in theirs for pair in one.comparisons}
        for key, judgement in _latest(theirs).items():
            if not judgement.empty:
                said[key].append(judgement)
    return Merged(
        identities=tuple(sorted({one.identity for one in files})),
        people=tuple(theirs[-1].who or "someone" for theirs in people.values()),
        opinions={key: _opinion(said[key]) for key in sorted(said)},
        comparisons=tuple(
            sorted(comparisons, key=lambda pair: (pair.when, pair.axis, pair.a, pair.b, pair.winner))
        ),
    )


def _latest(files: Iterable[Picks]) -> dict[str, Judgement]:
    """Take of each image what was said last; of two at one time, what the later file says."""
    latest: dict[str, Judgement] = {}
    for one in sorted(files, key=lambda one: one.when):
        for key, judgement in one.judgements.items():
            if key not in latest or judgement.when >= latest[key].when:
                latest[key] = judgement
    return latest


def _opinion(said: list[Judgement]) -> Opinion:
    ratings = [judgement.rating for judgement in said if judgement.rating is not None]
    return Opinion(
        judges=len(said),
        ratings=len(ratings),
        stars=sum(ratings),
        favourites=sum(judgement.favourite for judgement in said),
        rejects=sum(judgement.reject for judgement in said),
    )
