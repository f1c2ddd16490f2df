"""The heap of tasks in flight, and Reach: on a clock that is a number."""

import pytest

from zbatch.model import Request
from zbatch.runner.poller import Schedule, Watch
from zbatch.runner.reach import Reach
from zbatch.state.store import OpenTask


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def schedule(clock):
    return Schedule(first_guess=2.0, clock=clock)


def watch(clock, number=1, *, adopted=False):
    task = OpenTask(
        number, f"key{number}", f"t{number}", Request("p", 1), "images/x.webp", 1, 0, succeeded=False
    )
    return Watch(task, clock.now, clock.now + 60, adopted=adopted)


def test_nothing_is_due_before_its_time_and_the_earliest_comes_first(schedule, clock):
    early, late = watch(clock, 1), watch(clock, 2)
    schedule.again(late, after=5)
    schedule.again(early, after=3)
    assert (schedule.due(), schedule.next_at(), len(schedule)) == (None, 103, 2)
    clock.now = 105
    assert [schedule.due(), schedule.due(), schedule.due()] == [early, late, None]
    assert (len(schedule), schedule.next_at()) == (0, None)


def test_tasks_due_at_one_moment_come_in_the_order_they_were_put(schedule, clock):
    watches = [watch(clock, number) for number in range(20)]
    for one in watches:
        schedule.again(one, after=1)
    clock.now += 1
    assert [schedule.due() for _ in range(20)] == watches


def test_what_an_earlier_process_left_is_asked_at_once(schedule, clock):
    schedule.add(watch(clock, adopted=True))
    assert schedule.due() is not None


def test_the_first_poll_comes_short_of_the_guess_then_of_what_was_learned(schedule, clock):
    first = watch(clock)
    schedule.add(first)
    assert schedule.next_at() == pytest.approx(100 + 1.4)
    clock.now = 110
    first.polls = 4
    schedule.learn(first)
    schedule.due()
    schedule.add(watch(clock))
    assert schedule.next_at() == pytest.approx(110 + 7)


def test_tasks_that_are_done_before_they_are_asked_bring_the_first_poll_forward_quickly(schedule, clock):
    for _ in range(12):
        one = watch(clock)
        schedule.add(one)
        clock.now = schedule.next_at()
        schedule.due().polls = 1
        schedule.learn(one)
    schedule.add(watch(clock))
    assert schedule.next_at() - clock.now < 0.5


def test_an_adopted_task_teaches_nothing(schedule, clock):
    old = watch(clock, adopted=True)
    clock.now += 50
    schedule.learn(old)
    schedule.add(watch(clock))
    assert schedule.next_at() == pytest.approx(clock.now + 1.4)


def test_later_polls_come_ever_further_apart_and_at_most_ten_seconds(schedule, clock):
    one, delays = watch(clock), []
    for polls in (*range(1, 60), 10**6):
        one.polls = polls
        schedule.again(one)
        delays.append(round(schedule.next_at() - clock.now, 6))
        clock.now = schedule.next_at()
        assert schedule.due() is one
    assert delays == sorted(delays)
    assert min(delays) > 0
    assert max(delays) == 10


def test_an_endpoint_that_never_answered_is_given_up_sooner_than_one_that_did(clock):
    reach = Reach(2.5, 120, clock=clock)
    assert [reach.failed() for _ in range(50)] == [False] * 50
    clock.now += 2.5
    assert reach.failed()
    reach.answered()
    assert not reach.failed()
    clock.now += 119
    assert not reach.failed()
    reach.answered()
    clock.now += 119
    assert not reach.failed()
    clock.now += 120
    assert reach.failed()
