"""What is said of two runs: what they are called, how their requests differ, and why nothing is shared."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from zbatch.errors import UsageError
from zbatch.model import Scalar, spelled
from zbatch.sheet.axes import ABSENT, Axis
from zbatch.sheet.diff.pairing import Place, Renames, values_of
from zbatch.sheet.diff.pairs import Pairs, Verdict
from zbatch.sheet.diff.wording import FieldChange

_MOST_NAMED: Final = 4
"""Values that are named where two runs have none in common."""
_MOST_ALONE: Final = 12
"""Values of an axis that are named where one run only has them."""


def distinct_labels(before: Path, after: Path) -> tuple[str, str]:
    """Give what to call two runs: their directories' names, with as much before them as tells them apart."""
    one, other = before.resolve().parts, after.resolve().parts
    if one == other:
        return one[-1], f"{other[-1]} again"
    most = max(len(one), len(other))
    many = next(many for many in range(1, most + 1) if one[-many:] != other[-many:])
    return "/".join(one[-many:]), "/".join(other[-max(many, 2 if _reproduced(after) else 1) :])


def _reproduced(path: Path) -> bool:
    return path.resolve().parent.name == "reproduced"


def side_words(pairs: Pairs, number: int, *, place: bool = True) -> str:
    """Say which run a side is: its name and manifest; with its `place`, where it lies and when it began."""
    side = pairs.sides[number]
    about = side.about
    of = f", of {about['manifest']}" if about["manifest"] else ""
    words = "asked again" if number and pairs.again is not None else f"{about['name']}{of}"
    if place:
        begun = str(about["created_at"] or "")[:16].replace("T", " ")
        words += f", in {side.directory}" + (f", begun {begun} UTC" if begun else "")
    return "".join(c if c.isprintable() else "?" for c in words)  # a run may be a stranger's


def alone_words(pairs: Pairs, verdict: Verdict) -> str:
    """Name the values that stand in one run only; empty where its lone cells are of values that both have."""
    named = []
    lone = [pairs.verdict(cell) is verdict for cell in pairs.cells]
    for axis, column in zip(pairs.sheet.axes, pairs.sheet.cells.coordinates, strict=True):
        here = {value for value, own in zip(column, lone, strict=True) if own and value != ABSENT}
        there = {value for value, own in zip(column, lone, strict=True) if not own and value != ABSENT}
        if there and here - there:
            own = _as_named(pairs, axis, column, here - there)
            named.append(f"{axis.name} {_some(own, _MOST_ALONE)}")
    return "; ".join(named)


def _as_named(pairs: Pairs, axis: Axis, column: Sequence[int], numbers: set[int]) -> list[Scalar]:
    """Give values of an axis as the run that alone has them names them."""
    cells = {column[cell]: own for cell, own in pairs.own.items() if column[cell] in numbers}
    return [cells.get(number, {}).get(axis.name, axis.values[number]) for number in sorted(numbers)]


def again_words(pairs: Pairs) -> str:
    """Say how much was asked again, where the later run is a reproduction; else nothing."""
    if pairs.again is None:
        return ""
    asked, of = pairs.again.asked, pairs.again.of
    return f"{asked:,} of {of:,} job{'' if of == 1 else 's'} {'was' if asked == 1 else 'were'} asked again"


def request_lines(pairs: Pairs) -> list[str]:
    """Say what differs between the requests of the pairs, a line for each field."""
    before, after = (side.about for side in pairs.sides)
    lines = []
    if before["model"] != after["model"]:
        lines.append(f"model {before['model']} → {after['model']}")
    lines += [_field_line(change) for change in pairs.fields]
    if not lines:
        lines.append("the requests of the pairs are the same")
    if before["endpoint"] != after["endpoint"]:
        lines.append(f"made at {before['endpoint']} and at {after['endpoint']}")
    return lines


def renamed_lines(pairs: Pairs) -> list[str]:
    """Say which names were taken for each other without being told."""
    return [f"{found.axis or 'axis'} {found.before} is taken for {found.after}" for found in pairs.found]


