"""Ranges in exact decimals, and seeds drawn from a seed."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

from zbatch.api.contract import MAX_SEED
from zbatch.manifest.findings import Findings, Place
from zbatch.manifest.scalars import MAX_EXACT

MAX_COUNT: Final = 10**15
"""Values a range may have: it is counted, not built, and the product of axes is held against max_jobs."""


@dataclass(frozen=True, slots=True)
class Progression:
    """`count` numbers from `start`, `step` apart, each exact until it becomes a float."""

    start: Fraction
    step: Fraction
    count: int

    def number(self, index: int) -> int | float:
        """Give one of them; whole ones as integers."""
        return _number(self.start + index * self.step)

    def nearest(self, number: float) -> int:
        """Give the index of the one that is nearest to a number, as if there were no ends."""
        return round((_exact(number) - self.start) / self.step) if self.step else 0

    @property
    def end(self) -> Fraction:
        """The last one."""
        return self.start + (self.count - 1) * self.step

    @property
    def distinct(self) -> bool:
        """Tell whether neighbours are different floats, at the end where floats lie furthest apart too."""
        last = self.count - 1
        return self.number(0) != self.number(1) and self.number(last) != self.number(last - 1)


def _number(value: Fraction) -> int | float:
    return value.numerator if value.denominator == 1 else float(value)


def _exact(value: float) -> Fraction:
    # The shortest text of a float is what the person wrote, so this is the decimal itself.
    return Fraction(repr(value))


def read_range(spec: Mapping[str, Any], place: Place, findings: Findings) -> Progression | None:
    """Read `{from, to, step}`, `{from, to, count}` or `{from, count}` (with a step of 1), all inclusive.

    Gives `None` after adding a finding where the range does not hold together.
    """
    numbers = _unchecked_range(spec, place, findings)
    if numbers is None:
        return None
    if numbers.count > MAX_COUNT or abs(numbers.end) > MAX_EXACT:
        findings.error(place, "is a range of numbers too many or too large to be exact", got=dict(spec))
        return None
    if numbers.count > 1 and not numbers.distinct:
        findings.error(place, "has steps too small to tell its values apart", got=dict(spec))
        return None
    return numbers


def _unchecked_range(spec: Mapping[str, Any], place: Place, findings: Findings) -> Progression | None:
    start = _exact(spec["from"])
    end = _exact(spec["to"]) if "to" in spec else None
    step = _exact(spec["step"]) if "step" in spec else None
    count = spec.get("count")
    if end is not None and step is not None and count is None:
        return _stepped(place, start, end, step, findings)
    if end is not None and count is not None and step is None:
        if count == 1 and end != start:
            findings.error((*place, "count"), "one value cannot reach from one number to another", got=count)
            return None
        if count > 1 and end == start:
            findings.error((*place, "to"), "is where the range begins: there is one value", got=spec["to"])
            return None
        return Progression(start, (end - start) / max(1, count - 1), count)
    if end is None and count is not None:
        if step == 0:
            findings.error((*place, "step"), "must not be 0", got=0)
            return None
        return Progression(start, Fraction(1) if step is None else step, count)
    findings.error(
        place,
        "is no whole range",
        got=dict(spec),
        hint="write {from, to, step}, {from, to, count} or {from, count}",
    )
    return None


def _stepped(
    place: Place, start: Fraction, end: Fraction, step: Fraction, findings: Findings
) -> Progression | None:
    where = (*place, "step")
    if step == 0:
        findings.error(where, "must not be 0", got=0)
        return None
    steps = (end - start) / step
    if steps < 0:
        findings.error(where, "goes away from `to`", got=_number(step), hint=f"write step: {_number(-step)}")
        return None
    if steps.denominator != 1:
        below = start + math.floor(steps) * step
        findings.error(
            where,
            f"does not land on `to`: {_number(start)} by {_number(step)} gives {_number(below)} "
            f"and {_number(below + step)}, not {_number(end)}",
            hint=f"write to: {_number(below)} or to: {_number(below + step)}, or say how many with count",
        )
        return None
    return Progression(start, step, int(steps) + 1)


def random_seeds(spec: Mapping[str, Any]) -> list[int]:
    """Draw seeds from a seed: the same ones for ever, all different, and the first n of any more."""
    found: dict[int, None] = {}
    counter = 0
    while len(found) < spec["random"]:
        digest = hashlib.sha256(f"zbatch seeds {spec['seed']} {counter}".encode()).digest()
        found.setdefault(int.from_bytes(digest[:4], "big") & MAX_SEED)
        counter += 1
    return list(found)
