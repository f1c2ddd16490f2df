"""One HTTP answer, read within bounds, and the server's own words in it, fit to be shown.

A server says why in `{"code", "reason", "message"}`; a proxy in front of it in HTML, or not at all. Whatever
it says is text from outside: a key that it echoes, the query of a (signed) URL, control characters and
endless pages are taken out here, before a message is made of it.
"""

from __future__ import annotations

import dataclasses
import html
import re
import zlib
from collections.abc import AsyncIterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final, cast

import httpx
import orjson

MAX_JSON: Final = 64 * 1024 * 1024
"""Bytes of a JSON answer: a whole picture may stand in it as base64."""

MAX_ERROR: Final = 64 * 1024
"""Bytes read of an answer that is an error; the words stand at its beginning."""

MAX_RETRY_AFTER: Final = 3600.0
"""Seconds. A server that asks for a longer pause is heard, but not beyond this."""

MAX_REASON: Final = 2000
"""Characters kept of what a server says about a request or a task: whoever paid for it reads all of that."""

_MAX_WORDS: Final = 300
_MAX_SCRUBBED: Final = 4000


class TooLargeError(Exception):
    """The body is larger than its bound."""


@dataclass(frozen=True, slots=True)
class Call:
    """One HTTP call. `limit` is in bytes of a good answer's body; time-outs are those of `Timeouts`."""

    method: str
    url: str
    headers: Mapping[str, str]
    content: bytes
    limit: int
    timeouts: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, headers and body. `whole` is false where the body of an error was cut, by us or on the way."""

    status: int
    headers: Mapping[str, str]
    content: bytes
    whole: bool = True

    def json(self) -> Any:
        """Parse the body.

        Raises:
            ValueError: where it is not JSON.
        """
        return orjson.loads(self.content)

    def error_body(self) -> Mapping[str, Any] | None:
        """Give the JSON object that says what went wrong, or `None` where it is anything else."""
        try:
            body = orjson.loads(self.content)
        except ValueError:
            return None
        return body if isinstance(body, Mapping) else None


async def read_answer(response: httpx.Response, limit: int) -> Answer:
    """Read a response to its end and close it, holding at most `limit` bytes of it in memory.

    Raises:
        TooLargeError: where a 2xx answer is larger than `limit`, as sent or unpacked.
        httpx.TransportError: where a 2xx answer breaks off. Of an error the beginning is enough.
    """
    stream = cast("httpx.AsyncByteStream", response.stream)  # an async transport gives no other
    try:
        return await answer_of(response.status_code, response.headers, stream, limit)
    finally:
        await stream.aclose()


async def answer_of(
    status: int, headers: Mapping[str, str], stream: AsyncIterable[bytes], limit: int
) -> Answer:
    """Read a body piece by piece, as `read_answer` does. Closing the stream is the caller's."""
    good = 200 <= status < 300
    pieces: list[bytes] = []
    size, whole = 0, True
    try:
        async for piece in stream:
            pieces.append(piece)
            size += len(piece)
            if size > (limit if good else MAX_ERROR):
                whole = False
                break
    except httpx.TransportError:
        if good:
            raise
        whole = False
    if good and not whole:
        raise TooLargeError
    length = headers.get("content-length", "").strip()
    framed = length.isdecimal() and "transfer-encoding" not in headers
    if good and framed and int(length) != size:  # which a transport in process does not look at
        raise httpx.RemoteProtocolError("the answer ended before it was whole")
    return unpacked(Answer(status, headers, b"".join(pieces), whole), limit)


def unpacked(answer: Answer, limit: int) -> Answer:
    """Give an answer whose body is as it was before it was packed for its way, if it was.

    Raises:
        TooLargeError: where a 2xx answer, unpacked, is larger than `limit`.
        httpx.RemoteProtocolError: where a 2xx answer cannot be unpacked.
    """
    encoding = answer.headers.get("content-encoding")
    if encoding is None or encoding.strip().lower() in ("", "identity"):
        return answer
    good = 200 <= answer.status < 300
    content = _unpacked(answer.content, limit if good else MAX_ERROR, strict=good)
    return dataclasses.replace(answer, content=content)


