"""From YAML's events to plain data and its positions, with depth, size and aliases bounded on the way.

Built on PyYAML's event stream, not its composer: events come one at a time, so the bounds are held before
anything is built (libyaml's composer recurses and kills the process on deep nesting).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NoReturn

import yaml
from yaml import AliasEvent, MappingEndEvent, MappingStartEvent, ScalarEvent, SequenceEndEvent

from zbatch.errors import ManifestError
from zbatch.manifest.document import Document
from zbatch.manifest.findings import Findings, Mark, shown
from zbatch.manifest.positions import Entry, Positions, packed, unpacked
from zbatch.manifest.scalars import read_scalar

MAX_DEPTH: Final = 64
MAX_NODES: Final = 250_000
MAX_ANCHORS: Final = 10_000
MAX_ALIASED: Final = 50_000
"""Values that aliases stand for, all of them together: an alias bomb has more."""

_Loader: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def build_document(document: Document, findings: Findings) -> None:
    """Parse a document's text into its `data` and `positions`.

    Raises:
        ManifestError: it holds too much, or more than one document.
        yaml.YAMLError: it is no YAML.
    """
    try:
        _Builder(document, findings).build(_Loader)
    except yaml.MarkedYAMLError as error:
        if "nesting depth" not in str(error.problem):
            raise
        # libyaml 0.2.6 reads a long way ahead and gives up at a depth of its own; the parser in Python goes
        # step by step, so that our own bound, which comes much earlier, tells the place.
        _Builder(document, findings).build(yaml.SafeLoader)


_STANDARD: Final = "tag:yaml.org,2002:"


class _Builder:
    """Builds one document. `_path` is the place of the node that is being read."""

    def __init__(self, document: Document, findings: Findings) -> None:
        self._document = document
        self._findings = findings
        self._file = document.name
        self._path: list[str | int] = []
        self._nodes = 0
        self._names: dict[str, str] = {}
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
                self._document.data, at = self._node(event, events)
                self._document.nodes = self._nodes
                self._document.positions = (
                    Positions(self._file, at) if isinstance(at, int) else at  # a manifest of one scalar
                )

    def _mark(self, event: Any) -> Mark:
        return unpacked(_position(event), self._file)

    def _stop(self, event: Any, message: str, hint: str = "") -> NoReturn:
        self._findings.at(self._mark(event), "", message, hint=hint)
        raise ManifestError(self._findings)

    def _problem(self, event: Any, message: str, hint: str = "") -> None:
        if self._findings.full:
            self._findings.stop()  # each is told where it stands: nothing can be read on from here
        self._findings.at(self._mark(event), tuple(self._path), message, hint=hint)

    def _node(self, event: Any, events: Iterator[Any]) -> tuple[Any, int | Positions]:
        # Recursion is bounded by MAX_DEPTH, which is checked before it goes deeper.
        if len(self._path) > MAX_DEPTH:
            self._stop(event, f"is nested more than {MAX_DEPTH} levels deep")
        self._nodes += 1
        if self._nodes > MAX_NODES:
            hint = "put long lists into a data file: {file: values.csv}, or .jsonl, or .txt"
            self._stop(event, f"a YAML file holds at most {MAX_NODES:,} values", hint)
        if event.anchor is not None:
            return self._anchored(event, events)
        return self._content(event, events)

    def _content(self, event: Any, events: Iterator[Any]) -> tuple[Any, int | Positions]:
        start = event.start_mark
        at = packed(start.line + 1, start.column + 1)
        if event.tag is not None:
            self._tag(event)
        if type(event) is ScalarEvent:
            return self._scalar(event), at
        build = self._map if type(event) is MappingStartEvent else self._list
        self._path.append("")
        value, positions = build(events, at)
        self._path.pop()
        return value, positions

    def _anchored(self, event: Any, events: Iterator[Any]) -> tuple[Any, int | Positions]:
        """Read a node that has an anchor, or is an alias of one."""
        anchor = event.anchor
        if type(event) is AliasEvent:
            return self._alias(event), _position(event)
        if len(self._anchors) >= MAX_ANCHORS:
            self._stop(event, f"a YAML file has at most {MAX_ANCHORS:,} anchors")
        before = self._nodes
        self._open_anchors.add(anchor)
        value, at = self._content(event, events)
        self._open_anchors.discard(anchor)
        self._anchors[anchor] = (value, self._nodes - before + 1)
        return value, at

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

    def _list(self, events: Iterator[Any], at: int) -> tuple[list[Any], Positions]:
        path, node = self._path, self._node
        items: list[Any] = []
        inside: list[Entry] = []
        for event in events:
            if type(event) is SequenceEndEvent:
                break
            path[-1] = len(items)
            value, entry = node(event, events)
            items.append(value)
            inside.append(entry)
        return items, Positions(self._file, at, inside)

    def _map(self, events: Iterator[Any], at: int) -> tuple[dict[str, Any], Positions]:
        path, node, names = self._path, self._node, self._names
        items: dict[str, Any] = {}
        inside: dict[str, Entry] = {}
        keys: dict[str, int | Mark] = {}
        positions = Positions(self._file, at, inside, keys)
        for event in events:
            if type(event) is not ScalarEvent:
                if type(event) is MappingEndEvent:
                    break
                self._no_key(event)
            key = self._whole(event)
            key = names.setdefault(key, key)
            path[-1] = key
            if event.tag is not None:
                self._tag(event)
            if key in items:
                first = positions.marked(keys[key]).line
                self._problem(event, f"the key {key!r} is there twice (first in line {first})")
                path[-1] = f"{key} (again)"
                node(next(events), events)
                continue
            if key == "<<" and not event.style:
                self._problem(event, "merge keys are not taken", "use vars, or an alias for a whole value")
            keys[key] = _position(event)
            items[key], inside[key] = node(next(events), events)
        return items, positions

    def _no_key(self, event: Any) -> NoReturn:
        if type(event) is MappingStartEvent and event.flow_style:
            hint = 'quote the whole value: "{{ name }} ..."'
            self._stop(event, "an unquoted {{ }} is a map to YAML", hint)
        self._stop(event, "a key must be plain text")

    def _scalar(self, event: Any) -> Any:
        text = self._whole(event)
        if event.style or event.tag is not None:  # style is "" or None for plain scalars
            return text
        value, problem = read_scalar(text)
        if problem is not None:
            message = f"{problem.message} (got {shown(text) if len(text) > 80 else text})"
            self._problem(event, message, problem.hint)
        return value

    def _whole(self, event: Any) -> str:
        """Give the text of a scalar, after a finding where it holds half a character (libyaml takes none)."""
        text: str = event.value
        if text.isascii():
            return text
        try:
            text.encode("utf-8")
        except UnicodeEncodeError:
            self._problem(event, "holds half a character (a lone surrogate)")
            return text.encode("utf-8", "replace").decode()
        return text

    def _tag(self, event: Any) -> None:
        self._problem(event, f"tags are not taken (got {_tag_name(event.tag)!r})", "write the value itself")


def _tag_name(tag: str) -> str:
    """Write a tag as people do: PyYAML gives `!!str` in full."""
    return f"!!{tag.removeprefix(_STANDARD)}" if tag.startswith(_STANDARD) else tag


def _position(event: Any) -> int:
    return packed(event.start_mark.line + 1, event.start_mark.column + 1)
