"""Letters on a drawn sheet: the face, and texts cut to the room there is."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable
from functools import cache
from typing import Final

from PIL import ImageFont

from zbatch.sheet.siblings import Siblings

Face = ImageFont.FreeTypeFont | ImageFont.ImageFont

FACES: Final = (
    "DejaVuSans.ttf",
    "NotoSans-Regular.ttf",
    "LiberationSans-Regular.ttf",
    "Arial Unicode.ttf",  # macOS
    "NotoSansCJK-Regular.ttc",
    "NotoSansCJKsc-Regular.otf",
    "DroidSansFallbackFull.ttf",
    "wqy-zenhei.ttc",
    "FreeSans.ttf",
)
"""Free faces, and one that macOS brings, with more letters; Pillow looks where the system keeps fonts."""

LONGEST: Final = 4000
"""Characters of a text that are looked at: a page has no room for more."""

_NOWHERE: Final = "\U0010fffd"  # for private use, in the last plane: no face draws it
_PLAIN: Final = {
    "ß": "ss", "ẞ": "SS", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L",
    "đ": "d", "Đ": "D", "ð": "d", "Ð": "D", "þ": "th", "Þ": "Th", "ħ": "h", "Ħ": "H", "\u0131": "i",
    "\u2013": "-", "\u2014": "-", "\u2212": "-", "\u00d7": "x",
}  # fmt: skip
"""Letters (dotless i, dashes, minus and times at the end) that Unicode does not take apart."""


class Lettering:
    """One face for a whole drawing, and texts as it can write them."""

    def __init__(self, name: str | None = None) -> None:
        self._name = name
        self._known: dict[str, bool] = {}
        self._missing = self._glyph(_NOWHERE)

    @classmethod
    def of(cls, texts: Iterable[str]) -> Lettering:
        """Choose the face: Pillow's own where it has every letter, else the one found that has the most."""
        marks = {mark for text in texts for mark in text[:LONGEST] if mark.isprintable()}
        chosen, most = cls(), -1
        for name in (None, *FACES):
            try:
                letters = cls(name)
            except OSError:
                continue
            number = sum(letters.has(mark) for mark in marks)
            if number > most:
                chosen, most = letters, number
            if number == len(marks):
                break
        return chosen

    def font(self, size: int) -> Face:
        """Give the face at a size in pixels."""
        return _face(self._name, size)

    def has(self, mark: str) -> bool:
        """Tell whether the face can draw a character; Pillow has no other way to ask than to draw it."""
        if mark not in self._known:
            self._known[mark] = mark.isspace() or self._glyph(mark) != self._missing
        return self._known[mark]

    def _glyph(self, mark: str) -> tuple[tuple[int, int], bytes]:
        mask = self.font(24).getmask(mark)
        return mask.size, bytes(mask)

    def one_line(self, text: str) -> str:
        """Give a text without line breaks and control characters, bounded, in letters that the face has.

        A letter it lacks is written without its accents, rather than as a box.
        """
        marks = unicodedata.normalize("NFC", text[:LONGEST])
        plain = "".join(self._plain(mark) if mark.isprintable() else " " for mark in marks)
        return " ".join(plain.split())

    def _plain(self, mark: str) -> str:
        if self.has(mark):
            return mark
        parts = _PLAIN.get(mark) or unicodedata.normalize("NFKD", mark)
        return "".join(part for part in parts if self.has(part) and not unicodedata.combining(part)) or mark

    def lacking(self, texts: Iterable[str]) -> str:
        """Give the letters that no face found here can draw, each once, in the order they come."""
        written = "".join(self.one_line(text) for text in texts)
        return "".join(mark for mark in dict.fromkeys(written) if not self.has(mark))

    def fitting(self, text: str, size: int, room: float, among: Siblings | None = None) -> str:
        """Shorten a text until it fits into `room` pixels, where it is as its siblings or in the middle."""
        font = self.font(size)
        if among is not None:
            text = among.shortened(text, lambda version: font.getlength(version) <= room)
        if font.getlength(text) <= room:
            return text
        low, high = 1, len(text)
        while low < high:
            half = (low + high + 1) // 2
            low, high = (half, high) if font.getlength(_middle(text, half)) <= room else (low, half - 1)
        return _middle(text, low)

    def wrapped(
        self, text: str, size: int, room: float, most: int, among: Siblings | None = None
    ) -> list[str]:
        """Break a text into at most `most` lines.

        What does not fit is left out where it is as its siblings, else in the middle of the last line.
        """
        if among is not None:
            text = among.shortened(
                text, lambda version: " ".join(self.wrapped(version, size, room, most)) == version
            )
        font, words, lines = self.font(size), text.split(" "), [""]
        for number, word in enumerate(words):
            longer = f"{lines[-1]} {word}".strip()
            if font.getlength(longer) <= room:
                lines[-1] = longer
            elif len(lines) == most:
                lines[-1] = self.fitting(" ".join([lines[-1], *words[number:]]).strip(), size, room)
                break
            elif lines[-1]:
                lines.append(self.fitting(word, size, room))
            else:
                lines[-1] = self.fitting(word, size, room)
        return lines if text else []


@cache
def _face(name: str | None, size: int) -> Face:
    return ImageFont.load_default(size) if name is None else ImageFont.truetype(name, size)


def _middle(text: str, length: int) -> str:
    head = math.ceil((length - 1) * 0.6)
    tail = max(0, length - 1 - head)
    return f"{text[:head].rstrip()}…{text[len(text) - tail :].lstrip()}"
