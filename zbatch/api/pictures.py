"""Where a picture may come from: the answer of a URL, the next hop of a redirect, or the text itself.

Nothing is decoded here: whether the bytes are a whole picture is found out by whoever saves them.
"""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote_to_bytes

import httpx

from zbatch.api.contract import is_loopback
from zbatch.api.errors import TOO_LARGE, BadAnswerError

if TYPE_CHECKING:
    from zbatch.api.answers import Answer

MAX_IMAGE: Final = 64 * 1024 * 1024
"""Bytes of one picture: nine times the largest one that can be asked for, uncompressed."""

_DATA_URI: Final = re.compile(r"data:([^,;]*)((?:;[^,;]*)*),", re.IGNORECASE)
_BASE64: Final = re.compile(r"[A-Za-z0-9+/_-]+={0,2}", re.ASCII)


def picture_of(answer: Answer) -> bytes:
    """Give the body of a good answer, if it can be a picture at all.

    Raises:
        BadAnswerError: an empty body, or a page of text.
    """
    if not answer.content:
        raise BadAnswerError("the image is empty", reason="EMPTY_IMAGE", status=answer.status)
    if answer.content[:64].lstrip()[:1] in (b"<", b"{", b"["):
        raise BadAnswerError(
            "a page of text where an image should be", reason="NOT_AN_IMAGE", status=answer.status
        )
    return answer.content


def inline_picture(text: str, limit: int) -> bytes:
    """Decode a `data:` URI, or naked base64 (either alphabet, padded or not, in lines or not).

    Raises:
        BadAnswerError: neither of them, or more than `limit` bytes.
    """
    header = _DATA_URI.match(text)
    payload = text[header.end() :] if header else text
    if len(payload) > limit // 3 * 4 + limit // 32 + 1024:  # line breaks take a little room too
        raise BadAnswerError(f"larger than {limit} bytes", reason=TOO_LARGE)
    if header and "base64" not in header[2].lower().split(";"):
        content = unquote_to_bytes(payload)
    else:
        content = _from_base64(unquote_to_bytes(payload).decode("latin-1") if "%" in payload else payload)
    if not content:
        raise BadAnswerError("the image is empty", reason="EMPTY_IMAGE")
    if len(content) > limit:
        raise BadAnswerError(f"larger than {limit} bytes", reason=TOO_LARGE)
    return content


def _from_base64(text: str) -> bytes:
    packed = "".join(text.split())
    bare = packed.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True)
    except ValueError:  # binascii.Error is one, text that is not ASCII gives another
        if _BASE64.fullmatch(packed):
            raise BadAnswerError("the image's base64 is cut or damaged", reason="BAD_BASE64") from None
    raise BadAnswerError("neither a URL nor base64 where an image should be", reason="BAD_IMAGE_URL")


def next_hop(address: str, location: str) -> str:
    """Say where a redirect leads, if it may be followed.

    Raises:
        BadAnswerError: nowhere, to something that is not http(s), or from https down to http (loopback may).
    """
    url = httpx.URL(address)
    try:
        target = url.join(location) if location else None
    except (httpx.InvalidURL, ValueError):
        target = None
    if target is None or target.scheme not in ("http", "https") or not target.host:
        raise BadAnswerError("a redirect that leads nowhere", reason="BAD_REDIRECT")
    if url.scheme == "https" and target.scheme == "http" and not is_loopback(str(target)):
        raise BadAnswerError("a redirect from https to plain http", reason="BAD_REDIRECT")
    return str(target.copy_with(fragment=None))
