"""Requests a second and CPU a request with many in flight: our transport beside httpx's own pool and aiohttp.

python tests/benchmarks/bench_transport.py --seconds 3 --in-flight 256

Every way asks the same tiny server, a process of its own, for the same task-result answer, which comes
`--latency` seconds after it is asked for. CPU is that of the asking process alone.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import aiohttp
import httpx
import orjson

sys.path.insert(0, str(Path(__file__).parents[1]))

from support.lean_http import JSON, OK, Answer, LeanServer, served

from zbatch.api.client import ApiClient
from zbatch.api.transport import AiohttpTransport

BODY = orjson.dumps(
    {
        "task": {"task_id": "t", "status": "TASK_STATUS_PROCESSING", "reason": "", "progress_percent": 0},
        "extra": {"has_nsfw_contents": []},
        "images": [],
        "videos": [],
        "audios": [],
    }
)
HEADERS = {"Authorization": "Bearer sk-bench", "Accept": "application/json", "Accept-Encoding": "identity"}
Ask = Callable[[], Awaitable[object]]


class _Answering(LeanServer):
    def __init__(self, latency: float) -> None:
        self.latency = latency

    def answer(self, head: bytes) -> Answer:
        return OK, JSON, BODY


@contextlib.asynccontextmanager
async def our_client(url: str) -> AsyncIterator[Ask]:
    client = ApiClient(transport=AiohttpTransport(), base_url=url, model="m", key="sk-bench")
    yield lambda: client.result("t")
    await client.aclose()


@contextlib.asynccontextmanager
async def our_transport(url: str) -> AsyncIterator[Ask]:
    transport = AiohttpTransport()

    async def ask() -> object:
        request = httpx.Request("GET", url + "/v3/async/task-result?task_id=t", headers=HEADERS)
        response = await transport.handle_async_request(request)
        body = b"".join([piece async for piece in response.stream])
        await response.aclose()
        return orjson.loads(body)

    yield ask
    await transport.aclose()


@contextlib.asynccontextmanager
async def bare_aiohttp(url: str) -> AsyncIterator[Ask]:
    connector = aiohttp.TCPConnector(limit=512)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def ask() -> object:
            async with session.get(url + "/v3/async/task-result?task_id=t", headers=HEADERS) as response:
                return orjson.loads(await response.read())

        yield ask


async def _through(client: httpx.AsyncClient, url: str) -> AsyncIterator[Ask]:
    async with client:

        async def ask() -> object:
            response = await client.get(url + "/v3/async/task-result?task_id=t", headers=HEADERS)
            return orjson.loads(response.content)

        yield ask


@contextlib.asynccontextmanager
async def async_client_over_ours(url: str) -> AsyncIterator[Ask]:
    async for ask in _through(httpx.AsyncClient(transport=AiohttpTransport()), url):
        yield ask


@contextlib.asynccontextmanager
async def async_client_own_pool(url: str) -> AsyncIterator[Ask]:
    limits = httpx.Limits(max_connections=512, max_keepalive_connections=512)
    async for ask in _through(httpx.AsyncClient(limits=limits, timeout=60), url):
        yield ask


WAYS = {
    "ApiClient.result over AiohttpTransport": our_client,
    "AiohttpTransport, called directly": our_transport,
    "bare aiohttp session": bare_aiohttp,
    "httpx.AsyncClient over AiohttpTransport": async_client_over_ours,
    "httpx.AsyncClient, its own pool": async_client_own_pool,
}


async def measure(
    way: Callable[[str], AbstractAsyncContextManager[Ask]], url: str, in_flight: int, seconds: float
) -> tuple[float, float]:
    """Requests a second, and CPU microseconds a request, after every slot had its first answer."""
    done = 0
    async with way(url) as ask:
        until = 0.0

        async def slot() -> None:
            nonlocal done
            while time.monotonic() < until:
                await ask()
                done += 1

        await asyncio.gather(*(ask() for _ in range(in_flight)))
        started, cpu = time.monotonic(), time.process_time()
        until = started + seconds
        await asyncio.gather(*(slot() for _ in range(in_flight)))
        took = time.monotonic() - started
        return done / took, (time.process_time() - cpu) / max(done, 1) * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=3.0, help="for each way")
    parser.add_argument("--in-flight", type=int, default=256)
    parser.add_argument("--latency", type=float, default=0.02, help="of the server, in seconds")
    options = parser.parse_args()
    print(f"{options.in_flight} in flight, {options.seconds:g} s each, {options.latency * 1000:g} ms server")
    print(f"{'':42}{'requests/s':>12}{'CPU us/request':>16}")
    with served(_Answering, options.latency) as url:
        for name, way in WAYS.items():
            rate, cpu = asyncio.run(measure(way, url, options.in_flight, options.seconds))
            print(f"{name:42}{rate:12,.0f}{cpu:16,.0f}", flush=True)


if __name__ == "__main__":
    main()
