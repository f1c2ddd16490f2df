"""Measures of a drawn sheet: how large its pictures and letters are, and which columns stand side by side."""

from __future__ import annotations

import math
from collections import Counter
from typing import Final

from zbatch.sheet.arrangement import Arrangement
from zbatch.sheet.bisection import largest
from zbatch.sheet.columns import NONE
from zbatch.sheet.data import SheetData
from zbatch.sheet.labels import Texts
from zbatch.sheet.pages import GAP

LARGEST, SMALLEST = 304, 144
"""Side of a square picture in pixels; other shapes get the same area."""

LONGEST_SIDE: Final = 2.2
"""Side of the longest shape, in squares: a panorama is drawn smaller rather than across the page."""

HEAD_GAP: Final = 28


class Measures:
    """The sizes of one sheet within a width. `chunks` are the stretches its columns are cut into."""

    def __init__(self, data: SheetData, arrangement: Arrangement, texts: Texts, room: int, text: int) -> None:
        self._data, self._arrangement = data, arrangement
        self.text = text
        self.wall = not arrangement.columns
        self._usual = _usual_shape(data)
        self.head = self._head_width(texts)
        self._sides = self._column_sides()
        self.size = SMALLEST
        self.chunks = self._walls(room) if self.wall else self._cuts(room - self.head)
        self.widths = {value: round(side * self.size) for value, side in self._sides.items()}
        longest = max(sum(self.widths[value] + GAP for value in chunk) for chunk in self.chunks)
        self.width = self.head + longest - GAP

    def box(self, cell: int) -> tuple[int, int]:
        """Give the size of a cell's picture, true to its shape; of none, in the usual one."""
        wide, high = self._shape(cell)
        return max(1, round(wide * self.size)), max(1, round(high * self.size))

    def _shape(self, cell: int) -> tuple[float, float]:
        job = self._data.cells.job[cell]
        width, height = self._usual if job == NONE else self._data.shapes[self._data.jobs.shape[job]][:2]
        root = math.sqrt(max(1, width) / max(1, height))
        scale = min(1.0, LONGEST_SIDE / max(root, 1 / root))
        return root * scale, scale / root

    def _head_width(self, texts: Texts) -> int:
        name = self._data.view.y
        if name is None:
            return 0
        values = {row.value for section in self._arrangement.sections for row in section.rows}
        # What is wider than the room there is at most need not be measured to its end.
        longest = max(texts.letters.length(texts.value(name, value)[:120], self.text) for value in values)
        own = texts.letters.length(texts.name(name), round(self.text * 0.85))
        return math.ceil(min(12 * self.text, max(longest, own, self.text * 3)) + 2) + HEAD_GAP

    def _column_sides(self) -> dict[int, float]:
        """Give the width of each column, in squares."""
        sides: dict[int, float] = {}
        for section in self._arrangement.sections:
            for row in section.rows:
                for value, cells in row.cells.items():
                    at = NONE if self.wall else value
                    sides[at] = max(sides.get(at, 0.0), self._shape(cells[0])[0])
        return sides

    def _walls(self, room: int) -> list[list[int]]:
        """Say how many columns a wall has: as many as fit, fewer where that leaves a short strip."""
        number = max(len(section.rows[0].cells) for section in self._arrangement.sections)
        self.size = min(LARGEST, round((room + GAP) / 4 / self._sides[NONE] - GAP))
        fit = max(1, int((room + GAP) // (self._sides[NONE] * self.size + GAP)))
        across = min(fit, number, max(4, math.ceil(math.sqrt(number * 1.5))))
        across = math.ceil(number / math.ceil(number / across))
        return [[NONE] * across]

    def _cuts(self, room: int) -> list[list[int]]:
        """Cut the columns into as few stretches as fit, about equally wide, and let them fill the room."""
        columns = self._arrangement.columns
        number = len(_filled(columns, self._sides, SMALLEST, room))
        self.size = largest(
            SMALLEST, LARGEST, lambda size: len(_filled(columns, self._sides, size, room)) <= number
        )
        each = math.ceil(len(columns) / number)
        even = [columns[start : start + each] for start in range(0, len(columns), each)]
        if all(_wide(chunk, self._sides, self.size) <= room for chunk in even):
            return even
        return _filled(columns, self._sides, self.size, room)


def _wide(columns: list[int], sides: dict[int, float], size: int) -> float:
    return sum(sides[value] * size + GAP for value in columns) - GAP


def _filled(columns: list[int], sides: dict[int, float], size: int, room: int) -> list[list[int]]:
    chunks: list[list[int]] = [[]]
    for value in columns:
        if chunks[-1] and _wide([*chunks[-1], value], sides, size) > room:
            chunks.append([])
        chunks[-1].append(value)
    return chunks


def _usual_shape(data: SheetData) -> tuple[int, int]:
    counts = Counter(data.shapes[number][:2] for number in data.jobs.shape)
    return counts.most_common(1)[0][0] if counts else (1, 1)
