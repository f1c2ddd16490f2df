"""httpx's exceptions for whatever aiohttp, asyncio, ssl or the system raised.

ConnectError, ConnectTimeout     no byte of the request left this machine: a submit may be repeated
UnsupportedProtocol              the URL or the proxy cannot be used at all; nothing was sent either
everything else                  it may have been sent, all of it: a submit must not be repeated
├── ReadError                    the connection broke
├── ReadTimeout, WriteTimeout    nothing came, or nothing was taken, in time; or the total time was up
└── RemoteProtocolError          what came is not HTTP, or it ended early

No message holds a URL, a header or a body. aiohttp's own exceptions name the URL, so they are not kept as
causes: a traceback would print a signed URL.
"""

from __future__ import annotations

import os
from typing import Final

import aiohttp
import httpx

NEVER_SENT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.UnsupportedProtocol)
"""What is raised only when no byte of the request has left."""


def never_sent(error: Exception) -> httpx.TransportError:
    """Give the exception for what happened before a connection was there."""
    if isinstance(error, httpx.TransportError):
        return error
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return httpx.ConnectError(f"the proxy refused with status {error.status}")
    if isinstance(error, aiohttp.ClientConnectorError):
        return httpx.ConnectError(f"cannot connect to {error.host}:{error.port}: {_words(error)}")
    if isinstance(error, (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError)):
        return httpx.UnsupportedProtocol("not a URL that can be asked for")
    if isinstance(error, TimeoutError):
        return httpx.ConnectTimeout("no connection in time")
    return httpx.ConnectError(f"no connection could be made ({_words(error)})")


def after_sending(error: Exception) -> httpx.TransportError:
    """Give the exception for what happened once a byte may have left."""
    if isinstance(error, httpx.TransportError):
        return error
    if isinstance(error, TimeoutError):
        return httpx.ReadTimeout("no answer in time")
    if isinstance(error, aiohttp.ClientPayloadError):
        return httpx.RemoteProtocolError("the answer ended before it was whole")
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return httpx.ReadError("the server closed the connection without an answer")
    if isinstance(error, (aiohttp.ClientConnectionError, OSError)):
        return httpx.ReadError(f"the connection broke ({_words(error)})")
    return httpx.RemoteProtocolError(f"the answer is not HTTP ({type(error).__name__})")


def _words(error: Exception) -> str:
    """Say what the system said, in its own words, without what aiohttp adds (the URL)."""
    connecting = isinstance(error, aiohttp.ClientConnectorError)
    cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    said = str(cause) if connecting else ""
    if isinstance(cause, OSError) and cause.errno and (not said or "Connect call failed" in said):
        return os.strerror(cause.errno)
    return said or type(cause).__name__
