"""The heap of tasks in flight, and Reach: on a clock that is a number."""

import pytest
from support.polling_simulation import Clock, watch_of

from zbatch.runner.inspection import LONGEST_WAIT, SHORTEST_WAIT
from zbatch.runner.poller import Schedule
from zbatch.runner.reach import Reach


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def schedule(clock):
    return Schedule(first_guess=2.0, clock=clock)


def ask(schedule, clock):
    """Go on to the next poll."""
    clock.now = max(clock.now, schedule.next_at())
    watch = schedule.due()
    watch.polls += 1
    return watch


def run(schedule, clock, took, *, number=0):
    """Watch one task to its end."""
    schedule.add(watch_of(number, clock.now))
    while True:
        watch = ask(schedule, clock)
        if clock.now - watch.accepted_at >= took:
            schedule.ended(watch)
            return watch
        schedule.running(watch)
        schedule.again(watch)


def test_nothing_is_due_before_its_time_and_the_earliest_comes_first(schedule, clock):
    early, late = watch_of(1, clock.now), watch_of(2, clock.now)
    schedule.again(late, after=5)
    schedule.again(early, after=3)
    assert (schedule.due(), schedule.next_at(), len(schedule)) == (None, 1003, 2)
    clock.now = 1005
    assert [schedule.due(), schedule.due(), schedule.due()] == [early, late, None]
    assert (len(schedule), schedule.next_at()) == (0, None)


def test_tasks_due_at_one_moment_come_in_the_order_they_were_put(schedule, clock):
    watches = [watch_of(number, clock.now) for number in range(20)]
    for one in watches:
        schedule.again(one, after=1)
    clock.now += 1
    assert [schedule.due() for _ in range(20)] == watches


def test_what_an_earlier_process_left_is_asked_at_once_and_then_as_its_age_says(schedule, clock):
    schedule.add(watch_of(1, clock.now, age=300, adopted=True))
    watch = schedule.due()
    assert watch is not None
    schedule.running(watch)
    schedule.again(watch)
    assert 2 < schedule.next_at() - clock.now <= LONGEST_WAIT


def test_before_anything_is_known_a_task_is_asked_about_every_second_and_older_ones_more_rarely(
    schedule, clock
):
    waits = []
    watch = watch_of(1, clock.now)
    schedule.add(watch)
    for _ in range(400):
        last = clock.now
        assert ask(schedule, clock) is watch
        waits.append(clock.now - last)
        schedule.again(watch)
    assert 0.6 < waits[0] < 1.3
    assert max(waits) <= LONGEST_WAIT
    assert sum(waits[:3]) < sum(waits[10:13]) < sum(waits[100:103])


def test_what_is_quicker_than_the_guess_is_soon_asked_sooner(schedule, clock):
    for number in range(30):
        run(schedule, clock, 0.05, number=number)
    schedule.add(watch_of(99, clock.now))
    assert schedule.next_at() - clock.now < 0.2


def test_no_wait_is_shorter_than_can_be_kept(clock):
    schedule = Schedule(first_guess=0.001, clock=clock)
    for number in range(300):
        began = clock.now
        run(schedule, clock, 0.0, number=number)
        assert clock.now - began >= SHORTEST_WAIT - 1e-9


def test_a_task_of_an_earlier_process_that_had_ended_teaches_nothing_but_counts(schedule, clock):
    for number in range(50):
        schedule.add(watch_of(number, clock.now, age=0.01, adopted=True))
        schedule.ended(ask(schedule, clock))
    assert schedule.polls_per_job == 1
    assert schedule.detection_delay is None
    schedule.add(watch_of(99, clock.now))
    assert schedule.next_at() - clock.now > 0.6


def test_a_task_is_asked_at_its_deadline_and_past_it_no_faster_than_before(schedule, clock):
    watch = watch_of(1, clock.now)
    watch.deadline = clock.now + 0.2
    schedule.add(watch)
    assert schedule.next_at() == watch.deadline
    ask(schedule, clock)
    schedule.again(watch)
    assert schedule.next_at() - clock.now > 0.5


def test_polls_a_job_are_counted_and_the_delay_is_estimated(schedule, clock):
    assert (schedule.polls_per_job, schedule.detection_delay) == (None, None)
    polls = [run(schedule, clock, 1.5, number=number).polls for number in range(40)]
    assert schedule.polls_per_job == sum(polls) / 40
    assert 0 < schedule.detection_delay < 1.0


def test_an_answer_that_tells_nothing_of_the_task_teaches_nothing(schedule, clock):
    for number in range(200):
        schedule.add(watch_of(number, clock.now))
        clock.now = schedule.next_at()
        watch = schedule.due()
        schedule.again(watch, after=1000)
    assert schedule.polls_per_job is None
    schedule.add(watch_of(999, clock.now))
    assert 0.6 < schedule.next_at() - clock.now < 1.3


def test_when_tasks_become_quick_those_that_wait_are_asked_sooner_unless_somebody_said_when(schedule, clock):
    for number in range(300):
        run(schedule, clock, 20.0 + number % 7, number=number)
    waiting, held = watch_of(1001, clock.now), watch_of(1002, clock.now)
    schedule.add(waiting)
    planned = schedule.next_at()
    assert planned - clock.now > 15
    schedule.again(held, after=planned - clock.now)
    for number in range(2000, 2040):
        quick = watch_of(number, clock.now)
        quick.running_at = clock.now
        schedule.again(quick, after=0.05)
        assert ask(schedule, clock) is quick
        schedule.ended(quick)
        if schedule.next_at() < planned:
            break
    clock.now = planned - 5
    assert (schedule.due(), schedule.due()) == (waiting, None)
    clock.now = planned
    assert schedule.due() is held


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


def test_of_many_first_tasks_a_few_are_asked_early_and_what_they_tell_hastens_the_rest(schedule, clock):
    """1,000 tasks of 0.2 s, begun at once: the guess alone would ask for none of them before 0.7 s."""
    began = clock.now
    for number in range(1000):
        schedule.add(watch_of(number, clock.now))
    ends = []
    while len(schedule):
        watch = ask(schedule, clock)
        if clock.now >= began + 0.2:
            schedule.ended(watch)
            ends.append(clock.now - began)
        else:
            schedule.running(watch)
            schedule.again(watch)
    assert sum(ends) / len(ends) < 0.45
    assert schedule.polls_per_job < 2


def test_few_first_tasks_have_no_scouts(schedule, clock):
    for number in range(31):
        schedule.add(watch_of(number, clock.now))
    assert schedule.next_at() - clock.now > 0.6
