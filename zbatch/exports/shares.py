"""What a side of a split gets: a share of the groups, or values of the axis, as people write them."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final

from zbatch.errors import UsageError
from zbatch.model import Scalar, spelled
from zbatch.spelling import nearest_word

_NUMBER: Final = re.compile(r"[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?")
_PLAIN: Final = {"true": True, "True": True, "false": False, "False": False, "null": None, "None": None}
_LISTED: Final = 12


@dataclass(frozen=True, slots=True)
class Unsettled:
    """One number on a command line: a share, or a value of the axis, which only its values can tell."""

    text: str


Share = float | tuple[Scalar, ...]
"""A share from 0 to 1 of the groups, or values of the axis by name."""

Key = tuple[str, Scalar]
"""What tells values apart: 1 and 1.0 are one, 1 and true are not, nor are 1 and the text 1."""


def read_share(text: str, *, by_axis: bool) -> Share | Unsettled:
    """Read what stands behind `test=`: `0.1`, `10%`, `barn owl|red fox`, or `1001|` for one value."""
    share = _share(text)
    if share is not None:
        return Unsettled(text) if by_axis else share
    return tuple(part.strip() for part in text.split("|") if part.strip())


def key_of(value: Scalar) -> Key:
    """Give what tells a value of an axis apart."""
    if value is None:
        return "null", None
    kind = "boolean" if isinstance(value, bool) else "text" if isinstance(value, str) else "number"
    return kind, value


def keys_of(names: Iterable[Scalar]) -> set[Key]:
    """Give the keys of all values that are named: text on a command line may mean a number, too."""
    found: set[Key] = set()
    for name in names:
        found.add(key_of(name))
        if isinstance(name, str):
            if name in _PLAIN:
                found.add(key_of(_PLAIN[name]))
            elif (number := _number(name)) is not None:
                found.add(("number", number))
    return found


def written(share: Share | Unsettled, *, by_axis: bool = True) -> str:
    """Write what a side gets as it is read again: beside an axis a bare number could be a value of it."""
    if isinstance(share, Unsettled):
        return share.text
    if isinstance(share, float):
        return f"{share * 100:g}%" if by_axis else f"{share:g}"
    text = "|".join(map(spelled, share))
    return f"{text}|" if len(share) == 1 and _share(text) is not None else text


def shown(share: Share | Unsettled) -> str:
    """Write what a side gets, for people."""
    if isinstance(share, Unsettled):
        return share.text
    return ", ".join(map(spelled, share)) if isinstance(share, tuple) else f"{share:g}"


def settle(
    side: str, share: Share | Unsettled, by: str, values: Collection[Scalar], sampled: int = 0
) -> Share:
    """Tell a share from a value of the axis, and hold values that are named against those there are.

    Of a manifest that keeps a sample, `sampled` cells, a value that it names may be in none of them.

    Raises:
        UsageError: it could be either, or a value is none of the axis.
    """
    if isinstance(share, float):
        return share
    known = {key_of(value) for value in values}
    if isinstance(share, tuple):
        unknown = [name for name in share if not keys_of([name]) & known]
        if unknown:
            listed = ", ".join(map(spelled, unknown[:_LISTED])) + ", ..." * (len(unknown) > _LISTED)
            raise UsageError(
                f"the split {side} names what no cell of the run has for {by}: {listed}"
                if sampled
                else f"the split {side} names what is no value of {by}: {listed}",
                hint=_nearest(spelled(unknown[0]), values) + _left_out(sampled),
            )
        return share
    number = _share(share.text) or 0.0
    if not keys_of([share.text]) & known:
        if 0 <= number <= 1:
            return number
        raise UsageError(
            f"--split {side}={share.text}: shares lie between 0 and 1, and {share.text} is no value of {by}",
            hint=_nearest(share.text, values) + _left_out(sampled),
        )
    # All there is, which a share of 1 is, would leave nothing to train on: that is never meant.
    if 0 <= number < 1:
        percent = written(number, by_axis=not share.text.endswith("%"))
        raise UsageError(
            f"--split {side}={share.text} may be a share, and is a value of {by}, too",
            hint=f"write {side}={percent} for the share, or {side}='{share.text}|' for the value",
        )
    return (share.text,)


def _share(text: str) -> float | None:
    """Read a number or a percentage; `None` where it is neither."""
    number = _number(text[:-1].rstrip() if text.endswith("%") else text)
    return None if number is None else number / 100 if text.endswith("%") else float(number)


def _number(text: str) -> int | float | None:
    if _NUMBER.fullmatch(text) is None:
        return None
    try:
        return int(text)
    except ValueError:
        return float(text)


def _left_out(sampled: int) -> str:
    return f"; others may be left out by the manifest's sample of {sampled:,} cells" if sampled else ""


def _nearest(name: str, values: Iterable[Scalar]) -> str:
    words = sorted({spelled(value) for value in values})
    if close := nearest_word(name, words):
        return f"did you mean {close}?"
    more = f" and {len(words) - _LISTED:,} others" if len(words) > _LISTED else ""
    return f"there are: {', '.join(words[:_LISTED])}{more}"
