"""`extends`: manifests on top of manifests, every value keeping the position of where it was written.

Merging is deep for `vars`, `loras`, `request`, `limits`, `output`, `report`, `export` and the top of
`matrix`; an axis, `zip`, `exclude`, `include` and everything else replace whole; `null` removes. Base entries
keep their place, new ones follow. Of several bases the later wins; the child wins over all.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from zbatch.errors import ManifestError
from zbatch.manifest.document import Document
from zbatch.manifest.findings import Findings, Mark, Place
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

    def read(self, path: Path, chain: tuple[Path, ...]) -> Document:
        document = read_document(path, self._findings)
        self._bytes += len(document.sources[0].data)
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
                return _NO_FILE
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
        return None


def merge(base: Document, child: Document) -> Document:
    """Put a child on top of a base. Neither is changed."""
    merged = Document(child.path, child.text, dict(base.data))
    merged.incomplete = base.incomplete or child.incomplete
    for source in (*child.sources, *base.sources):
        merged.add_source(source.path, source.data)
    replaced: set[Place] = set()
    for key, value in child.data.items():
        if key in DEEP and isinstance(value, dict):
            old = base.data.get(key)
            if not isinstance(old, dict):
                replaced.add((key,))
            merged.data[key] = _merge_map(old if isinstance(old, dict) else {}, value, (key,), replaced)
        else:
            replaced.add((key,))
            if value is None:
                merged.data.pop(key, None)
            else:
                merged.data[key] = value
    for name in ("marks", "key_marks"):
        kept = _kept(getattr(base, name), replaced)
        getattr(merged, name).update(kept)
        getattr(merged, name).update(getattr(child, name))
    return merged


def _merge_map(
    old: dict[str, Any], new: dict[str, Any], place: Place, replaced: set[Place]
) -> dict[str, Any]:
    merged = dict(old)
    for key, value in new.items():
        replaced.add((*place, key))
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = value
    return merged


def _kept(marks: dict[Place, Mark], replaced: set[Place]) -> Iterator[tuple[Place, Mark]]:
    """Give the marks of a base that still stand: those not under a place the child replaced."""
    for place, mark in marks.items():
        if place[:1] not in replaced and place[:2] not in replaced:
            yield place, mark
