"""Splits: what is kept of a dataset for testing and validation, as it is asked for."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from zbatch.errors import UsageError
from zbatch.exports.shares import (
    Share,
    Unsettled,
    keys_of,
    read_share,
    settle,
    written,
)
from zbatch.model import Scalar, spelled

SIDES: Final = ("train", "validation", "test")
"""In the order in which they are written; marks are indexes of it."""


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

    def settled(self, values: Collection[Scalar], sampled: int = 0) -> Split:
        """Hold it against the values of its axis, those of images that are not taken too.

        `sampled` is how many cells the manifest keeps as a sample, which other values may be in none of.

        Raises:
            UsageError: it names what is no value, or a number may be a share and a value.
        """
        if self.by is None:
            return self
        test = settle("test", self.test, self.by, values, sampled)
        validation = settle("validation", self.validation, self.by, values, sampled)
        if isinstance(test, tuple) and isinstance(validation, tuple):
            twice = [spelled(name) for name in test if keys_of([name]) & keys_of(validation)]
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
