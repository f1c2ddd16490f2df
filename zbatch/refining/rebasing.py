"""A manifest's text for another directory: its relative paths to bases, data files and local images."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from zbatch.manifest.inputs import is_remote
from zbatch.refining.scalars import scalar_text
from zbatch.refining.yamlplaces import Slot, YamlPlaces
from zbatch.refining.yamltext import YamlText

IMAGES: Final = ("image_url", "mask")
"""Fields that may name a local file."""


def moved(path: str, old: Path, new: Path) -> str:
    """Write a path that is relative to one directory as one that is relative to another."""
    if is_remote(path) or Path(path).is_absolute() or path.lstrip().startswith("{{"):
        return path
    head, brace, tail = path.partition("{{")  # a template's own part stays as it is
    folder, _, rest = head.rpartition("/")
    there = os.path.relpath(old / folder, new)
    return f"{there}/{rest}{brace}{tail}" if there != "." else f"{rest}{brace}{tail}"


def rebase(text: str, old: Path, new: Path) -> str:
    """Write the relative paths of a manifest for another directory: bases, data files, local images."""
    if old.resolve() == new.resolve():
        return text
    yaml = YamlText(text)
    for slot in _paths(yaml):
        value = slot.node.value
        changed = moved(value, old, new)
        if changed != value and not slot.alias:
            yaml.replace(slot, scalar_text(changed, slot.node.style))
    return yaml.changed()


def _paths(yaml: YamlPlaces) -> Iterator[Slot]:
    """Give where a manifest names files."""
    extends = yaml.slot("extends")
    if extends is not None:
        yield from (one for one in (extends, *yaml.items(extends)) if _is_text(one))
    for key, of_it in (("request", _images_of), ("matrix", _of_axes), ("zip", _file_of)):
        slot = yaml.slot(key)
        if slot is not None:
            yield from of_it(yaml, slot)
    zipped, include = yaml.slot("zip"), yaml.slot("include")
    for row in (*(yaml.items(zipped) if zipped else ()), *(yaml.items(include) if include else ())):
        yield from _images_of(yaml, row)
    for row in yaml.items(include) if include else ():
        for name, part in yaml.pairs(row):
            if name == "request":
                yield from _images_of(yaml, part)
            elif name == "matrix":
                yield from _of_axes(yaml, part)


def _of_axes(yaml: YamlPlaces, slot: Slot) -> Iterator[Slot]:
    for name, axis in yaml.pairs(slot):
        yield from _file_of(yaml, axis)
        if name in IMAGES:
            for item in yaml.items(axis):
                yield from _image(yaml, item)


def _file_of(yaml: YamlPlaces, slot: Slot) -> Iterator[Slot]:
    yield from (part for name, part in yaml.pairs(slot) if name == "file" and _is_text(part))


def _images_of(yaml: YamlPlaces, slot: Slot) -> Iterator[Slot]:
    for name, part in yaml.pairs(slot):
        if name in IMAGES:
            yield from _image(yaml, part)


def _image(yaml: YamlPlaces, slot: Slot) -> Iterator[Slot]:
    """Give where an image's path stands: by itself, or with a label."""
    if _is_text(slot):
        yield slot
    yield from (part for name, part in yaml.pairs(slot) if name == "value" and _is_text(part))


def _is_text(slot: Slot) -> bool:
    """Tell whether it is a text, and not null."""
    return isinstance(slot.node.value, str) and slot.node.tag == "tag:yaml.org,2002:str"
