"""WebP: EXIF and XMP chunks behind the picture, and the head that announces them."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

from zbatch.provenance import exif, xmp
from zbatch.provenance.uneditable import CUT_OFF, SIGNED, UneditableError
from zbatch.provenance.words import Words

_EXIF: Final = b"EXIF"
_XMP: Final = b"XMP "
_HAS_EXIF, _HAS_XMP, _HAS_ALPHA = 0x08, 0x04, 0x10
_JPEGS_PREFIX: Final = b"Exif\0\0"
_LARGEST: Final = 2**32 - 2**20


class _Chunk(NamedTuple):
    """One chunk: where it begins, and its body from and to."""

    kind: bytes
    start: int
    body: int
    end: int


def edit(data: bytes, words: Words) -> bytes:
    """Give the file with the words in it; `parameters` that are `None` leave what is there.

    Raises:
        UneditableError: it is not as a WebP must be, or signed.
    """
    chunks = list(_chunks(data))
    behind = 8 + int.from_bytes(data[4:8], "little")
    if not chunks or behind > len(data) + 1 or chunks[-1].end not in (behind, behind - 1):
        raise UneditableError(CUT_OFF)
    kinds = [chunk.kind for chunk in chunks]
    if b"C2PA" in kinds:
        raise UneditableError(SIGNED)
    if kinds.count(_EXIF) > 1 or kinds.count(_XMP) > 1:
        raise UneditableError("it has more than one EXIF or XMP chunk")
    if len(data) > _LARGEST:
        raise UneditableError("it is as large as a WebP may be")
    first = chunks[0]
    head = bytearray(_extended(data, first))
    bodies = {chunk.kind: data[chunk.body : chunk.end] for chunk in chunks if chunk.kind in (_EXIF, _XMP)}
    if words.parameters is not None:
        bodies[_EXIF] = exif.with_comment(_without_prefix(bodies.get(_EXIF)), words.parameters)
    if words.record is not None:
        bodies[_XMP] = xmp.with_record(bodies.get(_XMP), words.record)
    head[0] |= (_HAS_EXIF if _EXIF in bodies else 0) | (_HAS_XMP if _XMP in bodies else 0)
    pieces: list[bytes | memoryview] = [_chunk(b"VP8X", bytes(head))]
    view = memoryview(data)
    for chunk in chunks[1:] if first.kind == b"VP8X" else chunks:
        if chunk.kind not in bodies:
            pieces.append(view[chunk.start : chunk.end])
            pieces.append(b"\0" * ((chunk.end - chunk.body) % 2))
    pieces += [_chunk(kind, bodies[kind]) for kind in (_EXIF, _XMP) if kind in bodies]
    size = 4 + sum(map(len, pieces))
    return b"".join((b"RIFF", struct.pack("<I", size), b"WEBP", *pieces, view[behind:]))


def find(data: bytes) -> Words:
    """Give the words of a file, as far as it can be read."""
    parameters = record = None
    for chunk in _chunks(data):
        if chunk.kind == _EXIF:
            parameters = exif.comment_of(_without_prefix(data[chunk.body : chunk.end]) or b"")
        elif chunk.kind == _XMP:
            record = xmp.record_of(data[chunk.body : chunk.end])
    return Words(parameters, record)


def _chunks(data: bytes) -> Iterator[_Chunk]:
    """Walk through the chunks that are whole, to the end that the file announces."""
    at, end = 12, min(len(data), 8 + int.from_bytes(data[4:8], "little"))
    while at + 8 <= end:
        length = int.from_bytes(data[at + 4 : at + 8], "little")
        if at + 8 + length > end:
            return
        yield _Chunk(data[at : at + 4], at, at + 8, at + 8 + length)
        at += 8 + length + length % 2


def _extended(data: bytes, first: _Chunk) -> bytes:
    """Give the body of the extended head: the one that is there, or one made of the picture's own.

    Raises:
        UneditableError: the first chunk is none that a WebP begins with.
    """
    body = data[first.body : first.end]
    if first.kind == b"VP8X" and len(body) >= 10:
        return body
    if first.kind == b"VP8L" and len(body) >= 5 and body[0] == 0x2F:
        bits = int.from_bytes(body[1:5], "little")
        return _canvas(bits & 0x3FFF, bits >> 14 & 0x3FFF, _HAS_ALPHA if bits >> 28 & 1 else 0)
    if first.kind == b"VP8 " and body[3:6] == b"\x9d\x01\x2a" and len(body) >= 10:
        width, height = struct.unpack_from("<HH", body, 6)
        return _canvas((width & 0x3FFF) - 1, (height & 0x3FFF) - 1, 0)
    raise UneditableError("its first chunk is none that a WebP begins with")


def _canvas(width_less_one: int, height_less_one: int, flags: int) -> bytes:
    if width_less_one < 0 or height_less_one < 0:
        raise UneditableError("it says that it has no pixels")
    return (
        struct.pack("<I", flags)
        + struct.pack("<I", width_less_one)[:3]
        + struct.pack("<I", height_less_one)[:3]
    )


def _without_prefix(block: bytes | None) -> bytes | None:
    """Give an EXIF block without what only JPEG puts before it, and some writers here too."""
    return block if block is None else block.removeprefix(_JPEGS_PREFIX)


def _chunk(kind: bytes, body: bytes) -> bytes:
    return b"".join((kind, struct.pack("<I", len(body)), body, b"\0" * (len(body) % 2)))
