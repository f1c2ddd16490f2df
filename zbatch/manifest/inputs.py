"""Local input images: checked once, and standing everywhere as their path and the hash of their bytes."""

from __future__ import annotations

import base64
import hashlib
import io
import re
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from zbatch.errors import UsageError
from zbatch.manifest.findings import nearest
from zbatch.model import MEDIA_TYPES, InputImage

MAX_INPUT_BYTES = 32_000_000
"""A larger picture would make a body of over 40 MB; no API of this family takes that."""


class InputImageError(UsageError):
    """A local input image cannot be used; caught in this package, where it becomes a finding."""


class InputChangedError(UsageError):
    """A local input image is not what it was when the job was planned."""


def is_remote(text: str) -> bool:
    """Tell whether an image field holds a URL, which is sent as it is."""
    return text.lower().startswith(("http://", "https://"))


@dataclass(slots=True)
class InputImages:
    """The input images of one manifest; each file is read and decoded once.

    `root` is the manifest's directory: paths are kept relative to it.
    """

    root: Path
    allow_outside: bool
    _known: dict[Path, InputImage]

    @classmethod
    def under(cls, root: Path, *, allow_outside: bool, known: Iterable[InputImage] = ()) -> InputImages:
        """Begin with those `known` without being read: what they were, not what they are."""
        root = root.resolve()
        return cls(root, allow_outside, {root / image.file: image for image in known})

    @property
    def used(self) -> bool:
        """Tell whether any was read so far."""
        return bool(self._known)

    def resolve(self, text: str, written_in: Path) -> InputImage:
        """Read the picture a path names, relative to the directory of the file that wrote it.

        Raises:
            InputImageError: it is not there, no picture, or outside the manifest's directory.
        """
        if text.lower().startswith("data:"):
            raise InputImageError("takes no data: URI", hint="put the picture into a file and name that")
        if re.match(r"[A-Za-z][A-Za-z0-9+.-]+://", text):
            raise InputImageError("is no http(s) URL", hint="use one, or name a file beside the manifest")
        try:
            path = (written_in / text).resolve()
        except (OSError, RuntimeError, ValueError) as error:  # a loop of links, a name with NUL in it
            raise InputImageError("is no path that leads anywhere") from error
        known = self._known.get(path)
        if known is not None:
            return known
        if not self.allow_outside and not path.is_relative_to(self.root):
            raise InputImageError(
                "lies outside the manifest's directory", hint="move it there, or run with --allow-outside"
            )
        data = _read(path)
        _check_picture(data)
        file = path.relative_to(self.root).as_posix() if path.is_relative_to(self.root) else path.as_posix()
        image = InputImage(file, hashlib.sha256(data).hexdigest())
        self._known[path] = image
        return image


def _read(path: Path) -> bytes:
    try:
        if path.is_dir():
            raise InputImageError("names a directory", hint="put the file's name behind it")
        if not path.is_file():
            if path.exists():
                raise InputImageError("is no plain file, but a pipe or a device")
            raise InputImageError("names no file", hint=_near_files(path))
        if path.stat().st_size > MAX_INPUT_BYTES:
            raise InputImageError(f"has more than {MAX_INPUT_BYTES // 1_000_000} MB", hint="scale it down")
        return path.read_bytes()
    except OSError as error:
        raise InputImageError(f"cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise InputImageError(f"is no path: {error}") from error


def _near_files(path: Path) -> str:
    try:
        names = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
    except OSError:
        return ""
    return nearest(path.name, names) if names else f"there is no directory {path.parent.name}"


def _check_picture(data: bytes) -> str:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(data))
        with image:
            image_format = str(image.format).lower()
            image.load()
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise InputImageError("has more than 89 megapixels", hint="scale it down") from error
    except UnidentifiedImageError as error:
        raise InputImageError("is no picture") from error
    except Exception as error:
        raise InputImageError("is no picture that decodes") from error
    if image_format == "mpo":  # what some cameras write: a JPEG with more pictures behind it
        return "jpeg"
    if image_format not in MEDIA_TYPES:
        raise InputImageError(f"is a {image_format} file", hint="use png, jpeg or webp")
    return image_format


def data_uri(image: InputImage, root: Path) -> str:
    """Make the `data:` URI of an input image, to be sent and forgotten.

    Raises:
        InputChangedError: the file is gone or its bytes are not those that were planned.
    """
    path = root / image.file
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputChangedError(
            f"the input image {image.file} cannot be read: {error.strerror or error}"
        ) from error
    if hashlib.sha256(data).hexdigest() != image.sha256:
        raise InputChangedError(f"the input image {image.file} changed after it was planned")
    image_format = _check_picture(data)
    return f"data:{MEDIA_TYPES[image_format]};base64,{base64.b64encode(data).decode('ascii')}"
