"""The faults a misbehaving server knows, by the call they spoil.

A fault is a coroutine that gets the exchange and answers instead of the server. `exchange.accept()` enters
the submit into the ledger: a fault that calls it is one the client must never take for "not accepted".
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

from support.misbehaving_exchange import bomb
from support.misbehaving_wire import answer_bytes, error

if TYPE_CHECKING:
    from support.misbehaving_exchange import Exchange

Fault = Callable[["Exchange"], Awaitable[None]]

CALLS = ("connection", "submit", "result", "image")
FAULTS: dict[str, dict[str, Fault]] = {call: {} for call in CALLS}
HTML = "<!doctype html><html><title>Oops</title><body><h1>Bad gateway</h1> at the edge</body></html>"


def fault(*names: str) -> Callable[[Fault], Fault]:
    """Enter a fault under each `call:name`; the call `any` stands for submit, result and image."""

    def enter(act: Fault) -> Fault:
        for full in names:
            call, _, name = full.partition(":")
            for each in CALLS[1:] if call == "any" else (call,):
                FAULTS[each][name] = act
        return act

    return enter


def _enter(full: str, act: Callable[..., Awaitable[None]], **arguments: Any) -> None:
    fault(full)(lambda exchange: act(exchange, **arguments))


async def _refuse(
    exchange: Exchange,
    status: int,
    reason: str = "",
    message: str = "said the server",
    headers: Callable[[], dict[str, str]] = dict,
    accepted: bool = False,
) -> None:
    if accepted:
        exchange.accept()
    body = error(status, reason, message) if reason else HTML
    await exchange.wire.send(status, body, headers())


def _in_two_seconds() -> dict[str, str]:
    return {"Retry-After": format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True)}


_THROTTLES: dict[str, Callable[[], dict[str, str]]] = {
    "429": dict,
    "429-seconds": lambda: {"Retry-After": "1"},
    "429-date": _in_two_seconds,
    "429-far": lambda: {"Retry-After": "Thu, 01 Jan 2099 00:00:00 GMT"},
    "429-absurd": lambda: {"Retry-After": "99999999999"},
    "429-negative": lambda: {"Retry-After": "-5"},
    "429-garbage": lambda: {"Retry-After": "in a while"},
}
for _name, _headers in _THROTTLES.items():
    _enter(f"any:{_name}", _refuse, status=429, reason="RATE_LIMIT_EXCEEDED", headers=_headers)

_ANSWERS: dict[str, tuple[str, int, str]] = {
    "401": ("any", 401, "FAILED_TO_AUTH"),
    "402": ("any", 402, "PAYMENT_REQUIRED"),
    "403-key": ("any", 403, "INVALID_API_KEY"),
    "403-balance": ("any", 403, "NOT_ENOUGH_BALANCE"),
    "400-balance": ("any", 400, "BILLING_BALANCE_NOT_ENOUGH"),
    "408": ("any", 408, "REQUEST_TIMEOUT"),
    "503": ("any", 503, "SERVICE_NOT_AVAILABLE"),
    "503-html": ("any", 503, ""),
    "502-html": ("any", 502, ""),
    "504-html": ("any", 504, ""),
    "404-html": ("any", 404, ""),
    "html-200": ("any", 200, ""),
    "500": ("submit", 500, "CREATE_TASK_FAILED"),
    "500-billing": ("submit", 500, "BILLING_FAILED"),
    "500-throttled": ("submit", 500, "RATE_LIMIT_EXCEEDED"),
    "400-body": ("submit", 400, "INVALID_REQUEST_BODY"),
    "400-prompt": ("submit", 400, "ILLEGAL_PROMPT"),
    "404-model": ("submit", 404, "MODEL_NOT_FOUND"),
    "500-result": ("result", 500, "GET_RESULT_FAILED"),
    "not-found": ("result", 404, "TASK_NOT_FOUND"),
}
for _name, (_call, _status, _reason) in _ANSWERS.items():
    _enter(f"{_call}:{_name}", _refuse, status=_status, reason=_reason)
for _status in (500, 502, 504):
    _enter(f"submit:{_status}-accepted", _refuse, status=_status, accepted=True)
_enter("submit:html-200-accepted", _refuse, status=200, accepted=True)
_enter("image:500", _refuse, status=500, reason="INTERNAL")


async def _expired(exchange: Exchange, status: int) -> None:
    """Refuse the link; with `server.renews_urls` the task gives a fresh one from now on."""
    if exchange.server.renews_urls:
        exchange.task.renew()
    await _refuse(exchange, status, "EXPIRED", "the link has expired")


for _status in (403, 404, 410):
    _enter(f"image:{_status}", _expired, status=_status)


# ── bodies of the wrong shape ──────────────────────────────────────────────────────────────────────────────


async def _say(exchange: Exchange, body: Any) -> None:
    """Answer 200 with a body of no use; a submit was accepted all the same."""
    if exchange.incoming.call == "submit":
        exchange.accept()
    await exchange.wire.send(200, body, media="application/json")


for _call in ("submit", "result"):
    _enter(f"{_call}:list", _say, body=[1, 2, 3])
    _enter(f"{_call}:null", _say, body=None)
    _enter(f"{_call}:empty", _say, body=b"")
    _enter(f"{_call}:half-json", _say, body=b'{"task_id": "abc", "task": {"sta')
_enter("submit:no-task-id", _say, body={"id": "x"})
_enter("submit:null-task-id", _say, body={"task_id": None})
_enter("result:no-status", _say, body={"task": {"task_id": "x"}, "images": []})
_enter("result:task-is-text", _say, body={"task": "TASK_STATUS_SUCCEED"})


@fault("submit:number-task-id")
async def _number_task_id(exchange: Exchange) -> None:
    task = exchange.accept(str(10_000_000 + exchange.incoming.number))
    await exchange.wire.send(200, {"task_id": int(task.task_id)})


# ── the connection ─────────────────────────────────────────────────────────────────────────────────────────


@fault("connection:close", "submit:close-unread", "any:close")
async def _close(exchange: Exchange) -> None:
    exchange.wire.close()


@fault("connection:reset", "submit:reset-unread", "any:reset")
async def _reset(exchange: Exchange) -> None:
    exchange.wire.reset()


@fault("submit:close-accepted")
async def _close_accepted(exchange: Exchange) -> None:
    exchange.accept()
    exchange.wire.close()


@fault("submit:reset-accepted")
async def _reset_accepted(exchange: Exchange) -> None:
    exchange.accept()
    exchange.wire.reset()


@fault("any:cut-head")
async def _cut_head(exchange: Exchange) -> None:
    await exchange.wire.send_raw((await exchange.good_bytes())[:20])
    exchange.wire.close()


@fault("any:cut")
async def _cut(exchange: Exchange) -> None:
    whole = await exchange.good_bytes()
    body = whole.index(b"\r\n\r\n") + 4
    await exchange.wire.send_raw(whole[: body + (len(whole) - body) // 2])
    exchange.wire.close()


@fault("any:drip")
async def _drip(exchange: Exchange) -> None:
    whole = await exchange.good_bytes()
    exchange.note_picture(whole)
    await exchange.wire.drip(whole, exchange.server.drip)


@fault("any:late")
async def _late(exchange: Exchange) -> None:
    whole = await exchange.good_bytes()
    await asyncio.sleep(exchange.server.late)
    await exchange.send_good(whole)


@fault("any:garbage")
async def _garbage(exchange: Exchange) -> None:
    await exchange.good_bytes()
    await exchange.wire.send_raw(b"\x00\xffSSH-2.0-OpenSSH_9.2 what is this\r\n\r\n")
    exchange.wire.close()


@fault("any:huge-header")
async def _huge_header(exchange: Exchange) -> None:
    await exchange.good_bytes()
    await exchange.wire.send(200, {}, {"X-Huge": "x" * 200_000})


@fault("any:bad-chunks")
async def _bad_chunks(exchange: Exchange) -> None:
    await exchange.good_bytes()
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    await exchange.wire.send_raw(head + b'5\r\n{"tas\r\nzz\r\nnonsense\r\n')
    exchange.wire.close()


@fault("any:then-close")
async def _then_close(exchange: Exchange) -> None:
    """Answer well, say nothing of closing, and close."""
    await exchange.good()
    exchange.wire.close()


# ── the life of a task ─────────────────────────────────────────────────────────────────────────────────────


async def _fate(exchange: Exchange, fate: str) -> None:
    exchange.task.fate = exchange.task.fate or fate
    await exchange.good()


for _fated in ("never", "failed", "failed-no-reason", "lost"):
    _enter(f"result:{_fated}", _fate, fate=_fated)


async def _changed(exchange: Exchange, change: Callable[[dict[str, Any]], None]) -> None:
    answer = exchange.server.task_answer(exchange.task)
    change(answer)
    await exchange.wire.send(200, answer)


def _as_text(answer: dict[str, Any]) -> None:
    answer["task"].update(progress_percent="50", eta="3")
    answer["extra"] = {"seed": "42", "has_nsfw_contents": []}


_enter("result:string-numbers", _changed, change=_as_text)
_enter(
    "result:unknown-status", _changed, change=lambda answer: answer["task"].update(status="TASK_STATUS_ZEN")
)
_enter("result:backwards", _changed, change=lambda answer: answer["task"].update(status="TASK_STATUS_QUEUED"))
_enter("result:null-fields", _changed, change=lambda a: a.update(images=None, videos=None, extra=None))
_enter(
    "result:missing-fields",
    _changed,
    change=lambda a: [a.pop(name) for name in ("images", "extra", "videos")],
)


async def _delivered(exchange: Exchange, delivery: str) -> None:
    exchange.task.delivery = delivery
    await exchange.good()


for _delivery in ("data-uri", "base64"):
    _enter(f"result:{_delivery}", _delivered, delivery=_delivery)


# ── pictures ───────────────────────────────────────────────────────────────────────────────────────────────


@fault("image:redirect")
async def _redirect(exchange: Exchange) -> None:
    """Send on to the same picture by a relative URL."""
    await exchange.wire.send(302, b"", {"Location": exchange.incoming.target + "&hop=1"})


@fault("image:redirect-loop")
async def _redirect_loop(exchange: Exchange) -> None:
    await exchange.wire.send(302, b"", {"Location": exchange.incoming.target})


@fault("image:half")
async def _half(exchange: Exchange) -> None:
    """Promise the whole, send half, close."""
    picture = exchange.picture()
    head = answer_bytes(200, b"", {"Content-Length": str(len(picture))}, "image/webp")
    await exchange.wire.send_raw(head + picture[: len(picture) // 2])
    exchange.wire.close()


@fault("image:half-said-whole")
async def _half_said_whole(exchange: Exchange) -> None:
    """Half a picture whose Content-Length agrees: only decoding finds it out."""
    picture = exchange.picture()
    await exchange.wire.send(200, picture[: len(picture) // 2], media="image/webp")


@fault("image:zero")
async def _zero(exchange: Exchange) -> None:
    await exchange.wire.send(200, b"", media="image/webp")


@fault("image:noise")
async def _noise(exchange: Exchange) -> None:
    await exchange.wire.send(200, random.Random(1).randbytes(5000), media="image/webp")


@fault("image:wrong-format")
async def _wrong_format(exchange: Exchange) -> None:
    body = exchange.task.body
    asked = body.get("output_format", "webp")
    other = {**body, "output_format": "png" if asked != "png" else "jpeg"}
    await exchange.wire.send(200, exchange.server.picture(other), media="image/png")
    exchange.fetched(whole=True)


@fault("image:wrong-size")
async def _wrong_size(exchange: Exchange) -> None:
    await exchange.wire.send(200, exchange.server.picture({**exchange.task.body, "size": "300*260"}))
    exchange.fetched(whole=True)


@fault("image:huge")
async def _huge(exchange: Exchange) -> None:
    """A body of `server.huge` bytes, sent for as long as somebody listens."""
    size, block = exchange.server.huge, b"\0" * 65536
    await exchange.wire.send_raw(answer_bytes(200, b"", {"Content-Length": str(size)}, "image/webp"))
    for _ in range(size // len(block)):
        await exchange.wire.send_raw(block)
    exchange.wire.close()


@fault("image:bomb")
async def _bomb(exchange: Exchange) -> None:
    """A small file that unpacks to 400 megapixels."""
    await exchange.wire.send(200, bomb(), media="image/png")
