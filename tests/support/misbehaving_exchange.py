"""One request to the misbehaving server, the good answer to it, and the pictures it has to give."""

from __future__ import annotations

import json
import struct
import uuid
import zlib
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from typing import TYPE_CHECKING, Any

from PIL import Image
from support.misbehaving_ledger import Fetched
from support.misbehaving_wire import HungUpError, Incoming, Wire, answer_bytes, error

if TYPE_CHECKING:
    from support.misbehaving import MisbehavingServer

MEDIA = {"webp": "image/webp", "png": "image/png", "jpeg": "image/jpeg"}


@dataclass
class Task:
    """One accepted submit on its way. `fate` overrides its ordinary end; `delivery` is `url` unless said."""

    task_id: str
    body: dict[str, Any]
    done_at: float
    fate: str = ""
    delivery: str = "url"
    signature: str = ""

    def __post_init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        """Sign the picture's URL anew; the old one is void."""
        self.signature = uuid.uuid4().hex + "+/%3D"


class Exchange:
    """One request and the answer to it: what faults work with."""

    def __init__(self, server: MisbehavingServer, wire: Wire, incoming: Incoming) -> None:
        self.server, self.wire, self.incoming = server, wire, incoming
        self.fault = ""

    def known(self) -> Task | None:
        """The task this request asks about, if there is one."""
        target = self.incoming.target
        named = target.partition("task_id=")[2] if self.incoming.call == "result" else target[8:]
        return self.server.tasks.get(named.partition("%2F")[0].partition("/")[0].partition("&")[0])

    @property
    def task(self) -> Task:
        task = self.known()
        if task is None:
            raise HungUpError
        return task

    def accept(self, task_id: str | None = None) -> Task:
        """Enter this submit into the ledger."""
        return self.server.accept(json.loads(self.incoming.body), self.incoming.number, task_id)

    def picture(self) -> bytes:
        return self.server.picture(self.task.body)

    def fetched(self, *, whole: bool) -> None:
        self.server.ledger.fetched.append(Fetched(self.task.task_id, whole, self.fault))

    async def good(self) -> None:
        """Answer as the API should, and note in the ledger that it went out."""
        await self.send_good(await self.good_bytes())

    async def send_good(self, whole: bytes) -> None:
        """Send what `good_bytes` gave, all of it."""
        self.note_picture(whole)
        await self.wire.send_raw(whole)

    def note_picture(self, whole: bytes) -> None:
        """Enter a true picture into the ledger, just before its bytes go out."""
        if self.incoming.call == "image" and whole.startswith(b"HTTP/1.1 200"):
            self.fetched(whole=True)

    async def good_bytes(self) -> bytes:
        """Do what was asked, and give the whole good answer unsent: a submit is in the ledger after this."""
        if self.incoming.call == "submit":
            return self._submitted()
        if self.incoming.call == "result":
            if self._stranger():
                return answer_bytes(401, error(401, "FAILED_TO_AUTH", "no such key"))
            if self.task.fate == "lost":
                return answer_bytes(404, error(404, "TASK_NOT_FOUND", "task not found"))
            return answer_bytes(200, self.server.task_answer(self.task))
        if self.incoming.call == "image":
            return self._image()
        return self._control()

    def _stranger(self) -> bool:
        said = self.incoming.headers.get("authorization", "").removeprefix("Bearer ")
        return self.server.key is not None and said != self.server.key

    def _submitted(self) -> bytes:
        if self._stranger():
            return answer_bytes(401, error(401, "FAILED_TO_AUTH", "no such key"))
        refusal = self.server.refusal()
        if refusal is not None:
            return answer_bytes(*refusal)
        try:
            body = json.loads(self.incoming.body)
            said = isinstance(body["prompt"], str)
        except (ValueError, KeyError, TypeError):
            said = False
        if not said:
            return answer_bytes(400, error(400, "INVALID_REQUEST_BODY", "prompt: is required"))
        return answer_bytes(200, {"task_id": self.accept().task_id})

    def _image(self) -> bytes:
        task = self.known()
        if self.incoming.headers.get("authorization"):
            return answer_bytes(400, "<Error>Only one auth mechanism allowed</Error>")
        target = self.incoming.target.partition("&hop=")[0]
        if task is None or self.server.url + target != self.server.image_url(task):
            return answer_bytes(403, "<Error><Code>SignatureDoesNotMatch</Code></Error>", media="text/xml")
        media = MEDIA[task.body.get("output_format", "webp")]
        return answer_bytes(200, self.server.picture(task.body), media=media)

    def _control(self) -> bytes:
        if self.incoming.path == "/_ledger":
            return answer_bytes(200, self.server.ledger.as_json())
        if self.incoming.path == "/_fates":
            return answer_bytes(200, {task.task_id: task.fate for task in self.server.tasks.values()})
        if self.incoming.path == "/_set":
            self.server.change(json.loads(self.incoming.body))
            return answer_bytes(200, {})
        return answer_bytes(404, error(404, "NOT_FOUND", "no such path"))


def call_of(incoming: Incoming) -> str:
    if incoming.path == "/v3/async/task-result":
        return "result"
    if incoming.path.startswith("/v3/async/"):
        return "submit"
    return "image" if incoming.path.startswith("/images/") else "other"


@lru_cache(maxsize=256)
def solid_picture(size: str, output_format: str, shade: int) -> bytes:
    width, height = (int(side) for side in size.split("*"))
    file = BytesIO()
    Image.new("RGB", (width, height), (shade * 16, 255 - shade * 16, 96)).save(file, output_format)
    return file.getvalue()


@lru_cache(maxsize=1)
def bomb() -> bytes:
    """Write a true PNG of 20,000 by 20,000 pixels in about 200 kilobytes."""
    side = 20_000
    lines = zlib.compress(bytes((side // 8 + 1) * side), 1)
    chunks = ((b"IHDR", struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)), (b"IDAT", lines), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )
