"""The cheapest schedule: against what can be computed otherwise, and against every other on a small grid."""

import itertools
import math

import numpy as np
import pytest
from support.polling_simulation import QUANTILES, fixed, latencies, optimum, stateless, true_price

from zbatch.runner.inspection import (
    CHEAPEST_POLL,
    DEAREST_POLL,
    LONGEST_WAIT,
    SHORTEST_WAIT,
    plan_inspection,
    price_of_poll,
)

FINE = np.concatenate(([0.0], 0.01 * 1.005 ** np.arange(2800)))


def cost_of(polled, ages, survival, price):
    """Polls at some of the ages and at the last: their number and the delay, by the sums themselves."""
    total, last = 0.0, 0
    for at in polled:
        steps = range(last, at)
        shares = survival[:-1] - survival[1:]
        middles = (ages[:-1] + ages[1:]) / 2
        total += price * survival[last] + sum(shares[n] * (ages[at] - middles[n]) for n in steps)
        last = at
    return total


def test_no_other_choice_of_ages_is_cheaper():
    ages = np.array([0, 0.5, 1, 1.5, 2, 3, 4, 5, 6, 8])
    survival = np.array([1, 0.99, 0.9, 0.55, 0.5, 0.48, 0.4, 0.1, 0.05, 1e-9])
    last = len(ages) - 1
    choices = (
        (*inner, last) for count in range(last) for inner in itertools.combinations(range(1, last), count)
    )
    best = min(cost_of(choice, ages, survival, 0.3) for choice in choices)
    assert plan_inspection(ages, survival, 0.3).cost == pytest.approx(best, rel=1e-6)


@pytest.mark.parametrize("mean", [0.3, 1.0, 5.0, 40.0])
def test_where_the_end_is_equally_likely_at_any_age_the_waits_are_equal_and_of_the_known_length(mean):
    price = 0.3
    inspection = plan_inspection(FINE, np.maximum(np.exp(-FINE / mean), 1e-12), price)
    waits = [inspection.wait(age) for age in (0.0, mean / 3, mean, 2 * mean, 3 * mean)]
    wait = waits[0]
    assert waits == pytest.approx([wait] * 5, rel=0.1)
    # The derivative of (price + wait) / (1 - exp(-wait / mean)) is nought there.
    assert math.expm1(wait / mean) - wait / mean == pytest.approx(price / mean, rel=0.1)


def test_the_dearest_poll_is_such_that_the_usual_latencies_take_so_many_polls_and_that_delay():
    name = "lognormal, 4 s"
    tasks = latencies(QUANTILES[name], 20000, seed=1)
    best = optimum(QUANTILES[name], tasks)
    assert best.polls.mean() == pytest.approx(2.6, abs=0.05)
    assert best.delays.mean() == pytest.approx(0.82, abs=0.03)
    assert fixed(2, tasks).polls.mean() == pytest.approx(2.9, abs=0.1)


@pytest.mark.parametrize("name", QUANTILES)
def test_the_optimum_beats_every_fixed_interval(name):
    tasks = latencies(QUANTILES[name], 5000, seed=2)
    price = true_price(QUANTILES[name])
    best = optimum(QUANTILES[name], tasks).cost(price)
    intervals = [0.05 * 1.15**step for step in range(45)]
    assert best <= 1.01 * min(fixed(interval, tasks).cost(price) for interval in intervals)


def test_dither_stays_between_waits_that_cost_next_to_nothing_more():
    tasks = latencies(QUANTILES["lognormal, 4 s"], 20000, seed=1)
    ages = FINE
    survival = np.maximum(1 - np.searchsorted(np.sort(tasks), ages, side="right") / len(tasks), 1e-9)
    inspection = plan_inspection(ages, survival, 0.4)
    best = stateless(lambda age, _: inspection.wait(age), tasks).cost(0.4)
    for dither in (0.0, 0.25, 0.75, 0.999):
        spent = stateless(lambda age, _, dither=dither: inspection.wait(age, dither), tasks)
        assert spent.cost(0.4) < 1.05 * best
    assert inspection.wait(0.0, 0.0) < 0.95 * inspection.wait(0.0) < 0.95 * inspection.wait(0.0, 0.999)


def test_waits_are_bounded_at_any_age_whatever_is_thought():
    never = plan_inspection(FINE, np.linspace(1, 1 - 1e-7, len(FINE)), 0.4)
    at_once = plan_inspection(FINE, np.concatenate(([1.0], np.full(len(FINE) - 1, 1e-12))), 0.4)
    for age in (0.0, 0.001, 1.0, 59.0, 5000.0, 1e9):
        for dither in (None, 0.0, 0.999):
            assert SHORTEST_WAIT <= at_once.wait(age, dither) <= LONGEST_WAIT
            assert SHORTEST_WAIT <= never.wait(age, dither) <= LONGEST_WAIT
    assert never.wait(0.0) > 10


def test_a_poll_is_worth_a_tenth_of_what_tasks_take_within_bounds():
    assert price_of_poll(1.0) == 0.1
    assert price_of_poll(60.0) == price_of_poll(1e9) == DEAREST_POLL
    assert price_of_poll(1e-6) == CHEAPEST_POLL
