"""Refusals that no limit explains: a share of submits is answered 429 whatever is in flight."""

from __future__ import annotations

_CLEAR = 4
"""Accepted before and after a refusal that stands alone."""
_CROWD, _RECENT = 4, 12
"""So many refusals among so many answers in a row are the work of a limit."""
_LOW = 0.7
_SPEED = 1 / 32
_LEAST, _MOST = 3, 24
_MOST_SHARE = 0.02
_SAVED = 4.0


class Strays:
    """Learns the share of submits that is refused at random, and forgives about so many.

    A limit refuses at the top: where clearly less is in flight than was accepted before, it refuses nothing.
    Refusals that stand alone there are strays, and slowing down does not make them fewer. Many close together
    mean that a limit was met or has moved, and the top is sought anew.
    """

    def __init__(self) -> None:
        self.share = 0.0
        self._level = 0.0  # in flight, a running mean
        self._top = 0.0  # the highest it was
        self._submits = self._refusals = 0.0  # at a low level
        self._needed = _LEAST  # refusals for a finding: twice as many each time
        self._saved = 0.0  # refusals that may be forgiven
        self._answers: list[bool] = []  # the latest
        self._alone = False  # the last refusal had nothing but accepted ones before it

    def accepted(self, others: int) -> bool:
        """Note a submit accepted beside `others`; tell whether strays were found that nobody knew of."""
        self._answer(accepted=True)
        self._level += (others + 1 - self._level) * _SPEED
        self._top = max(self._top, self._level)
        self._saved = min(_SAVED, self._saved + 1.5 * self.share)
        low = self._level < _LOW * self._top
        self._submits += low
        if not (self._alone and all(self._answers[-_CLEAR:])):
            return False
        self._alone = False
        self._refusals += low
        return low and self._learned()

    def _learned(self) -> bool:
        if self._refusals < self._needed:
            return False
        found = min(_MOST_SHARE, self._refusals / max(1.0, self._submits))
        if self._submits > 1000:
            self._submits, self._refusals = self._submits / 2, self._refusals / 2
        news = found > 1.25 * self.share
        self.share = max(found, self.share * 0.8)
        if news:
            self._saved = _SAVED
            self._needed = min(_MOST, 2 * self._needed)
            self._submits = self._refusals = 0.0
            self._top = self._level
        return news

    def refused(self) -> bool:
        """Note a refusal; tell whether it is forgiven: nobody need wait or slow down for it."""
        self._alone = len(self._answers) >= _CLEAR and all(self._answers[-_CLEAR:])
        self._answer(accepted=False)
        if self._answers.count(False) >= _CROWD:
            self._top, self._saved, self.share = self._level, 0.0, self.share / 2
            self._submits = self._refusals = 0.0
            self._answers.clear()
            return False
        if self._alone and self._saved >= 1:
            self._saved -= 1
            return True
        return False

    def _answer(self, *, accepted: bool) -> None:
        self._answers.append(accepted)
        del self._answers[:-_RECENT]
