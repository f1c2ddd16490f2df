"""The legend of a drawn sheet: the whole texts of labels that had to be shortened, by number."""

from __future__ import annotations

from PIL import Image

from zbatch.sheet.labels import Labels
from zbatch.sheet.pages import LINE, SOFT, Pen, Strip

MOST_LINES = 40
"""Lines of one text; the page that a browser shows has the rest."""


def legend(labels: Labels, text: int, width: int) -> list[Strip]:
    """Give a strip for each footnote that the labels noted, under a line; none where there are none."""
    notes = labels.notes.items()
    strips = [_note(labels, *pair, number, round(text * 0.8), width) for pair, number in notes]
    return [_rule(text, width), *strips] if strips else []


def _rule(text: int, width: int) -> Strip:
    def draw(_: Image.Image, pen: Pen, left: int, top: int) -> None:
        pen.line((left, top + text // 2, left + width - 1, top + text // 2), LINE, 2)

    return Strip(round(text * 1.1), draw, opens=True)


def _note(labels: Labels, axis: str, value: int, number: int, size: int, width: int) -> Strip:
    letters, name = labels.letters, labels.texts.name(axis)
    indent = round(size * 1.6)
    lead = indent + letters.length(name, size) + size * 0.5
    lines = labels.texts.lines(axis, value, size, width - lead, MOST_LINES)

    def draw(_: Image.Image, pen: Pen, left: int, top: int) -> None:
        base = top + size
        letters.write(pen, (left + indent - size * 0.5, base), str(number), SOFT, size, "rs")
        letters.write(pen, (left + indent, base), name, SOFT, size)
        for line in lines:
            letters.write(pen, (left + lead, base), line, "#3c3c41", size)
            base += round(size * 1.35)

    return Strip(round(size * 1.35) * len(lines) + round(size * 0.3), draw)
