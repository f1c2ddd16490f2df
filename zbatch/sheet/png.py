"""The sheet as pictures: a labelled grid for a paper or a pull request, in pages when it is large."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from pathlib import Path

from PIL import Image, ImageDraw

from zbatch.durable import write_aside
from zbatch.sheet.arrangement import Row, Section, arrange, has_picture, label, short_name, verdict
from zbatch.sheet.data import NONE, SheetData
from zbatch.sheet.lettering import Lettering
from zbatch.sheet.pages import GAP, MARGIN, PAGE_HEIGHT, PAGE_WIDTH, PAPER, Pen, Strip, drawn, paginate
from zbatch.sheet.siblings import Siblings

LARGEST, SMALLEST = 256, 144
"""Side of a square picture in pixels; other shapes get the same area."""

INK, SOFT, LINE = "#1b1b1d", "#77777e", "#dededb"


def draw_pages(data: SheetData, root: Path, path: Path) -> list[Path]:
    """Draw the sheet and write it at `path`; of several pages, `name-1.png` and so on. Gives the files.

    One page at a time is in memory, however many there are.

    Raises:
        DiskError: a page could not be written.
    """
    drawing = _Drawing(data, root)
    pages = list(drawing.pages())
    suffix = path.suffix or ".png"
    written = []
    for number, (strips, width) in enumerate(pages, 1):
        place = "" if len(pages) == 1 else f"-{number}"
        target = path.with_name(f"{path.stem}{place}{suffix}")
        buffer = io.BytesIO()
        drawing.page(strips, width, (number, len(pages))).save(buffer, "PNG", dpi=(300, 300))
        write_aside(target, buffer.getvalue())
        written.append(target)
    return written


class _Drawing:
    """Measures a sheet, cuts it into strips and the strips into pages."""

    def __init__(self, data: SheetData, root: Path) -> None:
        self.data, self.root = data, root
        self.letters = Lettering.of(_texts(data))
        self.arrangement = arrange(data)
        self._alike: dict[str | None, Siblings] = {}
        self.wall = not self.arrangement.columns
        many = len(self.arrangement.columns) or min(8, len(data.cells.job))
        self.text = 22 if many < 6 else 28
        self.head = self._row_head_width()
        room = PAGE_WIDTH - 2 * MARGIN - self.head
        self.size = max(SMALLEST, min(LARGEST, room // many - GAP))
        self.widths = self._column_widths()

    def pages(self) -> Iterator[tuple[list[Strip], int]]:
        """Give the strips of each page, and how wide it is."""
        for chunk in self._chunks():
            width = max(self._width(chunk), 720)
            head = [] if self.wall or self.data.view.x is None else [self._column_heads(chunk)]
            strips = [self._title(width), *self._strips(chunk, width)]
            for page in paginate(strips, head, PAGE_HEIGHT - 2 * MARGIN):
                yield page, width

    def page(self, strips: list[Strip], width: int, place: tuple[int, int]) -> Image.Image:
        """Draw one page; of several, each says at its foot which one it is."""
        image = drawn(strips, width)
        number, total = place
        if total > 1:
            small = self.letters.font(round(self.text * 0.75))
            title = self.letters.fitting(
                self.letters.one_line(self.data.about["title"]), self.text, width / 2
            )
            words = f"{title} \u00b7 {number} of {total}"
            spot = (image.width - MARGIN, image.height - MARGIN // 2)
            ImageDraw.Draw(image).text(spot, words, SOFT, small, anchor="rm")
        return image

    def _siblings(self, axis: str | None) -> Siblings:
        if axis not in self._alike:
            axes = [own for own in self.data.axes if own.name == axis]
            texts = [label(self.data, own.name, value) for own in axes for value in range(len(own.values))]
            self._alike[axis] = Siblings(self.letters.one_line(text) for text in texts)
        return self._alike[axis]

    def _name(self, axis: str) -> str:
        return self.letters.one_line(short_name(axis))

    # ── measuring ────────────────────────────────────────────────────────────────────────────────────────

    def _row_head_width(self) -> int:
        name = self.data.view.y
        if name is None:
            return 0
        rows = [row for section in self.arrangement.sections for row in section.rows]
        labels = {label(self.data, name, row.value) for row in rows}
        longest = max(self.letters.font(self.text).getlength(self.letters.one_line(text)) for text in labels)
        return min(12 * self.text, math.ceil(max(longest, self.text * 3))) + 28

    def _box(self, cell: int) -> tuple[int, int]:
        job = self.data.cells.job[cell]
        width, height = (1, 1) if job == NONE else self.data.shapes[self.data.jobs.shape[job]][:2]
        root = math.sqrt(min(4.0, max(0.25, width / height)))
        return round(self.size * root), round(self.size / root)

    def _column_widths(self) -> dict[int, int]:
        widths: dict[int, int] = {}
        for section in self.arrangement.sections:
            for row in section.rows:
                for value, cells in row.cells.items():
                    at = NONE if self.wall else value
                    widths[at] = max(widths.get(at, 0), self._box(cells[0])[0])
        return widths

    def _chunks(self) -> Iterator[list[int]]:
        """Cut the columns into stretches that fit on a page; of a wall, say how many columns fit."""
        room = PAGE_WIDTH - 2 * MARGIN - self.head
        if self.wall:
            across = max(1, room // (self.widths[NONE] + GAP))
            longest = max(len(section.rows[0].cells) for section in self.arrangement.sections)
            yield [NONE] * min(across, longest)
            return
        chunk: list[int] = []
        used = 0
        for value in self.arrangement.columns:
            wide = self.widths[value] + GAP
            if chunk and used + wide > room:
                yield chunk
                chunk, used = [], 0
            chunk.append(value)
            used += wide
        yield chunk

    def _width(self, chunk: list[int]) -> int:
        return 2 * MARGIN + self.head + sum(self.widths[value] + GAP for value in chunk) - GAP

    # ── strips ───────────────────────────────────────────────────────────────────────────────────────────

    def _strips(self, chunk: list[int], width: int) -> Iterator[Strip]:
        for section in self.arrangement.sections:
            if section.values:
                yield self._section_title(section, width)
            for row in section.rows:
                for part in _wrapped(row, len(chunk)) if self.wall else [row]:
                    yield self._row(part, chunk)

    def _title(self, width: int) -> Strip:
        about, text = self.data.about, self.text
        lines = self.letters.wrapped(self.letters.one_line(about["description"]), text, width - 2 * MARGIN, 3)
        height = round(text * 2.2) + round(len(lines) * text * 1.4) + round(text * 1.2)

        def draw(_: Image.Image, pen: Pen, top: int) -> None:
            title = self.letters.fitting(
                self.letters.one_line(about["title"]), round(text * 1.7), width - 2 * MARGIN
            )
            pen.text((MARGIN, top), title, INK, self.letters.font(round(text * 1.7)))
            for number, line in enumerate(lines):
                spot = (MARGIN, top + round(text * 2.3) + round(number * text * 1.4))
                pen.text(spot, line, SOFT, self.letters.font(text))

        return Strip(height, draw, opens=True)

    def _column_heads(self, chunk: list[int]) -> Strip:
        name, text = str(self.data.view.x), self.text
        labels = [
            self.letters.wrapped(
                self.letters.one_line(label(self.data, name, value)),
                text,
                self.widths[value],
                3,
                self._siblings(name),
            )
            for value in chunk
        ]
        deepest = max(len(lines) for lines in labels)
        height = round(deepest * text * 1.3) + round(text * 1.9)

        def draw(_: Image.Image, pen: Pen, top: int) -> None:
            left = MARGIN + self.head
            pen.text((left, top), self._name(name), SOFT, self.letters.font(round(text * 0.85)))
            if self.data.view.y is not None:
                spot = (left - 28, top + height - round(text * 0.6))
                pen.text(
                    spot,
                    self._name(self.data.view.y),
                    SOFT,
                    self.letters.font(round(text * 0.85)),
                    anchor="rs",
                )
            for value, lines in zip(chunk, labels, strict=True):
                for number, line in enumerate(reversed(lines)):
                    bottom = top + height - round(text * 0.6) - round(number * text * 1.3)
                    pen.text(
                        (left + self.widths[value] / 2, bottom),
                        line,
                        INK,
                        self.letters.font(text),
                        anchor="ms",
                    )
                left += self.widths[value] + GAP

        return Strip(height, draw, opens=True)

    def _section_title(self, section: Section, width: int) -> Strip:
        pairs = [
            (self._name(name), self.letters.one_line(label(self.data, name, value)), self._siblings(name))
            for name, value in zip(self.data.view.group, section.values, strict=True)
        ]
        text = self.text
        font, small = self.letters.font(text), self.letters.font(round(text * 0.85))
        spare = width - 2 * MARGIN - sum(small.getlength(name) + text * 1.75 for name, _, _ in pairs)
        most = _fair([font.getlength(value) for _, value, _ in pairs], spare)

        def draw(_: Image.Image, pen: Pen, top: int) -> None:
            pen.line((MARGIN, top + 14, width - MARGIN, top + 14), LINE, 2)
            left, base = float(MARGIN), top + 14 + round(text * 1.5)
            for name, value, among in pairs:
                pen.text((left, base), name, SOFT, self.letters.font(round(text * 0.85)), anchor="ls")
                left += self.letters.font(round(text * 0.85)).getlength(name) + text * 0.45
                shown = self.letters.fitting(value, text, max(most, 120), among)
                pen.text((left, base), shown, INK, self.letters.font(text), anchor="ls")
                left += self.letters.font(text).getlength(shown) + text * 1.3

        return Strip(14 + round(text * 2.2), draw, opens=True, section=True)

    def _row(self, row: Row, chunk: list[int]) -> Strip:
        picks = list(row.cells.values()) if self.wall else [row.cells.get(value, []) for value in chunk]
        tall = max((self._box(cells[0])[1] for cells in picks if cells), default=self.size // 2)
        caption = round(self.text * 2.4) if self.wall else 0

        def draw(page: Image.Image, pen: Pen, top: int) -> None:
            self._row_head(pen, row, top, tall)
            left = MARGIN + self.head
            for at, cells in zip(chunk, picks, strict=False):
                if cells:
                    wide, high = self._box(cells[0])
                    corner = (left + (self.widths[at] - wide) // 2, top + (tall - high) // 2)
                    self._cell(page, pen, cells, corner)
                    if self.wall:
                        self._caption(pen, cells[0], left + self.widths[at] / 2, top + tall)
                left += self.widths[at] + GAP

        return Strip(tall + caption + GAP, draw)

    def _row_head(self, pen: Pen, row: Row, top: int, tall: int) -> None:
        if self.data.view.y is None:
            return
        text = self.letters.one_line(label(self.data, self.data.view.y, row.value))
        most = max(1, tall // round(self.text * 1.35))
        lines = self.letters.wrapped(text, self.text, self.head - 28, most, self._siblings(self.data.view.y))
        first = top + tall / 2 - (len(lines) - 1) * self.text * 0.65
        for number, line in enumerate(lines):
            spot = (MARGIN + self.head - 28, first + number * self.text * 1.3)
            pen.text(spot, line, INK, self.letters.font(self.text), anchor="rm")

    def _caption(self, pen: Pen, cell: int, middle: float, top: int) -> None:
        words = " · ".join(
            self.letters.one_line(label(self.data, axis.name, column[cell]))
            for axis, column in zip(self.data.axes, self.data.cells.coordinates, strict=True)
            if axis.varies and column[cell] != NONE and axis.name not in self.data.view.group
        )
        small = round(self.text * 0.8)
        for number, line in enumerate(self.letters.wrapped(words, small, self.widths[NONE], 2)):
            pen.text(
                (middle, top + 8 + number * small * 1.25), line, SOFT, self.letters.font(small), anchor="ma"
            )

    def _cell(self, page: Image.Image, pen: Pen, cells: list[int], corner: tuple[int, int]) -> None:
        wide, high = self._box(cells[0])
        left, top = corner
        picture = self._picture(cells[0], (wide, high))
        if picture is None:
            self._verdict(pen, cells[0], (left, top, wide, high))
        else:
            page.paste(picture, corner)
        if len(cells) > 1:
            words = f"1 of {len(cells)}"
            small = self.letters.font(round(self.text * 0.8))
            length = small.getlength(words) + 16
            pen.rectangle((left + wide - length, top, left + wide, top + self.text * 1.3), PAPER)
            pen.text((left + wide - 8, top + self.text * 0.65), words, INK, small, anchor="rm")

    def _picture(self, cell: int, size: tuple[int, int]) -> Image.Image | None:
        thumb = self.data.thumbnail(self.data.cells.job[cell]) if has_picture(self.data, cell) else None
        if thumb is None:
            return None
        try:
            with Image.open(self.root / thumb) as image:
                return image.convert("RGB").resize(size, Image.Resampling.LANCZOS)
        except OSError:
            return None

    def _verdict(self, pen: Pen, cell: int, box: tuple[int, int, int, int]) -> None:
        left, top, wide, high = box
        words, why = verdict(self.data, cell)
        small = round(self.text * 0.75)
        lines = self.letters.wrapped(self.letters.one_line(why), small, wide - 20, 3)
        pen.rectangle((left, top, left + wide - 1, top + high - 1), "#f7f7f6", LINE, 2)
        middle, base = left + wide / 2, top + high / 2 - len(lines) * small * 0.62
        pen.text((middle, base), words, INK if why else SOFT, self.letters.font(self.text), anchor="mm")
        for number, line in enumerate(lines, 1):
            spot = (middle, base + self.text * 0.35 + number * small * 1.24)
            pen.text(spot, line, SOFT, self.letters.font(small), anchor="mm")


def _fair(lengths: list[float], room: float) -> float:
    """Give the most that each may take, so that all go into the room and short ones leave theirs to long."""
    left = room
    for place, length in enumerate(sorted(lengths)):
        share = left / (len(lengths) - place)
        if length > share:
            return share
        left -= length
    return room


def undrawable(data: SheetData) -> str:
    """Give the letters of a sheet that no font on this machine has: they would come out as empty boxes."""
    return Lettering.of(_texts(data)).lacking(_texts(data))


def _texts(data: SheetData) -> Iterator[str]:
    """Every text that may be drawn."""
    yield from (data.about["title"], data.about["description"])
    for axis in data.axes:
        yield axis.name
        yield from (value for value in axis.values if isinstance(value, str))


def _wrapped(row: Row, across: int) -> Iterator[Row]:
    items = list(row.cells.items())
    for start in range(0, len(items), across):
        yield Row(row.value, dict(items[start : start + across]))
