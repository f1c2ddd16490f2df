"""Bodies share a bound: what is more than all of them may hold is told to come again."""

import asyncio
import contextlib

import pytest
from starlette.requests import Request

from zbatch.server.answers import RefusedError
from zbatch.server.bodies import MAX_BODY, Bodies


def request(*chunks, gone=False, **headers):
    messages = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
    messages.append({"type": "http.disconnect"} if gone else {"type": "http.request", "body": b""})

    async def receive():
        return messages.pop(0)

    given = {"content-type": "application/json"} | {
        name.replace("_", "-"): one for name, one in headers.items()
    }
    raw = [(name.encode(), value.encode()) for name, value in given.items()]
    return Request({"type": "http", "method": "POST", "headers": raw}, receive)


async def held(bodies, *chunks):
    async with bodies.read(request(*chunks)) as body:
        return body


def refused(status, coroutine):
    async def caught():
        with pytest.raises(RefusedError) as error:
            await coroutine
        return error.value

    error = asyncio.run(caught())
    assert error.status == status
    return error


def test_all_bodies_together_are_bounded_and_room_comes_back():
    bodies = Bodies(most=100)

    async def main():
        async with contextlib.AsyncExitStack() as stack:
            await stack.enter_async_context(bodies.read(request(b"a" * 60)))
            with pytest.raises(RefusedError) as caught:
                await held(bodies, b"a" * 30, b"a" * 30)
            assert (caught.value.status, caught.value.headers) == (503, {"Retry-After": "1"})
            assert await held(bodies, b"a" * 40) == b"a" * 40
        assert len(await held(bodies, b"a" * 100)) == 100

    asyncio.run(main())


def test_one_that_tells_that_it_is_too_large_is_not_read():
    async def main():
        async with Bodies().read(request(content_length=str(MAX_BODY + 1))):
            pass

    assert "larger" in refused(413, main()).message


def test_a_client_that_went_away_leaves_no_room_taken():
    bodies = Bodies(most=100)

    async def main():
        async with bodies.read(request(b"a" * 80, gone=True)):
            pass

    refused(408, main())
    assert len(asyncio.run(held(bodies, b"a" * 100))) == 100
