"""Sampling: which cells of a large grid to keep, the same ones when more are asked for.

Every cell has a rank: a hash of its coordinates, mixed from one hash for each value, so that ten million
are ranked at once. `random` keeps the cells that rank first. `pairwise` first covers every pair of values of
every two axes that occurs together in the grid, greedily: of a pool of cells that rank first, the one with
the most new pairs, by rank among equals. Then it goes on in rank order. Either list is fixed by the grid and
the seed; n only says where it ends.

Our own, because a library misses pairs where rules exclude cells: of 464 that the rules of one trial allowed,
allpairspy 2.5.1 covered 397 in 37 cells and stopped; this covers all in 63.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import orjson

from zbatch.model import Scalar

MAX_SAMPLED: Final = 10_000_000
"""Cells a grid may have to be sampled from."""


@dataclass(frozen=True, slots=True)
class Sample:
    """The `sample` of a manifest: how many cells to keep, and by which method."""

    method: str
    n: int
    seed: int


_POOL: Final = 100_000
"""Cells, in rank order, among which the next best is looked for; then among the next as many."""

_STEP: Final = 1_024

Ranks = npt.NDArray[np.uint64]
Mask = npt.NDArray[np.bool_]
Cells = npt.NDArray[np.int64]
_Value = tuple[tuple[str, Scalar], ...]


def ranks(axes: Iterable[Iterable[_Value]], seed: int) -> Ranks:
    """Rank every cell of a product, in grid order; each axis is the coordinates of its values.

    A cell's rank depends on its own coordinates and the seed alone, so adding values moves no other cell.
    """
    total = np.zeros(1, np.uint64)
    for values in axes:
        hashes = np.fromiter((_hash(value, seed) for value in values), np.uint64)
        total = (total[:, None] + hashes[None, :]).ravel()
    return _mix(total)


def _hash(value: _Value, seed: int) -> int:
    digest = hashlib.blake2b(orjson.dumps([seed, value]), digest_size=8).digest()
    return int.from_bytes(digest, "big")


def _mix(values: Ranks) -> Ranks:
    """Finish as SplitMix64 does: sums of hashes are not yet spread."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def sample_random(order: Ranks, allowed: Mask, n: int) -> Cells:
    """Keep the n allowed cells that rank first; gives their indexes in grid order."""
    candidates = np.flatnonzero(allowed)
    if len(candidates) > n:
        # Equal ranks are as good as impossible and would be cut arbitrarily: 64 bits over ten million cells.
        candidates = candidates[np.argpartition(order[candidates], n - 1)[:n]]
    return np.sort(candidates)


def sample_pairwise(sizes: Sequence[int], order: Ranks, allowed: Mask, n: int) -> tuple[Cells, int, int]:
    """Keep n allowed cells that cover pairs first.

    `sizes` are the numbers of values of the axes. Gives indexes in grid order, the pairs they cover, and how
    many pairs the allowed cells have.
    """
    candidates = np.flatnonzero(allowed)
    candidates = candidates[np.argsort(order[candidates], kind="stable")]
    pairs = _Pairs(sizes, allowed)
    chosen: list[Cells] = []
    count = 0
    for begin in range(0, len(candidates), _POOL):
        if count >= n or not pairs.left:
            break
        cells = pairs.choose(candidates[begin : begin + _POOL], n - count)
        chosen.append(cells)
        count += len(cells)
    if count < n:
        rest = candidates[~np.isin(candidates, np.concatenate([*chosen, candidates[:0]]))]
        chosen.append(rest[: n - count])
        pairs.cover(chosen[-1])
    return np.sort(np.concatenate([*chosen, candidates[:0]])), pairs.total - pairs.left, pairs.total


class _Pairs:
    """The pairs of values of two axes that a grid can show, and which are not shown yet."""

    def __init__(self, sizes: Sequence[int], allowed: Mask) -> None:
        self._sizes = sizes
        long = [axis for axis, size in enumerate(sizes) if size > 1]  # NumPy takes few dimensions
        grid = allowed.reshape([sizes[axis] for axis in long])
        self._open: dict[tuple[int, int], Mask] = {}
        for left, right in itertools.combinations(range(len(sizes)), 2):
            others = tuple(n for n, axis in enumerate(long) if axis not in (left, right))
            possible = grid.any(axis=others) if others else grid.copy()
            self._open[left, right] = np.asarray(possible).reshape(sizes[left], sizes[right])
        self.total = sum(int(possible.sum()) for possible in self._open.values())
        self.left = self.total

    def choose(self, pool: Cells, n: int) -> Cells:
        """Choose at most n cells: each the one that shows the most new pairs, the first of equals."""
        points = self._points(pool)
        gains = self._gains(points)
        found: list[int] = []
        # Gains only ever shrink: a cell whose old gain is not the largest is not worth looking at yet.
        while self.left and len(found) < n and (best := int(gains.max(initial=0))):
            waiting = np.flatnonzero(gains == best)
            for begin in range(0, len(waiting), _STEP):
                part = waiting[begin : begin + _STEP]
                gains[part] = self._gains([index[part] for index in points])
                for number in part[gains[part] == best].tolist():
                    at = [int(index[number]) for index in points]
                    new = [pair for pair in self._open if self._open[pair][at[pair[0]], at[pair[1]]]]
                    gains[number] = len(new)
                    if len(new) < best:
                        continue
                    gains[number] = 0
                    found.append(number)
                    self.left -= len(new)
                    for left, right in new:
                        self._open[left, right][at[left], at[right]] = False
                    if not self.left or len(found) >= n:
                        return pool[found]
        return pool[found]

    def cover(self, cells: Cells) -> None:
        """Note the pairs that cells show which were chosen for another reason."""
        if not self.left:
            return
        points = self._points(cells)
        for (left, right), possible in self._open.items():
            possible[points[left], points[right]] = False
        self.left = sum(int(possible.sum()) for possible in self._open.values())

    def _points(self, cells: Cells) -> list[Cells]:
        """Give the index along each axis."""
        points = []
        for size in reversed(self._sizes):
            cells, index = np.divmod(cells, size)
            points.append(index)
        return points[::-1]

    def _gains(self, points: Sequence[Cells]) -> Cells:
        """Count the open pairs that each cell would show."""
        gains = np.zeros(len(points[0]) if points else 0, np.int64)
        for (left, right), possible in self._open.items():
            gains += possible[points[left], points[right]]
        return gains