def read_renames(
    values: Iterable[str], axes: Iterable[str], before: Iterable[Place], after: Iterable[Place]
) -> Renames:
    """Read what a person says was renamed: `axis=old:new` for values, `old:new` for axes.

    Names may hold colons: the cut is where the earlier run has the one and the later run the other.

    Raises:
        UsageError: one cannot be read, or the runs have no such names.
    """
    first = values_of(place.coordinates for place in before)
    second = values_of(place.coordinates for place in after)
    moved: dict[str, str] = {}
    for text in axes:
        old, new = _cut(text, set(first), set(second), "--axis OLD:NEW", "axis")
        moved[old] = new
    named: dict[str, dict[str, str]] = {}
    for text in values:
        axis, sign, rest = text.partition("=")
        later = moved.get(axis, axis)
        earlier = next((old for old, new in moved.items() if new == axis), axis)
        if not sign or earlier not in first or later not in second:
            both = sorted({moved.get(own, own) for own in first} & set(second))
            raise UsageError(
                f"--pair {text}: {f'no axis {axis!r} in both runs' if sign else 'there is no ='}",
                hint=f"--pair AXIS=OLD:NEW, where AXIS is one of {', '.join(both) or 'none: see --axis'}",
            )
        own, other = (set(map(spelled, found.values())) for found in (first[earlier], second[later]))
        old, new = _cut(rest, own, other, f"--pair {axis}=OLD:NEW", f"value of {axis}")
        named.setdefault(later, {})[old] = new
    return Renames(moved, named)


def _cut(text: str, before: set[str], after: set[str], form: str, what: str) -> tuple[str, str]:
    """Cut `old:new` in two where both are names that there are."""
    cuts = [(text[:at], text[at + 1 :]) for at, sign in enumerate(text) if sign == ":"]
    for old, new in cuts:
        if old in before and new in after:
            return old, new
    if not cuts:
        raise UsageError(f"{text!r} names one {what}, not two", hint=form)
    raise UsageError(
        f"{text!r} names no {what} of the earlier run and one of the later",
        hint=f"{form}: the earlier has {_some(sorted(before))}; the later {_some(sorted(after))}",
    )


def _field_line(change: FieldChange) -> str:
    pairs = f"{change.pairs:,} pair{'' if change.pairs == 1 else 's'}"
    one, other, _ = change.changes[0]
    if len(change.changes) == 1:
        return f"{change.field} {_quoted(one)} → {_quoted(other)} in {pairs}"
    kinds = len(change.changes) + change.more
    return f"{change.field} in {pairs}, {kinds:,} ways: {_quoted(one)} → {_quoted(other)} and others"


def _quoted(text: str) -> str:
    if not text:
        return "nothing"
    shown = text if len(text) <= 60 else text[:40].rstrip() + "…" + text[-18:].lstrip()
    return f"“{shown}”" if " " in shown else shown


def nothing_shared(before: Sequence[Place], after: Sequence[Place], labels: tuple[str, str]) -> UsageError:
    """Say why two runs have no pair: which axes and values only one of them has."""
    for places, label in zip((before, after), labels, strict=True):
        if not places:
            return UsageError(
                f"there is nothing to pair: {label} has no cells",
                hint="run its manifest first: zbatch run MANIFEST",
            )
    first, second = (values_of(place.coordinates for place in places) for places in (before, after))
    apart, hints = [], []
    for axis in dict.fromkeys((*first, *second)):
        own, other = first.get(axis, {}), second.get(axis, {})
        if not own or not other:
            apart.append(f"{axis} is in {labels[0] if own else labels[1]} only")
        elif not own.keys() & other.keys():
            apart.append(f"{axis} is {_some(own.values())} there, {_some(other.values())} here")
            old, new = spelled(next(iter(own.values()))), spelled(next(iter(other.values())))
            hints.append(f"--pair '{axis}={old}:{new}'")
    hint = "runs are paired by equal coordinates, or equal requests; --axis OLD:NEW says that one was renamed"
    if hints:
        hint = f"where one stands for another, say so: {' '.join(hints)}"
    reasons = "; ".join(apart) or "no cell stands at a place that the other has"
    return UsageError(f"{labels[0]} and {labels[1]} share nothing to compare: {reasons}", hint=hint)


def _some(values: Iterable[Any], most: int = _MOST_NAMED) -> str:
    texts = [spelled(value)[:40] for value in values]
    more = f" and {len(texts) - most:,} more" if len(texts) > most else ""
    return ", ".join(texts[:most]) + more
