"""Texts that stand beside each other: where they are alike, and how to shorten them so that they differ."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from itertools import takewhile
from typing import Final

from zbatch.sheet.bisection import largest

_WIDE: Final = "\u2e80-\ua4cf\uac00-\ud7af\uf900-\ufaff\uff00-\uffef"
"""Scripts written without spaces: a line may end, and a text be cut, between any two of their letters."""

_PIECES: Final = re.compile(f"(?:[{_WIDE}]|[^ {_WIDE}]+) *")

NEIGHBOURS: Final = 24
"""Siblings that a text is compared with, on either side in alphabetical order."""

WHOLE: Final = 4000
"""Characters of a text that a drawn sheet has room for."""

EDGE, SPOT = 900, 2000
"""Characters of a longer one that are kept: at either end, and from where it leaves its siblings."""


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
        self._words = {text: pieces(text) for text in known if 2 * len(text) >= longest}
        words = list(self._words.values())
        shortest = min(map(len, words), default=0)
        self._head = _alike(words) if len(words) > 1 else 0
        tail = _alike([list(reversed(own)) for own in words]) if len(words) > 1 else 0
        self._tail = min(tail, shortest - self._head)

    def shortened(self, text: str, fits: Callable[[str], bool]) -> str:
        """Leave out as much of the shared words as must be, from where they meet what is a text's own.

        Where its own words are too many as well, those stay in which it differs. What is given back may
        still be too long.
        """
        if fits(text) or text not in self._words:
            return text
        most = max(self._head, self._tail) - 1
        shortest = self._without_shared(text, 0)
        if self._head + self._tail and fits(shortest):
            return self._without_shared(
                text, largest(0, most, lambda kept: fits(self._without_shared(text, kept)))
            )
        partings = self._partings(text)
        if len(partings) < 2:
            return shortest if self._head + self._tail else text
        own = len(self._words[text])
        return _around(
            self._words[text],
            partings,
            largest(1, own, lambda kept: fits(_around(self._words[text], partings, kept))),
        )

    def _without_shared(self, text: str, kept: int) -> str:
        """Give a text with at most so many of the shared words on each side."""
        words = self._words[text]
        head, end = self._head, len(words) - self._tail
        chosen = {*range(min(kept, head)), *range(head, end), *range(max(end, len(words) - kept), len(words))}
        return _picked(words, chosen)

    def _partings(self, text: str) -> set[int]:
        """Say at which words a text leaves its siblings, those that are the most alike among them."""
        words, rank = self._words[text], self._ranks[text]
        near = (
            self._ordered[max(0, rank - NEIGHBOURS) : rank] + self._ordered[rank + 1 : rank + 1 + NEIGHBOURS]
        )
        return {self._head, *(min(_alike([words, other]), len(words) - 1) for other in near)}

    @cached_property
    def _ordered(self) -> list[list[str]]:
        return sorted(self._words.values())

    @cached_property
    def _ranks(self) -> dict[str, int]:
        ordered = sorted(self._words, key=self._words.__getitem__)
        return {text: rank for rank, text in enumerate(ordered)}


def excerpts(texts: Sequence[str]) -> list[str]:
    """Cut texts that are too long to how they begin, where each leaves the one most like it, and their ends.

    This looks at whole texts: two of a hundred thousand characters may differ in one word near the end.
    """
    if all(len(text) <= WHOLE for text in texts):
        return list(texts)
    ordered = sorted(set(texts))
    found = {}
    for rank, text in enumerate(ordered):
        near = [ordered[other] for other in (rank - 1, rank + 1) if 0 <= other < len(ordered)]
        start = max((_same_start(text, other) for other in near), default=0)
        found[text] = text if len(text) <= WHOLE else _excerpt(text, start)
    return [found[text] for text in texts]


def _excerpt(text: str, start: int) -> str:
    word = text.rfind(" ", max(0, start - 40), start) + 1 or start
    shown, end = "", 0
    for first, last in sorted([(0, EDGE), (word, word + SPOT), (len(text) - EDGE, len(text))]):
        if last > end:
            shown += (" … " if first > end else "") + text[max(first, end) : last]
            end = last
    return shown


def _same_start(one: str, other: str) -> int:
    return largest(0, min(len(one), len(other)), lambda length: one.startswith(other[:length]))


def _around(words: list[str], places: set[int], kept: int) -> str:
    """Give so many words from each of these places on."""
    return _picked(words, {word for place in places for word in range(place, min(place + kept, len(words)))})


def _picked(words: list[str], chosen: set[int]) -> str:
    """Give the chosen words of a text, with dots for others that are longer than dots."""
    return " ".join("".join(_runs(words, chosen)).split())


def _runs(words: list[str], chosen: set[int]) -> Iterator[str]:
    left_out: list[str] = []
    for place, word in enumerate(words):
        if place not in chosen:
            left_out.append(word)
            continue
        yield "… " if _longer_than_dots(left_out) else "".join(left_out)
        yield word
        left_out = []
    yield " …" if _longer_than_dots(left_out) else "".join(left_out)


def _longer_than_dots(words: list[str]) -> bool:
    return len("".join(words).strip()) > 3


def _alike(lists: list[list[str]]) -> int:
    """Count the words that all lists begin with."""
    return sum(1 for _ in takewhile(lambda words: len(set(words)) == 1, zip(*lists, strict=False)))
