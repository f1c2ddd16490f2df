"""The built-in endpoint: the same app in process, from submit to picture."""

import asyncio

import httpx
import pytest

from zbatch.server.embedded import EMBEDDED_BASE_URL, embedded_transport


def client_of(transport):
    return httpx.AsyncClient(transport=transport, base_url=EMBEDDED_BASE_URL)


async def picture(client, body):
    task = (await client.post("/v3/async/z-image-turbo-lora", json=body)).json()
    while True:
        result = (await client.get("/v3/async/task-result", params=task)).json()
        if result["images"]:
            url = result["images"][0]["image_url"]
            assert url.startswith(EMBEDDED_BASE_URL)
            return (await client.get(url)).content
        await asyncio.sleep(0.005)


def test_many_at_once_and_equal_requests_give_equal_bytes():
    async def main():
        async with embedded_transport(workers=2) as transport, client_of(transport) as client:
            bodies = [{"prompt": "fox", "size": "256*256", "seed": seed % 8} for seed in range(16)]
            return await asyncio.gather(*(picture(client, body) for body in bodies))

    pictures = asyncio.run(main())
    assert pictures[:8] == pictures[8:]
    assert len(set(pictures)) == 8


def test_an_error_of_the_body_comes_out_as_it_is():
    async def main():
        async with embedded_transport():
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        asyncio.run(main())


def test_leaving_with_work_in_the_queue():
    async def main():
        async with embedded_transport(workers=1) as transport, client_of(transport) as client:
            for seed in range(20):
                await client.post("/v3/async/z-image-turbo-lora", json={"prompt": "fox", "seed": seed})

    asyncio.run(asyncio.wait_for(main(), 20))
