"""The files of jobs: rendered from `output.file`, one by one, and never two jobs in one."""

from __future__ import annotations

import hashlib
from collections.abc import Container, Mapping
from typing import Any

from zbatch.expressions.parts import Part, take_apart
from zbatch.manifest.files import FileNameError, image_file
from zbatch.manifest.numbering import Numbering, halved
from zbatch.manifest.parser import Manifest
from zbatch.model import Request, fold


class SharedFileError(FileNameError):
    """Two jobs would write one file; caught in this package, where it becomes a finding."""


class JobFiles:
    """Names the files of one expansion's jobs, and remembers which names are taken.

    A name is remembered by a mark of sixteen bytes of its folded form (see `zbatch.model.fold`): a
    million of them would take hundreds of megabytes.
    """

    def __init__(self, manifest: Manifest, expected: int) -> None:
        self.template = manifest.output_file
        self.parts = self._parts(manifest)
        self.tail = _tail(self.parts)
        """Digits of the key that every name ends with, where the rest of it has nothing of the key; or 0."""
        self._variables = [(name, var) for name, var in manifest.variables if name in manifest.file_names]
        self._needed = manifest.file_axes
        self.taken = Numbering(expected if self.template is not None else 0)

    def named(self, values: Container[str]) -> bool:
        """Tell whether the template can name cells of these axes: a row of include may lack some."""
        return all(name in values for name in self._needed)

    def file_of(self, key: str, request: Request, context: Mapping[str, Any]) -> str:
        """Give the file of a new job; `context` is what templates saw when its request was made.

        A cell without the axes that the template needs, of a row of include, is named by its key.

        Raises:
            RenderError: the template fails.
            FileNameError: the name cannot be used (`SharedFileError`: it is another job's).
        """
        if self.template is None:
            return image_file(key[:16], request.output_format)
        # As many digits as names that end with the key have, so that marks can be made of it.
        stem: Any = key[: max(16, self.tail)]
        if self.named(context):
            full = dict(context)
            for name, variable in self._variables:
                if name not in full:
                    full[name] = variable.render(full)
            stem = self.template.render({**full, "request": request.body(), "key": key})
        try:
            stem = stem_text(stem)
            file = image_file(stem, request.output_format)
        except FileNameError as error:
            error.got = stem
            raise
        mark = self.mark(fold(file))
        if self.taken.find(*mark) is not None:
            hint = "put what tells them apart into output.file, such as {{ key[:12] }}"
            raise SharedFileError(f"two jobs would write {file}", hint=hint)
        self.taken.add(*mark)
        return file

    def mark(self, folded: str) -> tuple[int, int]:
        """Give what stands for a folded name, in two halves: equal names have equal marks."""
        if not self.tail:
            return halved(hashed(folded))
        digits = int(folded[-self.tail :][:16], 16)
        return (begin_mark(folded[: -self.tail]) + digits) & 0xFFFF_FFFF_FFFF_FFFF, digits

    def _parts(self, manifest: Manifest) -> tuple[Part, ...] | None:
        if self.template is None:
            return None
        parts = take_apart(manifest.document.data["output"]["file"])
        if parts is None or len(parts) != 1 or parts[0].literal is not None:
            return parts
        # One expression alone keeps the type of its value, and is made text by rules of its own.
        return parts if parts[0].begin is not None and parts[0].begin[0] == "key" else None


def _tail(parts: tuple[Part, ...] | None) -> int:
    if not parts or parts[-1].begin is None:
        return 0
    if any("key" in part.names or part.asked.get("request", ()) is None for part in parts[:-1]):
        return 0
    name, count = parts[-1].begin
    count = 64 if count is None else min(count, 64)
    # With one digit there are names that are reserved: com1.
    return count if name == "key" and count > 1 else 0


def hashed(folded: str) -> bytes:
    """Give sixteen bytes that stand for a folded name."""
    return hashlib.blake2b(folded.encode(), digest_size=16).digest()


def begin_mark(folded: str) -> int:
    """Give what stands for a folded name up to the digits of the key that end it: eight bytes of a hash.

    The digits are added to it, so that the halves of marks are spread, whichever of the two tells them apart.
    """
    return int.from_bytes(hashlib.blake2b(folded.encode(), digest_size=8).digest(), "big")


def stem_text(stem: Any) -> str:
    """Make a rendered name text.

    Raises:
        FileNameError: it is a list, a map or null.
    """
    if isinstance(stem, int | float) or hasattr(stem, "__template_text__"):
        stem = str(stem)
    if not isinstance(stem, str):
        raise FileNameError("must be text")
    return stem
