"""A whole drawn sheet: its strips, laid out on the pages that suit it best."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from PIL import Image, ImageDraw

from zbatch.sheet.arrangement import Arrangement, Section, arrange
from zbatch.sheet.columns import NONE
from zbatch.sheet.data import SheetData
from zbatch.sheet.headings import Headings
from zbatch.sheet.labels import Labels, Texts
from zbatch.sheet.legend import legend
from zbatch.sheet.lettering import Lettering
from zbatch.sheet.measures import LARGEST, Measures
from zbatch.sheet.pages import (
    A4,
    GAP,
    GUTTER,
    MARGIN,
    PAGE_HEIGHT,
    PAGE_WIDTH,
    SOFT,
    Page,
    Strip,
    balanced,
    tall,
)
from zbatch.sheet.rows import Rows
from zbatch.sheet.siblings import WHOLE, excerpts

NARROWEST = 720
SLACK = 1.15
"""How much taller than A4 a sheet in one piece may be, rather than two pages of which one is nearly empty."""
MOST_ACROSS = 6

READABLE = 1240
"""Width of a page with long texts on it, if the pictures do not need more: A4 at 150 dots an inch."""

LEGEND_PAGES = 10
LEGEND_LETTERS = 200_000
LONG = 60
"""Most pages, where the pictures take fewer, and letters of a legend: one that is longer is left out.

