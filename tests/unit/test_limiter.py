"""The limiter, on a clock that is a number: slots, rates, 429s and pauses that hold for everybody."""

import asyncio

import pytest
from support.virtual_time import run_virtually

from zbatch.runner.limiter import MAX_PAUSE, Limiter


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

    assert limited(act, concurrency=1) == ([False] * 5, False)


def test_tasks_of_an_earlier_process_hold_slots():
    async def act(limiter, clock):
        limiter.adopt(20)
        waiting = asyncio.create_task(limiter.take())
        for _ in range(12):
            limiter.give()
        await asyncio.sleep(1)
        assert not waiting.done()
        limiter.give()
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


def test_the_window_doubles_each_round_trip_up_to_the_concurrency():
    async def act(limiter, clock):
        windows = []
        for _ in range(4):
            for _ in range(limiter.window):
                limiter.accepted()
            windows.append(limiter.window)
        return windows

    assert limited(act, concurrency=50) == [16, 32, 50, 50]


def test_a_429_halves_the_window_once_however_many_come_together():
    async def act(limiter, clock):
        for _ in range(7):
            limiter.throttled(None)
        first = limiter.window
        await asyncio.sleep(2)
        limiter.throttled(None)
        second = limiter.window
        for _ in range(10):
            await asyncio.sleep(2)
            limiter.throttled(None)
        return first, second, limiter.window, limiter.throttled_count

    assert limited(act) == (4, 2, 1, 18)


def test_after_a_429_the_window_grows_by_one_a_round_trip():
    async def act(limiter, clock):
        limiter.throttled(None)
        for _ in range(5):
            limiter.accepted()
        return limiter.window

    assert limited(act) == 5


def test_a_pause_holds_for_everybody_and_answers_that_come_together_do_not_lengthen_it():
    async def act(limiter, clock):
        first = limiter.throttled(None)
        assert [limiter.throttled(None) for _ in range(20)] == [first] * 20
        await asyncio.gather(limiter.take(), limiter.take())
        return first, clock() - 1000

    first, waited = limited(act)
    assert waited == pytest.approx(first) == pytest.approx(0.5)


def test_pauses_grow_while_nothing_is_accepted_and_begin_anew_when_something_is():
    async def act(limiter, clock):
        pauses = []
        for _ in range(14):
            pauses.append(limiter.trouble())
            await asyncio.sleep(pauses[-1] + 0.01)
        limiter.accepted()
        return pauses, limiter.trouble()

    pauses, anew = limited(act)
    assert pauses[:4] == pytest.approx([0.5, 0.8, 1.28, 2.048])
    assert pauses[-1] == 60
    assert anew == 0.5


@pytest.mark.parametrize(("said", "waited"), [(3.0, 3.0), (0.0, 0.05), (1e11, MAX_PAUSE)])
def test_what_the_server_says_wins_within_reason(said, waited):
    async def act(limiter, clock):
        limiter.throttled(said)
        await limiter.take()
        return clock() - 1000

    assert limited(act) == pytest.approx(waited)


def test_a_shorter_pause_does_not_cut_a_longer_one():
    async def act(limiter, clock):
        limiter.throttled(30)
        limiter.throttled(1)
        await limiter.take()
        return clock() - 1000

    assert limited(act) == pytest.approx(30)
