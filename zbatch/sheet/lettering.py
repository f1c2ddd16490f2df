"""Letters on a drawn sheet: the faces, and texts cut to the room there is."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Final

from PIL import ImageDraw, ImageFont

from zbatch.sheet.bisection import largest
from zbatch.sheet.siblings import Siblings, pieces
from zbatch.sheet.signs import visible

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
    "NotoSansArabic-Regular.ttf",
    "NotoSansHebrew-Regular.ttf",
    "NotoSansDevanagari-Regular.ttf",
    "NotoSansThai-Regular.ttf",
    "NotoEmoji-Regular.ttf",
    "Symbola_hint.ttf",
    "Symbola.ttf",
    "seguiemj.ttf",  # Windows
)
"""Free faces, and some that systems bring, with more letters; Pillow looks where the system keeps fonts."""

_NOWHERE: Final = "\U0010fffd"  # for private use, in the last plane: no face draws it
_PLAIN: Final = {
    "ß": "ss", "ẞ": "SS", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L",
    "đ": "d", "Đ": "D", "ð": "d", "Ð": "D", "þ": "th", "Þ": "Th", "ħ": "h", "Ħ": "H", "\u0131": "i",
    "\u2013": "-", "\u2014": "-", "\u2212": "-", "\u00d7": "x",
}  # fmt: skip
"""Letters (dotless i, dashes, minus and times at the end) that Unicode does not take apart."""


class Lettering:
    """The faces of a whole drawing, and texts as they can write them.

    The first face writes what it has; the others lend the letters that it lacks.
    """

    def __init__(self, *names: str | None) -> None:
        self._names = names or (None,)
        self._known: dict[str, int] = {}
        self._widths: dict[tuple[str, int], float] = {}
        self._missing = [_glyph(name, _NOWHERE) for name in self._names]

    @classmethod
    def of(cls, texts: Iterable[str]) -> Lettering:
        """Choose the faces: Pillow's own where it has every letter, else the one found that has the most.

        Further ones follow for the letters that are still lacking.
        """
        written = "".join(sorted({mark for text in texts for mark in set(text)}))
        marks = {mark for mark in visible(written, lambda _: True) if not mark.isspace()}
        found = {}
        for name in (None, *FACES):
            try:
                letters = cls(name)
            except OSError:
                continue
            found[name] = {mark for mark in marks if letters.has(mark)}
            if found[name] == marks:
                break
        chosen: list[str | None] = []
        while found:
            best = max(found, key=lambda name: len(found[name]))
            if chosen and not found[best]:
                break
            chosen.append(best)
            had = found.pop(best)
            found = {name: own - had for name, own in found.items()}
        return cls(*chosen)

    def font(self, size: int) -> Face:
        """Give the first face at a size in pixels."""
        return _face(self._names[0], size)

    def has(self, mark: str) -> bool:
        """Tell whether a face can draw a character; Pillow has no other way to ask than to draw it."""
        return self._place(mark) >= 0

    def _place(self, mark: str) -> int:
        """Give the number of the first face that has a character; -1 where none has it."""
        if mark not in self._known:
            have = (
                place
                for place, name in enumerate(self._names)
                if mark.isspace() or _glyph(name, mark) != self._missing[place]
            )
            self._known[mark] = next(have, -1)
        return self._known[mark]

    def _runs(self, text: str) -> Iterator[tuple[str | None, str]]:
        """Cut a text into stretches of one face; spaces and accents stay with what they follow."""
        if len(self._names) == 1:
            yield self._names[0], text
            return
        start, face = 0, -1
        for number, mark in enumerate(text):
            place = max(0, self._place(mark))
            if face == -1:
                face = place
            elif place != face and not mark.isspace() and not unicodedata.combining(mark):
                yield self._names[face], text[start:number]
                start, face = number, place
        if text:
            yield self._names[max(0, face)], text[start:]

    def length(self, text: str, size: int) -> float:
        """Give how many pixels wide a text is at a size."""
        return sum(_face(name, size).getlength(run) for name, run in self._runs(text))

    def write(
        self,
        pen: ImageDraw.ImageDraw,
        spot: tuple[float, float],
        text: str,
        colour: str,
        size: int,
        anchor: str = "ls",
    ) -> None:
        """Draw a text with its left end, middle or right end (l, m, r), on its baseline or middle (s, m)."""
        left, base = spot
        if anchor[0] != "l":
            left -= self.length(text, size) * (1 if anchor[0] == "r" else 0.5)
        if anchor[1] == "m":
            base += size * 0.35
        for name, run in self._runs(text):
            face = _face(name, size)
            pen.text((left, base), run, colour, face, anchor="ls")
            left += face.getlength(run)

    def one_line(self, text: str) -> str:
        """Give a text without line breaks, in letters that a face has; signs that are not seen show.

        A letter that is lacking is written without its accents, rather than as a box.
        """
        marks = visible(unicodedata.normalize("NFC", text), self.has)
        return " ".join("".join(map(self._plain, marks)).split())

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
        if among is not None:
            text = among.shortened(text, lambda version: self._fits(version, size, room))
        if self._fits(text, size, room):
            return text
        most = min(len(text), _most_letters(size, room))
        return _middle(text, largest(1, most, lambda own: self.length(_middle(text, own), size) <= room))

    def _fits(self, text: str, size: int, room: float) -> bool:
        return len(text) <= _most_letters(size, room) and self.length(text, size) <= room

    def wrapped(
        self, text: str, size: int, room: float, most: int, among: Siblings | None = None
    ) -> list[str]:
        """Break a text into at most `most` lines, between words or else within one.

        What does not fit is left out where it is as its siblings, else in the middle of the last line.
        """
        if among is not None:
            text = among.shortened(
                text, lambda version: whole(version, self.wrapped(version, size, room, most))
            )
        lines, rest, used = [""], pieces(text)[::-1], 0.0
        while rest:
            piece = rest.pop()
            used += self._about(piece, size)
            # Only near the end of a line does it matter how letters of two words lie to each other.
            if used < 0.9 * room or self._fits((lines[-1] + piece).rstrip(), size, room):
                lines[-1] += piece
            elif len(lines) == most:
                lines[-1] = self.fitting((lines[-1] + piece + "".join(reversed(rest))).rstrip(), size, room)
                break
            elif lines[-1]:
                lines.append("")
                rest.append(piece)
                used = 0.0
            else:
                fits = self._most(piece, size, room)
                lines[-1] = piece[:fits] or "…"  # a letter wider than the room
                rest.append(piece[max(1, fits) :])
                used = room
        return [line.rstrip() for line in lines if line] if text else []

    def _about(self, piece: str, size: int) -> float:
        """Give the width of a word, measured once: most words come again and again."""
        if (piece, size) not in self._widths:
            self._widths[piece, size] = self.length(piece, size)
        return self._widths[piece, size]

    def _most(self, piece: str, size: int, room: float) -> int:
        """Count the letters of a word that fit on a line."""
        most = min(len(piece), _most_letters(size, room))
        return largest(0, most, lambda own: self.length(piece[:own], size) <= room)


def _most_letters(size: int, room: float) -> int:
    """Bound how many letters a line can have: a long text need not be measured to be too long."""
    return int(room / (0.12 * size)) + 8


def whole(text: str, lines: Iterable[str]) -> bool:
    """Tell whether lines hold all of a text."""
    return "".join(lines).replace(" ", "") == text.replace(" ", "")


@cache
def _face(name: str | None, size: int) -> Face:
    return ImageFont.load_default(size) if name is None else ImageFont.truetype(name, size)


def _glyph(name: str | None, mark: str) -> tuple[tuple[int, int], bytes]:
    mask = _face(name, 24).getmask(mark)
    return mask.size, bytes(mask)


def _middle(text: str, length: int) -> str:
    head = math.ceil((length - 1) * 0.6)
    tail = max(0, length - 1 - head)
    return f"{text[:head].rstrip()}…{text[len(text) - tail :].lstrip()}"
