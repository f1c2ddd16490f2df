"""Artifacts: a picture's bytes become a whole, hashed, durable file with a thumbnail, or nothing at all."""

from __future__ import annotations

import hashlib
import io
import math
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from PIL import Image, UnidentifiedImageError

from zbatch.errors import DiskError
from zbatch.looks import mark_of
from zbatch.model import EXTENSIONS, MEDIA_TYPES, Artifact, thumb_file
from zbatch.provenance import Record, UneditableError, Words, embed, parameters_text, record_text
from zbatch.state.directory import RunDirectory
from zbatch.state.placing import place_all
from zbatch.state.witness import Witness

THUMB_SIDE = 320
"""Side of a square thumbnail, in pixels; others have its area. Crisp at twice the usual size in a sheet."""

_THUMB_LONGEST = 800
"""Long side of any, in pixels."""

THUMB_BYTES = 64 * 1024
"""A picture no larger than a thumbnail, in pixels and in bytes, is its own thumbnail."""

MAX_PIXELS = 64_000_000
"""More than this is a decompression bomb, not an answer: the largest picture asked for has 2.4 million."""

_NO_JOB = "the state has no such job"
_PNG_END = b"IEND\xaeB`\x82"


class BadImageError(Exception):
    """The bytes are not a whole picture of a kind we keep; the message says what they are."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a picture is held against: the job it is for, where it goes, and what was asked of it.

    `file` is the planned path with the extension of `output_format`; sizes are in pixels.
    """

    key: str
    file: str
    output_format: str
    width: int
    height: int


def save_artifact(
    directory: RunDirectory, asked: Asked, data: bytes, witness: Witness | None = None
) -> Artifact:
    """Decode, hash, fsync and move a picture into place, and make its thumbnail from the same decode.

    A whole picture whose size or format is not what was asked is kept and carries a warning. Where there is a
    witness, what it knows of the job is written into the file first; where that cannot be, the file is kept
    as it came, with a warning.

    Raises:
        BadImageError: the bytes are no whole picture; nothing was kept.
        DiskError: naming the file that could not be written; the picture does not count as kept.
    """
    (outcome,) = save_artifacts(directory, [(asked, data)], witness)
    if isinstance(outcome, Artifact):
        return outcome
    raise outcome


def save_artifacts(
    directory: RunDirectory, pictures: Sequence[tuple[Asked, bytes]], witness: Witness | None = None
) -> list[Artifact | BadImageError | DiskError]:
    """Save several pictures, waiting for the disk once (see `save_artifact`); each has its outcome."""
    examined = list(examine(pictures, witness))
    problems = place_all(directory, [files for _, files in examined])
    return [problem or outcome for (outcome, _), problem in zip(examined, problems, strict=True)]


def examine(
    pictures: Sequence[tuple[Asked, bytes]], witness: Witness | None = None, *, apart: bool = False
) -> Iterator[tuple[Artifact | BadImageError, list[tuple[str, bytes]]]]:
    """Give what each picture is and the files to keep of it, the picture last; none of a bad one.

    With `apart` each has a thumbnail of its own, however small it is: the picture will not lie beside it.
    """
    known = None if witness is None else witness.testify([asked.key for asked, _ in pictures])
    for asked, data in pictures:
        try:
            record = known.get(asked.key, _NO_JOB) if isinstance(known, dict) else known
            yield _examined(asked, data, record, apart=apart)
        except BadImageError as error:
            yield error, []
        except Exception as error:  # noqa: BLE001 - one strange picture must not stop the run, for ever
            yield BadImageError(f"the picture could not be handled ({type(error).__name__}: {error})"), []


def _examined(
    asked: Asked, data: bytes, record: Record | str | None, *, apart: bool
) -> tuple[Artifact, list[tuple[str, bytes]]]:
    """Give what a picture is and the files to keep of it (see `examine`).

    `record` is what to write into it, a word where it cannot be had, or nothing where it is not wanted.
    """
    image, image_format = _decode(data)
    digest = received = hashlib.sha256(data).hexdigest()
    warnings_ = _differences(asked, image, image_format)
    if record is not None:
        try:
            data = _embedded(data, record, received)
            digest = hashlib.sha256(data).hexdigest()
        except UneditableError as error:
            warnings_.append(f"provenance: not written into the file: {error}")
    thumb_width, thumb_height = thumb_size(image.width, image.height)
    file = asked.file.removesuffix(EXTENSIONS[asked.output_format]) + EXTENSIONS[image_format]
    files = [(file, data)]
    thumb = file
    if apart or not _is_its_own_thumbnail(image, data):
        thumb = thumb_file(asked.key)
        files.insert(0, (thumb, _thumbnail(image, (thumb_width, thumb_height))))
    artifact = Artifact(
        file=file,
        sha256=digest,
        received_sha256=received,
        bytes=len(data),
        width=image.width,
        height=image.height,
        media_type=MEDIA_TYPES[image_format],
        thumb=thumb,
        thumb_width=thumb_width,
        thumb_height=thumb_height,
        warnings=tuple(warnings_),
    )
    return artifact, files


