"""Labels on a drawn sheet: names and values of its axes, shortened so that they differ, with footnotes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from zbatch.sheet.arrangement import label, short_name
from zbatch.sheet.columns import NONE
from zbatch.sheet.data import SheetData
from zbatch.sheet.lettering import Lettering, whole
from zbatch.sheet.pages import INK, SOFT, Pen
from zbatch.sheet.siblings import WHOLE, Siblings, excerpts

RAISED: Final = 0.62
"""Size of a footnote's number, as a part of the text's."""


@dataclass(frozen=True, slots=True)
class Label:
    """Lines to write, and the numbers of the footnotes that have the whole text."""

    lines: list[str]
    mark: str = ""


class Texts:
    """The labels of a sheet as the faces can write them, each made once."""

    def __init__(self, data: SheetData, letters: Lettering) -> None:
        self._data, self.letters = data, letters
        self._excerpts: dict[str, list[str]] = {}
        self._known: dict[tuple[str, int], str] = {}
        self._alike: dict[str, Siblings] = {}
        self._lines: dict[tuple[str, int, int, float, int, bool], list[str]] = {}
        self._notes: dict[tuple[str, int, int, float], list[str]] = {}

    def name(self, axis: str) -> str:
        """Give the telling part of an axis' name."""
        return self.letters.one_line(short_name(axis))

    def value(self, axis: str, value: int) -> str:
        """Give a value of an axis, on one line; of a long one what tells it from the others."""
        if (axis, value) not in self._known:
            self._known[axis, value] = self.letters.one_line(self._excerpt(axis, value))
        return self._known[axis, value]

    def _excerpt(self, axis: str, value: int) -> str:
        if value == NONE:
            return label(self._data, axis, value)
        if axis not in self._excerpts:
            values = range(len(self._data.axis(axis).values))
            self._excerpts[axis] = excerpts([label(self._data, axis, value) for value in values])
        return self._excerpts[axis][value]

    def note(self, axis: str, value: int, size: int, room: float) -> list[str]:
        """Break a value into as many lines as it takes; a very long one says where all of it is."""
        key = (axis, value, size, room)
        if key not in self._notes:
            text, length = self.value(axis, value), len(label(self._data, axis, value))
            text += f" ({length:,} characters, whole in index.html)" if length > WHOLE else ""
            self._notes[key] = self.letters.wrapped(text, size, room, len(text) + 1)
        return self._notes[key]

    def bare(self, axis: str) -> bool:
        """Tell whether the values of an axis say nothing without its name: numbers, true and false."""
        found = self._data.axis(axis)
        return found.numeric or isinstance(found.values[0], bool)

    def siblings(self, axis: str) -> Siblings:
        """Give what the values of an axis have in common."""
        if axis not in self._alike:
            values = range(len(self._data.axis(axis).values))
            self._alike[axis] = Siblings(self.value(axis, value) for value in values)
        return self._alike[axis]

    def lines(
        self, axis: str, value: int, size: int, room: float, most: int, *, shortened: bool = False
    ) -> list[str]:
        """Break a value into lines, `shortened` where it is as its siblings; once for all ways to lay out."""
        key = (axis, value, size, room, most, shortened)
        if key not in self._lines:
            text, among = self.value(axis, value), self.siblings(axis) if shortened else None
            self._lines[key] = self.letters.wrapped(text, size, room, most, among)
        return self._lines[key]

    @cached_property
    def title(self) -> str:
        """The title of the run."""
        return self.letters.one_line(self._data.about["title"][:WHOLE])

    @cached_property
    def description(self) -> str:
        """What the run is about; may be empty."""
        return self.letters.one_line(self._data.about["description"][:WHOLE])


