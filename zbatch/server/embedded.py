"""The built-in endpoint `preview`: the same app, called in process. One code path for the runner."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Final

import httpx

from zbatch.server.app import create_app
from zbatch.server.tasks import Limits
from zbatch.server.terms import Terms

EMBEDDED_BASE_URL: Final = "http://preview.invalid"
"""Base URL of the embedded endpoint; its image URLs point there too, through the same transport."""


@contextlib.asynccontextmanager
async def embedded_transport(*, workers: int | None = None) -> AsyncIterator[httpx.AsyncBaseTransport]:
    """Run the server in process and give the transport that reaches it.

    `ASGITransport` does not run the app's lifespan, so it is entered here: leaving stops the workers. Its
    tasks die with it.
    """
    terms = Terms(Limits(max_finished_bytes=256 * 2**20), workers=workers)
    app = create_app(terms=terms)
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        try:
            yield transport
        finally:
            await transport.aclose()
