"""What is learned of latencies from polls that tell little, and when it is forgotten."""

import math
import random

import pytest

from zbatch.runner.drift import Drift
from zbatch.runner.latency import Latency


def survives(age, mean=5.0):
    return math.exp(-age / mean)


def teach(latency, took, ages, *, known=0.0):
    """Poll one task at the ages until it ends, or until they do."""
    last = known
    for age in ages:
        ended = age >= took
        shifted = latency.observe(last, age, ended=ended)
        if shifted or latency.ripe:
            latency.fit()
        if ended:
            return
        last = age


def steps(draw, spacing=1.0, count=60):
    begin = draw.random() * spacing
    return [begin + step * spacing for step in range(count)]


def test_a_guess_is_a_median_and_a_heavy_tail():
    for guess in (0.1, 2.0, 30.0):
        latency = Latency(guess)
        assert 0.4 < latency.survival(guess) < 0.7
        assert latency.survival(20 * guess) > 0.02
        assert latency.typical == pytest.approx(guess, rel=0.5)


def test_the_distribution_is_learned_from_intervals():
    draw, latency = random.Random(1), Latency(2.0)
    for _ in range(800):
        teach(latency, draw.expovariate(1 / 5), steps(draw))
    for age in (1.0, 2.0, 5.0, 10.0, 15.0):
        assert latency.survival(age) == pytest.approx(survives(age), abs=0.05)


def test_tasks_that_were_given_up_or_still_run_are_counted_and_do_not_shorten_it():
    draw, latency = random.Random(2), Latency(2.0)
    for _ in range(800):
        teach(latency, draw.expovariate(1 / 5), steps(draw)[: draw.randrange(1, 7)])
    for age in (1.0, 2.0, 4.0):
        assert latency.survival(age) == pytest.approx(survives(age), abs=0.07)


def test_tasks_of_an_earlier_process_count_from_the_age_they_were_first_seen_at():
    draw, latency = random.Random(3), Latency(2.0)
    for _ in range(800):
        took, age = draw.expovariate(1 / 5), draw.random() * 15
        if took > age:
            teach(latency, took, [age + step for step in steps(draw, count=40)], known=age)
        # Where the first poll finds it ended, nobody knows since when it was certain to run.
        teach(latency, draw.expovariate(1 / 5), steps(draw)[:3])
    for age in (2.0, 5.0, 10.0):
        assert latency.survival(age) == pytest.approx(survives(age), abs=0.08)


def test_two_humps_are_two():
    draw, latency = random.Random(4), Latency(2.0)
    for _ in range(600):
        teach(latency, draw.choice((2.0, 12.0)) * draw.uniform(0.95, 1.05), steps(draw))
    assert latency.survival(1.4) > 0.9
    assert 0.45 < latency.survival(3.0) < 0.55
    assert 0.42 < latency.survival(10.0) < 0.55
    assert latency.survival(14.0) < 0.06


def test_lateness_is_half_the_interval_where_the_end_is_equally_likely_and_follows_the_likelihood():
    draw, latency = random.Random(5), Latency(2.0)
    for _ in range(800):
        teach(latency, draw.uniform(1, 9), steps(draw))
    assert latency.lateness(4.0, 5.0) == pytest.approx(0.5, abs=0.1)
    assert latency.lateness(0.0, 2.0) == pytest.approx(0.5, abs=0.2)
    assert latency.lateness(3.0, 3.0) == 0
    assert 0 <= latency.lateness(0.0, 1e9) <= 1e9


def test_a_shift_is_noticed_within_a_few_polls_and_the_past_forgotten():
    draw, latency = random.Random(6), Latency(2.0)
    for _ in range(500):
        teach(latency, draw.uniform(3, 5), steps(draw))
    noticed = [latency.observe(0.0, 2.5, ended=True) for _ in range(20)]
    assert any(noticed)
    assert latency.survival(2.5) != pytest.approx(1, abs=0.3)


def test_no_shift_is_seen_where_there_is_none():
    draw, latency, shifts = random.Random(7), Latency(2.0), 0
    for _ in range(3000):
        took, last = draw.lognormvariate(1.4, 0.5), 0.0
        for age in steps(draw, spacing=2):
            ended = age >= took
            shifts += latency.observe(last, age, ended=ended)
            if latency.ripe:
                latency.fit()
            if ended:
                break
            last = age
    assert shifts <= 1


def test_what_is_odd_in_a_poll_does_no_harm():
    latency = Latency(2.0)
    for lower, upper in ((0.0, 0.0), (5.0, 5.0), (5.0, 4.0), (0.0, 1e9), (1e9, 2e9), (0.0, 1e-9)):
        for ended in (False, True):
            latency.observe(lower, upper, ended=ended)
            latency.fit()
            assert latency.inspection().wait(0.0) > 0
    assert 0 < latency.survival(1.0) < 1


def test_drift_is_told_of_either_way_in_first_or_later_polls_and_says_since_when():
    for first in (True, False):
        for done in (True, False):
            drift = Drift()
            # One kind goes on as forecast while the other does not.
            since = 0
            for number in range(200):
                assert drift.observe(0.5, done=number % 2 == 0, first=not first) == 0
                since = drift.observe(0.5, done=done, first=first)
                if since:
                    break
            assert 5 < since == number + 1 < 30


def test_findings_as_forecast_are_no_drift():
    draw, drift = random.Random(8), Drift()
    for _ in range(5000):
        forecast = draw.choice((0.001, 0.1, 0.5, 0.9, 0.999))
        assert drift.observe(forecast, done=draw.random() >= forecast, first=draw.random() < 0.5) == 0
