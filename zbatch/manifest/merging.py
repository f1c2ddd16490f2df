"""`extends`: manifests on top of manifests, every value keeping the position of where it was written.

Merging is deep for `vars`, `loras`, `request`, `limits`, `output`, `report`, `export` and the top of
`matrix`; an axis, `zip`, `exclude`, `include` and everything else replace whole; `null` removes. Base entries
keep their place, new ones follow. Of several bases the later wins; the child wins over all.
"""

from __future__ import annotations

from collections.abc import Container
from pathlib import Path
from typing import Any, Final

from zbatch.errors import ManifestError
from zbatch.manifest.building import MAX_NODES
from zbatch.manifest.document import Document
from zbatch.manifest.findings import Findings, Place
from zbatch.manifest.positions import Positions, packed
from zbatch.manifest.secrets import find_secrets
from zbatch.manifest.source import MAX_BYTES, read_document

DEEP: Final = frozenset({"vars", "loras", "request", "limits", "output", "report", "export", "matrix"})
MAX_CHAIN: Final = 32
MAX_BASES: Final = 256
"""Files that one manifest may extend, all of them together."""

_NO_FILE: Final = "names no file"


def read_with_bases(path: Path, findings: Findings) -> Document:
    """Read a manifest and everything it extends, merged into one document.

    Raises:
        ManifestError: the file cannot be read or is no YAML. Of a base that cannot be, the document is
            `incomplete`, and the findings say why.
    """
    document = _Reader(findings).read(path, ())
    findings.document = document
    return document


class _Reader:
    """Reads files and what they extend, each file once, however many extend it."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._known: dict[Path, Document | None] = {}
        self._bytes = 0
        self._nodes = 0

    def read(self, path: Path, chain: tuple[Path, ...]) -> Document:
        document = read_document(path, self._findings)
        self._bytes += len(document.sources[0].data)
        self._nodes += document.nodes
        find_secrets(document, self._findings)  # each file by itself: what a child replaces is in git as well
        chain = (*chain, path.resolve())
        if not isinstance(document.data, dict) or "extends" not in document.data:
            return document
        named = document.data.pop("extends")
        bases = named if isinstance(named, list) else [named]
        if len(bases) > MAX_BASES:
            self._findings.error(("extends",), f"names more than {MAX_BASES} files", got=len(bases))
            bases, document.incomplete = [], True
        merged: Document | None = None
        for number, name in enumerate(bases):
            place: Place = ("extends", number) if isinstance(named, list) else ("extends",)
            base = self._base(document, name, place, chain)
            if base is None:
                document.incomplete = True
            else:
                merged = base if merged is None else merge(merged, base)
        return document if merged is None else merge(merged, document)

    def _base(self, document: Document, name: Any, place: Place, chain: tuple[Path, ...]) -> Document | None:
        findings = self._findings
        findings.document = document
        if not isinstance(name, str) or not name:
            findings.error(place, "must be the path of a manifest", got=name)
            return None
        path = document.path.parent / name
        refusal = self._refusal(path, chain)
        if refusal is not None:
            hint = "paths are relative to the file that names them" if refusal == _NO_FILE else ""
            if "://" in name:
                refusal, hint = "takes no URL", "save it beside the manifest and name that file"
            findings.error(place, refusal, got=name, hint=hint)
            return None
        where = path.resolve()
        if where not in self._known:
            try:
                self._known[where] = self.read(path, chain)
            except ManifestError:  # its findings are in the list; other bases may have some, too
                self._known[where] = None
            findings.document = document
        base = self._known[where]
        if base is not None and not isinstance(base.data, dict):
            findings.error(place, "extends a file that is no map of keys to values", got=name)
            return None
        return base

    def _refusal(self, path: Path, chain: tuple[Path, ...]) -> str | None:
        """Say why a base cannot be taken, before it is read."""
        try:
            where = path.resolve()
            if not path.is_file():
                return "is no plain file" if path.exists() else _NO_FILE
        except (OSError, RuntimeError, ValueError):  # a loop of links, a name with NUL in it
            return "is no path that leads anywhere"
        if where in chain:
            cycle = " -> ".join(part.name for part in (*chain[chain.index(where) :], where))
            return f"extends itself: {cycle}"
        if len(chain) >= MAX_CHAIN:
            return f"is the end of a chain of more than {MAX_CHAIN} files"
        if where not in self._known and len(self._known) >= MAX_BASES:
            return f"is one file too many: a manifest extends at most {MAX_BASES}"
        if self._bytes > MAX_BYTES:
            return f"is too much: the files before it have more than {MAX_BYTES // 1_000_000} MB"
        if self._nodes > MAX_NODES:
            return f"is too much: the files before it hold more than {MAX_NODES:,} values"
        return None


def merge(base: Document, child: Document) -> Document:
    """Put a child on top of a base. Neither is changed."""
    merged = Document(child.path, child.text, dict(base.data))
    merged.incomplete = base.incomplete or child.incomplete
    for source in (*child.sources, *base.sources):
        merged.add_source(source.path, source.data)
    below, above = _positions(base), _positions(child)
    merged.positions = _on_top(below, above, child.data)
    for key, value in child.data.items():
        old = base.data.get(key)
        if key in DEEP and isinstance(value, dict):
            merged.data[key] = _merged_map(old if isinstance(old, dict) else {}, value)
            if isinstance(old, dict):
                merged.positions.put(key, _on_top(below.under(key), above.under(key), value))
        elif value is None:
            merged.data.pop(key, None)
        else:
            merged.data[key] = value
    return merged


def _merged_map(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    merged = dict(old)
    for key, value in new.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = value
    return merged


def _positions(document: Document) -> Positions:
    return document.positions or Positions(document.name, packed(1, 1))


def _on_top(base: Positions, child: Positions, named: Container[str]) -> Positions:
    """Give the positions of a child, and those of what the base has and the child does not name."""
    inside = {key: entry for key, entry in base.entries() if key not in named}
    keys = {key: mark for key, mark in base.key_marks() if key not in named}
    return Positions(child.file, child.at, inside | dict(child.entries()), keys | dict(child.key_marks()))
