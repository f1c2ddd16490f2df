"""Pages of a drawn sheet: horizontal strips, filled into pages and drawn."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from PIL import Image, ImageDraw

PAGE_WIDTH: Final = 2480
PAGE_HEIGHT: Final = 3508
"""Most pixels of a page: A4 at 300 dots an inch. A small sheet is only as large as it needs to be."""

GAP: Final = 12
MARGIN: Final = 64
PAPER: Final = "#ffffff"

Pen = ImageDraw.ImageDraw


@dataclass(frozen=True, slots=True)
class Strip:
    """One horizontal piece of a page: its height in pixels, and what draws it at a height.

    `opens` says that it belongs to what comes after it; `section` that it is a section's title, which comes
    again on the next page.
    """

    height: int
    draw: Callable[[Image.Image, Pen, int], None]
    opens: bool = False
    section: bool = False


def paginate(strips: list[Strip], head: list[Strip], room: int) -> Iterator[list[Strip]]:
    """Fill pages with strips; a strip that opens something never ends a page, and heads come on each."""
    page: list[Strip] = []
    begun = 0  # strips that every page begins with do not make a page
    section: list[Strip] = []
    for strip, following in zip(strips, [*strips[1:], None], strict=True):
        needed = strip.height + (following.height if strip.opens and following else 0)
        if strip.section:
            section = [strip]
        if len(page) > begun and sum(piece.height for piece in page) + needed > room:
            yield page
            page = [*head, *([] if strip.section else section)]
            begun = len(page)
        page.append(strip)
        if strip.opens and not strip.section:
            page += head
            begun = len(page)
    yield page


def drawn(strips: list[Strip], width: int) -> Image.Image:
    """Draw one page, as tall as its strips need."""
    height = sum(strip.height for strip in strips) + 2 * MARGIN - GAP
    page = Image.new("RGB", (width, height), PAPER)
    pen = ImageDraw.Draw(page)
    top = MARGIN
    for strip in strips:
        strip.draw(page, pen, top)
        top += strip.height
    return page
