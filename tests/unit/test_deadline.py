"""Deadlines: like asyncio's, but what came while the process was stopped is read before it is late."""

import asyncio
import contextlib
import socket
import time

import pytest

from zbatch.api.deadline import Deadline


def run(main):
    return asyncio.run(main())


async def within(seconds, awaitable):
    async with Deadline(asyncio.get_running_loop().time() + seconds):
        return await awaitable


async def hastened():
    loop = asyncio.get_running_loop()
    async with Deadline(loop.time() + 60) as deadline:
        deadline.move(loop.time())
        await asyncio.sleep(5)


def test_what_comes_in_time_comes_and_what_does_not_is_a_timeout():
    async def main():
        assert await within(5, asyncio.sleep(0, "here")) == "here"
        assert await within(float("inf"), asyncio.sleep(0, "here")) == "here"
        for seconds in (0.01, 0.0, -0.1):
            with pytest.raises(TimeoutError):
                await within(seconds, asyncio.sleep(5))

    run(main)


@pytest.mark.parametrize("answered", [True, False])
def test_after_a_stop_what_lies_in_the_socket_is_read_and_nothing_is_waited_for_twice(answered):
    async def main():
        mine, other = socket.socketpair()
        reader, writer = await asyncio.open_connection(sock=mine)
        if answered:
            other.sendall(b"id")
        # The loop learns of neither bytes nor time until this is over, as in a process that is stopped.
        waiting = asyncio.create_task(within(0.01, reader.readexactly(2)))
        await asyncio.sleep(0)
        time.sleep(0.7)  # noqa: ASYNC251 blocking is the point
        with contextlib.nullcontext() if answered else pytest.raises(TimeoutError):
            assert await waiting == b"id"
        writer.close()
        other.close()

    run(main)


def test_it_can_be_moved_both_ways():
    async def main():
        loop = asyncio.get_running_loop()
        async with Deadline(loop.time() + 0.01) as deadline:
            deadline.move(loop.time() + 60)
            await asyncio.sleep(0.05)
        with pytest.raises(TimeoutError):
            await hastened()

    run(main)


def test_a_cancellation_from_outside_stays_one_and_an_error_stays_itself():
    async def main():
        task = asyncio.create_task(within(60, asyncio.sleep(60)))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        with pytest.raises(KeyError):
            async with Deadline(asyncio.get_running_loop().time() + 60):
                raise KeyError

    run(main)
