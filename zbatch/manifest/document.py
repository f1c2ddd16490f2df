"""A parsed YAML file, or several merged into one: plain data, where each value was written, and its files."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from zbatch.expressions import Template
from zbatch.manifest.findings import Mark, Place
from zbatch.manifest.positions import Positions
from zbatch.manifest.tables import Table


@dataclass(frozen=True, slots=True)
class Source:
    """One file a manifest is made of: itself, what it extends, its data files.

    `directory` is where it lies, resolved when it was read: a program may change its working directory later.
    """

    path: Path
    directory: Path
    sha256: str
    data: bytes


@dataclass(slots=True)
class Document:
    """One parsed YAML file. `data` is plain; positions are looked up by place (`("matrix", "seed", 0)`)."""

    path: Path
    text: str
    data: Any = None
    positions: Positions | None = None
    """Where each value was written, once it is parsed."""
    sources: list[Source] = field(default_factory=list)
    """All files it is made of, its own first."""
    tables: dict[Path, Table | None] = field(default_factory=dict)
    """The data files that were read, each once; those nothing could be made of as `None`."""
    nodes: int = 0
    """Values, lists and maps in it."""
    rows_taken: int = 0
    """Rows of data files that axes and zip took so far."""
    templates: dict[str, Template] = field(default_factory=dict)
    """The texts that were compiled as templates, each once."""
    template_text: int = 0
    """Characters of these."""
    incomplete: bool = False
    """Whether something it extends could not be read: what it says of the rest would not be true."""

    @property
    def name(self) -> str:
        """Its path, as positions name it."""
        return str(self.path)

    def add_source(self, path: Path, data: bytes) -> None:
        """Note a file that the document is made of, too."""
        if all(source.path != path for source in self.sources):
            digest = hashlib.sha256(data).hexdigest()
            self.sources.append(Source(path, path.parent.resolve(), digest, data))

    @property
    def fingerprint(self) -> str:
        """SHA-256 (hex) over everything it is made of: of its one file, or of the hashes of all."""
        if len(self.sources) == 1:
            return self.sources[0].sha256
        return hashlib.sha256("".join(source.sha256 for source in self.sources).encode()).hexdigest()

    def mark(self, place: Place, *, key: bool = False) -> Mark:
        """Position of a value (or of its key); of the nearest thing round it where it has none of its own."""
        if self.positions is None:
            return Mark(self.name, 1, 1)
        found = self.positions.find_key(place) if key else None
        return found or self.positions.find(place)

    def directory(self, place: Place) -> Path:
        """Directory of the file that a value was written in: what the paths in it are relative to."""
        file = self.mark(place).file
        for source in self.sources:
            if str(source.path) == file:
                return source.directory
        return self.path.parent.resolve()
