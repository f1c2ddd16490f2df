"""What a run directory knows of the jobs of a plan: the state of each, by key, for millions of them."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

from zbatch.manifest.numbering import Numbering, halves
from zbatch.model import JobState

_STATES: Final = (*JobState, None)
_CODES: Final = {state: code for code, state in enumerate(_STATES)}
_AT_ONCE: Final = 10_000


class KnownStates:
    """The states of jobs by their keys, a byte each beside the numbered keys.

    `counts` says how many jobs are in each state.
    """

    def __init__(self, standing: Iterable[tuple[str, JobState]] = ()) -> None:
        self._numbers = Numbering(0)
        self._states = bytearray()
        rows = iter(standing)
        while batch := list(itertools.islice(rows, _AT_ONCE)):
            self._numbers.number_all(*halves([bytes.fromhex(key) for key, _ in batch]))
            self._states.extend([_CODES[state] for _, state in batch])
        by_code = Counter(self._states)
        self.counts = {state: by_code[code] for state, code in _CODES.items() if state and by_code[code]}
        # What is not found has number -1, and so the last byte.
        self._states.append(_CODES[None])

    def of(self, keys: Sequence[str]) -> list[JobState | None]:
        """Give the state of each job; `None` where it is not known."""
        if not keys or not self.counts:
            return [None] * len(keys)
        numbers = self._numbers.find_all(*halves([bytes.fromhex(key) for key in keys]))
        return [_STATES[self._states[number]] for number in numbers.tolist()]
