"""The Starlette app that answers the API, over HTTP or in process."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
import time
from collections.abc import AsyncIterator, Callable

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from zbatch.api.contract import MODELS, RESULT_PATH
from zbatch.api.results import TaskStatus
from zbatch.errors import DiskError
from zbatch.model import EXTENSIONS, MEDIA_TYPES
from zbatch.server.answers import RefusedError, data_uri, json_answer, refusal, task_answer
from zbatch.server.bodies import Bodies
from zbatch.server.engines import Engine, SteppedEngine
from zbatch.server.engines.preview import PreviewEngine
from zbatch.server.fetch import Fetcher
from zbatch.server.home import Home
from zbatch.server.keys import KeyRing, presented_key
from zbatch.server.metrics import MEDIA_TYPE as METRICS_TYPE
from zbatch.server.metrics import Metrics
from zbatch.server.observing import Observing
from zbatch.server.openapi import openapi_document
from zbatch.server.orders import read_order
from zbatch.server.plain import Plain
from zbatch.server.queue import TaskQueue
from zbatch.server.shelf import MemoryShelf
from zbatch.server.signing import Signer
from zbatch.server.store import TaskStore
from zbatch.server.tasks import BusyError, Task
from zbatch.server.terms import Terms
from zbatch.version import __version__

log = logging.getLogger(__name__)


def create_app(
    engine: Engine | None = None,
    terms: Terms | None = None,
    *,
    home: Home | None = None,
    keys: KeyRing | None = None,
    clock: Callable[[], float] = time.time,
    fetcher: Fetcher | None = None,
) -> Starlette:
    """Build the server.

    `engine` is the preview engine unless given. With a `home` its tasks, results and signed URLs outlive the
    process; without one they die with it. With `keys`, every call but `/healthz`, `/readyz`, `/openapi.json`
    and signed image URLs needs one. `clock` is wall time in seconds.
    """
    engine, terms, metrics = engine or PreviewEngine(), terms or Terms(), Metrics()
    limits = terms.limits
    shelf, ledger = (MemoryShelf(), None) if home is None else (home.shelf, home.ledger)
    queue = TaskQueue(
        engine, TaskStore(limits, clock, shelf, ledger), fetcher or Fetcher(), limits, metrics,
        workers=terms.workers or _workers(engine), quota=terms.quota, rehearsal=terms.rehearsal,
    )  # fmt: skip
    signer = Signer(secrets.token_bytes(32) if home is None else home.secret, clock)
    service = _Service(engine, queue, signer, keys, terms, metrics)
    app = Starlette(
        routes=[
            Route(RESULT_PATH, service.task_result, methods=["GET"]),
            Route("/v3/async/{model}", service.submit, methods=["POST"]),
            Route("/v3/files/{task_id}/{name}", service.download, methods=["GET"]),
            Route("/healthz", service.healthz, methods=["GET"]),
            Route("/readyz", service.readyz, methods=["GET"]),
            Route("/metrics", service.tell_metrics, methods=["GET"]),
            Route("/openapi.json", service.openapi, methods=["GET"]),
        ],
        middleware=[Middleware(Observing, metrics=metrics), Middleware(Plain, any_host=keys is not None)],
        exception_handlers={
            RefusedError: _answer_refusal,
            DiskError: _answer_disk,
            HTTPException: _answer_http_exception,
            Exception: _answer_bug,
        },
        lifespan=lambda _: service.lifespan(),
    )
    # A redirect would be built from what the caller calls us; a path is what it is.
    app.router.redirect_slashes = False
    app.state.keys = keys
    app.state.hurry = service.hurry  # set: what is under way is not waited for on the way out
    app.state.engine = engine.name
    return app


def _workers(engine: Engine) -> int:
    """Give how many threads run an engine, where nobody said: one that takes its time fills the machine."""
    return 1 if isinstance(engine, SteppedEngine) else os.cpu_count() or 1


class _Service:
    """The handlers, and what they share."""

    def __init__(
        self,
        engine: Engine,
        queue: TaskQueue,
        signer: Signer,
        keys: KeyRing | None,
        terms: Terms,
        metrics: Metrics,
    ) -> None:
        self._engine = engine
        self._queue = queue
        self._signer = signer
        self._keys = keys
        self._terms = terms
        self._metrics = metrics
        self._bodies = Bodies()
        self.hurry = asyncio.Event()

    @contextlib.asynccontextmanager
    async def lifespan(self) -> AsyncIterator[None]:
        await self._queue.store.open()
        # The workers run in a task of their own, so that an error of the body is not wrapped in a group.
        async with self._queue.fetcher:
            work = asyncio.create_task(self._queue.run(), name="zbatch-server-queue")
            try:
                yield
            finally:
                self._queue.close()
                hurry = asyncio.create_task(self.hurry.wait())
                await asyncio.wait(
                    [work, hurry], timeout=self._terms.grace, return_when=asyncio.FIRST_COMPLETED
                )
                for waited in (hurry, work):
                    waited.cancel()
                    with contextlib.suppress(asyncio.CancelledError):
                        await waited
                await self._queue.store.close()

    async def submit(self, request: Request) -> Response:
        owner = self._authorize(request)
        model = request.path_params["model"]
        if f"/v3/async/{model}" == RESULT_PATH:
            raise HTTPException(405, "Method Not Allowed", {"Allow": "GET, HEAD"})
        if model not in MODELS:
            known = ", ".join(MODELS)
            raise RefusedError(404, "MODEL_NOT_FOUND", f"no model is called {model!r}; there are {known}")
        async with self._bodies.read(request) as body:
            order = await read_order(model, owner, body, self._queue.fetcher)
        try:
            task = await self._queue.submit(order)
        except BusyError as error:
            retry = {"Retry-After": str(error.retry_after)}
            raise RefusedError(429, "RATE_LIMIT_EXCEEDED", error.message, headers=retry) from error
        _tell(request, task_id=task.task_id)
        return json_answer({"task_id": task.task_id})

    async def task_result(self, request: Request) -> Response:
        owner = self._authorize(request)
        task_id = request.query_params.get("task_id", "")
        if not task_id:
            raise RefusedError(400, "INVALID_REQUEST_BODY", "task_id is required")
        task = self._queue.store.get(task_id)
        if task is None or task.order.owner != owner:
            raise RefusedError(404, "TASK_NOT_FOUND", f"there is no task {task_id[:80]!r}, or it is gone")
        return json_answer(task_answer(task, *await self._image_url(request, task)))

    async def _image_url(self, request: Request, task: Task) -> tuple[str | None, int]:
        if task.status is not TaskStatus.SUCCEED or task.finished_at is None:
            return None, 0
        expires = int(task.finished_at + self._terms.limits.result_ttl) + 1
        ttl = max(1, int(expires - self._queue.store.clock()))
        if task.order.base64:
            image = await self._queue.store.image(task)
            if image is None:
                raise RefusedError(404, "TASK_NOT_FOUND", "the image of this task is gone")
            task.delivered = True
            return data_uri(image, task.order.request.output_format), ttl
        name = f"0{EXTENSIONS[task.order.request.output_format]}"
        return self._base(request) + self._signer.path(task.task_id, name, expires), ttl

    async def download(self, request: Request) -> Response:
        task_id, name = request.path_params["task_id"], request.path_params["name"]
        if not self._signer.allows(task_id, name, request.query_params):
            raise RefusedError(403, "ACCESS_DENY", "the signature of this URL is wrong or has expired")
        task = self._queue.store.get(task_id)
        image = None if task is None else await self._queue.store.image(task)
        if task is None or image is None:
            raise RefusedError(404, "IMAGE_NOT_FOUND", "the image is gone")
        task.delivered = True
        left = max(0, int(request.query_params["expires"]) - int(self._queue.store.clock()))
        headers = {
            "Cache-Control": f"private, max-age={left}, immutable",
            "Accept-Ranges": "none",  # an image comes whole, whatever part is asked for
        }
        return Response(image, 200, headers, MEDIA_TYPES[task.order.request.output_format])

    async def healthz(self, _: Request) -> Response:
        tasks = self._queue.store.counts()
        return json_answer(
            {"status": "ok", "engine": self._engine.name, "version": __version__, "tasks": tasks}
        )

    async def readyz(self, _: Request) -> Response:
        if not self._queue.taking:
            raise RefusedError(503, "SERVICE_NOT_AVAILABLE", "the server is on its way up or down")
        return json_answer({"status": "ready"})

    async def tell_metrics(self, request: Request) -> Response:
        self._authorize(request)
        return Response(self._metrics.page(), 200, media_type=METRICS_TYPE)

    async def openapi(self, request: Request) -> Response:
        return json_answer(openapi_document(self._base(request), __version__, keys=self._keys is not None))

    def _base(self, request: Request) -> str:
        """Give what the caller reaches us by."""
        return self._terms.public_url or str(request.base_url).rstrip("/")

    def _authorize(self, request: Request) -> str:
        if self._keys is None:
            return ""
        owner = self._keys.owner(presented_key(request.headers.get("Authorization", "")))
        if owner is None:
            raise RefusedError(
                401, "FAILED_TO_AUTH", "the API key is missing or not accepted",
                headers={"WWW-Authenticate": "Bearer"},
            )  # fmt: skip
        _tell(request, key=owner)
        return owner


def _tell(request: Request, **facts: str) -> None:
    """Have the access log say more of a call."""
    request.scope.setdefault("told", {}).update(facts)


async def _answer_refusal(_: Request, error: Exception) -> Response:
    if not isinstance(error, RefusedError):
        raise error
    return refusal(error)


async def _answer_disk(_: Request, error: Exception) -> Response:
    log.error("%s", error)
    return refusal(RefusedError(503, "SERVICE_NOT_AVAILABLE", "the server cannot write it down"))


async def _answer_http_exception(_: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    reason = {404: "NOT_FOUND", 405: "METHOD_NOT_ALLOWED"}.get(error.status_code, "INVALID_REQUEST")
    return refusal(RefusedError(error.status_code, reason, error.detail, headers=error.headers))


async def _answer_bug(request: Request, error: Exception) -> Response:
    log.error("bug in the server: %s %r", request.method, request.url.path, exc_info=error)
    return refusal(RefusedError(500, "INTERNAL_ERROR", "the server made a mistake; its log says which"))