def _embedded(data: bytes, record: Record | str, received: str) -> bytes:
    """Give the file with what made it written into it.

    Raises:
        UneditableError: it stays as it came, for whatever reason: a picture is worth more than words.
    """
    if isinstance(record, str):
        raise UneditableError(record)
    try:
        text = record_text(replace(record, received_sha256=received))
        return embed(data, Words(parameters_text(record.model, record.request), text))
    except UneditableError:
        raise
    except Exception as error:
        raise UneditableError(f"it could not be handled ({type(error).__name__})") from error


def _decode(data: bytes) -> tuple[Image.Image, str]:
    if not data:
        raise BadImageError("the picture is empty (0 bytes)")
    try:
        with warnings.catch_warnings():
            # Pillow only warns about moderate bombs; our own bound below decides.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(data), formats=[name.upper() for name in EXTENSIONS])
            if image.width * image.height > MAX_PIXELS:
                raise BadImageError(
                    f"the picture is {image.width}x{image.height} pixels, a decompression bomb"
                )
            image_format = str(image.format).lower()
            if image_format == "png":
                _check_png(data)
            image.load()
    except BadImageError:
        raise
    except Image.DecompressionBombError as error:
        raise BadImageError("the picture is a decompression bomb") from error
    except UnidentifiedImageError as error:
        start = data[:16].lstrip().lower()
        kind = (
            "an HTML page" if start.startswith((b"<!doctype", b"<html")) else "no PNG, JPEG or WebP picture"
        )
        raise BadImageError(f"the answer is {kind} ({len(data)} bytes)") from error
    except MemoryError as error:
        raise BadImageError(f"memory ran out over the picture ({len(data)} bytes)") from error
    except Exception as error:
        raise BadImageError(f"the answer is not a whole picture ({len(data)} bytes: {error})") from error
    return image, image_format


def _check_png(data: bytes) -> None:
    """Look at the checksums and at the end, which decoding, done with the last line, does not."""
    Image.open(io.BytesIO(data), formats=["PNG"]).verify()
    if _PNG_END not in data:
        raise BadImageError(f"the answer is not a whole picture ({len(data)} bytes, its end is missing)")


def thumb_size(width: int, height: int) -> tuple[int, int]:
    """Size of a thumbnail in pixels: at most the area of a square of `THUMB_SIDE`; never enlarged."""
    scale = min(1.0, THUMB_SIDE / math.sqrt(width * height), _THUMB_LONGEST / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def _is_its_own_thumbnail(image: Image.Image, data: bytes) -> bool:
    small = image.width * image.height <= THUMB_SIDE**2 and len(data) <= THUMB_BYTES
    return small and image.mode in ("RGB", "L") and getattr(image, "n_frames", 1) == 1


def _thumbnail(image: Image.Image, size: tuple[int, int]) -> bytes:
    small = image.convert("RGB")
    if small.size != size:
        small = small.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=82, exif=mark_of(small))
    return buffer.getvalue()


def _differences(asked: Asked, image: Image.Image, image_format: str) -> list[str]:
    found = []
    if (image.width, image.height) != (asked.width, asked.height):
        found.append(f"size: asked for {asked.width}*{asked.height}, got {image.width}*{image.height}")
    if image_format != asked.output_format:
        found.append(f"output_format: asked for {asked.output_format}, got {image_format}")
    return found


def thumbnail_of(data: bytes) -> bytes:
    """Make the thumbnail of a picture anew, as it was made when the picture came.

    Raises:
        BadImageError: the bytes are no whole picture.
    """
    image, _ = _decode(data)
    return _thumbnail(image, thumb_size(image.width, image.height))
