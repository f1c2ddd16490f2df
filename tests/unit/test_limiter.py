"""The limiter, on a clock that is a number: slots, rates, 429s and pauses that hold for everybody."""

import asyncio

import pytest
from support.virtual_time import run_virtually

from zbatch.runner.limiter import MAX_PAUSE, Limiter
from zbatch.runner.window import Window


def limited(act, concurrency=8, rate=None):
    async def main(clock):
        limiter = Limiter(concurrency, rate, clock=clock)
        return await act(limiter, clock)

    return run_virtually(main)


def test_no_more_slots_than_the_window_and_one_that_is_given_back_is_had_at_once():
    async def act(limiter, clock):
        for _ in range(3):
            assert await limiter.take()
        waiting = asyncio.create_task(limiter.take())
        await asyncio.sleep(50)
        assert not waiting.done()
        limiter.give()
        assert await waiting
        return limiter.in_flight, clock()

    assert limited(act, concurrency=3) == (3, 1050)


def test_a_wait_that_is_cancelled_takes_nothing():
    async def act(limiter, clock):
        await limiter.take()
        waiting = asyncio.create_task(limiter.take())
        await asyncio.sleep(1)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        limiter.give()
        return limiter.in_flight

    assert limited(act, concurrency=1) == 0


def test_stopping_lets_everybody_go_without_a_slot():
    async def act(limiter, clock):
        await limiter.take()
        waiting = [asyncio.create_task(limiter.take()) for _ in range(5)]
        await asyncio.sleep(1)
        limiter.stop()
        return await asyncio.gather(*waiting), await limiter.take()

    assert limited(act, concurrency=1) == ([None] * 5, None)


def test_tasks_of_an_earlier_process_hold_slots():
    async def act(limiter, clock):
        limiter.adopt(20)
        waiting = asyncio.create_task(limiter.take())
        for _ in range(12):
            limiter.finished()
        await asyncio.sleep(1)
        assert not waiting.done()
        limiter.finished()
        return await waiting

    assert limited(act, concurrency=8)


def test_a_rate_spaces_submits_evenly_and_gives_no_burst_after_a_rest():
    async def act(limiter, clock):
        times = []
        for rest in (0, 0, 0, 10, 0, 0):
            await asyncio.sleep(rest)
            await limiter.take()
            limiter.give()
            times.append(clock() - 1000)
        return times

    assert limited(act, rate=2) == pytest.approx([0, 0.5, 1, 11, 11.5, 12])


async def answered(limiter, rounds):
    """Have so many round trips of tasks accepted and finished, each as wide as the window is."""
    windows = []
    for _ in range(rounds):
        slots = [await limiter.take() for _ in range(limiter.window)]
        for slot in slots:
            limiter.accepted(slot)
        for _ in slots:
            limiter.finished()
        windows.append(limiter.window)
    return windows


def test_the_window_doubles_each_round_trip_up_to_the_concurrency():
    async def act(limiter, clock):
        return await answered(limiter, 4)

    assert limited(act, concurrency=50) == [16, 32, 50, 50]


def test_a_429_halves_the_window_once_however_many_come_together():
    async def act(limiter, clock):
        await answered(limiter, 1)
        accepted = [await limiter.take() for _ in range(10)]
        refused = [await limiter.take() for _ in range(5)]
        for slot in accepted:
            limiter.accepted(slot)
        for slot in refused:
            limiter.refused(slot, None)
            limiter.give()
        return limiter.window, limiter.in_flight, limiter.throttled_count

    assert limited(act, concurrency=50) == (5, 10, 5)


def test_after_a_429_the_window_climbs_back_to_what_was_accepted_and_holds():
    async def act(limiter, clock):
        await answered(limiter, 1)
        slots = [await limiter.take() for _ in range(16)]
        for slot in slots[:15]:
            limiter.accepted(slot)
        limiter.refused(slots[15], None)
        limiter.give()
        for _ in range(15):
            limiter.finished()
        return await answered(limiter, 3)

    windows = limited(act, concurrency=50)
    assert 14 <= windows[0] <= 16
    assert max(windows) <= 17


def test_a_pause_holds_for_everybody_and_ends_with_one_submit_and_no_herd():
    async def act(limiter, clock):
        slots = [await limiter.take() for _ in range(8)]
        for slot in slots:
            limiter.refused(slot, None)
            limiter.give()
        waiting = [asyncio.create_task(limiter.take()) for _ in range(4)]
        await asyncio.sleep(0.49)
        early = sum(task.done() for task in waiting)
        await asyncio.sleep(0.02)
        at_its_end = sum(task.done() for task in waiting)
        limiter.accepted(next(task.result() for task in waiting if task.done()))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        then = sum(task.done() for task in waiting)
        limiter.stop()
        return early, at_its_end, then

    early, at_its_end, then = limited(act)
    assert (early, at_its_end) == (0, 1)
    assert 2 <= then <= 3


def test_a_429_of_a_poll_makes_submits_wait_and_leaves_the_window():
    async def act(limiter, clock):
        pause = limiter.poll_refused(7)
        await limiter.take()
        return pause, clock() - 1000, limiter.window, limiter.throttled_count

    assert limited(act) == (7, pytest.approx(7), 8, 1)


def test_pauses_grow_while_nothing_is_accepted_and_begin_anew_when_something_is():
    async def act(limiter, clock):
        pauses = []
        for _ in range(14):
            pauses.append(limiter.trouble())
            await asyncio.sleep(pauses[-1] + 0.01)
        limiter.accepted(await limiter.take())
        return pauses, limiter.trouble()

    pauses, anew = limited(act)
    assert pauses[:4] == pytest.approx([0.5, 0.8, 1.28, 2.048])
    assert pauses[-1] == 60
    assert anew == 0.5


@pytest.mark.parametrize(("said", "waited"), [(3.0, 3.0), (0.0, 0.5), (1e11, MAX_PAUSE)])
def test_what_the_server_says_wins_within_reason(said, waited):
    async def act(limiter, clock):
        limiter.refused(await limiter.take(), said)
        limiter.give()
        await limiter.take()
        return clock() - 1000

    assert limited(act) == pytest.approx(waited)


def test_a_shorter_pause_does_not_cut_a_longer_one():
    async def act(limiter, clock):
        first, second = await limiter.take(), await limiter.take()
        limiter.refused(first, 30)
        limiter.refused(second, 1)
        limiter.give()
        limiter.give()
        await limiter.take()
        return clock() - 1000

    assert limited(act) == pytest.approx(30)


def test_a_limit_that_is_searched_for_anew_is_still_known():
    """A run that ends just then hands on what was found before."""
    window = Window(100)
    assert window.found is None
    window.refused(8, 8, 0.0, dry=False)
    searching = False
    for _ in range(200):
        window.accepted(window.size - 1)
        searching = searching or window.ceiling is None
        assert window.found is not None
    assert searching
