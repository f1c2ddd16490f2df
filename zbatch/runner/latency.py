"""How long tasks take, learned from the polls themselves.

A poll tells little: that a task known to be running at age a had ended by age b, or had not. Each such answer
is one observation of its own: given that the task lasted longer than a, did it last longer than b? So a task
that is still running, was lost or was given up has counted with every poll that found it running (it is
right-censored where its polls end), one that ended is interval-censored, and one that an earlier process left
counts from the first poll that found it running (left-truncated).

The estimate is the hazard on a grid of ages, found by expectation-maximisation (Turnbull 1976) with a
smoothing step (Silverman and others 1990), over the last polls only, so that what was long ago is forgotten.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from zbatch.runner.drift import Drift
from zbatch.runner.inspection import Floats, Inspection, plan_inspection, price_of_poll

Indices = NDArray[np.intp]

_FIRST: Final = 0.01
_LAST: Final = 7200.0
_STEP: Final = math.log(1.02)
_TOP: Final = math.ceil(math.log(_LAST / _FIRST) / _STEP) + 1
AGES: Final[Floats] = np.concatenate(([0.0], _FIRST * np.exp(_STEP * np.arange(_TOP))))
"""Seconds, the ages between which the hazard is taken as constant: 0, then each 2 % above the one before."""

_MIDDLES: Final[Floats] = np.sqrt(np.maximum(AGES[:-1], _FIRST / 2) * AGES[1:])
_WIDTHS: Final[Floats] = np.diff(AGES)

_MEMORY: Final = 2048
"""Polls remembered, of some 800 tasks."""

_FEW: Final = 4
_WEIGHT: Final = 2.0
_TRUSTED: Final = 200
_ROUNDS: Final = 12
_SURE: Final = 0.98


class Latency:
    """The distribution of how long tasks take, as far as the polls of a run tell. Times in seconds.

    Before anything is known it stands by its guess: a median of about `guess`, and a tail so heavy that a
    task may well never end. Where nothing is known later on, the same holds, with the weight of two tasks.
    """

    def __init__(self, guess: float) -> None:
        rate = 0.6 / np.maximum(_MIDDLES, 0.7 * guess)
        self._guessed: Floats = -np.expm1(-rate * _WIDTHS)
        self._lower = np.zeros(_MEMORY, np.intp)
        self._upper = np.zeros(_MEMORY, np.intp)
        self._ended = np.zeros(_MEMORY, np.bool_)
        self._next = 0
        self._known = 0
        self._fresh = 0
        self._forget()

    @property
    def ripe(self) -> bool:
        """Tell whether enough is new for `fit`, which costs as much as a hundred polls, to be worth it."""
        return self._fresh >= max(_FEW, self._known // (2 if self.trusted else 4))

    def survival(self, age: float) -> float:
        """Give the share of tasks that take longer than `age`."""
        return self._survival[_index(age)]

    def observe(self, lower: float, upper: float, *, ended: bool) -> bool:
        """Take a poll of a task that was running at age `lower`: at age `upper` it still was, or had ended.

        Gives True where the polls of late contradict what was learned: what came before was forgotten then.
        """
        low, high = _index(lower), _index(upper)
        if high <= low:
            if not ended:
                return False
            low, high = max(0, low - 1), max(1, low)
        at = self._next
        self._lower[at], self._upper[at], self._ended[at] = low, high, ended
        self._next = (at + 1) % _MEMORY
        self._known = min(_MEMORY, self._known + 1)
        self._fresh += 1
        if not self.trusted:
            return False
        since = self._drifted(at)
        return since > 0 and self._contradicted(since, first=low == 0)

    def fit(self) -> None:
        """Learn from the polls remembered. Takes a few milliseconds."""
        recent = self._recent()
        lower, upper, ended = self._lower[recent], self._upper[recent], self._ended[recent]
        survived = _covered(lower[~ended], upper[~ended])
        self._set_hazard(_estimate(self._hazard, self._guessed, survived, lower[ended], upper[ended]))
        self.trusted = self._known >= _TRUSTED
        self._fresh = 0

    def inspection(self) -> Inspection:
        """Give the cheapest schedule for this distribution."""
        return plan_inspection(AGES, np.array(self._survival), price_of_poll(self.typical))

    def lateness(self, lower: float, upper: float) -> float:
        """Give how long before age `upper` a task ended, on average, that was running at age `lower`."""
        low, high = _index(lower), _index(upper)
        share = self._survival[low] - self._survival[high]
        if high <= low or share < 1e-9 * self._survival[low]:
            return (upper - lower) / 2
        running = self._lasted[high] - self._lasted[low]
        late = (float(AGES[high] - AGES[low]) * self._survival[low] - running) / share
        return min(max(late, 0.0), upper - lower)

    def _recent(self) -> Indices:
        return (self._next - 1 - np.arange(self._known)) % _MEMORY

    def _drifted(self, at: int) -> int:
        low = int(self._lower[at])
        forecast = self._survival[self._upper[at]] / self._survival[low]
        return self._drift.observe(forecast, done=bool(self._ended[at]), first=low == 0)

    def _contradicted(self, since: int, *, first: bool) -> bool:
        """Look again at the last `since` polls of a kind, and forget all before them if they still object.

        What was learned may merely be old: so first learn from them too.
        """
        recent = self._recent()
        alike = np.flatnonzero((self._lower[recent] == 0) == first)
        suspects = int(alike[min(since, len(alike)) - 1]) + 1
        self.fit()
        self._drift = Drift()
        if not any(self._drifted(at) for at in recent[:suspects][::-1].tolist()):
            return False
        self._known = suspects
        self._forget()
        return True

    def _forget(self) -> None:
        self._drift = Drift()
        self.trusted = False
        self._set_hazard(self._guessed)

    def _set_hazard(self, hazard: Floats) -> None:
        self._hazard = hazard
        survival = _survival_of(hazard)
        self._survival: list[float] = survival.tolist()
        lasted = np.cumsum(_WIDTHS * (survival[:-1] + survival[1:]) / 2)
        self._lasted: list[float] = [0.0, *lasted.tolist()]
        share = survival[:-1] - survival[1:]
        self.typical = float(np.exp((np.log(_MIDDLES) * share).sum() / share.sum()))
        """Geometric mean: of a lognormal distribution the median, and steady whatever the tail."""


def _index(age: float) -> int:
    """Give the number of the age on the grid that is nearest."""
    if age < _FIRST / 2:
        return 0
    return min(_TOP, max(1, 1 + round(math.log(age / _FIRST) / _STEP)))


def _survival_of(hazard: Floats) -> Floats:
    return np.concatenate(([1.0], np.cumprod(1 - hazard)))


def _covered(lower: Indices, upper: Indices, weights: Floats | None = None) -> Floats:
    """Add up, for each step of the grid, the weights of the intervals that cover it."""
    size = _TOP + 1
    begun, past = np.bincount(lower, weights, size), np.bincount(upper, weights, size)
    return np.cumsum(begun - past)[:-1].astype(np.float64)


def _estimate(hazard: Floats, guessed: Floats, survived: Floats, lower: Indices, upper: Indices) -> Floats:
    """Better a hazard: tasks ended between `lower` and `upper`, and `survived` lived through each step.

    Every round spreads each end over its interval as the hazard so far has it, counts for each step the ends
    and the tasks at risk, smooths both, and divides.
    """
    kernel = _kernel(_survival_of(hazard), len(lower))
    for _ in range(_ROUNDS):
        survival = _survival_of(hazard)
        share = 1 / np.maximum(survival[lower] - survival[upper], 1e-300)
        per_share = _covered(lower, upper, share)
        ends = np.maximum(0.0, (survival[:-1] - survival[1:]) * per_share)
        not_yet = survival[:-1] * per_share - _covered(lower, upper, survival[upper] * share)
        at_risk = survived + np.maximum(ends, not_yet)
        ends, at_risk = np.convolve(ends, kernel, "same"), np.convolve(at_risk, kernel, "same")
        hazard = np.minimum(_SURE, (ends + _WEIGHT * guessed) / (at_risk + _WEIGHT))
    return hazard


def _kernel(survival: Floats, count: int) -> Floats:
    """Give the smoothing: wide while little is known, narrow where the distribution is.

    The spread is that of the narrowest interval that holds 40 % of the tasks, so that two humps far apart are
    not taken for one wide one.
    """
    begins = survival[survival > 0.4]
    narrowest = (np.searchsorted(-survival, 0.4 - begins) - np.arange(len(begins))).min()
    deviation = max(1.0, narrowest / 1.05) * 2 / math.sqrt(max(1, count))
    deviation = min(15.0, max(0.5, deviation))
    reach = math.ceil(3 * deviation)
    weights: Floats = np.exp(-0.5 * (np.arange(-reach, reach + 1) / deviation) ** 2)
    weights /= weights.sum()
    return weights
