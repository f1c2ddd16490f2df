"""The comment of an EXIF block (a TIFF): read, and set by adding to the block's end.

Nothing that is in a block moves, as offsets in it, some of them known to cameras' makers alone, count from
its beginning. The two directories that change are written anew behind everything else.
"""

from __future__ import annotations

import struct
from typing import Final

from zbatch.provenance.uneditable import UneditableError

_EMPTY: Final = b"MM\0*\0\0\0\x08\0\0\0\0\0\0"
_ORDERS: Final = {b"MM\0*": ">", b"II*\0": "<"}
_EXIF: Final = 0x8769
_COMMENT: Final = 0x9286
_LONG, _UNDEFINED = 4, 7
_UNICODE: Final = b"UNICODE\0"
_STEPS: Final = "Steps: "
_BROKEN: Final = "its EXIF block is not as EXIF must be"

_Entries = dict[int, bytes]


def with_comment(block: bytes | None, text: str) -> bytes:
    """Give a block with `text` as its UserComment, big-endian UTF-16 as AUTOMATIC1111 has it.

    Raises:
        UneditableError: the block that is there cannot be read.
    """
    block = block or _EMPTY
    order = _ORDERS.get(block[:4])
    if order is None:
        raise UneditableError(_BROKEN)
    try:
        first, following = _directory(block, order, _number(order, block[4:8]))
        exif, exif_following = _Entries(), 0
        if _EXIF in first:
            exif, exif_following = _directory(block, order, _number(order, first[_EXIF][8:12]))
    except struct.error as error:
        raise UneditableError(_BROKEN) from error
    comment = _UNICODE + text.encode("utf-16-be", "replace")
    comment += b"\0" * (len(comment) % 2)
    at = len(block) + len(block) % 2
    exif[_COMMENT] = struct.pack(order + "HHII", _COMMENT, _UNDEFINED, len(comment), at)
    exif_at = at + len(comment)
    exif_bytes = _written(exif, exif_following, order)
    first[_EXIF] = struct.pack(order + "HHII", _EXIF, _LONG, 1, exif_at)
    first_at = exif_at + len(exif_bytes)
    return b"".join(
        (
            block[:4],
            struct.pack(order + "I", first_at),
            block[8:],
            b"\0" * (len(block) % 2),
            comment,
            exif_bytes,
            _written(first, following, order),
        )
    )


def comment_of(block: bytes) -> str | None:
    """Give the UserComment of a block; `None` where there is none that can be read."""
    order = _ORDERS.get(block[:4])
    if order is None:
        return None
    try:
        first, _ = _directory(block, order, _number(order, block[4:8]))
        exif, _ = _directory(block, order, _number(order, first[_EXIF][8:12]))
        _, _, length, at = struct.unpack(order + "HHII", exif[_COMMENT])
    except (struct.error, KeyError, UneditableError):
        return None
    return _decoded(block[at : at + length])


def _number(order: str, data: bytes) -> int:
    (number,) = struct.unpack(order + "I", data)
    return int(number)


def _directory(block: bytes, order: str, at: int) -> tuple[_Entries, int]:
    """Give the entries of a directory by tag, as they are, and where the next directory begins."""
    (count,) = struct.unpack_from(order + "H", block, at)
    end = at + 2 + 12 * count
    if end > len(block):
        raise UneditableError(_BROKEN)
    entries = {}
    for start in range(at + 2, end, 12):
        (tag,) = struct.unpack_from(order + "H", block, start)
        if tag in entries:
            raise UneditableError(_BROKEN)
        entries[tag] = block[start : start + 12]
    # Some writers leave the next directory's place out, of the last one.
    following = _number(order, block[end : end + 4]) if end + 4 <= len(block) else 0
    return entries, following


def _written(entries: _Entries, following: int, order: str) -> bytes:
    ordered = [entries[tag] for tag in sorted(entries)]
    return b"".join((struct.pack(order + "H", len(ordered)), *ordered, struct.pack(order + "I", following)))


def _decoded(comment: bytes) -> str | None:
    code, text = comment[:8], comment[8:]
    if code != _UNICODE:
        written = text if code in (b"ASCII\0\0\0", b"\0" * 8) else comment
        return written.rstrip(b"\0 ").decode("utf-8", "replace") or None
    text = text[: len(text) - len(text) % 2]
    # The standard leaves the order of its bytes open. AUTOMATIC1111's, and ours, is the big-endian one.
    decoded = text.decode("utf-16-be", "replace")
    if _STEPS not in decoded and _STEPS in (other := text.decode("utf-16-le", "replace")):
        decoded = other
    return decoded.lstrip("\ufeff").rstrip("\0 ") or None
