"""What is promised of polling: near the optimum, never worse than an interval, whatever the latencies do."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.polling_simulation import (
    QUANTILES,
    Clock,
    drive,
    fixed,
    latencies,
    lognormal,
    optimum,
    true_price,
    watch_of,
)

from zbatch.runner.inspection import LONGEST_WAIT, SHORTEST_WAIT
from zbatch.runner.poller import Schedule

MANY = settings(max_examples=30, deadline=None)
WARM = slice(500, None)


def watched(tasks, in_flight=8):
    clock = Clock()
    schedule = Schedule(first_guess=2.0, clock=clock)
    return drive(schedule, clock, tasks, in_flight), schedule


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("name", QUANTILES)
def test_after_500_jobs_the_cost_is_within_a_tenth_of_the_optimum_and_below_every_fixed_interval(name, seed):
    tasks, price = latencies(QUANTILES[name], 2500, seed), true_price(QUANTILES[name])
    cost = watched(tasks)[0].of(WARM).cost(price)
    assert cost <= 1.10 * optimum(QUANTILES[name], tasks).of(WARM).cost(price)
    assert cost <= min(fixed(interval, tasks).of(WARM).cost(price) for interval in (1, 2))


@pytest.mark.parametrize("in_flight", [1, 64, 256])
def test_it_does_not_matter_how_many_are_in_flight(in_flight):
    name = "lognormal, 4 s"
    tasks, price = latencies(QUANTILES[name], 2500, 3), true_price(QUANTILES[name])
    warm = slice(500 + in_flight, None)
    cost = watched(tasks, in_flight)[0].of(warm).cost(price)
    assert cost <= 1.10 * optimum(QUANTILES[name], tasks).of(warm).cost(price)


@pytest.mark.parametrize("name", QUANTILES)
def test_a_cold_start_is_no_worse_than_polling_every_second(name):
    price = true_price(QUANTILES[name])
    for first, allowed in ((20, 1.03), (50, 1.0), (100, 1.0)):
        ours = every_second = 0.0
        for seed in range(12):
            tasks = latencies(QUANTILES[name], 100, seed)
            part = slice(0, first)
            ours += watched(tasks)[0].of(part).cost(price)
            every_second += fixed(1, tasks).of(part).cost(price)
        assert ours <= allowed * every_second


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (lognormal(4), lognormal(12)),
        (lognormal(12), lognormal(4)),
        (lognormal(4), lognormal(1)),
        (lognormal(4), lognormal(40)),
        (lognormal(4, 0.05), lognormal(6, 0.05)),
        (lognormal(6, 0.05), lognormal(4, 0.05)),
        (lognormal(4), QUANTILES["humps at 2 and 12 s"]),
        (QUANTILES["humps at 2 and 12 s"], QUANTILES["Pareto 1.3, from 2 s"]),
    ],
)
def test_a_shift_in_the_middle_leaves_it_below_every_fixed_interval(before, after):
    tasks = latencies(before, 1000, 4) + latencies(after, 1000, 5)
    ours = watched(tasks)[0]
    first, second, price = slice(0, 1000), slice(1000, None), true_price(after)
    for interval in (1, 2):
        other = fixed(interval, tasks)
        assert ours.of(slice(1000, 1500)).cost(price) <= other.of(slice(1000, 1500)).cost(price)
        whole = ours.of(first).cost(true_price(before)) + ours.of(second).cost(price)
        assert whole <= other.of(first).cost(true_price(before)) + other.of(second).cost(price)
    settled = slice(1500, None)
    assert ours.of(settled).cost(price) <= 1.15 * optimum(after, tasks).of(settled).cost(price)


@pytest.mark.parametrize("name", ["lognormal, 4 s", "exponential, 5 s", "quick, 200 ms", "slow, 60 s"])
def test_what_is_told_of_polls_and_delay_is_so(name):
    spent, schedule = watched(latencies(QUANTILES[name], 2000, 6))
    assert schedule.polls_per_job == pytest.approx(spent.polls.mean())
    assert schedule.detection_delay == pytest.approx(spent.delays.mean(), rel=0.25)


TIMES = st.floats(0, 5000, allow_nan=False)


@given(
    tasks=st.lists(TIMES, min_size=1, max_size=60), in_flight=st.integers(1, 20), guess=st.floats(0.001, 100)
)
@MANY
def test_every_task_is_found_soon_whatever_they_take_and_the_same_way_each_time(tasks, in_flight, guess):
    runs = []
    for _ in range(2):
        clock = Clock()
        schedule = Schedule(first_guess=guess, clock=clock)
        spent = drive(schedule, clock, tasks, in_flight)
        runs.append((spent.polls.tolist(), spent.delays.tolist(), schedule.detection_delay, clock.now))
        assert len(schedule) == 0
        assert (spent.polls >= 1).all()
        assert (spent.delays <= LONGEST_WAIT + 1e-6).all()
    assert runs[0] == runs[1]


STEPS = st.lists(
    st.tuples(st.sampled_from(["add", "adopt", "running", "ended", "trouble", "stall"]), st.floats(0, 400)),
    max_size=80,
)


@given(steps=STEPS)
@MANY
def test_no_task_is_lost_or_asked_twice_or_made_to_wait_for_ever(steps):
    clock = Clock()
    schedule, known = Schedule(first_guess=2.0, clock=clock), set()
    for number, (step, seconds) in enumerate(steps):
        if step in ("add", "adopt"):
            schedule.add(watch_of(number, clock.now, age=seconds, adopted=step == "adopt"))
            known.add(number)
        elif step == "stall":
            clock.now += seconds
        elif known:
            clock.now = max(clock.now, schedule.next_at())
            watch = schedule.due()
            assert watch.task.id in known
            if step == "ended":
                schedule.ended(watch)
                known.remove(watch.task.id)
            elif step == "trouble":
                schedule.again(watch, after=seconds)
            else:
                schedule.running(watch)
                schedule.again(watch)
        assert len(schedule) == len(known)
    found = set()
    clock.now += 400 + LONGEST_WAIT + SHORTEST_WAIT
    while (watch := schedule.due()) is not None:
        found.add(watch.task.id)
    assert found == known