Values of more than `LONG` letters count, whether they are shortened or not.
"""


class Drawing:
    """One way to lay a sheet out: upright or lying, and how often side by side where it is narrow."""

    def __init__(
        self,
        data: SheetData,
        root: Path,
        texts: Texts,
        arrangement: Arrangement,
        *,
        lying: bool = False,
        across: int = 1,
        footnotes: bool = True,
        narrowest: int = NARROWEST,
    ) -> None:
        self._data, self._arrangement = data, arrangement
        self.lying, self.across = lying, across
        self.labels = Labels(texts, footnotes=footnotes)
        most = (PAGE_HEIGHT if lying else PAGE_WIDTH) - 2 * MARGIN
        room = (most - (across - 1) * GUTTER) // across
        many = across * max(1, len(arrangement.columns) or min(8, len(data.cells.job)))
        self.measures = Measures(data, arrangement, texts, room, 22 if many < 6 else 28)
        self.width = max(narrowest, across * (self.measures.width + GUTTER) - GUTTER + 2 * MARGIN)
        own = self.width - 2 * MARGIN if across == 1 else self.measures.width
        self._headings = Headings(data.view, self.labels, self.measures, own)
        self._rows = Rows(data, root, self.labels, self.measures)

    # ── strips ───────────────────────────────────────────────────────────────────────────────────────────

    def _strips(self) -> Iterator[Strip]:
        """Give the strips in the order they are read, each with the headings it needs on top of a page."""
        chunks = self.measures.chunks
        heads = [
            self._headings.columns(chunk, further=place > 0)
            for place, chunk in enumerate([] if self.measures.wall else chunks)
        ]
        shared = tuple(heads) if len(chunks) == 1 else ()
        yield from shared
        for number, section in enumerate(self._arrangement.sections):
            again = shared
            if section.values:
                follows = number == 0 and bool(shared)
                yield replace(self._headings.section(section), tied=follows, again=shared)
                again = (*shared, self._headings.section(section, continued=True))
            for place, chunk in enumerate(chunks):
                before = again
                if len(chunks) > 1 and heads:
                    follows = place == 0 and bool(section.values)
                    yield replace(heads[place], tied=follows, again=again)
                    before = (*again, heads[place])
                yield from self._together(section, chunk, before)

    def _together(self, section: Section, chunk: list[int], again: tuple[Strip, ...]) -> Iterator[Strip]:
        """Give the rows of a group; the first two stay with its heading, and the last two with each other."""
        rows = section.rows
        if self.measures.wall:
            rows = list(self._rows.wrapped(section.rows[0], len(chunk)))
        for number, row in enumerate(rows):
            alone = number <= 1 or number == len(rows) - 1
            yield replace(self._rows.strip(row, chunk), tied=alone, again=again)

    # ── pages ────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def _tallest(self) -> int:
        """Pixels between the margins of a full page: the proportions of A4, whatever its width."""
        return round(self.width / A4 if self.lying else self.width * A4) - 2 * MARGIN

    @cached_property
    def pages(self) -> list[Page]:
        """The pages, with the title on the first then the legend, on as many as it takes."""
        strips = list(self._strips())
        inner = self.width - 2 * MARGIN
        title = self._headings.title(inner)
        slack, most = round(self._tallest * SLACK) + GAP, self._tallest + GAP
        rest = title.height + tall(self._legend)
        columns = balanced(strips, slack, rest, self.across) if rest < slack else []
        alone = len(columns) == 1
        if not alone:
            columns = balanced(strips, most, title.height, self.across)
        pages = [Page(columns=group) for group in columns]
        pages[0].head.append(title)
        return [*pages[:-1], *_with_foot(pages[-1], self._legend, slack if alone else most)]

    @cached_property
    def _legend(self) -> list[Strip]:
        return legend(self.labels, self.measures.text, self.width - 2 * MARGIN)

    @property
    def legend_is_long(self) -> bool:
        """Tell whether the whole texts take more than half a page."""
        return bool(self.pages) and tall(self._legend) > self._tallest // 2

    @property
    def legend_is_bearable(self) -> bool:
        """Tell whether the whole texts take no more pages than the pictures, or a few."""
        pictured = sum(1 for page in self.pages if page.columns)
        return len(self.pages) - pictured <= max(LEGEND_PAGES, pictured)

    @property
    def unexplained(self) -> bool:
        """Tell whether labels are shortened that no legend has whole."""
        return bool(self.pages) and self.labels.shortened and not self.labels.notes

    @property
    def fits_side_by_side(self) -> bool:
        """Tell whether it is narrow enough to lie more than once on a page without becoming smaller."""
        measures = self.measures
        return not measures.wall and len(measures.chunks) == 1 and measures.size >= LARGEST

    @cached_property
    def lacking(self) -> str:
        """The letters that no font on this machine has: they come out as empty boxes."""
        return self.labels.letters.lacking(texts_of(self._data))

    @property
    def rank(self) -> tuple[float, ...]:
        """Order ways to lay a sheet out: few pages first, no thin strips, whole rows, large pictures."""
        height = self.pages[0].height + 2 * MARGIN
        thin = max(self.width / height, height / self.width) if len(self.pages) == 1 else 1
        beyond = max(0, round(2 * math.log2(thin / 2)))
        return (len(self.pages), beyond, len(self.measures.chunks), -self.measures.size, self.across)

    def page(self, number: int) -> Image.Image:
        """Draw one page, counted from 1; of several, each says at its foot which one it is."""
        page, total = self.pages[number - 1], len(self.pages)
        height = (self._tallest if total > 1 else page.height - GAP) + 2 * MARGIN
        image = page.drawn((self.width, height), self.measures.width + GUTTER)
        if total > 1:
            pen, small = ImageDraw.Draw(image), round(self.measures.text * 0.75)
            letters, base = self.labels.letters, height - MARGIN // 2
            title = letters.fitting(self.labels.texts.title, small, self.width / 2)
            letters.write(pen, (MARGIN, base), title, SOFT, small, "lm")
            letters.write(pen, (self.width - MARGIN, base), f"{number} / {total}", SOFT, small, "rm")
        return image


def best_drawing(data: SheetData, root: Path) -> Drawing:
    """Lay a sheet out in every way that makes sense, and give the best."""
    texts, arrangement = Texts(data, Lettering.of(texts_of(data))), arrange(data)

    def ways(*, footnotes: bool) -> Iterator[Drawing]:
        for lying in (False, True):
            for across in range(1, MOST_ACROSS + 1):
                way = Drawing(data, root, texts, arrangement, lying=lying, across=across, footnotes=footnotes)
                if across > 1 and not way.fits_side_by_side:
                    break
                yield way

    def best(*, footnotes: bool) -> Drawing:
        return min(ways(footnotes=footnotes), key=lambda way: way.rank)

    if _long_letters(data, texts) > LEGEND_LETTERS:
        return best(footnotes=False)
    found = best(footnotes=True)
    if found.legend_is_long and found.width < READABLE:
        found = Drawing(
            data, root, texts, arrangement, lying=found.lying, across=found.across, narrowest=READABLE
        )
    return found if found.legend_is_bearable else best(footnotes=False)


def _long_letters(data: SheetData, texts: Texts) -> int:
    """Count the letters of long values, all of which may have to be in the legend."""
    values = (texts.value(axis.name, value) for axis in data.axes for value in range(len(axis.values)))
    return sum(len(text) for text in values if len(text) > LONG)


def _with_foot(page: Page, foot: list[Strip], most: int) -> Iterator[Page]:
    """Put strips below a page, and on further ones where it is full; what opens something stays with it."""
    for number, strip in enumerate(foot):
        needed = strip.height + (foot[number + 1].height if strip.opens else 0)
        if page.height + needed > most and (page.columns or page.foot):
            yield page
            page = Page()
        page.foot.append(strip)
    yield page


def texts_of(data: SheetData) -> Iterator[str]:
    """Give every text that may be drawn."""
    yield from (data.about[name][:WHOLE] for name in ("title", "description"))
    for axis in data.axes:
        yield axis.name
        yield from excerpts([value for value in axis.values if isinstance(value, str)])
    yield from {data.strings[text][:WHOLE] for text in (*data.jobs.message, *data.cells.rule) if text != NONE}
