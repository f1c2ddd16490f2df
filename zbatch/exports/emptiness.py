"""A side of a split that gets no image: why, and what to ask for instead."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Collection

from zbatch.errors import UsageError
from zbatch.exports.shares import Share, Unsettled, shown, written
from zbatch.exports.splits import SIDES, Split
from zbatch.model import Scalar, spelled


class Emptiness:
    """What was split: so many images in so many groups, and the values of each group that has some."""

    def __init__(
        self,
        split: Split,
        images: int,
        groups: int,
        named: Collection[list[Scalar]],
        losses: Callable[[Scalar], str],
    ) -> None:
        self._split = split
        self._images = images
        self._groups = groups
        self._named = named
        self._losses = losses

    def check(self, sides: bytearray) -> None:
        """Look whether each side that is asked for gets something; `sides` are indexes of `SIDES`.

        Raises:
            UsageError: one gets nothing.
        """
        for side in self._split.sides:
            if SIDES.index(side) in sides:
                continue
            if side == "train":
                raise UsageError(
                    f"the split leaves no image for train: {self._why_all()}",
                    hint=f"{self._hint_train()}; or make none: --split none",
                )
            share = self._split.test if side == "test" else self._split.validation
            raise UsageError(
                f"the split {side} ({shown(share)}) gets no image: {self._why(share)}",
                hint=f"{self._hint(side)}; or make none: --split none",
            )

    def _why(self, share: Share | Unsettled) -> str:
        if isinstance(share, tuple):
            lost = "; ".join(called(name, words) for name in share[:8] if (words := self._losses(name)))
            taken = f" (taken out of {lost})" if lost else ""
            return f"none of those that are left has such a value of {self._split.by}{taken}"
        return self._by_hash()

    def _why_all(self) -> str:
        shares = [share for share in (self._split.test, self._split.validation) if share]
        if sum(share for share in shares if isinstance(share, float)) >= 1:
            return "the shares of the other sides take them all"
        if all(isinstance(share, tuple) for share in shares):
            return f"the values of {self._split.by} that are named for the other sides have them all"
        return self._by_hash()

    def _by_hash(self) -> str:
        images = f"{self._images:,} image{'s' * (self._images != 1)}"
        if self._groups == 1:
            by = f" or {self._split.by}" if self._split.by else ""
            return f"all {images} hang together by prompt and seed{by}"
        what = f"values of {self._split.by}" if self._split.by else "different pairs of prompt and seed"
        return (
            f"a hash decides for each group of images, and there are {self._groups:,} ({what}) for {images}"
        )

    def _hint_train(self) -> str:
        if self._groups == 1:
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

    def _hint(self, side: str) -> str:
        by = self._split.by
        if self._groups == 1:
            return self._hint_alone()
        if by is None:
            return "take a larger share, or split by an axis: --split-by AXIS"
        choices = [choice for values in self._named if (choice := _choice(values))]
        if not choices:
            return "take a larger share, or split by another axis"
        choice = min(choices, key=lambda words: (words.count("|"), words))
        return f"name the values: --split-by {shlex.quote(by)} --split '{side}={choice}'"


def called(name: Scalar, losses: str) -> str:
    """Name a value that no image has, with who took its images out."""
    return f"{spelled(name)} ({losses})" if losses else spelled(name)


def _choice(values: list[Scalar]) -> str:
    """Write the values of a group as they can be named on a command line; nothing where they cannot."""
    words = sorted(set(map(spelled, values)))
    if any(not text.strip() or text != text.strip() or set(text) & set(",|'\n") for text in words):
        return ""
    return written(tuple(words))
