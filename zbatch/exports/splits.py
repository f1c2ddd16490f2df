"""Splits: what is kept of a dataset for testing and validation, so that nothing leaks between sides.

Images that share the prompt and the seed belong together, and so do those that share a value of the axis that
is split by, in any of the cells that show them; what belongs together by either is one group, and goes to one
side. A group's side comes from a hash of what it is called alone: it stays where it is when others join the
dataset, unless one of them joins two groups into one.
"""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from zbatch.errors import UsageError
from zbatch.exports.entries import Entry
from zbatch.exports.shares import (
    Key,
    Share,
    Unsettled,
    key_of,
    keys_of,
    read_share,
    settle,
    shown,
    word,
    written,
)
from zbatch.model import Scalar

SIDES: Final = ("train", "validation", "test")
"""In the order in which they are written; marks are indexes of it."""

_TRAIN, _VALIDATION, _TEST = range(3)


@dataclass(frozen=True, slots=True)
class Split:
    """How to split: `by` an axis or, without one, by prompt and seed alone."""

    by: str | None = None
    test: Share | Unsettled = 0.0
    validation: Share | Unsettled = 0.0

    @classmethod
    def read(cls, spec: Mapping[str, Any] | None) -> Split | None:
        """Give the split that a run's manifest asks for."""
        if spec is None:
            return None
        shares = [
            tuple(share) if isinstance(share, list) else float(share or 0)
            for share in (spec.get("test"), spec.get("validation"))
        ]
        return cls(spec.get("by"), *shares)

    @classmethod
    def parse(cls, text: str, by: str | None) -> Split:
        """Read `test=0.1,validation=5%`, or with values of the axis `test=barn owl|red fox`.

        One number with an axis is unsettled until the axis' values are known (see `settled`).

        Raises:
            UsageError: it is neither.
        """
        if text == "none":
            return cls()
        shares: dict[str, Share | Unsettled] = {}
        for part in text.split(","):
            name, equals, value = part.partition("=")
            name = name.strip()
            share = read_share(value.strip(), by_axis=by is not None)
            if not equals or name not in ("test", "validation") or name in shares or share == ():
                raise UsageError(
                    f"--split {text!r} is no split",
                    hint="write test=0.1 or test=10%,validation=5%; with --split-by, test=VALUE|VALUE",
                )
            shares[name] = share
        if by is None and any(isinstance(share, tuple) for share in shares.values()):
            raise UsageError(f"--split {text!r} names values of no axis", hint="add --split-by AXIS")
        return cls(by, **shares).checked()

    @property
    def names_values(self) -> bool:
        """Whether it names values of its axis, or may do so."""
        return not (isinstance(self.test, float) and isinstance(self.validation, float))

    def settled(self, values: Collection[Scalar]) -> Split:
        """Hold it against the values of its axis, those of images that are not taken too.

        Raises:
            UsageError: it names what is no value, or a number may be a share and a value.
        """
        if self.by is None:
            return self
        test = settle("test", self.test, self.by, values)
        validation = settle("validation", self.validation, self.by, values)
        if isinstance(test, tuple) and isinstance(validation, tuple):
            twice = [word(name) for name in test if keys_of([name]) & keys_of(validation)]
            if twice:
                raise UsageError(
                    f"the split names {', '.join(twice[:8])} for test and for validation",
                    hint=f"name each value of {self.by} for one of them",
                )
        return Split(self.by, test, validation).checked()

    def checked(self) -> Split:
        """Give it, its shares held against all there is.

        Raises:
            UsageError: a share is none, or they are more than all.
        """
        numbers = [share for share in (self.test, self.validation) if isinstance(share, float)]
        if any(not 0 <= share <= 1 for share in numbers) or sum(numbers) > 1:
            raise UsageError(
                f"--split {self._text()!r}: shares lie between 0 and 1, all together too",
                hint="write test=0.1, or test=10%; values are named with --split-by: test=VALUE|VALUE",
            )
        return self

    @property
    def sides(self) -> tuple[str, ...]:
        """The sides that it asks for."""
        asked = (True, bool(self.validation), bool(self.test))
        return tuple(side for side, wanted in zip(SIDES, asked, strict=True) if wanted)

    def words(self) -> list[str]:
        """Give it as it is written on a command line."""
        return ["--split", self._text() or "none", *(["--split-by", self.by] if self.by else [])]

    def _text(self) -> str:
        shares = [("test", self.test), ("validation", self.validation)]
        return ",".join(
            f"{name}={written(share, by_axis=self.by is not None)}" for name, share in shares if share
        )

    def as_json(self) -> dict[str, Any]:
        """Give it as it stands in `export.json`."""
        shares = {"test": self.test, "validation": self.validation}
        return {
            "by": self.by,
            **{name: share.text if isinstance(share, Unsettled) else share for name, share in shares.items()},
        }


