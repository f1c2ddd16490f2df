"""How close to a server's unknown limit the limiter holds, and how often it is refused: a simulation.

python tests/benchmarks/bench_limits.py [--only WORDS] [--trace]
python tests/benchmarks/bench_limits.py --ours --seeds 41-46
python tests/benchmarks/bench_limits.py --wire: the real `zbatch run` against a small server on loopback
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from support.limit_simulation import MEAN, Outcome, Setting, simulate, steady, steps
from support.limited_server import MEAN as WIRE_MEAN
from support.limited_server import WireCase, limited

from zbatch.runner.limiter import Limiter

CHANGES = ((600, 660), (1200, 1260))
CASES = [
    *(Setting(f"N = {n}", steady(n), seconds=900 if n < 500 else 300) for n in (5, 37, 200, 1000)),
    *(
        Setting(f"N = {n}, Retry-After", steady(n), retry_after=True, seconds=900 if n < 500 else 300)
        for n in (5, 37, 200, 1000)
    ),
    *(Setting(f"N = {n}, ends known at once", steady(n), delay=0.0) for n in (5, 37, 200)),
    Setting("N = 100, 40, 160", steps((0, 100), (600, 40), (1200, 160)), seconds=1800, skip=CHANGES),
    *(
        Setting(f"R = {r}/min, burst {b}", rate=steady(r / 60), burst=b, seconds=s)
        for r, b, s in ((60, 10, 1800), (600, 50, 900), (6000, 200, 400))
    ),
    *(
        Setting(
            f"R = {r}/min, burst {b}, Retry-After", rate=steady(r / 60), burst=b, seconds=s, retry_after=True
        )
        for r, b, s in ((60, 10, 1800), (600, 50, 900), (6000, 200, 400))
    ),
    *(
        Setting(f"R = {r} by the minute", rate=steady(r / 60), minute=True, seconds=1800, warm_up=240)
        for r in (60, 600)
    ),
    *(
        Setting(
            f"R = {r} by the minute, Retry-After",
            rate=steady(r / 60),
            minute=True,
            retry_after=True,
            seconds=1800,
            warm_up=240,
        )
        for r in (60, 600)
    ),
    Setting(
        "R = 600, 200, 1200/min",
        rate=steps((0, 10), (600, 200 / 60), (1200, 20)),
        burst=20,
        seconds=1800,
        skip=CHANGES,
    ),
    Setting("N = 37 and R = 600/min", steady(37), steady(10), burst=20),
    Setting("N = 100 and R = 600/min", steady(100), steady(10), burst=20),
    Setting("N = 60 and R = 600/min", steady(60), steady(10), burst=20),
    *(Setting(f"no limit, {n} asked for, 1 % stray", limit=n, stray=0.01) for n in (8, 50, 200)),
    Setting("N = 37, 1 % stray", steady(37), stray=0.01),
    Setting("R = 600/min, 1 % stray", rate=steady(10), burst=20, stray=0.01),
]


WIRE = [
    WireCase("N = 40", tasks=((0, 40),)),
    WireCase("N = 60, 25 from 15 s on", tasks=((0, 60), (15, 25))),
    WireCase("N = 25, 60 from 15 s on", tasks=((0, 25), (15, 60))),
    WireCase("R = 40/s, burst 20", rate=((0, 40),)),
    WireCase("R = 50/s, 25/s from 20 s on", rate=((0, 50), (20, 25))),
]
WIRE_TRIP = 0.03
"""Seconds from the end of a task being known to the next submit there: a write to the state, and the wire."""
MANIFEST = """\
version: 1
name: wire
request: {{prompt: "a fox", size: 64*64}}
matrix: {{seed: {{from: 1, count: {jobs}}}}}
limits: {{concurrency: 500, unchecked: [size]}}
"""


class Sawtooth:
    """The limiter before: doubling, halving at a 429, then one more each round trip."""

    def __init__(self, limit: int, clock: Callable[[], float]) -> None:
        self._limit, self._clock = limit, clock
        self._window, self._slow_start = 8.0, True
        self._paused_until, self._halved_at, self._backoff = 0.0, -math.inf, 0.0
        self._changed, self._stopped = asyncio.Event(), False
        self.in_flight = 0

    @property
    def window(self) -> int:
        return max(1, int(self._window))

    async def take(self) -> object | None:
        while not self._stopped:
            now = self._clock()
            if self.in_flight < self.window and now >= self._paused_until:
                self.in_flight += 1
                return self
            self._changed.clear()
            try:
                async with asyncio.timeout(self._paused_until - now if self._paused_until > now else None):
                    await self._changed.wait()
            except TimeoutError:
                pass
        return None

    def stop(self) -> None:
        self._stopped = True
        self._changed.set()

    def give(self) -> None:
        self.finished()

    def finished(self) -> None:
        self.in_flight -= 1
        self._changed.set()

    def accepted(self, slot: object) -> None:
        self._backoff = 0.0
        step = 1.0 if self._slow_start else 1.0 / max(1.0, self._window)
        self._window = min(float(self._limit), self._window + step)
        self._changed.set()

    def refused(self, slot: object, retry_after: float | None) -> None:
        now = self._clock()
        if now - self._halved_at > 1.0:
            self._halved_at = now
            self._slow_start = False
            self._window = max(1.0, self._window / 2)
        if now >= self._paused_until:
            self._backoff = min(60.0, max(0.5, self._backoff * 1.6))
        pause = self._backoff if retry_after is None else max(0.05, retry_after)
        self._paused_until = max(self._paused_until, now + pause)
        self._changed.set()


class Fixed(Sawtooth):
    """What somebody sets who knows the limit: that many, always; pauses as above."""

    def __init__(self, window: float, clock: Callable[[], float]) -> None:
        super().__init__(int(window), clock)
        self._window = window

    def accepted(self, slot: object) -> None:
        self._backoff = 0.0

    def refused(self, slot: object, retry_after: float | None) -> None:
        window = self._window
        super().refused(slot, retry_after)
        self._window = window


def ours(setting: Setting, clock: Callable[[], float]) -> Any:
    return Limiter(setting.limit, None, clock=clock)


def sawtooth(setting: Setting, clock: Callable[[], float]) -> Any:
    return Sawtooth(setting.limit, clock)


def fixed(setting: Setting, clock: Callable[[], float]) -> Any:
    by_rate = setting.rate(0) * MEAN if setting.rate else math.inf
    known = setting.tasks(0) if setting.tasks else by_rate
    return Fixed(max(1, min(known, setting.limit)), clock)


def numbers(outcome: Outcome) -> str:
    return (
        f"{outcome.throughput():6.1%} {outcome.throughput(capacity=True):6.1%} {outcome.refusals():5.1%} "
        f"({outcome.throughput(whole=True):6.1%} {outcome.refusals(whole=True):5.1%})"
    )


def over_the_wire(case: WireCase) -> str:
    """Run `zbatch run` against a hidden limit; give the share of what can be reached, and of 429s."""
    with limited(case) as url, tempfile.TemporaryDirectory() as name:
        manifest = Path(name) / "wire.yaml"
        manifest.write_text(MANIFEST.format(jobs=case.jobs), "utf-8")
        command = [sys.executable, "-m", "zbatch", "run", str(manifest), "-o", str(Path(name) / "run")]
        command += ["--endpoint", url, "--progress", "json", "--no-report"]
        told = subprocess.run(
            command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        with urllib.request.urlopen(url + "/counts") as answer:
            accepted, refused = json.load(answer)
    lines = [json.loads(line) for line in told.stderr.splitlines() if '"detection_delay"' in line]
    late = lines[-1]["detection_delay"] + WIRE_TRIP
    end = accepted[-1] - WIRE_MEAN  # then there are no more to submit
    shares = []
    for counted in (case.counted, lambda _: True):
        moments = [i / 100 for i in range(int(end * 100)) if counted(i / 100)]
        best = sum(case.reachable(moment, late) for moment in moments) / 100
        took, no = (sum(counted(at) for at in times if at < end) for times in (accepted, refused))
        shares.append(f"{took / best:6.1%} {no / (took + no):5.1%}")
    return f"{shares[0]}   ({shares[1]})  known {late:.2f} s late, {len(refused)} refused, {end:.0f} s"


def over_seeds(setting: Setting, seeds: range) -> str:
    """Give mean and worst of several seeds, by throughput and by refusals."""
    outcomes = [simulate(replace(setting, seed=seed), ours) for seed in seeds]
    took, no = [o.throughput() for o in outcomes], [o.refusals() for o in outcomes]
    means = sum(took) / len(took), sum(no) / len(no)
    return f"{means[0]:6.1%} {min(took):6.1%}   {means[1]:5.2%} {max(no):5.2%}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="cases whose name has these words")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--trace", type=int, default=0, help="print window and rate every so many seconds")
    parser.add_argument("--ours", action="store_true", help="only the limiter itself")
    parser.add_argument("--seeds", default="", help="41-46: mean and worst of these, only the limiter itself")
    parser.add_argument("--wire", action="store_true", help="the real command over real sockets")
    arguments = parser.parse_args()
    if arguments.wire:
        _print_wire(arguments.only)
    elif arguments.seeds:
        _print_seeds(arguments.only, arguments.seeds)
    else:
        _print_all(arguments)


def _print_wire(only: str) -> None:
    print(f"{'':32}settled (from the start on): share of what can be reached, 429s")
    for case in WIRE:
        if only in case.name:
            print(f"{case.name:32}{over_the_wire(case)}", flush=True)


def _print_seeds(only: str, seeds: str) -> None:
    first, last = map(int, seeds.split("-"))
    print(f"{'':38}throughput: mean, worst   429s: mean, worst")
    for setting in CASES:
        if only in setting.name:
            print(f"{setting.name:38}{over_seeds(setting, range(first, last + 1))}", flush=True)


def _print_all(arguments: argparse.Namespace) -> None:
    print(f"{'':32}" + "".join(f"{name:41}" for name in ("ours", "sawtooth", "window = limit")))
    for setting in CASES:
        if arguments.only not in setting.name:
            continue
        began = time.process_time()
        makers = (ours,) if arguments.ours else (ours, sawtooth, fixed)
        outcomes = [simulate(replace(setting, seed=arguments.seed), make) for make in makers]
        print(
            f"{setting.name:32}"
            + "   ".join(numbers(o) for o in outcomes)
            + f"  {time.process_time() - began:.1f} s",
            flush=True,
        )
        if arguments.trace:
            outcome, every = outcomes[0], arguments.trace
            for second, *told in outcome.trace[::every]:
                took = sum(outcome.accepted[second : second + every]) / every
                no = sum(outcome.refused[second : second + every])
                print(
                    f"    {second:5} in flight {told[0]:4} window {told[1]:4} rate {told[2]}  "
                    f"accepted {took:.2f}/s of {setting.capacity(second):.2f}, refused {no}"
                )


if __name__ == "__main__":
    main()
