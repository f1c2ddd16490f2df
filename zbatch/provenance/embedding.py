"""Words into a file, and out of one, whichever of the three containers it is."""

from __future__ import annotations

from types import ModuleType

from zbatch.provenance import jpeg, png, webp
from zbatch.provenance.parameters import is_parameters
from zbatch.provenance.uneditable import UneditableError
from zbatch.provenance.words import Words

__all__ = ["Words", "embed", "find_words"]


def embed(data: bytes, words: Words) -> bytes:
    """Give the file with `words` in it, everything else as it was; the record of an earlier time goes.

    Where the file came with parameters of another tool's, those stay: who made it knows better.

    Raises:
        UneditableError: the container cannot be edited safely.
    """
    container = _container(data)
    if container is None:
        raise UneditableError("it is no PNG, JPEG or WebP file")
    before = container.find(data)
    if before.record is None and before.parameters is not None and is_parameters(before.parameters):
        words = Words(None, words.record)
    edited: bytes = container.edit(data, words)
    return edited


def find_words(data: bytes) -> Words | None:
    """Give what a file tells of itself, as far as it can be read; `None` where it is no such picture."""
    container = _container(data)
    if container is None:
        return None
    found: Words = container.find(data)
    return found


def _container(data: bytes) -> ModuleType | None:
    if data.startswith(png.SIGNATURE):
        return png
    if data.startswith(jpeg.SIGNATURE):
        return jpeg
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return webp
    return None
