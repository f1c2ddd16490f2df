"""The nearest spelling of a word among those that there are."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Final

_COMPARED: Final = 2000
"""Words that one is compared with: with a hundred thousand of them it takes seconds."""


def nearest_word(word: str, words: Iterable[str], *, alike: float = 0.65) -> str | None:
    """Give the one of `words` that was likely meant, whatever its case; `None` where none is near.

    `alike` is how much of the two must be the same, 0 to 1. Of very many words only those that begin alike
    are looked at.
    """
    known = sorted(set(words))
    if len(known) > _COMPARED:
        begin = word[:1].casefold()
        known = [one for one in known if one[:1].casefold() == begin][:_COMPARED]
    by_fold = {one.casefold(): one for one in known}
    close = get_close_matches(word.casefold(), by_fold, n=1, cutoff=alike)
    return by_fold[close[0]] if close else None
