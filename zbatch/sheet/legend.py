"""The legend of a drawn sheet: the whole texts of labels that had to be shortened, by number."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from PIL import Image

from zbatch.sheet.labels import Labels
from zbatch.sheet.pages import LINE, SOFT, Pen, Strip

TOGETHER = 3
"""Lines at either end of a text that are not parted; between them it may go on on another page."""


def legend(labels: Labels, text: int, width: int) -> list[Strip]:
    """Give the strips of all footnotes that the labels noted, under a line; none where there are none."""
    size = round(text * 0.8)
    strips = [
        strip for pair, number in labels.notes.items() for strip in _note(labels, *pair, number, size, width)
    ]
    return [_rule(text, width), *strips] if strips else []


def _rule(text: int, width: int) -> Strip:
    def draw(_: Image.Image, pen: Pen, left: int, top: int) -> None:
        pen.line((left, top + text // 2, left + width - 1, top + text // 2), LINE, 2)

    return Strip(round(text * 1.1), draw, opens=True)


def _note(labels: Labels, axis: str, value: int, number: int, size: int, width: int) -> Iterator[Strip]:
    letters, name = labels.letters, labels.texts.name(axis)
    indent = round(size * 1.6)
    lead = indent + letters.length(name, size) + size * 0.5
    lines = labels.texts.note(axis, value, size, width - lead)
    step, end = round(size * 1.35), round(size * 0.3)

    def strip(some: list[str], *, first: bool, last: bool) -> Strip:
        def draw(_: Image.Image, pen: Pen, left: int, top: int) -> None:
            base = top + size
            if first:
                letters.write(pen, (left + indent - size * 0.5, base), str(number), SOFT, size, "rs")
                letters.write(pen, (left + indent, base), name, SOFT, size)
            for line in some:
                letters.write(pen, (left + lead, base), line, "#3c3c41", size)
                base += step

        return Strip(step * len(some) + (end if last else 0), draw)

    cuts = [0, *range(TOGETHER, len(lines) - TOGETHER + 1), len(lines)]
    for start, stop in pairwise(cuts):
        yield strip(lines[start:stop], first=start == 0, last=stop == len(lines))
