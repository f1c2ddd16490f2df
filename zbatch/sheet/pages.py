"""Pages of a drawn sheet: strips that are put under each other, columns of them, and pages of columns."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from PIL import Image, ImageDraw

PAGE_WIDTH: Final = 2480
PAGE_HEIGHT: Final = 3508
"""Most pixels of a page, upright or lying: A4 at 300 dots an inch."""

A4: Final = math.sqrt(2)
GAP: Final = 12
GUTTER: Final = 72
"""Between two columns of strips on one page."""

MARGIN: Final = 64
_BLANK: Final = 0.12
"""The part of a column that may stay blank before another way to fill them is looked for."""
_TRIES: Final = 32
"""Heights that are tried for that."""

PAPER, INK, SOFT, LINE = "#ffffff", "#1b1b1d", "#77777e", "#dededb"

Pen = ImageDraw.ImageDraw


@dataclass(frozen=True, slots=True)
class Strip:
    """One horizontal piece of a page: its height in pixels, and what draws it at a place (left, top).

    `opens` says that it belongs to what comes after it. A `tied` one should not begin a page: it would leave
    a heading with one row behind, or stand alone on the next. `again` comes before one that begins a page.
    """

    height: int
    draw: Callable[[Image.Image, Pen, int, int], None]
    opens: bool = False
    tied: bool = False
    again: tuple[Strip, ...] = ()


@dataclass(slots=True)
class Page:
    """What is on one page: strips over its whole width, then columns of strips, then strips again."""

    head: list[Strip] = field(default_factory=list)
    columns: list[list[Strip]] = field(default_factory=list)
    foot: list[Strip] = field(default_factory=list)

    @property
    def height(self) -> int:
        """Pixels between its margins."""
        return tall(self.head) + max(map(tall, self.columns), default=0) + tall(self.foot)

    def drawn(self, size: tuple[int, int], across: int) -> Image.Image:
        """Draw it at a size in pixels; `across` is from one column to the next."""
        image = Image.new("RGB", size, PAPER)
        pen = ImageDraw.Draw(image)
        top = _put(image, pen, self.head, MARGIN, MARGIN)
        for number, column in enumerate(self.columns):
            _put(image, pen, column, MARGIN + number * across, top)
        top += max(map(tall, self.columns), default=0)
        _put(image, pen, self.foot, MARGIN, top)
        return image


def tall(strips: Iterable[Strip]) -> int:
    """Give the height of some strips."""
    return sum(strip.height for strip in strips)


def paginate(strips: Sequence[Strip], room: Callable[[int], int]) -> tuple[list[list[Strip]], int]:
    """Fill columns with strips, the nth as tall as `room(n)`. Gives them, and how many end badly."""
    columns: list[list[Strip]] = []
    start = forced = 0
    while start < len(strips):
        again = list(strips[start].again) if columns else []
        cut, tied = _cut(strips, start, room(len(columns)) - tall(again))
        forced += tied
        columns.append([*again, *strips[start:cut]])
        start = cut
    return columns, forced


def balanced(strips: Sequence[Strip], room: int, head: int, across: int) -> list[list[list[Strip]]]:
    """Fill as few pages of `across` columns as can be, about equally. The first one has `head` less room.

    Where what stays together is so tall that filling them equally would leave much of an earlier column
    blank, the earlier ones are filled and the last one has what is left.
    """

    def own(number: int, height: int) -> int:
        return height - (head if number < across else 0)

    def filled(height: int) -> tuple[int, int, list[list[Strip]]]:
        columns, forced = paginate(strips, lambda number: own(number, height))
        return math.ceil(len(columns) / across), forced, columns

    def blank(height: int, columns: list[list[Strip]]) -> int:
        left = (own(number, height) - tall(column) for number, column in enumerate(columns[:-1]))
        return max((pixels for pixels in left if pixels > room * _BLANK), default=0)

    pages, forced, best = filled(room)
    low, high = room // 4, room
    while high - low > 8:
        half = (low + high) // 2
        number, worse, columns = filled(half)
        fits = number <= pages and worse <= forced and max(map(tall, columns)) <= half
        low, high, best = (low, half, columns) if fits else (half, high, best)
    least = blank(high, best)
    for height in range(high, room + 1, max(8, (room - high) // _TRIES)) if least else ():
        number, worse, columns = filled(height)
        if number <= pages and worse <= forced and blank(height, columns) < least:
            least, best = blank(height, columns), columns
    return [best[start : start + across] for start in range(0, len(best), across)]


def _cut(strips: Sequence[Strip], start: int, room: int) -> tuple[int, bool]:
    """Find where the column that begins at `start` ends: the last good place that fits, else any."""
    end = start
    good = loose = start
    while end < len(strips) and (loose == start or strips[end].height <= room):
        room -= strips[end].height
        end += 1
        if end == len(strips) or not strips[end].tied:
            good = end if not strips[end - 1].opens else good
        loose = end if not strips[end - 1].opens else loose
    if good > start:
        return good, False
    return (loose if loose > start else end), True


def _put(image: Image.Image, pen: Pen, strips: Iterable[Strip], left: int, top: int) -> int:
    for strip in strips:
        strip.draw(image, pen, left, top)
        top += strip.height
    return top
