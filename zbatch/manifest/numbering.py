"""Numbering what is met, compactly: jobs by their keys, files by their names, ten million of either."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

Halves = npt.NDArray[np.uint64]
Numbers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

_FULL: Final = 0.6
"""The part of the slots that may be taken: beyond it, looking takes long."""

_MOST_EXPECTED: Final = 10_000_000


class Numbering:
    """Gives every 128-bit digest a number, from 0, in the order in which they are first met.

    An open hash table in three arrays, 20 bytes a slot: a Python set of as many would take five times that.
    `expected` is how many there may be: once it has to grow, it grows to that. More make it grow again.
    """

    def __init__(self, expected: int) -> None:
        self._count = 0
        self._bits = int(min(expected, _MOST_EXPECTED) / _FULL).bit_length()
        self._allocate(10)

    def __len__(self) -> int:
        return self._count

    def number_all(self, high: Halves, low: Halves) -> tuple[Numbers, Flags]:
        """Number some digests, given in two halves; tells of each whether it is met for the first time."""
        while self._count + len(high) > len(self._taken) * _FULL:
            self._grow()
        ordered = np.sort(high)
        if (ordered[1:] == ordered[:-1]).any():
            return self._number_repeating(high, low)
        slots, found = self._places(high, low)
        new = ~found
        fresh = int(np.count_nonzero(new))
        self._taken[slots[new]] = np.arange(self._count + 1, self._count + 1 + fresh)
        self._count += fresh
        return self._taken[slots].astype(np.int64) - 1, new

    def find_all(self, high: Halves, low: Halves) -> Numbers:
        """Give the numbers of some digests; -1 for one that was not met."""
        mask = np.uint64(len(self._taken) - 1)
        slots, steps = high & mask, low | np.uint64(1)
        numbers = np.full(len(high), -1, np.int64)
        waiting = np.arange(len(high))
        while len(waiting):
            at = slots[waiting].astype(np.int64)
            same = (self._high[at] == high[waiting]) & (self._low[at] == low[waiting])
            taken = self._taken[at]
            numbers[waiting[same]] = taken[same] - 1  # -1 in a free slot too
            waiting = waiting[~same & (taken != 0)]
            slots[waiting] = (slots[waiting] + steps[waiting]) & mask
        return numbers

    def find(self, high: int, low: int) -> int | None:
        """Give the number of one digest, if it was met."""
        number = int(self._taken[self._slot(high, low)])
        return number - 1 if number else None

    def add(self, high: int, low: int) -> int:
        """Give the number of one digest, a new one if it was not met."""
        if self._count + 1 > len(self._taken) * _FULL:
            self._grow()
        slot = self._slot(high, low)
        if not self._taken[slot]:
            self._count += 1
            self._high[slot], self._low[slot], self._taken[slot] = high, low, self._count
        return int(self._taken[slot]) - 1

    def _number_repeating(self, high: Halves, low: Halves) -> tuple[Numbers, Flags]:
        """Number digests some of which may be there twice: each once, then all."""
        _, firsts, inverse = np.unique(high, return_index=True, return_inverse=True)
        if not np.array_equal(low[firsts][inverse], low):
            return self._one_by_one(high, low)
        firsts = np.sort(firsts)
        numbers, once = self.number_all(high[firsts], low[firsts])
        new = np.zeros(len(high), np.bool_)
        new[firsts] = once
        return numbers[np.argsort(high[firsts])][inverse], new

    def _one_by_one(self, high: Halves, low: Halves) -> tuple[Numbers, Flags]:
        numbers, new = np.empty(len(high), np.int64), np.empty(len(high), np.bool_)
        for index, (one, other) in enumerate(zip(high.tolist(), low.tolist(), strict=True)):
            before = self._count
            numbers[index] = self.add(one, other)
            new[index] = self._count > before
        return numbers, new

    def _slot(self, high: int, low: int) -> int:
        """Find the slot of one digest: its own, or the free one where it belongs."""
        mask = len(self._taken) - 1
        slot, step = high & mask, low | 1
        while self._taken[slot] and (int(self._high[slot]) != high or int(self._low[slot]) != low):
            slot = (slot + step) & mask
        return slot

    def _places(self, high: Halves, low: Halves) -> tuple[Numbers, Flags]:
        """Find the slots of distinct digests, and take free ones for those that have none yet."""
        mask = np.uint64(len(self._taken) - 1)
        slots, steps = high & mask, low | np.uint64(1)
        found = np.zeros(len(high), np.bool_)
        waiting = np.arange(len(high), dtype=np.int32)
        while len(waiting):
            at = slots[waiting].astype(np.int64)
            free = self._taken[at] == 0
            same = ~free & (self._high[at] == high[waiting]) & (self._low[at] == low[waiting])
            found[waiting[same]] = True
            # Several may want one free slot: the last to write has it, the others look on.
            wanting, wanted = waiting[free], at[free]
            self._taken[wanted] = -1 - wanting
            won = self._taken[wanted] == -1 - wanting
            self._high[wanted[won]], self._low[wanted[won]] = high[wanting[won]], low[wanting[won]]
            waiting = np.concatenate([waiting[~free & ~same], wanting[~won]])
            slots[waiting] = (slots[waiting] + steps[waiting]) & mask
        return slots.astype(np.int64), found

    def _allocate(self, bits: int) -> None:
        self._high, self._low = np.zeros(1 << bits, np.uint64), np.zeros(1 << bits, np.uint64)
        self._taken = np.zeros(1 << bits, np.int32)
        """0: free; else its number and 1."""

    def _grow(self) -> None:
        held = np.flatnonzero(self._taken)
        high, low, taken = self._high[held], self._low[held], self._taken[held]
        self._allocate(max(len(self._taken).bit_length(), self._bits))
        for begin in range(0, len(held), 65_536):
            part = slice(begin, begin + 65_536)
            slots, _ = self._places(high[part], low[part])
            self._taken[slots] = taken[part]


def halves(digests: Sequence[bytes]) -> tuple[Halves, Halves]:
    """Give the first sixteen bytes of each digest (all of one length) as two numbers."""
    whole = np.frombuffer(b"".join(digests), ">u8").reshape(len(digests), -1)
    return whole[:, 0].astype(np.uint64), whole[:, 1].astype(np.uint64)


def halved(digest: bytes) -> tuple[int, int]:
    """Give the first sixteen bytes of one digest as two numbers."""
    return int.from_bytes(digest[:8], "big"), int.from_bytes(digest[8:16], "big")
