"""Headings of a drawn sheet: its title, the values along its columns, and those of its groups."""

from __future__ import annotations

from PIL import Image

from zbatch.sheet.arrangement import Section
from zbatch.sheet.axes import View
from zbatch.sheet.labels import Label, Labels, fair
from zbatch.sheet.measures import HEAD_GAP, Measures
from zbatch.sheet.pages import GAP, LINE, SOFT, Pen, Strip

CONTINUED = "continued"


class Headings:
    """Makes the strips of headings, as wide as a column of strips is."""

    def __init__(self, view: View, labels: Labels, measures: Measures, width: int) -> None:
        self._view, self._labels, self._letters = view, labels, labels.letters
        self._measures, self._width = measures, width
        self._text, self._small = measures.text, round(measures.text * 0.85)

    def title(self, room: int) -> Strip:
        """The title of the run and what it is about."""
        texts, text = self._labels.texts, self._text
        large = round(text * 1.7)
        title = self._letters.wrapped(texts.title, large, room, 2)
        lines = self._letters.wrapped(texts.description, text, room, 4)
        deep = round(len(title) * large * 1.25)

        def draw(_: Image.Image, pen: Pen, left: int, top: int) -> None:
            self._labels.write(pen, (left, top + large * 0.85), Label(title), large)
            first = top + deep + text * 1.1
            self._labels.write(pen, (left, first), Label(lines), text, colour=SOFT)

        return Strip(deep + round(len(lines) * text * 1.3) + round(text * 1.5), draw, opens=True)

    def columns(self, chunk: list[int], *, further: bool = False) -> Strip:
        """The name of the axis along the columns, its values, and the name of the one along the rows.

        `further` columns of the same rows stand apart from those above.
        """
        name, text, small, measures = self._view.x, self._text, self._small, self._measures
        labels = [self._labels.lines(name, value, text, measures.widths[value], 3) for value in chunk if name]
        deepest = max((len(label.lines) for label in labels), default=1)
        height = round((deepest - 1) * text * 1.3) + round(
            text * (3.1 if name else 1.9) + text * 0.9 * further
        )

        def draw(_: Image.Image, pen: Pen, left: int, top: int) -> None:
            texts, base = self._labels.texts, top + height - round(text * 0.65)
            start = left + measures.head
            if name is not None:
                spot = (start, top + small + text * 0.9 * further)
                self._letters.write(pen, spot, texts.name(name), SOFT, small)
            if self._view.y is not None:
                spot = (start - HEAD_GAP, float(base))
                self._letters.write(pen, spot, texts.name(self._view.y), SOFT, small, "rs")
            for value, label in zip(chunk, labels, strict=False):
                first = base - (len(label.lines) - 1) * text * 1.3
                self._labels.write(pen, (start + measures.widths[value] / 2, first), label, text, anchor="ms")
                start += measures.widths[value] + GAP

        return Strip(height, draw, opens=True)

    def section(self, section: Section, *, continued: bool = False) -> Strip:
        """The values that all rows of a group have in common, under a line."""
        text, small, texts = self._text, self._small, self._labels.texts
        pairs = list(zip(self._view.group, section.values, strict=True))
        names = [texts.name(name) for name, _ in pairs]
        after = self._letters.length(CONTINUED, small) + text if continued else 0
        spare = self._width - after - sum(self._letters.length(name, small) + text * 1.75 for name in names)
        most = fair([self._letters.length(texts.value(*pair), text) for pair in pairs], spare)
        labels = [self._labels.lines(*pair, text, max(most, 4 * text), 1) for pair in pairs]

        def draw(_: Image.Image, pen: Pen, left: int, top: int) -> None:
            pen.line((left, top + 14, left + self._width - 1, top + 14), LINE, 2)
            start, base = float(left), top + 14 + round(text * 1.5)
            for name, label in zip(names, labels, strict=True):
                self._letters.write(pen, (start, base), name, SOFT, small)
                start += self._letters.length(name, small) + text * 0.45
                self._labels.write(pen, (start, base), label, text)
                start += self._labels.width(label, text) + text * 1.3
            if continued:
                self._letters.write(pen, (left + self._width, base), CONTINUED, SOFT, small, "rs")

        return Strip(14 + round(text * 2.2), draw, opens=True)
