"""`webdataset`: tar files of samples, an image with its caption and its facts, and an index of the files.

Equal images give equal bytes: members have no times and no owners.
"""

from __future__ import annotations

import tarfile
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import orjson

from zbatch.exports.desk import Desk, Lot, Packed, Room
from zbatch.exports.names import is_plain

if TYPE_CHECKING:
    from zbatch.exports.writing import Work

_BLOCK: Final = 512
_RECORD: Final = 20 * _BLOCK
_ROOM: Final = Room(whole=2 * _BLOCK + _RECORD, each=7 * _BLOCK, times=2, named=6 * _BLOCK)
"""Its end; headers, padding and names of fields; what is said, as the caption and among the facts.

Names that a header has no place for stand before each of the three in a member of their own.
"""

_PADDING: Final = bytes(_BLOCK)
_TIME: Final = b"%011o\0" % 0


def write_webdataset(work: Work) -> None:
    """Write the shards and `index.json`.

    Raises:
        DiskError: an image is gone or was changed, or the disk is full.
    """
    index: list[dict[str, Any]] = []
    for side in work.selection.sides:
        counts = work.shards(side, _ROOM)
        names = [f"{side}-{number:06}.tar" for number in range(len(counts))]
        for name, count, packed in zip(
            names, counts, work.packed(work.lots(side, counts, names)), strict=True
        ):
            index.append({"url": name, "nsamples": count, "filesize": packed.length, "split": side})
        if side == "train":
            work.last_shard = len(counts) - 1
    about = {"wids_version": 1, "shardlist": index}
    work.destination.put("index.json", orjson.dumps(about, option=orjson.OPT_INDENT_2))


def pack_webdataset(desk: Desk, lot: Lot) -> Packed:
    """Write one shard.

    Raises:
        DiskError: an image is gone or was changed, or the disk is full.
    """
    columns = desk.columns
    with desk.target.stream(lot.name) as tar:
        for entry, data in desk.read(lot):
            row = columns.filled(columns.row(entry))
            row["request"] = orjson.dumps(entry.request).decode()
            tar.write(header(entry.name, len(data)))
            tar.write(data)
            stem = entry.name.rpartition(".")[0]
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
            desk.tick(1)
        end = 2 * _BLOCK
        tar.write(bytes(end + (-(tar.bytes + end)) % _RECORD))
    return Packed(b"", tar.bytes, tar.sha256)


def _padding(member: bytes) -> bytes:
    return _PADDING[len(member) % _BLOCK :] if len(member) % _BLOCK else b""


def header(name: str, size: int) -> bytes:
    """Give the header of a tar member that is a plain file of nobody's and of no time."""
    if is_plain(name):
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
