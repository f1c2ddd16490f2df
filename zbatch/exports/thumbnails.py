"""Whether a thumbnail is one: no hash of it is written down, and it can be made again from its picture."""
# ruff: noqa: PTH118, PTH123 - paths are text: this is done for every picture of a run

from __future__ import annotations

import io
import os
from typing import Final

import numpy as np
from PIL import Image

from zbatch.looks import carried_look, looks_of, shrunk
from zbatch.state.directory import RunDirectory
from zbatch.state.kept import KeptFile

_BEGIN: Final = b"\xff\xd8\xff"
_END: Final = b"\xff\xd9"
_HEAD: Final = 12
"""Bytes that tell of both kinds what they are: an earlier zbatch made WebP."""

_APART: Final = 8
"""Bits of 64 by which a JPEG differs from what it was made of at most; where one was damaged, many do."""

_FLAT: Final = 24
"""Levels of grey, of 256: of a picture with fewer a look says nothing."""


def thumbnail_fault(directory: RunDirectory, file: KeptFile, *, decode: bool = False) -> str:
    """Say what is wrong with a picture's thumbnail; nothing where it begins and ends as it should.

    With `decode` it must decode, too, and look as its picture did when it was made.
    """
    if file.thumb == file.file:  # a small picture is its own
        return ""
    try:
        path = os.path.join(directory.path, file.thumb)
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            length = os.lseek(descriptor, 0, os.SEEK_END)
            begin = os.pread(descriptor, _HEAD, 0)
            words = _ends(begin, os.pread(descriptor, len(_END), max(0, length - len(_END))), length)
        finally:
            os.close(descriptor)
        if words or not decode:
            return words
        with open(path, "rb") as stream:
            return _fault(stream.read())
    except FileNotFoundError:
        return "it is missing"
    except OSError as error:
        return error.strerror or str(error)


def _ends(begin: bytes, end: bytes, length: int) -> str:
    if not length:
        return "it is empty"
    if begin[:4] == b"RIFF" and begin[8:] == b"WEBP":
        told = int.from_bytes(begin[4:8], "little") + 8
        return "" if told == length else "it is cut off"
    if not begin.startswith(_BEGIN):
        return "it is no JPEG"
    return "" if end == _END else "it is cut off"


def _fault(data: bytes) -> str:
    try:
        with Image.open(io.BytesIO(data), formats=["JPEG", "WEBP"]) as image:
            image.load()
            small = shrunk(image)
    except Exception as error:  # noqa: BLE001 - whatever a decoder says of a damaged file
        return f"it does not decode: {str(error)[:100]}"
    carried = carried_look(data)
    if carried is None:  # an earlier zbatch's, or the damage is there: nothing to hold it against
        return ""
    was = np.frombuffer(carried, np.uint8)
    now = looks_of(small[None])[0]
    if min(was[8], now[8]) < _FLAT:
        return ""
    bits = int(np.bitwise_count(was[:8] ^ now[:8]).sum())
    return f"it looks other than it was made ({bits} of 64 bits)" if bits > _APART else ""
