"""What the grid in a state was made from: where that is unchanged, nothing has to be expanded again."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

import orjson

from zbatch.manifest.parser import Manifest
from zbatch.state.database import Meta
from zbatch.state.store import Store
from zbatch.version import __version__


@dataclass(frozen=True, slots=True)
class GridMark:
    """Equal marks give equal grids: the same files at the same places, expanded by the same zbatch.

    There is none (`digest` is `None`) where local input images belong to the requests: their bytes may have
    changed, and the expansion looks at them.
    """

    fingerprint: str
    digest: str | None

    @classmethod
    def of(cls, manifest: Manifest) -> Self:
        """Make the mark of a manifest; of one that was expanded, to be sure of its input images."""
        document = manifest.document
        places = [str(source.directory / source.path.name) for source in document.sources]
        text = orjson.dumps([__version__, document.fingerprint, *places])
        digest = None if manifest.inputs.used else hashlib.sha256(text).hexdigest()
        return cls(document.fingerprint, digest)

    def stands_in(self, store: Store) -> bool:
        """Tell whether the grid in the state is that of this mark.

        The two other facts are written by every zbatch, one that knows no marks too.
        """
        return (
            self.digest is not None
            and (store.meta(Meta.GRID) or {}).get("mark") == self.digest
            and store.meta(Meta.MANIFEST_SHA256) == self.fingerprint
            and store.meta(Meta.VERSION) == __version__
        )

    def set_in(self, store: Store, warnings: Iterable[str]) -> None:
        """Note that the grid in the state is that of this mark, and what was odd about it."""
        store.set_meta(Meta.GRID, {"mark": self.digest, "warnings": list(warnings)})

    @staticmethod
    def warnings_in(store: Store) -> list[str]:
        """Give what was odd about the grid in the state, as its expansion said it."""
        return list((store.meta(Meta.GRID) or {}).get("warnings", ()))
