"""What images are called in a dataset: by their file in the run, in one folder, and no two alike anywhere."""

from __future__ import annotations

import hashlib
from typing import Final

from zbatch.exports.entries import Entry
from zbatch.model import EXTENSIONS, fold

MAX_STEM_BYTES: Final = 200
"""File systems take 255 bytes; the rest is for extensions, and for names made of these."""


_TAR_NAME: Final = 100

_ENDS: Final = tuple(EXTENSIONS.values())


class Names:
    """Gives names one by one: the file's path with `__` between its folders, and without its extension.

    One that is taken already, on any file system, gets the beginning of the image's key. `dots` says whether
    a name may hold any: a webdataset's may not.
    """

    def __init__(self, *, dots: bool = True) -> None:
        self._dots = dots
        self._taken: set[bytes] = set()
        self.renamed = 0

    def name(self, entry: Entry) -> str:
        """Give the name of an image, with its extension."""
        return self.stem(entry) + extension(entry.file)

    def stem(self, entry: Entry) -> str:
        """Give the name of an image, without an extension."""
        stem = entry.file.removeprefix("images/")
        stem = stem[: len(stem) - len(extension(entry.file))].replace("/", "__")
        if not self._dots:
            stem = stem.replace(".", "_")
        stem = shortened(stem, entry.key)
        if self._take(stem):
            return stem
        for candidate in (f"{stem}-{entry.key[:8]}", f"{stem}-{entry.key[:16]}"):
            if self._take(candidate):
                self.renamed += 1
                return candidate
        self._take(entry.key)
        self.renamed += 1
        return entry.key

    def _take(self, stem: str) -> bool:
        plain = stem.isascii() and not stem.endswith(_ENDS)  # nearly all; the same in a fraction of the time
        folded = stem.lower() if plain else fold(stem)
        mark = hashlib.blake2b(folded.encode(), digest_size=12).digest()
        if mark in self._taken:
            return False
        self._taken.add(mark)
        return True


def is_plain(name: str) -> bool:
    """Tell whether the header of a tar member has place for a name."""
    return len(name) <= _TAR_NAME and name.isascii()


def shortened(stem: str, key: str) -> str:
    """Cut a name that is too long between two characters, and tell it apart by the beginning of its key."""
    if len(stem) * 4 <= MAX_STEM_BYTES or len(stem.encode()) <= MAX_STEM_BYTES:
        return stem
    return stem.encode()[: MAX_STEM_BYTES - 17].decode("utf-8", "ignore") + "-" + key[:16]


def extension(file: str) -> str:
    """Give the extension of an image's file, with its dot."""
    head, dot, end = file.rpartition(".")
    return dot + end if head and "/" not in end else ""
