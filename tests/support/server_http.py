"""The server under test: over a real socket on loopback, or straight through ASGI."""

import asyncio
import base64
import contextlib
import io
import threading
import time

import httpx
from PIL import Image

from zbatch.server.serving import bind

MODEL = "/v3/async/z-image-turbo-lora"
RESULT = "/v3/async/task-result"


@contextlib.contextmanager
def over_socket(app, **options):
    """Serve an app on a free loopback port; gives a client of it."""
    serving = bind(app, port=0, **options)
    thread = threading.Thread(target=serving.run, daemon=True)
    thread.start()
    try:
        with httpx.Client(base_url=serving.url, timeout=30, trust_env=False) as client:
            yield client
    finally:
        serving.stop()
        thread.join(20)
        assert not thread.is_alive()


class _InProcess(httpx.BaseTransport):
    """Calls an app that lives in an event loop of its own thread, through httpx.ASGITransport."""

    def __init__(self, app, loop):
        self._transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        self._loop = loop

    def handle_request(self, request):
        return asyncio.run_coroutine_threadsafe(self._handle(request), self._loop).result(60)

    async def _handle(self, request):
        answer = await self._transport.handle_async_request(request)
        return httpx.Response(answer.status_code, headers=answer.headers, content=await answer.aread())


@contextlib.contextmanager
def over_asgi(app):
    """Call an app in process, its lifespan entered; gives a client of it."""
    started, end = threading.Event(), asyncio.Event()
    loop = asyncio.new_event_loop()

    async def live():
        async with app.router.lifespan_context(app):
            started.set()
            await end.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(live()), daemon=True)
    thread.start()
    try:
        assert started.wait(20)
        with httpx.Client(transport=_InProcess(app, loop), base_url="http://server.invalid") as client:
            yield client
    finally:
        loop.call_soon_threadsafe(end.set)
        thread.join(20)
        loop.close()


def finished(client, task_id, **options):
    """Poll a task until it is final; gives the whole answer."""
    for _ in range(2000):
        answer = client.get(RESULT, params={"task_id": task_id}, **options)
        assert answer.status_code == 200, answer.text
        if answer.json()["task"]["status"] in ("TASK_STATUS_SUCCEED", "TASK_STATUS_FAILED"):
            return answer.json()
        time.sleep(0.005)
    raise AssertionError("the task never ended")


def submit(client, **body):
    answer = client.post(MODEL, json={"prompt": "red fox", "size": "256*256"} | body)
    assert answer.status_code == 200, answer.text
    return answer.json()["task_id"]


def png_bytes(size=(64, 48), colour=(200, 40, 10), mode="RGB"):
    buffer = io.BytesIO()
    Image.new(mode, size, colour).save(buffer, "PNG")
    return buffer.getvalue()


def data_uri(data, media_type="image/png"):
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}"
