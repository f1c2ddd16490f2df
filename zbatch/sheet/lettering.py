"""Letters on a drawn sheet: the face, and texts cut to the room there is."""

from __future__ import annotations

import math
import unicodedata
from functools import cache

from PIL import ImageFont


@cache
def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Give the face that travels with Pillow, at a size in pixels."""
    return ImageFont.load_default(size)


def one_line(text: str) -> str:
    """Give a text without line breaks and control characters, bounded: a page has no room for more.

    The face knows no accents: a letter that has one is written without it, rather than as a box.
    """
    marks = (mark if mark.isprintable() else " " for mark in text[:4000])
    return " ".join("".join(mark if mark.isascii() else _plain(mark) for mark in marks).split())


def _plain(mark: str) -> str:
    letters = unicodedata.normalize("NFKD", mark).encode("ascii", "ignore").decode()
    return letters or mark


def fitting(text: str, size: int, room: float) -> str:
    """Shorten a text in the middle until it fits into `room` pixels."""
    if font(size).getlength(text) <= room:
        return text
    low, high = 1, len(text)
    while low < high:
        half = (low + high + 1) // 2
        low, high = (half, high) if font(size).getlength(_middle(text, half)) <= room else (low, half - 1)
    return _middle(text, low)


def _middle(text: str, length: int) -> str:
    head = math.ceil((length - 1) * 0.6)
    tail = max(0, length - 1 - head)
    return f"{text[:head].rstrip()}…{text[len(text) - tail :].lstrip()}"


def wrapped(text: str, size: int, room: float, most: int) -> list[str]:
    """Break a text into at most `most` lines; what does not fit is cut out of the middle of the last."""
    words, lines = text.split(" "), [""]
    for number, word in enumerate(words):
        longer = f"{lines[-1]} {word}".strip()
        if font(size).getlength(longer) <= room:
            lines[-1] = longer
        elif len(lines) == most:
            lines[-1] = fitting(" ".join([lines[-1], *words[number:]]).strip(), size, room)
            break
        elif lines[-1]:
            lines.append(fitting(word, size, room))
        else:
            lines[-1] = fitting(word, size, room)
    return lines if text else []
