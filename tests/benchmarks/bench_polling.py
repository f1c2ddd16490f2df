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

sys.path.insert(0, str(Path(__file__).parents[1]))

from support.polling_simulation import (
    QUANTILES,
    Clock,
    Spent,
    drive,
    fixed,
    latencies,
    lognormal,
    optimum,
    stateless,
    true_price,
)

from zbatch.runner.latency import Latency
from zbatch.runner.poller import Schedule, Watch

WARM = 500


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


def shift(first: float, second: float, jobs: int, in_flight: int) -> None:
    one, other = lognormal(first), lognormal(second)
    tasks = latencies(one, jobs, seed=2) + latencies(other, jobs, seed=3)
    schedules = {
        "zbatch": ours(tasks, in_flight),
        "every second": fixed(1, tasks),
        "every 2 s": fixed(2, tasks),
        "zbatch before": before(tasks, in_flight),
    }
    best = optimum(one, tasks[:jobs]).cost(true_price(one)) + optimum(other, tasks[jobs:]).cost(
        true_price(other)
    )
    print(f"\nlognormal, median {first:g} s, then {second:g} s: cost of a job against the optimum")
    print(f"  {'':34} {'whole run':>12} {'50 after':>9} {'200 after':>10} {'500 after':>10}")
    for name, spent in schedules.items():
        whole = spent.of(slice(0, jobs)).cost(true_price(one)) + spent.of(slice(jobs, None)).cost(
            true_price(other)
        )
        ratios = []
        for count in (50, 200, 500):
            part = slice(jobs, jobs + count)
            reference = optimum(other, tasks[part]).cost(true_price(other))
            ratios.append(spent.of(part).cost(true_price(other)) / reference)
        print(f"  {name:34} {whole / best:12.2f} {ratios[0]:9.2f} {ratios[1]:10.2f} {ratios[2]:10.2f}")


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
    options = parser.parse_args()
    for name, quantile in QUANTILES.items():
        print(f"\n{name}; a poll is worth {true_price(quantile):.3f} s")
        print(f"  {'':34} {'polls':>6} {'delay s':>9} {'cost s':>8} {'/optimum':>8}")
        compare(quantile, options.jobs, options.in_flight)
    for first, second in ((4, 12), (12, 4), (4, 1)):
        shift(first, second, options.jobs // 2, options.in_flight)
    expense()


if __name__ == "__main__":
    main()