def _unpacked(content: bytes, limit: int, *, strict: bool) -> bytes:
    """Unpack gzip or deflate, which was not asked for but may come, without growing past `limit`."""
    unpacker = zlib.decompressobj(wbits=47)  # 32 + 15: gzip or zlib, as the header says
    try:
        unpacked = unpacker.decompress(content, limit)
    except zlib.error:
        if strict:
            raise httpx.RemoteProtocolError("the answer is packed in a way that was not asked for") from None
        return b""
    if strict and unpacker.unconsumed_tail:
        raise TooLargeError
    if strict and not unpacker.eof:
        raise httpx.RemoteProtocolError("the answer ended before it was whole")
    return unpacked


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Read `Retry-After` in seconds: a number or an HTTP date, at most `MAX_RETRY_AFTER`, nonsense ignored.

    A date is held against the answer's own `Date` where there is one: the server's clock, not ours, wrote it.
    """
    value = headers.get("retry-after", "").strip()
    if re.fullmatch(r"\d{1,20}(\.\d{1,20})?", value, re.ASCII):
        return min(float(value), MAX_RETRY_AFTER)
    until = _date(value)
    if until is None:
        return None
    now = _date(headers.get("date", "")) or datetime.now(UTC)
    return min(max((until - now).total_seconds(), 0.0), MAX_RETRY_AFTER)


def _date(value: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Words:
    """What the server said: its reason (`""` where it gave none) and a line for people, both clean."""

    reason: str
    message: str


def words_of(answer: Answer, key: str | None) -> Words:
    """Find the server's own words in an answer, without the key and without the queries of URLs."""
    body = answer.error_body()
    if body is None:
        return Words("", shown(_text_of(answer), key))
    inner = body.get("error")
    nested = inner if isinstance(inner, Mapping) else {}
    reason = _first_text(body.get("reason"), nested.get("reason"), nested.get("type"))
    message = _first_text(
        body.get("message"), nested.get("message"), inner, body.get("detail"), body.get("msg")
    )
    return Words(shown(reason, key)[:80], shown(message, key, MAX_REASON))


def _first_text(*values: Any) -> str:
    return next((value for value in values if isinstance(value, str) and value.strip()), "")


def _text_of(answer: Answer) -> str:
    """Give the text of a page that is no JSON, without its markup. Linear, whatever the page is."""
    text = answer.content[:MAX_ERROR].decode("utf-8", "replace")
    if "\ufffd" in text[:200]:
        return ""
    for element in ("head", "style", "script"):
        text = _without(text, element)
    return html.unescape(re.sub(r"<[^<>]*>", " ", text))


def _without(text: str, element: str) -> str:
    kept, at, lower = [], 0, text.lower()
    while (start := lower.find(f"<{element}", at)) >= 0:
        kept.append(text[at:start])
        end = lower.find(f"</{element}", start)
        at = end if end >= 0 else len(text)
    return " ".join([*kept, text[at:]])


_SCHEME: Final = r"\b([a-z][a-z0-9+.-]{0,20}://"
_DATA: Final = re.compile(r"\bdata:[a-z0-9/+.-]*;base64,[a-z0-9+/=_-]*", re.IGNORECASE)
_USER: Final = re.compile(_SCHEME + r""")[^\s/?#@"'<>]*@""", re.IGNORECASE)
_QUERY: Final = re.compile(_SCHEME + r"""[^\s?#"'<>]*)[?#][^\s"'<>]*""", re.IGNORECASE)


def shown(text: str, key: str | None, most: int = _MAX_WORDS) -> str:
    """Make text from outside fit for a message: one line, bounded, no key, no query or user of a URL."""
    if key:
        text = text.replace(key, "***")
    if len(text) > _MAX_SCRUBBED:  # the last word may be half of something that would have been taken out
        text = text[:_MAX_SCRUBBED].rpartition(" ")[0] + "…"
    text = _QUERY.sub(r"\1", _USER.sub(r"\1", _DATA.sub("data:…", text)))
    text = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return text if len(text) <= most else text[: most - 1] + "…"
