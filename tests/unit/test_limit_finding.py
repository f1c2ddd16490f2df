"""The limiter against servers whose limits it does not know, in virtual time: how near it comes, how dear."""

import pytest
from support.limit_simulation import Setting, simulate, steady, steps

from zbatch.runner.limiter import Learned, Limiter


def outcome(setting):
    return simulate(setting, lambda setting, clock: Limiter(setting.limit, None, clock=clock))


def by_name(setting):
    return setting.name


@pytest.mark.parametrize(
    "setting",
    [
        Setting("5 in flight", steady(5)),
        Setting("37 in flight", steady(37)),
        Setting("37 in flight, Retry-After", steady(37), retry_after=True),
        Setting("200 in flight", steady(200), seconds=240, warm_up=60),
        Setting("60 a minute", rate=steady(1)),
        Setting("600 a minute", rate=steady(10), burst=50, seconds=600),
        Setting("600 a minute, Retry-After", rate=steady(10), burst=50, seconds=600, retry_after=True),
        Setting("60 by the minute, Retry-After", rate=steady(1), minute=True, retry_after=True, warm_up=240),
        Setting("60 by the minute", rate=steady(1), minute=True, seconds=1800, warm_up=600),
        Setting("37 in flight and 600 a minute", steady(37), steady(10), burst=20, seconds=600),
        Setting("100 in flight and 600 a minute", steady(100), steady(10), burst=20, seconds=600),
    ],
    ids=by_name,
)
def test_it_finds_the_limit_holds_there_and_is_seldom_refused(setting):
    found = outcome(setting)
    assert found.throughput() >= 0.93
    assert found.refusals() <= 0.035


@pytest.mark.parametrize(
    "setting",
    [
        Setting(
            "100, 40, 160 in flight",
            steps((0, 100), (300, 40), (600, 160)),
            seconds=900,
            skip=((300, 360), (600, 660)),
        ),
        Setting(
            "600, 200, 1200 a minute",
            rate=steps((0, 10), (400, 10 / 3), (900, 20)),
            burst=20,
            seconds=1500,
            skip=((400, 460), (900, 1100)),
        ),
    ],
    ids=by_name,
)
def test_a_limit_that_changes_is_found_again_both_ways(setting):
    found = outcome(setting)
    assert found.throughput() >= 0.9
    assert found.refusals() <= 0.035


@pytest.mark.parametrize("limit", [8, 50, 200])
def test_refusals_that_no_limit_explains_do_not_make_it_slow(limit):
    found = outcome(Setting("strays", limit=limit, stray=0.01, seconds=600))
    assert found.throughput() >= 0.7


CHANGED = [
    Setting("40 in flight, as before", steady(40), seconds=60, warm_up=0),
    Setting("160 in flight now", steady(160), seconds=60, warm_up=0),
    Setting("10 in flight now", steady(10), seconds=60, warm_up=0),
    Setting("600 a minute now", rate=steady(10), burst=20, seconds=120, warm_up=0),
]


@pytest.mark.parametrize("sure", [True, False])
@pytest.mark.parametrize("setting", CHANGED, ids=by_name)
def test_a_remembered_limit_is_no_worse_than_a_cold_start_whatever_the_limit_is_now(setting, sure):
    cold, warm = outcome(setting), remembering(setting, Learned(tasks=40), sure=sure)
    assert warm.throughput() >= min(0.95, cold.throughput() - 0.03)
    assert warm.refusals() <= cold.refusals() + 0.08  # of the hundred submits of a minute


@pytest.mark.parametrize("sure", [True, False])
@pytest.mark.parametrize("rate", [2, 10, 50], ids=lambda rate: f"{rate} a second now")
def test_a_remembered_rate_is_no_worse_than_a_cold_start_whatever_it_is_now(rate, sure):
    setting = Setting("rate", rate=steady(rate), burst=20, seconds=240, warm_up=0)
    cold, warm = outcome(setting), remembering(setting, Learned(rate=10), sure=sure)
    assert warm.throughput() >= min(0.95, cold.throughput() - 0.03)
    assert warm.refusals() <= cold.refusals() + 0.01


def remembering(setting, learned, *, sure):
    def make(setting, clock):
        limiter = Limiter(setting.limit, None, clock=clock)
        limiter.recall(learned, sure=sure)
        return limiter

    return simulate(setting, make)
