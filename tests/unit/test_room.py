"""Room in memory: never more is held than there is, and nobody is passed over."""

import asyncio

from zbatch.runner.room import Room


def test_no_more_is_held_than_there_is_and_a_large_one_has_its_turn():
    held, most, order = 0, 0, []

    async def carry(room, size):
        nonlocal held, most
        await room.take(size)
        held += size
        most = max(most, held)
        order.append(size)
        await asyncio.sleep(0.001)
        held -= size
        room.give(size)

    async def main():
        room = Room(10)
        async with asyncio.timeout(10), asyncio.TaskGroup() as group:
            for size in (3, 4, 10, 3, 3, 3, 10, 1):
                group.create_task(carry(room, size))

    asyncio.run(main())
    assert order == [3, 4, 10, 3, 3, 3, 10, 1]
    assert (held, most) == (0, 10)


def test_who_is_cancelled_while_waiting_or_holding_keeps_nothing():
    async def main():
        room = Room(2)

        async def carry():
            await room.take(2)
            try:
                await asyncio.sleep(60)
            finally:
                room.give(2)

        tasks = [asyncio.create_task(carry()) for _ in range(3)]
        await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        async with asyncio.timeout(10):
            await room.take(2)

    asyncio.run(main())
