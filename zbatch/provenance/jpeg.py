"""JPEG: two segments at its head, EXIF and XMP, of up to 64 kB each."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

from zbatch.provenance import exif, xmp
from zbatch.provenance.uneditable import CUT_OFF, SIGNED, UneditableError
from zbatch.provenance.words import Words

SIGNATURE: Final = b"\xff\xd8\xff"
_EXIF: Final = b"Exif\0\0"
_XMP: Final = b"http://ns.adobe.com/xap/1.0/\0"
_APP0, _APP1, _APP2, _APP11 = 0xE0, 0xE1, 0xE2, 0xEB
_SCAN, _END = 0xDA, 0xD9
_LONGEST: Final = 65_533


class _Segment(NamedTuple):
    """One segment of the head: where its marker begins, its body begins, and where it ends."""

    marker: int
    start: int
    body: int
    end: int


def edit(data: bytes, words: Words) -> bytes:
    """Give the file with the words in it; `parameters` that are `None` leave what is there.

    Raises:
        UneditableError: it is not as a JPEG must be, is signed, or has no room for so much.
    """
    segments = _head(data)
    if segments[-1].marker != _SCAN:
        raise UneditableError(CUT_OFF)
    _check(data, segments)
    edits: dict[_Segment | None, bytes] = {}
    for prefix, text in ((_EXIF, words.parameters), (_XMP, words.record)):
        if text is not None:
            old = _only(data, segments, prefix)
            body = _body(prefix, None if old is None else data[old.body + len(prefix) : old.end], text)
            edits[old] = edits.get(old, b"") + _segment(prefix + body)
    place = next((s.start for s in segments if s.marker != _APP0), 2)
    pieces: list[bytes | memoryview] = []
    view, copied = memoryview(data), 0
    spots = [(place, place, edits[None])] if None in edits else []
    spots += [(old.start, old.end, new) for old, new in edits.items() if old is not None]
    for start, end, new in sorted(spots):
        pieces += [view[copied:start], new]
        copied = end
    pieces.append(view[copied:])
    return b"".join(pieces)


def find(data: bytes) -> Words:
    """Give the words of a file, as far as it can be read."""
    parameters = record = None
    for segment in _head(data):
        if segment.marker == _APP1 and data.startswith(_EXIF[:5], segment.body):
            parameters = parameters or exif.comment_of(data[segment.body + len(_EXIF) : segment.end])
        elif segment.marker == _APP1 and data.startswith(_XMP, segment.body):
            record = record or xmp.record_of(data[segment.body + len(_XMP) : segment.end])
    return Words(parameters, record)


def _head(data: bytes) -> list[_Segment]:
    return list(_segments(data))


def _segments(data: bytes) -> Iterator[_Segment]:
    """Walk through the head, to the first scan or to where it is not as it must be."""
    at = 2
    while True:
        start = at
        while data[at : at + 2] == b"\xff\xff":  # markers may be filled up from before
            at += 1
        if at + 4 > len(data) or data[at] != 0xFF:
            break
        marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        if (
            marker in (0x00, 0x01, _END)
            or 0xD0 <= marker <= 0xD8
            or length < 2
            or at + 2 + length > len(data)
        ):
            break
        yield _Segment(marker, start, at + 4, at + 2 + length)
        if marker == _SCAN:
            return
        at += 2 + length
    yield _Segment(_END, at, at, at)


def _check(data: bytes, segments: list[_Segment]) -> None:
    for segment in segments:
        if segment.marker == _APP11 and data.startswith(b"JP", segment.body):
            raise UneditableError(SIGNED)
        if segment.marker == _APP2 and data.startswith(b"MPF\0", segment.body):
            # It says at which byte the second one begins.
            raise UneditableError("it holds more than one picture")


def _only(data: bytes, segments: list[_Segment], prefix: bytes) -> _Segment | None:
    """Find the segment that begins so.

    Raises:
        UneditableError: there are several.
    """
    found = [s for s in segments if s.marker == _APP1 and data.startswith(prefix, s.body)]
    if len(found) > 1:
        raise UneditableError("it has more than one EXIF or XMP segment")
    return found[0] if found else None


def _body(prefix: bytes, old: bytes | None, text: str) -> bytes:
    return exif.with_comment(old, text) if prefix == _EXIF else xmp.with_record(old, text)


def _segment(body: bytes) -> bytes:
    if len(body) > _LONGEST:
        raise UneditableError("what is to be written is longer than a JPEG takes (64 kB)")
    return struct.pack(">BBH", 0xFF, _APP1, len(body) + 2) + body
