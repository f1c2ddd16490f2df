"""Polls a job, mean detection delay and cost of polling schedules, against the theoretical optimum.

`python tests/benchmarks/bench_polling.py`

Everything runs in virtual time. A poll is worth 0.4 s of delay, or a tenth of the typical latency where that
is less. Every schedule sees the same tasks; the optimum knows their distribution and is computed for it.
"""

from __future__ import annotations

import argparse
import heapq
import itertools
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parents[1]))

from support.polling_simulation import (
    QUANTILES,
    Clock,
    Spent,
    cheapest,
    drive,
    fixed,
    latencies,
    lognormal,
    optimum,
    stateless,
    true_price,
)

from zbatch.runner.inspection import SHORTEST_WAIT, Inspection
from zbatch.runner.latency import Latency
from zbatch.runner.poller import Schedule, Watch

WARM = 500
Latencies = Callable[[float], float]
INTERVALS = [0.02 * 1.15**step for step in range(52)]
_HUMPS, _PARETO = QUANTILES["humps at 2 and 12 s"], QUANTILES["Pareto 1.3, from 2 s"]
SHIFTS: dict[str, tuple[Latencies, Latencies]] = {
    "4 s, then 12 s": (lognormal(4), lognormal(12)),
    "12 s, then 4 s": (lognormal(12), lognormal(4)),
    "4 s, then 1 s": (lognormal(4), lognormal(1)),
    "4 s, then 40 s": (lognormal(4), lognormal(40)),
    "40 s, then 4 s": (lognormal(40), lognormal(4)),
    "60 s, then 0.2 s": (lognormal(60), lognormal(0.2, 0.3)),
    "steady 4 s, then 6 s": (lognormal(4, 0.05), lognormal(6, 0.05)),
    "steady 6 s, then 4 s": (lognormal(6, 0.05), lognormal(4, 0.05)),
    "4 s, then humps": (lognormal(4), _HUMPS),
    "humps, then 4 s": (_HUMPS, lognormal(4)),
    "humps, then Pareto": (_HUMPS, _PARETO),
    "Pareto, then humps": (_PARETO, _HUMPS),
}


class Before:
    """The schedule there was before: first at 0.7 of a running mean, then fifths of it, ever longer."""

    def __init__(self, clock: Clock) -> None:
        self._typical, self._known, self._clock = 2.0, False, clock
        self._heap: list[tuple[float, int, Watch]] = []
        self._order = itertools.count()

    def __len__(self) -> int:
        return len(self._heap)

    def add(self, watch: Watch) -> None:
        self._push(min(10.0, max(0.02, self._typical * 0.7)), watch)

    def again(self, watch: Watch) -> None:
        growth = 1.25 ** min(60, max(0, watch.polls - 3))
        self._push(min(10.0, max(0.02, self._typical * 0.2 * growth)), watch)

    def running(self, watch: Watch) -> None:
        pass

    def ended(self, watch: Watch) -> None:
        took = (self._clock() - watch.accepted_at) / (2 if watch.polls <= 1 else 1)
        self._typical = self._typical * 0.9 + took * 0.1 if self._known else took
        self._known = True

    def due(self) -> Watch:
        return heapq.heappop(self._heap)[2]

    def next_at(self) -> float:
        return self._heap[0][0]

    def _push(self, delay: float, watch: Watch) -> None:
        heapq.heappush(self._heap, (self._clock() + delay, next(self._order), watch))


def ours(tasks: list[float], in_flight: int) -> Spent:
    clock = Clock()
    return drive(Schedule(first_guess=2.0, clock=clock), clock, tasks, in_flight)


def before(tasks: list[float], in_flight: int) -> Spent:
    clock = Clock()
    return drive(Before(clock), clock, tasks, in_flight)


def backoff(tasks: list[float]) -> Spent:
    return stateless(lambda _, polls: min(10.0, 1.5**polls), tasks)


def row(name: str, spent: Spent, price: float, best: float) -> None:
    cost = spent.cost(price)
    print(f"  {name:34} {spent.polls.mean():6.2f} {spent.delays.mean():9.3f} {cost:8.3f} {cost / best:8.2f}")


def compare(quantile: Callable[[float], float], jobs: int, in_flight: int) -> None:
    tasks = latencies(quantile, jobs + WARM, seed=1)
    price, warm = true_price(quantile), slice(WARM, None)
    best, learned = optimum(quantile, tasks), ours(tasks, in_flight)
    reference = best.of(warm).cost(price)
    row("optimum", best.of(warm), price, reference)
    row(f"zbatch after {WARM} jobs", learned.of(warm), price, reference)
    row("every second", fixed(1, tasks).of(warm), price, reference)
    row("every 2 s", fixed(2, tasks).of(warm), price, reference)
    row("1 s, then 1.5 times longer to 10 s", backoff(tasks).of(warm), price, reference)
    row("zbatch before", before(tasks, in_flight).of(warm), price, reference)
    for first in (20, 100):
        cold = slice(0, first)
        row(f"first {first}: zbatch from cold", learned.of(cold), price, best.of(cold).cost(price))
        row(f"first {first}: every second", fixed(1, tasks).of(cold), price, best.of(cold).cost(price))