class Labels:
    """Writes labels, and notes which of them had to be shortened, for the footnotes."""

    def __init__(self, texts: Texts, *, footnotes: bool) -> None:
        self.texts, self.letters = texts, texts.letters
        self.notes: dict[tuple[str, int], int] = {}
        self.shortened = False
        self._footnotes = footnotes

    def lines(self, axis: str, value: int, size: int, room: float, most: int) -> Label:
        """Break a value into at most `most` lines; a shortened one gets the number of a footnote."""
        found = self.texts.lines(axis, value, size, room, most)
        if whole(self.texts.value(axis, value), found):
            return Label(found)
        mark = self._noted(axis, value)
        # Room for three digits: so there are few widths, and the lines of each are known.
        room -= self._mark_width("888", size) if mark else 0
        return Label(self.texts.lines(axis, value, size, room, most, shortened=True), mark)

    def joined(self, pairs: list[tuple[str, int]], size: int, room: float, most: int) -> Label:
        """Break several values into lines together: long ones leave the short ones whole."""
        texts = [self._told(*pair) for pair in pairs]
        if whole(text := " · ".join(texts), found := self.letters.wrapped(text, size, room, most)):
            return Label(found)
        lengths = [self.letters.length(text, size) for text in texts]
        share = fair(lengths, most * room * 0.8 - len(pairs) * size)
        long = [length > share for length in lengths]
        mark = self._marks(pair for pair, cut in zip(pairs, long, strict=True) if cut)
        short = [
            self.letters.fitting(text, size, share, self.texts.siblings(axis)) if cut else text
            for text, (axis, _), cut in zip(texts, pairs, long, strict=True)
        ]
        line = " · ".join(short)
        found = self.letters.wrapped(line, size, room - self._mark_width(mark, size), most)
        if whole(line, found):
            return Label(found, mark)
        # Words that leave a line half empty: then all that is not there whole has a number.
        drawn = "".join(found).replace(" ", "")
        mark = self._marks(
            pair for pair, text in zip(pairs, texts, strict=True) if text.replace(" ", "") not in drawn
        )
        return Label(self.letters.wrapped(line, size, room - self._mark_width(mark, size), most), mark)

    def width(self, label: Label, size: int) -> float:
        """Give the width of a label: of its longest line, and the footnote's number after the last one."""
        widths = [self.letters.length(line, size) for line in label.lines] or [0.0]
        widths[-1] += self._mark_width(label.mark, size)
        return max(widths)

    def write(
        self,
        pen: Pen,
        spot: tuple[float, float],
        label: Label,
        size: int,
        *,
        anchor: str = "ls",
        colour: str = INK,
    ) -> None:
        """Write a label from its first baseline (or middle) down, a line every 1.3 sizes."""
        left, base = spot
        for line in label.lines[:-1]:
            self.letters.write(pen, (left, base), line, colour, size, anchor)
            base += size * 1.3
        if not label.lines:
            return
        line, mark = label.lines[-1], self._mark_width(label.mark, size)
        left -= {"l": 0.0, "m": mark / 2, "r": mark}[anchor[0]]
        self.letters.write(pen, (left, base), line, colour, size, anchor)
        if label.mark:
            after = left + self.letters.length(line, size) * {"l": 1.0, "m": 0.5, "r": 0.0}[anchor[0]]
            base += (size * 0.35 if anchor[1] == "m" else 0) - size * 0.36
            self.letters.write(pen, (after + size * 0.14, base), label.mark, SOFT, _raised(size))

    def _told(self, axis: str, value: int) -> str:
        """Give a value that tells by itself what it is: a number, a yes or none has its axis before it."""
        text = self.texts.value(axis, value)
        return f"{self.texts.name(axis)} {text}" if value == NONE or self.texts.bare(axis) else text

    def _marks(self, pairs: Iterable[tuple[str, int]]) -> str:
        return ",".join(number for pair in pairs if (number := self._noted(*pair)))

    def _noted(self, axis: str, value: int) -> str:
        self.shortened = True
        if not self._footnotes or value == NONE:
            return ""
        return str(self.notes.setdefault((axis, value), len(self.notes) + 1))

    def _mark_width(self, mark: str, size: int) -> float:
        return self.letters.length(mark, _raised(size)) + size * 0.14 if mark else 0.0


def fair(lengths: list[float], room: float) -> float:
    """Give the most that each may take, so that all go into the room and short ones leave theirs to long."""
    left = room
    for place, length in enumerate(sorted(lengths)):
        share = left / (len(lengths) - place)
        if length > share:
            return share
        left -= length
    return room


def _raised(size: int) -> int:
    return max(10, round(size * RAISED))
