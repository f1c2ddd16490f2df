"""`webdataset`: tar files of samples, an image with its caption and its facts, and an index of the files.

Equal images give equal bytes: members have no times and no owners.
"""

from __future__ import annotations

import itertools
import tarfile
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Final

import orjson

from zbatch.exports.entries import Entry
from zbatch.exports.names import Names, extension
from zbatch.exports.writing import Work

_OVERHEAD: Final = 4_096
"""Bytes that come with an image: three headers, the padding, caption and facts."""

_BLOCK: Final = 512
_RECORD: Final = 20 * _BLOCK
_PADDING: Final = bytes(_BLOCK)
_TIME: Final = b"%011o\0" % 0


def write_webdataset(work: Work) -> None:
    """Write the shards and `index.json`.

    Raises:
        DiskError: an image is gone or was changed, or the disk is full.
    """
    names = Names(dots=False)
    index: list[dict[str, Any]] = []
    for side in work.selection.sides:
        entries = work.selection.entries(side)
        for number, count in enumerate(work.shards(side, _OVERHEAD)):
            name = f"{side}-{number:06}.tar"
            shard = itertools.islice(entries, count)
            whole = work.destination.shard(name)
            if whole is None:
                size = _write_shard(work, name, shard, count, names)
            else:
                size = whole.bytes
                for entry in shard:  # their names are taken
                    names.stem(entry)
                work.tick(count)
            if side == "train":
                work.last_shard = number
            index.append({"url": name, "nsamples": count, "filesize": size, "split": side})
    about = {"wids_version": 1, "shardlist": index}
    work.destination.put("index.json", orjson.dumps(about, option=orjson.OPT_INDENT_2))


def _write_shard(work: Work, name: str, shard: Iterator[Entry], count: int, names: Names) -> int:
    columns = work.selection.columns
    with work.destination.stream(name, shard_of=count) as tar:
        for entry, data in work.read(shard):
            stem = names.stem(entry)
            row = columns.filled(columns.row(entry))
            row["request"] = orjson.dumps(entry.request).decode()
            tar.write(header(stem + extension(entry), len(data)))
            tar.write(data)
            caption, facts = entry.caption.encode(), orjson.dumps(row)
            tar.write(
                b"".join(
                    (
                        _padding(data),
                        header(f"{stem}.txt", len(caption)),
                        caption,
                        _padding(caption),
                        header(f"{stem}.json", len(facts)),
                        facts,
                        _padding(facts),
                    )
                )
            )
            work.tick()
        end = 2 * _BLOCK
        tar.write(bytes(end + (-(tar.bytes + end)) % _RECORD))
        return tar.bytes


def _padding(member: bytes) -> bytes:
    return _PADDING[len(member) % _BLOCK :] if len(member) % _BLOCK else b""


def header(name: str, size: int) -> bytes:
    """Give the header of a tar member that is a plain file of nobody's and of no time."""
    if len(name) <= 100 and name.isascii():
        return _short_header(name, size)
    return _made(name, size)


def _short_header(name: str, size: int) -> bytes:
    """Give the same as `_made`, of one that was made already: most of the time went into making it."""
    middle, end, known = _blank()
    named = name.encode()
    length = b"%011o\0" % size
    total = known + sum(named) + sum(length)
    return b"%s%s%s%s%06o\0 %s" % (named.ljust(100, b"\0"), middle, length, _TIME, total, end)


@lru_cache(maxsize=1)
def _blank() -> tuple[bytes, bytes, int]:
    """Give what stands between name and size, what follows the checksum, and the sum of all that is known."""
    made = _made("", 0)
    known = made[100:124] + made[136:148] + b" " * 8 + made[156:]
    return made[100:124], made[156:], sum(known)


def _made(name: str, size: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.size = size
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")
