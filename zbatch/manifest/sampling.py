"""Sampling: which cells of a large grid to keep, the same ones when more are asked for.

Every cell has a rank: a hash of its coordinates, mixed from one hash for each value, so that ten million
are ranked at once. `random` keeps the cells that rank first. `pairwise` first covers every pair of values of
every two axes that occurs together in the grid (greedily: the cell with the most new pairs, by rank among
equals), then goes on in rank order. Either list is fixed by the grid and the seed; n only says where it ends.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Sequence
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


Ranks = npt.NDArray[np.uint64]
Mask = npt.NDArray[np.bool_]
_Value = tuple[tuple[str, Scalar], ...]


def ranks(axes: Sequence[Sequence[_Value]], seed: int) -> Ranks:
    """Rank every cell of a product, in grid order; each axis is the coordinates of its values.

    A cell's rank depends on its own coordinates and the seed alone, so adding values moves no other cell.
    """
    total = np.zeros(1, np.uint64)
    for values in axes:
        hashes = np.array([_hash(value, seed) for value in values], np.uint64)
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


def sample_random(order: Ranks, allowed: Mask, n: int) -> npt.NDArray[np.int64]:
    """Keep the n allowed cells that rank first; gives their indexes in grid order."""
    candidates = np.flatnonzero(allowed)
    if len(candidates) > n:
        first = np.argpartition(order[candidates], n - 1)[:n]
        # Equal ranks are as good as impossible and would be cut arbitrarily: 64 bits over ten million cells.
        candidates = candidates[first]
    return np.sort(candidates)


def sample_pairwise(
    sizes: Sequence[int], order: Ranks, allowed: Mask, n: int
) -> tuple[npt.NDArray[np.int64], int, int]:
    """Keep n allowed cells that cover pairs first.

    `sizes` are the numbers of values of the axes. Gives indexes in grid order, the pairs they cover, and how
    many pairs the allowed cells have.
    """
    grid = np.where(allowed, np.int16(0), np.int16(-32_000)).reshape(sizes)
    uncovered: dict[tuple[int, int], Mask] = {}
    allowed_grid = allowed.reshape(sizes)
    for left, right in itertools.combinations(range(len(sizes)), 2):
        others = tuple(axis for axis in range(len(sizes)) if axis not in (left, right))
        possible: Mask = np.asarray(allowed_grid.any(axis=others) if others else allowed_grid.copy())
        uncovered[left, right] = possible
        shape = [size if axis in (left, right) else 1 for axis, size in enumerate(sizes)]
        grid += possible.reshape(shape).astype(np.int16)
    gains = grid.reshape(-1)
    pairs = sum(int(possible.sum()) for possible in uncovered.values())
    left_over = pairs
    chosen: list[int] = []
    while left_over and len(chosen) < n:
        best = np.flatnonzero(gains == gains.max())
        cell = int(best[np.argmin(order[best])])
        chosen.append(cell)
        point = np.unravel_index(cell, sizes)
        for (left, right), possible in uncovered.items():
            if possible[point[left], point[right]]:
                possible[point[left], point[right]] = False
                left_over -= 1
                line: list[slice | int] = [slice(None)] * len(sizes)
                line[left], line[right] = int(point[left]), int(point[right])
                grid[tuple(line)] -= 1
        gains[cell] = -32_000
    if len(chosen) < n:
        rest = allowed.copy()
        rest[chosen] = False
        chosen.extend(sample_random(order, rest, n - len(chosen)).tolist())
    return np.sort(np.array(chosen, np.int64)), pairs - left_over, pairs
