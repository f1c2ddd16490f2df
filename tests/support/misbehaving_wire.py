"""HTTP/1.1 by hand, so that a server can misbehave below HTTP: read a request, send or spoil an answer."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from dataclasses import dataclass
from typing import Any


class HungUpError(Exception):
    """The other side closed, or we did: nothing more is to be done on this connection."""


@dataclass
class Incoming:
    """One request. `target` is exactly what stood in the request line. `number` counts its call from 1."""

    method: str
    target: str
    headers: dict[str, str]
    call: str = "other"
    number: int = 0
    body: bytes = b""

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]


@dataclass
class Wire:
    """One connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def read_head(self) -> Incoming:
        try:
            head = await self.reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
            raise HungUpError from None
        lines = head.decode("latin-1").split("\r\n")
        method, target, _ = lines[0].split(" ", 2)
        pairs = (line.partition(":") for line in lines[1:] if line)
        return Incoming(method, target, {name.strip().lower(): value.strip() for name, _, value in pairs})

    async def read_body(self, incoming: Incoming) -> None:
        try:
            incoming.body = await self.reader.readexactly(int(incoming.headers.get("content-length", 0)))
        except (asyncio.IncompleteReadError, ConnectionError):
            raise HungUpError from None

    async def send_raw(self, data: bytes) -> None:
        try:
            self.writer.write(data)
            await self.writer.drain()
        except ConnectionError:
            raise HungUpError from None

    async def send(
        self, status: int, body: object = b"", headers: dict[str, str] | None = None, media: str = ""
    ) -> None:
        """Send a whole answer; anything but bytes and text goes as JSON."""
        await self.send_raw(answer_bytes(status, body, headers, media))

    async def drip(self, data: bytes, pause: float) -> None:
        """Send it one byte at a time."""
        for index in range(len(data)):
            await self.send_raw(data[index : index + 1])
            await asyncio.sleep(pause)

    def close(self) -> None:
        """Close in the ordinary way: FIN."""
        self.writer.close()
        raise HungUpError

    def reset(self) -> None:
        """Close with a reset: RST."""
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()
        raise HungUpError


def answer_bytes(
    status: int, body: object = b"", headers: dict[str, str] | None = None, media: str = ""
) -> bytes:
    """Write a whole answer, with a Content-Length unless the headers bring their own framing."""
    if isinstance(body, str):
        content, media = body.encode(), media or "text/html; charset=utf-8"
    elif isinstance(body, bytes):
        content = body
    else:
        content, media = json.dumps(body).encode(), media or "application/json"
    lines = {"Content-Type": media or "application/octet-stream", **(headers or {})}
    if not {"content-length", "transfer-encoding"} & {name.lower() for name in lines}:
        lines["Content-Length"] = str(len(content))
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"HTTP/1.1 {status} Status {status}\r\n{head}\r\n".encode("latin-1") + content


def error(status: int, reason: str, message: str) -> dict[str, Any]:
    """The API's own envelope."""
    return {"code": status, "reason": reason, "message": message, "metadata": {}}
