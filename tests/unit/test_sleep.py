"""A laptop that sleeps, a process that is stopped: what lasts without a break, and what only seems to."""

import pytest

from zbatch.clock import monotonic, suspended
from zbatch.model import Request
from zbatch.runner.poller import TROUBLE, Watch
from zbatch.runner.reach import Reach
from zbatch.runner.stretch import LONGEST_GAP, Stretch
from zbatch.state.store import OpenTask

HOUR = 3600.0


class Clock:
    """Monotonic time as the test says: while a laptop sleeps it may stand still or run on."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


def watch(clock, job_deadline=1800.0, age=0.0):
    request = Request("p", 1, "256*256")
    task = OpenTask(1, "k", "t", request, "images/x.webp", succeeded=False)
    return Watch(task, clock.now - age, clock.now - age + job_deadline)


def test_a_stretch_is_measured_from_its_beginning_and_begins_anew_after_a_gap():
    stretch = Stretch()
    assert [stretch.lasts(now) for now in (100.0, 130.0, 160.0)] == [0, 30, 60]
    assert stretch.lasts(160 + HOUR) == 0
    assert stretch.lasts(190 + HOUR) == 30
    stretch.end()
    assert stretch.lasts(191 + HOUR) == 0


def test_an_endpoint_is_not_given_up_for_an_hour_in_which_nobody_asked(clock):
    reach = Reach(2.5, 120.0, clock=clock)
    reach.answered()
    assert not reach.failed()
    clock.now += HOUR
    assert not reach.failed()
    told = []
    for _ in range(5):
        clock.now += 30
        told.append(reach.failed())
    assert told == [False, False, False, True, True]


@pytest.mark.parametrize("asleep", [0.0, HOUR], ids=["clock stands still", "clock runs on"])
def test_a_task_is_asked_after_waking_before_it_is_given_up(clock, asleep):
    task = watch(clock, job_deadline=1800.0)
    assert not task.overdue(clock(), answered=True)
    clock.now += asleep
    # The network is not back yet: the first calls find nobody.
    for _ in range(3):
        assert not task.overdue(clock(), answered=False)
        clock.now += TROUBLE / 4
    assert task.overdue(clock(), answered=True) == (asleep > 0)


def test_trouble_of_before_the_stop_does_not_count_after_it(clock):
    task = watch(clock, job_deadline=1800.0)
    assert not task.overdue(clock(), answered=False)
    clock.now += HOUR
    assert not task.overdue(clock(), answered=False)
    clock.now += TROUBLE
    assert task.overdue(clock(), answered=False)


def test_a_task_that_cannot_be_asked_is_kept_until_its_deadline_and_not_much_longer(clock):
    task = watch(clock, job_deadline=120.0)
    waits = 0
    while not task.overdue(clock(), answered=False):
        clock.now += 10
        waits += 1
    assert waits == 12


def test_one_of_an_earlier_run_has_its_deadline_from_the_submit(clock):
    old = watch(clock, job_deadline=1800.0, age=2 * HOUR)
    assert not old.overdue(clock(), answered=False)
    assert old.overdue(clock(), answered=True)
    young = watch(clock, job_deadline=1800.0, age=60.0)
    assert not young.overdue(clock(), answered=True)


def test_a_short_deadline_bounds_the_trouble_too(clock):
    task = watch(clock, job_deadline=2.0, age=10.0)
    assert not task.overdue(clock(), answered=False)
    clock.now += 2
    assert task.overdue(clock(), answered=False)


def test_the_gap_is_longer_than_anything_waits_between_two_tries():
    from zbatch.runner import watching

    longest = watching._LONGEST_PAUSE + watching._LONGEST_POLL  # noqa: SLF001 - who else would know
    assert longest < LONGEST_GAP


def test_the_time_asleep_grows_with_sleep_alone():
    before, began = suspended(), monotonic()
    while monotonic() == began:
        pass
    assert suspended() - before < HOUR
