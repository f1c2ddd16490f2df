"""PNG: text chunks right behind the header, where readers find them before the picture."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import Final, NamedTuple

from zbatch.provenance.uneditable import CUT_OFF, SIGNED, UneditableError
from zbatch.provenance.words import Words

SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
PARAMETERS: Final = b"parameters"
RECORD: Final = b"zbatch"

_TEXTS: Final = frozenset({b"tEXt", b"zTXt", b"iTXt"})
_HEADER_END: Final = 33
_MOST_TEXT: Final = 16 * 1024 * 1024
"""Bytes that a compressed text may unpack to."""


class _Chunk(NamedTuple):
    kind: bytes
    start: int
    end: int


def edit(data: bytes, words: Words) -> bytes:
    """Give the file with the words in it; `parameters` that are `None` leave what is there.

    Raises:
        UneditableError: it is not as a PNG must be, or signed.
    """
    replaced = {RECORD} if words.parameters is None else {RECORD, PARAMETERS}
    pieces: list[bytes | memoryview] = []
    view, copied, last = memoryview(data), 0, b""
    for chunk in _chunks(data):
        if not last and (chunk.kind != b"IHDR" or chunk.end != _HEADER_END):
            raise UneditableError("its header is not where a PNG has it")
        if chunk.kind == b"caBX":
            raise UneditableError(SIGNED)
        if not last:
            pieces += [view[: chunk.end], *_written(words)]
            copied = chunk.end
        elif chunk.kind in _TEXTS and _keyword(data, chunk) in replaced:
            pieces.append(view[copied : chunk.start])
            copied = chunk.end
        last = chunk.kind
    if last != b"IEND":
        raise UneditableError(CUT_OFF)
    pieces.append(view[copied:])
    return b"".join(pieces)


def find(data: bytes) -> Words:
    """Give the words of a file, as far as it can be read."""
    found: dict[bytes, str] = {}
    for chunk in _chunks(data):
        if chunk.kind in _TEXTS and (keyword := _keyword(data, chunk)) in (PARAMETERS, RECORD):
            text = _text(chunk.kind, data[chunk.start + 9 + len(keyword) : chunk.end - 4])
            if text is not None:
                found[keyword] = text
    return Words(found.get(PARAMETERS), found.get(RECORD))


def _chunks(data: bytes) -> Iterator[_Chunk]:
    """Walk through the chunks that are whole, to the end of the picture; what is behind it is left alone."""
    start = len(SIGNATURE)
    while start + 12 <= len(data):
        length = int.from_bytes(data[start : start + 4], "big")
        end = start + 12 + length
        if end > len(data):
            return
        kind = data[start + 4 : start + 8]
        yield _Chunk(kind, start, end)
        if kind == b"IEND":
            return
        start = end


def _keyword(data: bytes, chunk: _Chunk) -> bytes:
    end = data.find(b"\0", chunk.start + 8, min(chunk.end - 4, chunk.start + 88))
    return data[chunk.start + 8 : end] if end >= 0 else b""


def _text(kind: bytes, rest: bytes) -> str | None:
    """Decode what stands behind a keyword and its NUL."""
    try:
        if kind == b"tEXt":
            return rest.decode("latin-1")
        if kind == b"zTXt":
            return _unpacked(rest[1:]).decode("latin-1")
        packed, method = rest[0], rest[1]
        _language, _translated, text = rest[2:].split(b"\0", 2)
        if packed and method:
            return None
        return (_unpacked(text) if packed else text).decode("utf-8", "replace")
    except (IndexError, ValueError, zlib.error):
        return None


def _unpacked(data: bytes) -> bytes:
    return zlib.decompressobj().decompress(data, _MOST_TEXT)


def _written(words: Words) -> Iterator[bytes]:
    if words.parameters is not None:
        text = words.parameters.replace("\0", "\ufffd")
        # As AUTOMATIC1111 does, but for Latin-1 with an accent, which some readers take for UTF-8.
        yield (
            _chunk(b"tEXt", PARAMETERS, text.encode()) if text.isascii() else _international(PARAMETERS, text)
        )
    if words.record is not None:
        yield _international(RECORD, words.record)


def _international(keyword: bytes, text: str) -> bytes:
    return _chunk(b"iTXt", keyword, b"\0\0\0\0" + text.encode("utf-8", "replace"))


def _chunk(kind: bytes, keyword: bytes, rest: bytes) -> bytes:
    body = b"".join((kind, keyword, b"\0", rest))
    return b"".join((struct.pack(">I", len(body) - 4), body, struct.pack(">I", zlib.crc32(body))))
