"""The legend of a drawn sheet: the whole texts of labels that had to be shortened, by number."""

from __future__ import annotations

from collections.abc import Iterator

from PIL import Image

from zbatch.sheet.labels import Labels
from zbatch.sheet.pages import LINE, SOFT, Pen, Strip

MOST_LINES = 40
"""Lines of one text; the page that a browser shows has the rest."""


def legend(labels: Labels, text: int, width: int) -> list[Strip]:
    """Give a strip for each footnote that the labels noted, under a line; none where there are none."""
    strips = list(_notes(labels, round(text * 0.8), width))
    return [_rule(text, width), *strips] if strips else []


def _rule(text: int, width: int) -> Strip:
    def draw(_: Image.Image, pen: Pen, left: int, top: int) -> None:
        pen.line((left, top + text // 2, left + width - 1, top + text // 2), LINE, 2)

    return Strip(round(text * 1.1), draw, opens=True)


def _notes(labels: Labels, size: int, width: int) -> Iterator[Strip]:
    letters, texts = labels.letters, labels.texts
    indent = round(size * 1.6)
    for (axis, value), number in labels.notes.items():
        name = texts.name(axis)
        lead = letters.length(name, size) + size * 0.5
        lines = texts.lines(axis, value, size, width - indent - lead, MOST_LINES)

        def draw(
            _: Image.Image,
            pen: Pen,
            left: int,
            top: int,
            number: int = number,
            name: str = name,
            lines: list[str] = lines,
            lead: float = lead,
        ) -> None:
            base = top + size
            letters.write(pen, (left + indent - size * 0.5, base), str(number), SOFT, size, "rs")
            letters.write(pen, (left + indent, base), name, SOFT, size)
            for line in lines:
                letters.write(pen, (left + indent + lead, base), line, "#3c3c41", size)
                base += round(size * 1.35)

        yield Strip(round(size * 1.35) * len(lines) + round(size * 0.3), draw)
