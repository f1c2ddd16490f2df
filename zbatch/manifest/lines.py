"""The lines of a data file, one after another: never its whole text, and none of them endless."""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Iterator
from typing import Final

from zbatch.errors import ManifestError
from zbatch.manifest.findings import Findings, Mark

MAX_LINES: Final = 4_000_000
MAX_ROW: Final = 4_000_000
"""Characters of one row: a file without line ends, or with an open quote, has more."""

_BLOCK: Final = 1_000_000
_FORBIDDEN: Final = re.compile(
    rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\xc2[\x80-\x84\x86-\x9f]|\xef\xbb\xbf|\xef\xbf[\xbe\xbf]"
)
"""What no text of people has, such as NUL; in UTF-8, of which a file may have more than fits as text."""

_CONTROLS: Final = bytes({*range(0x20), 0x7F} - set(b"\t\n\r"))

_BREAKS: Final = (b"\n", b"\r", b"\xc2\x85", b"\xe2\x80\xa8", b"\xe2\x80\xa9")
"""As positions count them everywhere (`zbatch.manifest.source`)."""


def check_text(data: bytes, file: str, findings: Findings) -> None:
    """Hold a data file to be text of people, in UTF-8, with or without a byte order mark, in lines.

    Raises:
        ManifestError: it is none; the finding says where.
    """
    wrong = _not_utf8(data)
    if wrong is not None:
        mark = Mark(file, *_position(data, wrong))
        message = f"is not UTF-8 (byte 0x{data[wrong]:02x})"
        findings.at(mark, "", message, hint="save the file as UTF-8")
        raise ManifestError(findings)
    found = _FORBIDDEN.search(data, _begin(data)) if _may_hold_forbidden(data) else None
    if found:
        findings.at(Mark(file, *_position(data, found.start())), "", "holds a control character")
        raise ManifestError(findings)
    if data.count(b"\n") + data.count(b"\r") - data.count(b"\r\n") > MAX_LINES:
        findings.at(Mark(file, 1, 1), "", f"has more than {MAX_LINES:,} lines")
        raise ManifestError(findings)


def _begin(data: bytes) -> int:
    return len(codecs.BOM_UTF8) if data.startswith(codecs.BOM_UTF8) else 0


def _may_hold_forbidden(data: bytes) -> bool:
    """Tell at once that there is nothing to look for, as in most files."""
    return b"\xc2" in data or b"\xef" in data or len(data.translate(None, _CONTROLS)) < len(data)


def _not_utf8(data: bytes) -> int | None:
    """Give the first byte that is not UTF-8; the text is thrown away, some at a time."""
    if data.isascii():
        return None
    decoder = codecs.getincrementaldecoder("utf-8")()
    for begin in range(0, len(data), _BLOCK):
        waiting = len(decoder.getstate()[0])
        try:
            decoder.decode(data[begin : begin + _BLOCK], final=begin + _BLOCK >= len(data))
        except UnicodeDecodeError as error:
            return begin - waiting + error.start
    return None


def _position(data: bytes, offset: int) -> tuple[int, int]:
    begin = _begin(data)
    count = sum(data.count(end, begin, offset) for end in _BREAKS) - data.count(b"\r\n", begin, offset)
    ends = [(data.rfind(end, begin, offset), len(end)) for end in _BREAKS]
    last = max([begin, *(at + size for at, size in ends if at >= 0)])
    return count + 1, len(data[last:offset].decode("utf-8", "replace")) + 1


TOO_LONG: Final = f"the row that begins here has more than {MAX_ROW:,} characters"


class TooLongError(Exception):
    """A row has more than `MAX_ROW` characters."""


class Lines:
    """The lines of a data file with their ends.

    `taken` counts the characters of a row; whoever ends one sets it to 0.
    """

    def __init__(self, data: bytes) -> None:
        self._stream = io.TextIOWrapper(io.BytesIO(data), "utf-8-sig", newline="")
        self.taken = 0

    def __iter__(self) -> Iterator[str]:
        """Give line after line.

        Raises:
            TooLongError: too much was taken for one row.
        """
        while line := self._stream.readline(MAX_ROW + 1):
            self.taken += len(line)
            if self.taken > MAX_ROW:
                raise TooLongError
            yield line


def numbered(lines: Lines, file: str, findings: Findings) -> Iterator[tuple[int, str]]:
    """Give lines that are a row each, without their ends, counted from 1; up to one that is too long."""
    number = 0
    try:
        for number, line in enumerate(lines, 1):
            lines.taken = 0
            yield number, line.rstrip("\r\n")
    except TooLongError:
        findings.at(Mark(file, number + 1, 1), "", TOO_LONG)
