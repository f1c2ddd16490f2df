"""Large files in blocks: whatever is written, in whatever pieces, is there, and hashed, and on disk."""

from __future__ import annotations

import hashlib
import mmap
from concurrent.futures import ThreadPoolExecutor

import pytest

from zbatch.exports.disk_file import DiskFile
from zbatch.exports.streams import Stream

BLOCK = 1 << 20


def written(path, pieces):
    with path.open("wb", buffering=0) as file, ThreadPoolExecutor(2) as threads:
        on_disk = DiskFile(file, threads)
        stream = Stream(on_disk, threads)
        for piece in pieces:
            stream.write(piece)
        stream.end()
        on_disk.end()
    return stream


@pytest.mark.parametrize(
    "lengths",
    [
        [],
        [0],
        [1],
        [BLOCK],
        [BLOCK - 1, 1],
        [BLOCK - 1, 2],
        [4096, BLOCK],
        [3 * BLOCK + 17],
        [512, 150_000, 362] * 40,
        [5, 0, 2 * BLOCK, 7, BLOCK - 12],
        [40 * BLOCK],
    ],
)
def test_pieces_of_any_length(tmp_path, lengths):
    pieces = [bytes([number % 251]) * length for number, length in enumerate(lengths, 1)]
    stream = written(tmp_path / "file", pieces)
    data = b"".join(pieces)
    assert (tmp_path / "file").read_bytes() == data
    assert (stream.bytes, stream.sha256) == (len(data), hashlib.sha256(data).hexdigest())


def test_a_block_that_the_disk_does_not_take_as_it_is(tmp_path):
    """Past the page cache a file is written at multiples of some bytes: elsewhere the cache takes it."""
    block = memoryview(mmap.mmap(-1, BLOCK))
    block[:3] = b"abc"
    with (tmp_path / "file").open("wb", buffering=0) as file, ThreadPoolExecutor(1) as threads:
        on_disk = DiskFile(file, threads)
        for part in (block[:100], block, block[:7], block):
            on_disk.write(part)
        on_disk.end()
    assert (tmp_path / "file").read_bytes() == bytes(block[:100]) + bytes(block) + bytes(block[:7]) + bytes(
        block
    )


def test_many_blocks_through_the_page_cache(tmp_path, monkeypatch):
    monkeypatch.setattr("zbatch.exports.disk_file._DIRECT", 0)
    pieces = [bytes([number]) * BLOCK for number in range(70)]
    stream = written(tmp_path / "file", pieces)
    assert (tmp_path / "file").read_bytes() == b"".join(pieces)
    assert stream.sha256 == hashlib.sha256(b"".join(pieces)).hexdigest()
