"""The checksum file of an export, in the format that `sha256sum -c` reads too."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import BinaryIO, Final

CHECKSUMS: Final = "checksums.sha256"
"""Lies beside what it is of, every path in it relative to its own directory."""

_LINE: Final = re.compile(rb"(\\?)([0-9a-fA-F]{64}) [ *](.+)", re.DOTALL)
_ESCAPED: Final = re.compile(rb"\\(.)", re.DOTALL)
_MEANT: Final = {b"n": b"\n", b"r": b"\r", b"\\": b"\\"}
_LONGEST: Final = 20_000


def leads_out(file: str) -> bool:
    """Tell whether a line names a file that is not below the checksum file's own directory."""
    return os.path.isabs(file) or ".." in file.split("/")  # noqa: PTH117 - text: asked of every file


def entries(stream: BinaryIO) -> Iterator[tuple[str | None, str]]:
    """Give path and hash of every line; no path, and the line, where it cannot be read."""
    while line := stream.readline(_LONGEST):
        text = line.rstrip(b"\r\n")
        match = _LINE.fullmatch(text)
        if match is None:
            if text.strip():
                yield None, text.decode("utf-8", "replace")
            continue
        name = match[3] if not match[1] else _ESCAPED.sub(_unescaped, match[3])
        yield os.fsdecode(name), match[2].decode("ascii").lower()


def _unescaped(match: re.Match[bytes]) -> bytes:
    return _MEANT.get(match[1], match[0])
