"""YAML with positions: a manifest's text becomes plain data and a mark (file, line, column) for every place.

Built on PyYAML's event stream, not its composer: events come one at a time, so depth, aliases and size are
bounded before anything is built (libyaml's composer recurses and kills the process on deep nesting).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import yaml

from zbatch.errors import ManifestError
from zbatch.manifest.document import Document
from zbatch.manifest.findings import Findings, Mark, Place, nearest, shown
from zbatch.manifest.scalars import read_scalar

MAX_BYTES: Final = 16_000_000
MAX_DEPTH: Final = 64
MAX_NODES: Final = 1_000_000
MAX_ALIASED: Final = 50_000
"""Values that aliases stand for, all of them together: an alias bomb has more."""

_Loader: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


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
        with path.open("rb") as stream:  # bounded while reading: a pipe or a device tells no size
            data = stream.read(MAX_BYTES + 1)
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
        _build(document, findings)
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
            hint="save the file as UTF-8" if "\0" in document.text else "",
        )
        raise ManifestError(findings) from error
    return document


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


def forbidden_character(text: str) -> tuple[int, int] | None:
    """Give line and column of the first character that no text of people has, such as NUL."""
    match = _FORBIDDEN.search(text)
    return _position(text, match.start()) if match else None


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


def _build(document: Document, findings: Findings) -> None:
    try:
        _Builder(document, findings).build(_Loader)
    except yaml.MarkedYAMLError as error:
        if "nesting depth" not in str(error.problem):
            raise
        # libyaml 0.2.6 reads a long way ahead and gives up at a depth of its own; the parser in Python goes
        # step by step, so that our own bound, which comes much earlier, tells the place.
        _Builder(document, findings).build(yaml.SafeLoader)


class _Builder:
    """Builds plain data from events, with a stack of its own."""

    def __init__(self, document: Document, findings: Findings) -> None:
        self._document = document
        self._findings = findings
        self._nodes = 0
        self._anchors: dict[str, tuple[Any, int]] = {}
        self._open_anchors: set[str] = set()
        self._aliased = 0

    def build(self, loader: type[Any]) -> None:
        events = yaml.parse(self._document.text, Loader=loader)
        roots = 0
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                roots += 1
                if roots > 1:
                    self._stop(
                        event, "a second document begins here", "a manifest is one document: remove `---`"
                    )
            elif isinstance(event, yaml.NodeEvent):
                self._document.data = self._node(event, events, (), 0)

    def _mark(self, event: Any) -> Mark:
        return Mark(self._document.name, event.start_mark.line + 1, event.start_mark.column + 1)

    def _stop(self, event: Any, message: str, hint: str = "") -> None:
        self._findings.at(self._mark(event), "", message, hint=hint)
        raise ManifestError(self._findings)

    def _node(self, event: Any, events: Iterator[Any], place: Place, depth: int) -> Any:
        # Recursion is bounded by MAX_DEPTH, which is checked before it goes deeper.
        if depth > MAX_DEPTH:
            self._stop(event, f"is nested more than {MAX_DEPTH} levels deep")
        self._count(event)
        self._document.marks[place] = self._mark(event)
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        if event.tag is not None:
            self._tag(event, place)
        before = self._nodes
        if event.anchor:
            self._open_anchors.add(event.anchor)
        if isinstance(event, yaml.ScalarEvent):
            value = self._scalar(event, place)
        elif isinstance(event, yaml.SequenceStartEvent):
            value = self._sequence(events, place, depth)
        else:
            value = self._mapping(events, place, depth)
        if event.anchor:
            self._open_anchors.discard(event.anchor)
            self._anchors[event.anchor] = (value, self._nodes - before + 1)
        return value

    def _count(self, event: Any) -> None:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            self._stop(event, f"a manifest holds at most {MAX_NODES:,} values")

    def _alias(self, event: Any) -> Any:
        if event.anchor in self._open_anchors:
            self._stop(event, f"the alias *{event.anchor} contains itself")
        if event.anchor not in self._anchors:
            self._stop(event, f"no anchor &{event.anchor} stands before this alias")
        value, size = self._anchors[event.anchor]
        self._aliased += size
        self._nodes += size
        if self._aliased > MAX_ALIASED:
            self._stop(event, f"the aliases up to here stand for more than {MAX_ALIASED:,} values")
        return value

    def _sequence(self, events: Iterator[Any], place: Place, depth: int) -> list[Any]:
        items: list[Any] = []
        for event in events:
            if isinstance(event, yaml.SequenceEndEvent):
                break
            items.append(self._node(event, events, (*place, len(items)), depth + 1))
        return items

    def _mapping(self, events: Iterator[Any], place: Place, depth: int) -> dict[str, Any]:
        items: dict[str, Any] = {}
        for event in events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            if not isinstance(event, yaml.ScalarEvent):
                unquoted = isinstance(event, yaml.MappingStartEvent) and event.flow_style
                self._stop(
                    event,
                    "an unquoted {{ }} is a map to YAML" if unquoted else "a key must be plain text",
                    'quote the whole value: "{{ name }} ..."' if unquoted else "",
                )
            key = self._whole(event, place)
            here = (*place, key)
            if event.tag is not None:
                self._tag(event, here)
            if key in items:
                first = self._document.key_marks[here]
                self._findings.at(
                    self._mark(event), here, f"the key {key!r} is there twice (first in line {first.line})"
                )
                here = (*place, f"{key} (again)")  # so that the first keeps its positions
            elif key == "<<" and not event.style:
                self._findings.at(
                    self._mark(event),
                    here,
                    "merge keys are not taken",
                    hint="use vars, or an alias for a whole value",
                )
            self._document.key_marks.setdefault(here, self._mark(event))
            value = self._node(next(events), events, here, depth + 1)
            items.setdefault(key, value)
        return items

    def _scalar(self, event: Any, place: Place) -> Any:
        text = self._whole(event, place)
        if event.style or event.tag is not None:  # style is "" or None for plain scalars
            return text
        value, problem = read_scalar(text)
        if problem is not None:
            message = f"{problem.message} (got {shown(text) if len(text) > 80 else text})"
            self._findings.at(self._mark(event), place, message, hint=problem.hint)
        return value

    def _whole(self, event: Any, place: Place) -> str:
        """Give the text of a scalar, after a finding where it holds half a character (libyaml takes none)."""
        text: str = event.value
        try:
            text.encode("utf-8")
        except UnicodeEncodeError:
            self._findings.at(self._mark(event), place, "holds half a character (a lone surrogate)")
            return text.encode("utf-8", "replace").decode()
        return text

    def _tag(self, event: Any, place: Place) -> None:
        self._findings.at(
            self._mark(event), place, f"tags are not taken (got {event.tag!r})", hint="write the value itself"
        )