def shift(name: str, one: Latencies, other: Latencies, jobs: int, in_flight: int, seeds: int) -> None:
    """Compare the jobs after a shift with fixed intervals, and with what nobody can do better.

    The best interval is found in hindsight, for the whole run and for these jobs alone. "Told" knows
    both optima, and of the shift with the first task of after it that is found ended: where tasks become
    quicker, no schedule that is optimal before can know sooner.
    """
    counts, runs = (50, 200, 500), []
    for seed in range(seeds):
        tasks = latencies(one, jobs, 1000 + seed) + latencies(other, jobs, 2000 + seed)
        spent = {
            "zbatch": ours(tasks, in_flight),
            "zbatch before": before(tasks, in_flight),
            "told": told(one, other, tasks, in_flight),
            **{f"every {interval:.2f} s": fixed(interval, tasks) for interval in INTERVALS},
        }
        runs.append({name: costs(spent[name], one, other, jobs, counts) for name in spent})
    mean = {name: np.mean([run[name] for run in runs], axis=0) for name in runs[0]}
    intervals = [mean[f"every {interval:.2f} s"] for interval in INTERVALS]
    whole = min(intervals, key=lambda costs: float(costs[0]))
    after = np.min(intervals, axis=0)
    for row_name in ("zbatch", "zbatch before", "told"):
        own = mean[row_name]
        cells = [f"{value:7.2f}" for value in (own / whole)[1:]] + [
            f"{value:7.2f}" for value in (own / after)[1:]
        ]
        print(f"  {name if row_name == 'zbatch' else '':22} {row_name:14} {own[0] / whole[0]:6.2f}", *cells)


def costs(
    spent: Spent, one: Latencies, other: Latencies, jobs: int, counts: tuple[int, ...]
) -> NDArray[np.float64]:
    """Give the cost of a job in the whole run, and in so many jobs after the shift."""
    first, second = true_price(one), true_price(other)
    whole = (spent.of(slice(0, jobs)).cost(first) + spent.of(slice(jobs, None)).cost(second)) / 2
    return np.array([whole, *(spent.of(slice(jobs, jobs + count)).cost(second) for count in counts)])


def told(one: Latencies, other: Latencies, tasks: list[float], in_flight: int) -> Spent:
    clock = Clock()
    schedule = Told(clock, cheapest(one), cheapest(other), len(tasks) // 2)
    return drive(schedule, clock, tasks, in_flight)


class Told:
    """Follows one plan until a task numbered `first` or later is found ended, and then another."""

    def __init__(self, clock: Clock, plan: Inspection, then: Inspection, first: int) -> None:
        self._clock, self._plan, self._then, self._first = clock, plan, then, first
        self._heap: list[tuple[float, int, Watch]] = []
        self._order = itertools.count()

    def __len__(self) -> int:
        return len(self._heap)

    def add(self, watch: Watch) -> None:
        heapq.heappush(self._heap, (self._at(watch), next(self._order), watch))

    again = add

    def running(self, watch: Watch) -> None:
        pass

    def ended(self, watch: Watch) -> None:
        if watch.task.id >= self._first and self._plan is not self._then:
            self._plan = self._then
            self._heap = [(min(at, self._at(each)), order, each) for at, order, each in self._heap]
            heapq.heapify(self._heap)

    def due(self) -> Watch:
        watch = heapq.heappop(self._heap)[2]
        watch.asked_at = self._clock()
        return watch

    def next_at(self) -> float:
        return self._heap[0][0]

    def _at(self, watch: Watch) -> float:
        since = watch.accepted_at if watch.asked_at is None else watch.asked_at
        return max(self._clock() + SHORTEST_WAIT, since + self._plan.wait(since - watch.accepted_at + 1e-9))


def expense() -> None:
    """What learning costs the processor."""
    clock, tasks = Clock(), latencies(QUANTILES["lognormal, 4 s"], 20000, seed=4)
    schedule = Schedule(first_guess=2.0, clock=clock)
    begin = time.process_time()
    spent = drive(schedule, clock, tasks, 1000)
    took = time.process_time() - begin
    print(f"\n{len(tasks):,} tasks, 1,000 in flight, simulation included: ", end="")
    print(f"{took / len(tasks) * 1e6:.0f} us of CPU a task, {took / spent.polls.sum() * 1e6:.0f} a poll")
    print(f"  estimated delay {schedule.detection_delay:.3f} s, true {spent.delays.mean():.3f} s")
    latency = Latency(2.0)
    for number, task in enumerate(tasks[:2048]):
        latency.observe(3.0, 3.0 + task, ended=number % 3 > 0)
    begin = time.process_time()
    for _ in range(50):
        latency.fit()
        latency.inspection()
    print(f"  one fit and schedule, after 2,048 polls: {(time.process_time() - begin) * 20:.1f} ms")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=3000)
    parser.add_argument("--in-flight", type=int, default=8)
    parser.add_argument("--seeds", type=int, default=6, help="of the shifts")
    options = parser.parse_args()
    for name, quantile in QUANTILES.items():
        print(f"\n{name}; a poll is worth {true_price(quantile):.3f} s")
        print(f"  {'':34} {'polls':>6} {'delay s':>9} {'cost s':>8} {'/optimum':>8}")
        compare(quantile, options.jobs, options.in_flight)
    print(
        "\nafter a shift: cost of a job against the best fixed interval of the whole run, and of those jobs"
    )
    print(f"  {'':37} {'whole':>6} {'50':>7} {'200':>7} {'500':>7} {'50':>7} {'200':>7} {'500':>7}")
    for name, (one, other) in SHIFTS.items():
        shift(name, one, other, options.jobs // 2, options.in_flight, options.seeds)
    expense()


if __name__ == "__main__":
    main()
