"""What is rehearsed, and what one key may ask for: the algebra of both."""

import random
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zbatch.errors import UsageError
from zbatch.server.quotas import Quota, Quotas
from zbatch.server.rehearsal import parse_latency, parse_share
from zbatch.server.tasks import BusyError


def drawn(text, count=20_000):
    latency, source = parse_latency(text), random.Random(7)
    return sorted(latency.draw(source) for _ in range(count))


def test_a_lognormal_latency_has_the_median_and_the_99th_percentile_that_were_asked_for():
    times = drawn("lognormal:4s,15s")
    assert statistics.median(times) == pytest.approx(4, rel=0.03)
    assert times[len(times) * 99 // 100] == pytest.approx(15, rel=0.1)


def test_the_other_latencies():
    assert set(drawn("250ms", 10)) == {0.25}
    times = drawn("uniform:2s,6s")
    assert 2 <= times[0] < 2.1
    assert 5.9 < times[-1] <= 6
    assert set(drawn("lognormal:4s,4s", 10)) == {4}


@pytest.mark.parametrize(
    "text", ["", "4", "uniform:4s", "lognormal:4s,2s", "normal:1s,2s", "1s,2s", "lognormal:"]
)
def test_a_latency_that_cannot_be_read(text):
    with pytest.raises(UsageError):
        parse_latency(text)


@pytest.mark.parametrize(
    ("text", "share"), [("2%", 0.02), ("0.02", 0.02), ("100%", 1), ("0", 0), (".5", 0.5)]
)
def test_a_share(text, share):
    assert parse_share(text) == pytest.approx(share)


@pytest.mark.parametrize("text", ["", "2", "101%", "-1%", "%", "nan", "1e-2"])
def test_a_share_that_cannot_be_read(text):
    with pytest.raises(UsageError):
        parse_share(text)


@given(
    st.floats(0.01, 50),
    st.lists(st.floats(0, 30), min_size=1, max_size=200),
)
def test_no_more_than_the_rate_and_its_burst_are_let_through_in_any_span(rate, waits):
    quota, now, through = Quota(rate=rate), 0.0, []
    quotas = Quotas(quota, lambda: now)
    for wait in waits:
        now += wait
        try:
            quotas.spend("me", 0)
        except BusyError as error:
            refused = now
            now += error.retry_after
            quotas.spend("me", 0)  # whoever waits as long as was said is let through
            assert now - refused <= 1 / rate + 1
        through.append(now)
    for first in range(len(through)):
        for last in range(first, len(through)):
            span = through[last] - through[first]
            assert last - first + 1 <= quota.burst + rate * span + 1e-6


def test_each_owner_has_a_quota_of_their_own_and_tasks_are_bounded():
    quotas = Quotas(Quota(rate=1 / 60, tasks=2), lambda: 0.0)
    quotas.spend("a", 1)
    with pytest.raises(BusyError, match="may submit 1 times a minute") as caught:
        quotas.spend("a", 0)
    assert caught.value.retry_after == 60
    quotas.spend("b", 0)
    with pytest.raises(BusyError, match="2 tasks in flight"):
        quotas.spend("c", 2)
    quotas.spend("c", 1)  # what was refused was not counted
