"""Exclude rules and `--only` over many points at a time: each looked at only along what it mentions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from zbatch.expressions import Template
from zbatch.manifest.grid import Point
from zbatch.manifest.labels import comparable
from zbatch.manifest.pieces import Block, Dimension, Lookup, Points, each
from zbatch.manifest.rules import ExcludeRule
from zbatch.manifest.selection import Selection, meets

Flags = npt.NDArray[np.bool_]


class Verdicts:
    """What the exclude rules say of the points of a matrix; `used` counts the points each rule matched."""

    def __init__(self, rules: Sequence[ExcludeRule], block: Block) -> None:
        self.none = len(rules)
        """The verdict on a point that no rule takes out."""
        self.used = [0] * len(rules)
        self._rules = [_CompiledRule(rule, block) for rule in rules]

    def of(self, points: Points) -> npt.NDArray[np.int32]:
        """Give the number of the first rule that takes each point out.

        Raises:
            ExpressionError: a `when` fails.
        """
        found = np.full(len(points), self.none, np.int32)
        for number, rule in enumerate(self._rules):
            hit = rule.matches(points)
            self.used[number] += int(np.count_nonzero(hit))
            found[hit & (found == self.none)] = number
        return found


class _CompiledRule:
    def __init__(self, rule: ExcludeRule, block: Block) -> None:
        # Conditions and dimensions count alike: the axes in their order, then the replicas.
        self._masks: dict[int, Flags] = {}
        for dimension, matching in rule.conditions:
            mask = np.zeros(len(block.dimensions[dimension]), np.bool_)
            mask[list(matching)] = True
            self._masks[dimension] = mask & self._masks.get(dimension, mask)
        self._when = None if rule.when is None else _when_table(rule.when, block)

    def matches(self, points: Points) -> Flags:
        hit = np.ones(len(points), np.bool_)
        for dimension, mask in self._masks.items():
            hit &= mask[points.steps(dimension)]
        if self._when is not None and hit.any():
            hit[hit] = self._when.pick(points.some(hit))
        return hit


def _when_table(when: Template, block: Block) -> Lookup[bool]:
    where = block.where

    def make(steps: Mapping[int, int]) -> bool:
        context: dict[str, Any] = {"replica": 1}
        for dimension, step in steps.items():
            for name, value in block.dimensions[dimension].parts(step).items():
                context[name] = comparable(value)
        return bool(when.render(context))

    return each({where[name] for name in when.names if name in where}, block.sizes, make)


class CompiledSelection:
    """Which points `--only` means."""

    def __init__(self, selection: Selection, block: Block) -> None:
        self._masks: list[tuple[int, Flags]] = []
        self._nothing = False
        for name, values in selection.conditions:
            dimension = next((n for n, one in enumerate(block.dimensions) if _gives(one, name)), None)
            if dimension is None:
                self._nothing = True  # a coordinate that only rows of include have
            else:
                self._masks.append((dimension, _mask(block.dimensions[dimension], name, values)))

    def meant(self, points: Points) -> list[bool]:
        """Tell of each point whether it is meant."""
        meant = np.full(len(points), not self._nothing)
        for dimension, mask in self._masks:
            meant &= mask[points.steps(dimension)]
        found: list[bool] = meant.tolist()
        return found


def _gives(dimension: Dimension, name: str) -> bool:
    return name in dimension.names or any(name == at for at, _ in dimension.values[0].coordinates)


def _mask(dimension: Dimension, name: str, values: Sequence[str]) -> Flags:
    """Ask each step as the slow way asks points; replicas and labels of rows are coordinates only."""
    alone = dimension.names in (("replica",), ("include",))
    steps = (
        Point({} if alone else dimension.parts(step), dict(dimension.values[step].coordinates), 1)
        for step in range(len(dimension))
    )
    return np.fromiter((meets(point, name, values) for point in steps), np.bool_, len(dimension))
