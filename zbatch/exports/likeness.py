"""Near duplicates and blank images, told by their thumbnails.

Two images whose perceptual hashes differ in a few of 64 bits look alike. Helper processes decode and hash;
the comparison is exact: every image is held against all before it that stay.
"""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from zbatch.exports.crew import Crew, Hand, processors
from zbatch.exports.entries import Entry
from zbatch.exports.looking import BLANK, ITEM, UNREADABLE

Hashes = NDArray[np.uint64]

_BATCH: Final = 256
_BLOCK: Final = 64
_TILE: Final = 4_096
"""Hashes compared at once: what they take stays in a processor's cache."""


@dataclass(frozen=True, slots=True)
class Looked:
    """What was seen: a hash for every image, and the numbers of those of one colour."""

    hashes: Hashes
    blank: tuple[int, ...]


class UnreadableError(Exception):
    """Neither the thumbnail nor the image can be read; caught where it can be said of which images."""

    def __init__(self, numbers: Sequence[int]) -> None:
        super().__init__(numbers)
        self.numbers = numbers


class Pair(NamedTuple):
    """An image that looks like an earlier one that stays; `distance` in bits of 64."""

    number: int
    like: int
    distance: int


class Likeness:
    """Looks at the thumbnails of images, with as many helper processes as there are processors."""

    def __init__(self, roots: Sequence[Path], processes: int | None = None) -> None:
        self._roots = [os.fspath(root) for root in roots]
        self._count = processes or min(16, processors())

    def look(self, entries: Iterator[Entry], total: int, progress: Callable[[int, int], None]) -> Looked:
        """Look at each image's thumbnail, or at the image where that cannot be read.

        Raises:
            UnreadableError: neither of some images' files can be read.
        """
        answers = bytearray()
        with Crew(_hand, min(self._count, -(-total // _BATCH))) as crew:
            for answer in crew.answers(self._batches(entries), _asked):
                answers += answer
                progress(len(answers) // ITEM, total)
        seen = np.frombuffer(bytes(answers), np.uint8).reshape(-1, ITEM)
        unread = np.flatnonzero(seen[:, 8] == UNREADABLE)
        if len(unread):
            raise UnreadableError(unread.tolist())
        hashes = np.ascontiguousarray(seen[:, :8]).view(np.uint64).reshape(-1)
        return Looked(hashes, tuple(np.flatnonzero(seen[:, 8] == BLANK).tolist()))

    def _batches(self, entries: Iterator[Entry]) -> Iterator[list[tuple[str, str]]]:
        while batch := [self._paths(entry) for entry in itertools.islice(entries, _BATCH)]:
            yield batch

    def _paths(self, entry: Entry) -> tuple[str, str]:
        root = self._roots[entry.run]
        return f"{root}/{entry.thumb}", f"{root}/{entry.file}"


def look_alike(hashes: Hashes, numbers: Sequence[int], most: int) -> list[Pair]:
    """Give the images, of some in their order, that are within `most` bits of an earlier one that stays.

    The first of those that look alike stays, so the answer is the same whenever it is asked; each of the
    others is paired with the nearest that stays, the first of several.
    """
    kept = np.empty(len(numbers), np.uint64)
    kept_numbers = np.empty(len(numbers), np.int64)
    count = 0
    pairs: list[Pair] = []
    ordered = np.asarray(numbers, np.int64)
    with ThreadPoolExecutor(max(1, min(8, os.cpu_count() or 1))) as threads:
        for start in range(0, len(ordered), _BLOCK):
            block = ordered[start : start + _BLOCK]
            wanted = hashes[block]
            tiles = [kept[tile : min(tile + _TILE, count)] for tile in range(0, count, _TILE)]
            nearest, where = _nearest(threads, tiles, wanted)
            first = count
            for row, number in enumerate(block.tolist()):
                distance, like = int(nearest[row]), int(where[row])
                if distance > most and count > first:
                    own = np.bitwise_count(kept[first:count] ^ wanted[row])
                    here = int(own.argmin())
                    distance, like = int(own[here]), first + here
                if distance <= most:
                    pairs.append(Pair(number, int(kept_numbers[like]), distance))
                else:
                    kept[count], kept_numbers[count] = wanted[row], number
                    count += 1
    return pairs


def _nearest(
    threads: ThreadPoolExecutor, tiles: Sequence[Hashes], wanted: Hashes
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Give, for each hash, the distance of the nearest in the tiles and its place in them."""
    best = np.full(len(wanted), 65, np.int64)
    place = np.zeros(len(wanted), np.int64)
    for number, found in enumerate(threads.map(lambda tile: _compared(tile, wanted), tiles)):
        nearer = found[0] < best
        best[nearer] = found[0][nearer]
        place[nearer] = found[1][nearer] + number * _TILE
    return best, place


def _compared(tile: Hashes, wanted: Hashes) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    distances = np.bitwise_count(tile[None, :] ^ wanted[:, None])
    where = distances.argmin(axis=1)
    return distances[np.arange(len(wanted)), where], where


def _hand() -> Hand:
    return Hand("zbatch.exports.looking", "looks at images")


def _asked(hand: Hand, batch: Sequence[tuple[str, str]]) -> bytes:
    # Not by orjson: the name of a directory may be no UTF-8.
    hand.tell(json.dumps(batch).encode() + b"\n")
    answer = hand.answers.read(len(batch) * ITEM)
    if len(answer) < len(batch) * ITEM:
        raise hand.ended()
    return answer
