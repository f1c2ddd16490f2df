"""Polling in virtual time: tasks of known latencies, watched by a schedule, and what that cost."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zbatch.model import Request
from zbatch.runner.inspection import Floats, Inspection, plan_inspection, price_of_poll
from zbatch.runner.poller import Watch
from zbatch.state.store import OpenTask

_NORMAL = NormalDist()
_SHAPE = math.log(15 / 4) / _NORMAL.inv_cdf(0.99)


def lognormal(median: float, deviation: float = _SHAPE) -> Callable[[float], float]:
    """Give the quantiles; with the usual deviation the 99th percentile is 3.75 times the median."""
    return lambda share: median * math.exp(deviation * _NORMAL.inv_cdf(share))


def _humps(share: float) -> float:
    first, second = lognormal(2, 0.15), lognormal(12, 0.15)
    return first(share / 0.6) if share < 0.6 else second((share - 0.6) / 0.4)


QUANTILES: dict[str, Callable[[float], float]] = {
    "lognormal, 4 s": lognormal(4),
    "exponential, 5 s": lambda share: -5 * math.log(1 - share),
    "humps at 2 and 12 s": _humps,
    "Pareto 1.3, from 2 s": lambda share: 2 * (1 - share) ** (-1 / 1.3),
    "quick, 200 ms": lognormal(0.2, 0.3),
    "steady, 4 s": lognormal(4, 0.03),
    "slow, 60 s": lognormal(60, 0.4),
    "uniform, 1 to 9 s": lambda share: 1 + 8 * share,
}
"""Latencies in seconds, as quantiles."""


class Clock:
    """A clock that is a number."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass(frozen=True, slots=True)
class Spent:
    """What watching cost: for each task, in the order of their beginnings, polls and seconds of delay."""

    polls: NDArray[np.int64]
    delays: Floats

    def cost(self, price: float) -> float:
        """Give the mean cost of a task in seconds."""
        return float(price * self.polls.mean() + self.delays.mean())

    def of(self, part: slice) -> Spent:
        """Give that of some of the tasks."""
        return Spent(self.polls[part], self.delays[part])


def latencies(quantile: Callable[[float], float], count: int, seed: int) -> list[float]:
    """Draw latencies; the same for the same seed."""
    draw = random.Random(seed)
    return [quantile(min(1 - 1e-12, max(1e-12, draw.random()))) for _ in range(count)]


def true_price(quantile: Callable[[float], float]) -> float:
    """Give what a poll is worth where the latencies are known."""
    return price_of_poll(float(np.exp(np.log(_spread(quantile)).mean())))


def optimum(quantile: Callable[[float], float], tasks: list[float]) -> Spent:
    """Watch with the cheapest schedule there is for the distribution, which it knows."""
    inspection = cheapest(quantile)
    return stateless(lambda age, _: inspection.wait(age + 1e-9), tasks)


def cheapest(quantile: Callable[[float], float]) -> Inspection:
    """Give the optimum itself."""
    ages = np.concatenate(([0.0], 0.01 * 1.005 ** np.arange(2800)))
    values = _spread(quantile)
    survival = np.maximum(1 - np.searchsorted(values, ages, side="right") / len(values), 1e-9)
    return plan_inspection(ages, survival, true_price(quantile))


def stateless(wait: Callable[[float, int], float], tasks: list[float]) -> Spent:
    """Watch with waits that only hang on a task's age and the number of its polls."""
    ages = [0.0]
    longest = max(tasks)
    while ages[-1] < longest:
        ages.append(ages[-1] + wait(ages[-1], len(ages) - 1))
    polled, lasted = np.array(ages), np.array(tasks)
    polls = np.searchsorted(polled, lasted)
    return Spent(polls, polled[polls] - lasted)


def fixed(interval: float, tasks: list[float]) -> Spent:
    """Watch by asking every `interval` seconds."""
    return stateless(lambda _age, _polls: interval, tasks)


def drive(schedule: Any, clock: Clock, tasks: list[float], in_flight: int) -> Spent:
    """Watch with a schedule that learns, with `in_flight` tasks at a time; answers take no time."""
    polls, delays = np.zeros(len(tasks), np.int64), np.zeros(len(tasks))
    begun = 0

    def begin() -> None:
        nonlocal begun
        if begun < len(tasks):
            schedule.add(watch_of(begun, clock.now))
            begun += 1

    for _ in range(in_flight):
        begin()
    while len(schedule):
        clock.now = max(clock.now, schedule.next_at())
        watch = schedule.due()
        watch.polls += 1
        late = clock.now - watch.accepted_at - tasks[watch.task.id]
        if late < 0:
            schedule.running(watch)
            schedule.again(watch)
            continue
        schedule.ended(watch)
        polls[watch.task.id], delays[watch.task.id] = watch.polls, late
        begin()
    return Spent(polls, delays)


def watch_of(number: int, now: float, *, age: float = 0.0, adopted: bool = False) -> Watch:
    """Give a task to watch."""
    task = OpenTask(number, f"key{number}", f"t{number}", _REQUEST, "images/x.webp", succeeded=False)
    return Watch(task, now - age, now + 1e9, adopted=adopted)


_REQUEST = Request("p", 1)


def _spread(quantile: Callable[[float], float]) -> Floats:
    return np.array([quantile((at + 0.5) / 20000) for at in range(20000)])
