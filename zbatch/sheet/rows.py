"""Rows of a drawn sheet: pictures in their own proportions, or in words why there is none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from PIL import Image

from zbatch.sheet.arrangement import Row, Verdict, has_picture, verdict
from zbatch.sheet.axes import Axis
from zbatch.sheet.columns import NONE
from zbatch.sheet.data import SheetData
from zbatch.sheet.labels import Label, Labels
from zbatch.sheet.lettering import Lettering, whole
from zbatch.sheet.measures import HEAD_GAP, Measures
from zbatch.sheet.pages import GAP, INK, LINE, PAPER, SOFT, Pen, Strip

QUIET = "#f7f7f6"
FOLDED = 12
"""Pixels of air around the words in a box."""
MOST_LINES = 6
"""Lines of a reason in a box."""
ROOMY = 40
"""Times its size: where lines are so long together, the reason and the message are shortened as one."""


class Rows:
    """Makes the strips of rows: what stands beside the pictures, the pictures, what stands under them."""

    def __init__(self, data: SheetData, root: Path, labels: Labels, measures: Measures) -> None:
        self._data, self._root = data, root
        self._labels, self._letters, self._measures = labels, labels.letters, measures

    def wrapped(self, row: Row, across: int) -> Iterator[Row]:
        """Cut the one row of a wall into as many as it takes."""
        items = list(row.cells.items())
        for start in range(0, len(items), across):
            yield Row(row.value, dict(items[start : start + across]))

    def strip(self, row: Row, chunk: list[int]) -> Strip:
        """Give a row of the columns in `chunk`, with words under pictures of a wall and on top of stacks."""
        measures, wall = self._measures, self._measures.wall
        picks = list(row.cells.values()) if wall else [row.cells.get(value, []) for value in chunk]
        tall = max((measures.box(cells[0])[1] for cells in picks if cells), default=measures.text * 2)
        places = list(zip(chunk, picks, strict=False))  # the last row of a wall may be short
        captions = [self.caption(cells, measures.widths[at]) for at, cells in places]
        small = round(measures.text * 0.8)
        lines = max((len(caption.lines) for caption in captions), default=0)
        under = round(lines * small * 1.3 + small) if lines else 0
        beside = self._beside(row, tall)

        def draw(page: Image.Image, pen: Pen, left: int, top: int) -> None:
            if beside:
                first = top + tall / 2 - (len(beside.lines) - 1) * measures.text * 0.65
                end = (left + measures.head - HEAD_GAP, first)
                self._labels.write(pen, end, beside, measures.text, anchor="rm")
            left += measures.head
            for (at, cells), caption in zip(places, captions, strict=True):
                if cells:
                    wide, high = measures.box(cells[0])
                    corner = (left + (measures.widths[at] - wide) // 2, top + (tall - high) // 2)
                    self._cell(page, pen, cells, corner)
                if caption.lines:
                    spot = (left + measures.widths[at] / 2, top + tall + small * 1.3)
                    self._labels.write(pen, spot, caption, small, anchor="ms", colour=SOFT)
                left += measures.widths[at] + GAP

        return Strip(tall + under + GAP, draw)

    def _beside(self, row: Row, tall: int) -> Label | None:
        measures, name = self._measures, self._data.view.y
        if name is None:
            return None
        most = max(1, min(6, int(tall / (measures.text * 1.35))))
        return self._labels.lines(name, row.value, measures.text, measures.head - HEAD_GAP, most)

    def caption(self, cells: list[int], room: int) -> Label:
        """Say what a picture of the wall is, and of a stack which of its pictures lies on top."""
        if not cells:
            return Label([])
        pairs = [
            (axis.name, column[cells[0]])
            for axis, column in zip(self._data.axes, self._data.cells.coordinates, strict=True)
            if self._told(axis, column, cells)
        ]
        return self._labels.joined(pairs, round(self._measures.text * 0.8), room, 3) if pairs else Label([])

    def _told(self, axis: Axis, column: Sequence[int], cells: list[int]) -> bool:
        """Tell whether a value is said: on the wall what no title says, elsewhere what parts a stack."""
        if self._measures.wall:
            return axis.varies and column[cells[0]] != NONE and axis.name not in self._data.view.group
        return any(column[cell] != column[cells[0]] for cell in cells)

    # ── one cell ─────────────────────────────────────────────────────────────────────────────────────────

    def _cell(self, page: Image.Image, pen: Pen, cells: list[int], corner: tuple[int, int]) -> None:
        wide, high = self._measures.box(cells[0])
        left, top = corner
        picture = self._picture(cells[0], (wide, high))
        if picture is None:
            self._verdict(pen, cells[0], (left, top, wide, high))
        else:
            page.paste(picture, corner)
        if len(cells) > 1:
            small = round(self._measures.text * 0.8)
            words = self._letters.fitting(f"1 of {len(cells)}", small, wide - 16)
            length = round(self._letters.length(words, small)) + 16
            pen.rectangle((left + wide - length, top, left + wide, top + small * 1.6), PAPER)
            self._letters.write(pen, (left + wide - 8, top + small * 0.8), words, INK, small, "rm")

    def _picture(self, cell: int, size: tuple[int, int]) -> Image.Image | None:
        thumb = self._data.thumbnail(self._data.cells.job[cell]) if has_picture(self._data, cell) else None
        if thumb is None:
            return None
        try:
            with Image.open(self._root / thumb) as image:
                return image.convert("RGB").resize(size, Image.Resampling.LANCZOS)
        except (OSError, ValueError, Image.DecompressionBombError):
            return None

    def _verdict(self, pen: Pen, cell: int, box: tuple[int, int, int, int]) -> None:
        """Say quietly why there is no picture: the state, and as much of the reason as has room."""
        left, top, wide, high = box
        why = verdict(self._data, cell)
        room, text = wide - 2 * FOLDED, round(self._measures.text * 0.9)
        while text > 14 and self._letters.length(why.words, text) > room:
            text -= 1
        small = round(text * 0.82)
        most = min(MOST_LINES, int((high - 2 * FOLDED - text * 1.3) / (small * 1.3)))
        lines = reason_lines(self._letters, why, small, room, most) if most > 0 else []
        pen.rectangle((left, top, left + wide - 1, top + high - 1), QUIET, LINE, 1)
        base = top + high / 2 - len(lines) * small * 0.65
        shown = self._letters.fitting(why.words, text, room)
        self._letters.write(pen, (left + wide / 2, base), shown, INK if lines else SOFT, text, "mm")
        spot = (left + wide / 2, base + text * 0.6 + small * 0.75)
        self._labels.write(pen, spot, Label(lines), small, anchor="mm", colour=SOFT)


def reason_lines(letters: Lettering, why: Verdict, size: int, room: float, most: int) -> list[str]:
    """Give the reason with what the server said where both fit, else what it said, else few words."""
    versions = [letters.one_line(text) for text in (why.whole, why.message, why.brief)]
    for text in versions[:2]:
        lines = letters.wrapped(text, size, room, most)
        if lines and whole(text, lines):
            return lines
    roomy = most * room > ROOMY * size
    return letters.wrapped(versions[0 if roomy else 2], size, room, most)
