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
from zbatch.manifest.findings import Findings, Mark, Place
from zbatch.manifest.source import Document, read_document

DEEP: Final = frozenset({"vars", "loras", "request", "limits", "output", "report", "export", "matrix"})
MAX_CHAIN: Final = 32


def read_with_bases(path: Path, findings: Findings) -> Document:
    """Read a manifest and everything it extends, merged into one document.

    Raises:
        ManifestError: a file cannot be read or is no YAML, or the chain has a cycle.
    """
    document = _read(path, (), findings)
    findings.document = document
    return document


def _read(path: Path, chain: tuple[Path, ...], findings: Findings) -> Document:
    document = read_document(path, findings)
    chain = (*chain, path.resolve())
    if not isinstance(document.data, dict) or "extends" not in document.data:
        return document
    named = document.data.pop("extends")
    bases = named if isinstance(named, list) else [named]
    merged: Document | None = None
    for number, name in enumerate(bases):
        place: Place = ("extends", number) if isinstance(named, list) else ("extends",)
        base = _base(document, name, place, chain, findings)
        if base is None:
            document.incomplete = True
        else:
            merged = base if merged is None else merge(merged, base)
    return document if merged is None else merge(merged, document)


def _base(
    document: Document, name: Any, place: Place, chain: tuple[Path, ...], findings: Findings
) -> Document | None:
    findings.document = document
    if not isinstance(name, str) or not name:
        findings.error(place, "must be the path of a manifest", got=name)
        return None
    path = document.path.parent / name
    if path.resolve() in chain:
        cycle = " -> ".join(part.name for part in (*chain, path.resolve()))
        findings.error(place, f"extends itself: {cycle}", got=name)
        return None
    if len(chain) >= MAX_CHAIN:
        findings.error(place, f"is the end of a chain of more than {MAX_CHAIN} files", got=name)
        return None
    if not path.is_file():
        findings.error(
            place, "names no file", got=name, hint="paths are relative to the file that names them"
        )
        return None
    try:
        base = _read(path, chain, findings)
    except ManifestError as error:
        if findings.document is not document:
            raise
        raise ManifestError(findings) from error
    findings.document = document
    if not isinstance(base.data, dict):
        findings.error(place, "extends a file that is no map of keys to values", got=name)
        return None
    return base


def merge(base: Document, child: Document) -> Document:
    """Put a child on top of a base. Neither is changed."""
    merged = Document(child.path, child.name, child.text, child.sha256, dict(base.data))
    merged.incomplete = base.incomplete or child.incomplete
    for source in (*child.sources, *base.sources):
        merged.add_source(source.path, source.data)
    replaced: set[Place] = set()
    for key, value in child.data.items():
        old = base.data.get(key)
        if key in DEEP and isinstance(old, dict) and isinstance(value, dict):
            merged.data[key] = _merge_map(old, value, (key,), replaced)
        elif value is None:
            merged.data.pop(key, None)
            replaced.add((key,))
        else:
            merged.data[key] = value
            replaced.add((key,))
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
