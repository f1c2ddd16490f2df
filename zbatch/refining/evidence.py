"""What people said about each value of a dimension: stars, favourites, rejects of its images, win rates."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from zbatch.model import Cell, Coordinates
from zbatch.picks.merging import Merged, Opinion
from zbatch.picks.rates import Rate, is_off, rates_by
from zbatch.refining.dimensions import Dimension, Key

Cells = Mapping[str, Sequence[Coordinates]]
"""The coordinates of the cells that show each job that somebody looked at, by its key."""


@dataclass(frozen=True, slots=True)
class Said:
    """What is said of a value: of `images` somebody judged, with their mean in `stars`, and blind `rate`."""

    images: int = 0
    stars: float = 0.0
    favourites: int = 0
    rejects: int = 0
    rate: Rate | None = None

    @property
    def rejected(self) -> bool:
        """Tell whether most of its judged images are rejects."""
        return 2 * self.rejects > self.images


def judged_cells(cells: Iterable[Cell], picks: Merged) -> Cells:
    """Keep the cells of a run whose images somebody looked at."""
    wanted = picks.keys
    found: dict[str, list[Coordinates]] = {}
    for cell in cells:
        if cell.key is not None and cell.key in wanted:
            found.setdefault(cell.key, []).append(cell.coordinates)
    return found


def stars_of(opinion: Opinion) -> float:
    """Give an image's stars: the mean rating; a favourite that nobody rated has 5, such a reject 1."""
    if opinion.rating is not None:
        return opinion.rating
    return 5.0 if opinion.favourite else 1.0 if opinion.reject else 3.0


def gather(dimension: Dimension, cells: Cells, picks: Merged) -> dict[Key, Said]:
    """Gather what is said of each value of a dimension, in the cells that are given.

    An image counts once for a value, however many cells show it; the baseline, where a LoRA is off, says
    nothing about which LoRA.
    """
    images: dict[Key, dict[str, Opinion]] = {}
    for job, places in cells.items():
        opinion = picks.opinions.get(job)
        for at in places if opinion is not None else ():
            key = dimension.key_at(at)
            if key is not None and opinion is not None and not (dimension.name == "lora.name" and is_off(at)):
                images.setdefault(key, {})[job] = opinion
    rates = _rates(dimension, cells, picks)
    return {
        value.key: _said(list(images.get(value.key, {}).values()), rates.get(value.key))
        for value in dimension.values
    }


def _said(opinions: Sequence[Opinion], rate: Rate | None) -> Said:
    if not opinions:
        return Said(rate=rate)
    return Said(
        images=len(opinions),
        stars=sum(map(stars_of, opinions)) / len(opinions),
        favourites=sum(one.favourite for one in opinions),
        rejects=sum(one.reject for one in opinions),
        rate=rate,
    )


def _rates(dimension: Dimension, cells: Cells, picks: Merged) -> dict[Hashable, Rate]:
    """Give the win rates of a dimension's values; listed LoRAs were compared by name or by scale."""
    own = (pair for pair in picks.comparisons if pair.axis in dimension.names)
    return rates_by(own, cells, dimension.key_at, lambda cell: cell[dimension.names[0]])
