"""`manifest.lock.yaml`: a manifest as it was taken: values and where each was written, files, version."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from zbatch.manifest.findings import Place, dotted
from zbatch.manifest.parser import Manifest
from zbatch.version import __version__

_FAR: Final = 4
"""Directories above the manifest's that shared files may reasonably lie in."""


def lock_text(manifest: Manifest) -> str:
    """Write a manifest down, resolved: what it extends is merged, and `extends` is gone."""
    document = manifest.document
    lock: dict[str, Any] = {
        "zbatch": __version__,
        "fingerprint": document.fingerprint,
        "sources": [
            {"file": str(source.path), "sha256": source.sha256, "kept_as": name}
            for source, name in zip(document.sources, source_names(manifest), strict=True)
        ],
        "manifest": document.data,
        "written_at": {
            dotted(place): "{0.file}:{0.line}".format(document.mark(place))
            for place in _leaves(document.data, ())
        },
    }
    return "# What this run was made from. Written by zbatch; edit the manifest instead.\n" + yaml.dump(
        lock, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110
    )


def source_names(manifest: Manifest) -> list[str]:
    """Give each source its own name below `manifest.src/`, in the order of `document.sources`.

    They keep their places to each other, so that the copy can be read like the manifest itself: below the
    manifest's directory, or a directory a little above it that holds them all. What lies further away goes
    into `outside/`. Names that some file systems take for one get a number.
    """
    # Not resolved to the end: a link is kept under the name that the manifest knows it by.
    paths = [source.directory / source.path.name for source in manifest.document.sources]
    root = _common_root(manifest.path.parent.resolve(), paths)
    names: dict[str, str] = {}
    for path in paths:
        name = path.relative_to(root).as_posix() if path.is_relative_to(root) else f"outside/{path.name}"
        stem, dot, suffix = name.rpartition(".")
        number = 1
        while name.casefold() in names or _in_the_way(name, names):
            number += 1
            name = f"{stem}-{number}{dot}{suffix}"
        names[name.casefold()] = name
    return list(names.values())


def _common_root(directory: Path, paths: Sequence[Path]) -> Path:
    """Give the directory that holds all of them, if it is the manifest's own or not far above it."""
    for root in (directory, *directory.parents[:_FAR]):
        if all(path.is_relative_to(root) for path in paths):
            return root
    return directory


def _in_the_way(name: str, names: dict[str, str]) -> bool:
    """Tell whether a name is a directory of another, or the other way round."""
    folded = name.casefold()
    return any(folded.startswith(f"{other}/") or other.startswith(f"{folded}/") for other in names)


_Dumper: Final = type(
    # Aliases are written out: a reader should see each value where it stands.
    "_Dumper",
    (getattr(yaml, "CSafeDumper", yaml.SafeDumper),),
    {"ignore_aliases": lambda _self, _data: True},
)


def _leaves(value: Any, place: Place) -> Iterator[Place]:
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from _leaves(item, (*place, key))
    elif isinstance(value, list) and value:
        for number, item in enumerate(value):
            yield from _leaves(item, (*place, number))
    else:
        yield place
