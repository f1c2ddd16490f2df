"""What in a shard is not as it was: a checksum says only of the whole file that something is."""

from __future__ import annotations

import hashlib
import itertools
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final

import orjson

_MOST: Final = 5
"""Samples that are named."""

_PIECE: Final = 1 << 20


def bad_samples(path: Path) -> str:
    """Say which samples of a shard are not whole, as far as it can be read; nothing of any other file.

    Each image is held against the hash in its sample's own facts.
    """
    look = {".tar": _in_tar, ".parquet": _in_parquet}.get(path.suffix)
    if look is None:
        return ""
    try:
        named = list(itertools.islice(look(path), _MOST + 1))
    except Exception as error:  # noqa: BLE001 - a damaged file, and whatever its reader says of it
        return (
            f"it cannot be read ({str(error).splitlines()[0][:100] if str(error) else type(error).__name__})"
        )
    if not named:
        return "its images are whole: something beside them is not" if look is _in_tar or _has_arrow() else ""
    more = " and more" if len(named) > _MOST else ""
    return f"not whole in it: {', '.join(named[:_MOST])}{more}"


def _in_tar(path: Path) -> Iterator[str]:
    digest, image, last = "", "", ""
    with path.open("rb") as stream, tarfile.open(fileobj=stream, mode="r:") as tar:
        for member in tar:
            last = member.name
            try:
                taken = tar.extractfile(member)
                data = b"" if taken is None else taken.read()
            except (tarfile.ReadError, OSError):
                yield f"{last} (it is cut off there)"
                return
            if len(data) < member.size:
                yield f"{last} (it is cut off there)"
                return
            if member.name.endswith(".json"):
                if _told(data) != digest:
                    yield image or member.name
            elif not member.name.endswith(".txt"):
                digest, image = hashlib.sha256(data).hexdigest(), member.name
        if _anything(stream, tar.offset):
            yield f"all behind {last}" if last else "all of it"


def _told(data: bytes) -> str:
    try:
        return str(orjson.loads(data)["sha256"])
    except (ValueError, KeyError, TypeError):
        return ""


def _anything(stream: IO[bytes], start: int) -> bool:
    """Tell whether anything but zeros lies there: where a header is damaged, what follows is not found."""
    stream.seek(start)
    while data := stream.read(_PIECE):
        if any(data):
            return True
    return False


def _in_parquet(path: Path) -> Iterator[str]:
    if not _has_arrow():
        return
    import pyarrow.parquet as pq  # noqa: PLC0415 - an extra

    file = pq.ParquetFile(path)
    if not {"image", "sha256"} <= set(file.schema_arrow.names):
        return
    start = 0
    for number in range(file.num_row_groups):
        rows = file.metadata.row_group(number).num_rows
        try:
            group = file.read_row_group(number, columns=["image", "sha256"])
        except Exception:  # noqa: BLE001 - it cannot be decoded, whatever arrow calls that
            yield f"rows {start:,} to {start + rows - 1:,} (row group {number})"
        else:
            yield from _bad_rows(group.to_pylist(), start)
        start += rows


def _bad_rows(rows: list[dict[str, object]], start: int) -> Iterator[str]:
    for number, row in enumerate(rows, start):
        image = row["image"]
        if not isinstance(image, dict) or hashlib.sha256(image["bytes"]).hexdigest() != row["sha256"]:
            name = image.get("path") if isinstance(image, dict) else None
            yield f"row {number:,} ({name})"


def _has_arrow() -> bool:
    from importlib.util import find_spec  # noqa: PLC0415 - asked of a damaged file alone

    return find_spec("pyarrow") is not None
