"""Each image's side of a split, so that nothing leaks between the sides.

Images that share the prompt and the seed belong together, and so do those that share a value of the axis that
is split by, in any of the cells that show them; what belongs together by either is one group, and goes to one
side. A group's side comes from a hash of what it is called alone: it stays where it is when others join the
dataset, unless one of them joins two groups into one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from typing import Any

import orjson

from zbatch.errors import UsageError
from zbatch.exports.emptiness import Emptiness, called
from zbatch.exports.entries import Entry
from zbatch.exports.shares import Key, key_of, keys_of
from zbatch.exports.splits import Split
from zbatch.model import Scalar, spelled

_TRAIN, _VALIDATION, _TEST = range(3)


class Splitter:
    """Takes entries one by one, and gives each one's side when it has them all."""

    def __init__(self, split: Split, losses: Callable[[Scalar], str] = lambda _: "") -> None:
        """Begin; `losses` says of a value that the split names who took its images out."""
        self._split = split
        self._losses = losses
        self._groups = _Groups()
        self._of: list[int] = []
        self._values: dict[int, Scalar] = {}
        self._called: list[bytes] = []
        self._listed: dict[int, set[Key]] = {
            side: keys_of(share)
            for side, share in ((_TEST, split.test), (_VALIDATION, split.validation))
            if isinstance(share, tuple)
        }

    def add(self, entry: Entry) -> None:
        """Take the next entry."""
        group = self._token(b"image", [entry.prompt, entry.seed])
        by = self._split.by
        for value in _values(entry, by) if by is not None else ():
            axis = self._token(b"axis", [by, value])
            self._values[axis] = value
            self._groups.join(group, axis)
        self._of.append(group)

    def sides(self) -> bytearray:
        """Give the side of every entry, as indexes of `SIDES`.

        Raises:
            UsageError: a side gets nothing, or a group belongs to two sides by its values.
        """
        side_of: dict[int, int] = {}
        hashes: dict[int, bytes] = {}
        named: dict[int, list[Scalar]] = {}
        for token, value in self._values.items():
            named.setdefault(self._groups.root(token), []).append(value)
        for token, digest in enumerate(self._called):
            root = self._groups.root(token)
            # A group is called by its values of the axis: images that join it do not move it.
            if token in self._values or root not in named:
                hashes[root] = min(digest, hashes.get(root, digest))
        for root, digest in hashes.items():
            side_of[root] = self._side(digest, named.get(root, []), alone=len(hashes) == 1)
        sides = bytearray(side_of[self._groups.root(group)] for group in self._of)
        Emptiness(self._split, len(sides), len(hashes), named.values(), self._losses).check(sides)
        return sides

    def absent(self) -> list[tuple[str, str]]:
        """Give the values that a side gets by name and no entry has: the side, and the value in words."""
        there = {key_of(value) for value in self._values.values()}
        return [
            (side, called(name, self._losses(name)))
            for side, share in (("validation", self._split.validation), ("test", self._split.test))
            if isinstance(share, tuple)
            for name in share
            if not keys_of([name]) & there
        ]

    def _token(self, kind: bytes, what: list[Any]) -> int:
        digest = hashlib.sha256(kind + orjson.dumps(what)).digest()[:16]
        token = self._groups.token(digest)
        if token == len(self._called):
            self._called.append(digest)
        return token

    def _side(self, digest: bytes, values: list[Scalar], *, alone: bool) -> int:
        split = self._split
        keys = [key_of(value) for value in values]
        found = {side for side, listed in self._listed.items() if not listed.isdisjoint(keys)}
        if found:
            everything = all(any(key in listed for listed in self._listed.values()) for key in keys)
            if len(found) > 1 or not everything:
                names = ", ".join(sorted(map(spelled, values))[:8])
                raise UsageError(
                    f"the values {names} of {split.by} cannot be parted: images of them share prompt and "
                    "seed, or are one image in several cells",
                    hint="split by another axis"
                    if alone
                    else "name them all for one side, or split by another axis",
                )
            return found.pop()
        point = int.from_bytes(digest[:8], "big") / 2**64
        test = split.test if isinstance(split.test, float) else 0.0
        validation = split.validation if isinstance(split.validation, float) else 0.0
        if point < test:
            return _TEST
        return _VALIDATION if point < test + validation else _TRAIN


class _Groups:
    """Tokens joined into groups (union by the smaller number)."""

    def __init__(self) -> None:
        self._known: dict[bytes, int] = {}
        self._up: list[int] = []

    def token(self, digest: bytes) -> int:
        token = self._known.setdefault(digest, len(self._up))
        if token == len(self._up):
            self._up.append(token)
        return token

    def root(self, token: int) -> int:
        up = self._up
        while up[token] != token:
            up[token] = up[up[token]]
            token = up[token]
        return token

    def join(self, one: int, other: int) -> None:
        one, other = self.root(one), self.root(other)
        if one != other:
            self._up[max(one, other)] = min(one, other)


def _values(entry: Entry, by: str) -> Iterable[Scalar]:
    return dict.fromkeys(cell[by] for cell in entry.cells if by in cell)