class Splitter:
    """Takes entries one by one, and gives each one's side when it has them all."""

    def __init__(self, split: Split) -> None:
        self._split = split
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
        self._check(sides, len(hashes), named)
        return sides

    def absent(self) -> list[tuple[str, str]]:
        """Give the values that a side gets by name and that no entry has: the side, and the value."""
        there = {key_of(value) for value in self._values.values()}
        return [
            (side, word(name))
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
                names = ", ".join(sorted(map(word, values))[:8])
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

    def _check(self, sides: bytearray, groups: int, named: Mapping[int, list[Scalar]]) -> None:
        for side in self._split.sides:
            if SIDES.index(side) in sides:
                continue
            if side == "train":
                raise UsageError(
                    f"the split leaves no image for train: {self._why_all(groups)}",
                    hint=f"{self._hint_train(groups)}; or make none: --split none",
                )
            share = self._split.test if side == "test" else self._split.validation
            raise UsageError(
                f"the split {side} ({shown(share)}) gets no image: {self._why(share, groups)}",
                hint=f"{self._hint(side, groups, named)}; or make none: --split none",
            )

    def _why(self, share: Share | Unsettled, groups: int) -> str:
        if isinstance(share, tuple):
            return f"none of those that are left has such a value of {self._split.by}"
        return self._by_hash(groups)

    def _why_all(self, groups: int) -> str:
        shares = [share for share in (self._split.test, self._split.validation) if share]
        if sum(share for share in shares if isinstance(share, float)) >= 1:
            return "the shares of the other sides take them all"
        if all(isinstance(share, tuple) for share in shares):
            return f"the values of {self._split.by} that are named for the other sides have them all"
        return self._by_hash(groups)

    def _by_hash(self, groups: int) -> str:
        total = len(self._of)
        images = f"{total:,} image{'s' * (total != 1)}"
        if groups == 1:
            by = f" or {self._split.by}" if self._split.by else ""
            return f"all {images} hang together by prompt and seed{by}"
        what = f"values of {self._split.by}" if self._split.by else "different pairs of prompt and seed"
        return f"a hash decides for each group of images, and there are {groups:,} ({what}) for {images}"

    def _hint_train(self, groups: int) -> str:
        if groups == 1:
            return self._hint_alone()
        shares = (self._split.test, self._split.validation)
        less = "take a smaller share" if any(isinstance(share, float) and share for share in shares) else ""
        return less or f"name fewer values of {self._split.by}"

    def _hint_alone(self) -> str:
        """Say what parts images that are one group: no share and no value does."""
        return (
            "split by another axis, or without --split-by"
            if self._split.by
            else "make images of other prompts or seeds, too"
        )

    def _hint(self, side: str, groups: int, named: Mapping[int, list[Scalar]]) -> str:
        by = self._split.by
        if groups == 1:
            return self._hint_alone()
        if by is None:
            return "take a larger share, or split by an axis: --split-by AXIS"
        choices = [choice for values in named.values() if (choice := _choice(values))]
        if not choices:
            return "take a larger share, or split by another axis"
        choice = min(choices, key=lambda words: (words.count("|"), words))
        return f"name the values: --split-by {shlex.quote(by)} --split '{side}={choice}'"


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


def _choice(values: list[Scalar]) -> str:
    """Write the values of a group as they can be named on a command line; nothing where they cannot."""
    words = sorted(set(map(word, values)))
    if any(not text.strip() or text != text.strip() or set(text) & set(",|'\n") for text in words):
        return ""
    return written(tuple(words))
