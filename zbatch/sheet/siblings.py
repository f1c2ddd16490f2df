"""Texts that stand beside each other: where they are alike, and how to shorten them so that they differ."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from itertools import takewhile
from typing import Final

from zbatch.sheet.bisection import largest

_WIDE: Final = "\u2e80-\ua4cf\uac00-\ud7af\uf900-\ufaff\uff00-\uffef"
"""Scripts written without spaces: a line may end, and a text be cut, between any two of their letters."""

_PIECES: Final = re.compile(f"(?:[{_WIDE}]|[^ {_WIDE}]+) *")


def pieces(text: str) -> list[str]:
    """Take a text apart where a line of it may end; each piece keeps the space after it."""
    return _PIECES.findall(text.strip(" "))


class Siblings:
    """The long values of one axis: the words that all of them begin with, and those that all end with.

    Values less than half as long as the longest do not count: `a cat` among prompts of forty words.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        known = set(texts)
        longest = max(map(len, known), default=0)
        self._long = {text for text in known if 2 * len(text) >= longest}
        words = [pieces(text) for text in self._long]
        shortest = min(map(len, words), default=0)
        self._head = _alike(words) if len(words) > 1 else 0
        tail = _alike([list(reversed(own)) for own in words]) if len(words) > 1 else 0
        self._tail = min(tail, shortest - self._head)

    def shortened(self, text: str, fits: Callable[[str], bool]) -> str:
        """Leave out as much of the shared words as must be, from where they meet what is a text's own.

        What is given back may still be too long: then its own words alone are.
        """
        if fits(text) or not self._head + self._tail or text not in self._long:
            return text
        most = max(self._head, self._tail) - 1
        return self._version(text, largest(0, most, lambda kept: fits(self._version(text, kept))))

    def _version(self, text: str, kept: int) -> str:
        """Give a text with at most so many of the shared words on each side."""
        words = pieces(text)
        end = len(words) - self._tail
        head, own, tail = words[: self._head], words[self._head : end], words[end:]
        before = [*head[:kept], "… "] if _longer_than_dots(head[kept:]) else head
        left_out = max(0, len(tail) - kept)
        after = [" … ", *tail[left_out:]] if _longer_than_dots(tail[:left_out]) else tail
        return " ".join("".join([*before, *own, *after]).split())


def _longer_than_dots(words: list[str]) -> bool:
    return len("".join(words).strip()) > 3


def _alike(lists: list[list[str]]) -> int:
    """Count the words that all lists begin with."""
    return sum(1 for _ in takewhile(lambda words: len(set(words)) == 1, zip(*lists, strict=False)))
