"""Reading a YAML file: bytes become text, text a document, and what is wrong with either has its position."""

from __future__ import annotations

import os
import re
import select
import stat
from pathlib import Path
from typing import Final

import yaml

from zbatch.errors import ManifestError
from zbatch.manifest.building import build_document
from zbatch.manifest.document import Document
from zbatch.manifest.findings import Findings, Mark, nearest

MAX_BYTES: Final = 16_000_000
_SILENT: Final = 1.0
"""Seconds for which a pipe may give nothing."""

_FORBIDDEN: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ufeff\ufffe\uffff]")
_LINE_BREAK: Final = re.compile(r"\r\n|[\n\r\x85\u2028\u2029]")
"""As YAML has them; positions count all of these."""


def read_document(path: Path, findings: Findings) -> Document:
    """Read and parse a YAML file; every problem that does not stop the parse is added to `findings`.

    Raises:
        ManifestError: it cannot be read, is not UTF-8, too large, empty, or no YAML.
    """
    name = str(path)
    try:
        data = _read_bounded(path)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        findings.at(Mark(name, 1, 1), "", f"cannot be read: {why}", hint=_files_near(path))
        raise ManifestError(findings) from error
    if len(data) > MAX_BYTES:
        findings.at(Mark(name, 1, 1), "", f"has more than {MAX_BYTES // 1_000_000} MB")
        raise ManifestError(findings)
    document = parse_document(path, data, findings)
    if document.data is None:
        hint = "zbatch init writes a manifest to start from"
        findings.at(Mark(name, 1, 1), "", "the file is empty", hint=hint)
        raise ManifestError(findings)
    return document


def parse_document(path: Path, data: bytes, findings: Findings) -> Document:
    """Parse the bytes of a YAML file that was read from `path`; an empty one gives `None` as its data.

    Raises:
        ManifestError: it is not UTF-8, or no YAML.
    """
    name = str(path)
    document = Document(path, decode_text(data, name, findings))
    document.add_source(path, data)
    findings.document = document
    try:
        build_document(document, findings)
    except yaml.MarkedYAMLError as error:
        mark, opened, end = error.problem_mark, error.context_mark, len(document.text.rstrip())
        if mark is None or (opened and mark.index >= end):
            mark = opened  # nothing stands at the end of the file: say where it was opened
        line, column = _position(document.text, min(mark.index, end)) if mark else (1, 1)
        message = " ".join(part for part in (error.context, error.problem) if part)
        findings.at(
            Mark(name, line, column), "", f"is no YAML: {message}", hint=_syntax_hint(document.text, line)
        )
        raise ManifestError(findings) from error
    except yaml.YAMLError as error:
        findings.at(
            Mark(name, *_reader_position(document.text, error)),
            "",
            f"is no YAML: {_reader_words(error)}",
            hint="save the file as UTF-8" if document.text.count("\0") > len(document.text) // 4 else "",
        )
        raise ManifestError(findings) from error
    return document


def _read_bounded(path: Path) -> bytes:
    """Read at most a byte more than a manifest may have: a pipe or a device tells no size.

    Raises:
        OSError: it cannot be read; `TimeoutError` where a pipe gives nothing for a while.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb", buffering=0) as stream:
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            return stream.read(MAX_BYTES + 1)
        chunks, size = [b"-"], 0
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        while chunks[-1] and size <= MAX_BYTES:
            if not poll.poll(_SILENT * 1000):
                raise TimeoutError(None, f"it is a pipe out of which nothing comes for {_SILENT:.0f} s")
            chunks.append(stream.read(1_000_000) or b"")
            size += len(chunks[-1])
        return b"".join(chunks[1:])


def _files_near(path: Path) -> str:
    try:
        names = [entry.name for entry in path.parent.iterdir() if entry.suffix in (".yaml", ".yml")]
    except (OSError, ValueError):
        return ""
    return "" if path.exists() else nearest(path.name, names)


def decode_text(data: bytes, name: str, findings: Findings) -> str:
    """Decode UTF-8, with or without a byte order mark.

    Raises:
        ManifestError: it is not UTF-8; the finding names the byte and its place.
    """
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8-sig")
        line, column = _position(before, len(before))
        findings.at(
            Mark(name, line, column),
            "",
            f"is not UTF-8 (byte 0x{data[error.start]:02x})",
            hint="save the file as UTF-8",
        )
        raise ManifestError(findings) from error


def _reader_position(text: str, error: yaml.YAMLError) -> tuple[int, int]:
    position = getattr(error, "position", None)
    match = _FORBIDDEN.search(text)
    if match:
        position = match.start()
    if not isinstance(position, int) or position > len(text):
        return 1, 1
    return _position(text, position)


def _position(text: str, index: int) -> tuple[int, int]:
    lines = _LINE_BREAK.split(text[:index])
    return len(lines), len(lines[-1]) + 1


def _reader_words(error: yaml.YAMLError) -> str:
    character = getattr(error, "character", None)
    reason = getattr(error, "reason", None) or str(error).splitlines()[0]
    return f"{reason} (character #x{character:04x})" if isinstance(character, int) else reason


def _syntax_hint(text: str, line: int) -> str:
    lines = text.splitlines()
    near = "\n".join(lines[max(0, line - 2) : line])
    if "{{" in near or "{%" in near:
        return "a value with {{ }} or {% %} in it must be quoted as a whole"
    if "\t" in near:
        return "indent with spaces: YAML takes no tabs"
    return "look at the indentation, and quote text that holds `: ` or ` #`"
