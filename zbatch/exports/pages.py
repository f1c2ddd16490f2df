"""What pyarrow writes a Parquet file into: where it puts zeros for images, their bytes go instead.

pyarrow copies what it is given three times before it writes it, and holds a row group at each. Of zeros it
makes the same pages, with the lengths that count, and an image goes from where it was read into the file.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Final, Protocol

from zbatch.errors import SurroundingsError

_COUNT: Final = 4
"""Bytes of a number in a page: before its levels how long they are, before each value how long that is."""


class Sink(Protocol):
    """Where the bytes of the file go."""

    def write(self, data: bytes | memoryview, /) -> int:
        """Write all of them."""


class Pages:
    """A file that pyarrow writes, and the images that go into its pages.

    Pages are of format 1, plain and without checksums.
    """

    closed = False

    def __init__(self, sink: Sink, images: Iterator[bytes] | None = None) -> None:
        """Say where the file goes; `images` come in the order of its rows, each as long as was told."""
        self._sink = sink
        self._written = 0
        self._images = images if images is not None else iter(())
        self._awaited: deque[int] = deque()

    def await_images(self, lengths: Iterable[int]) -> None:
        """Be told how long the images of the next rows are."""
        self._awaited.extend(lengths)

    def check(self) -> None:
        """Hold what was written against what was to be.

        Raises:
            SurroundingsError: images are not there: this pyarrow writes pages of another kind.
        """
        if self._awaited:
            raise SurroundingsError(
                "the version of pyarrow that is installed writes Parquet files that zbatch cannot fill",
                hint="pip install 'pyarrow<27'",
            )

    def write(self, data: bytes) -> int:
        """Write what pyarrow has, a page or what stands around it.

        Raises:
            DiskError: an image is gone or was changed, or the disk is full.
        """
        start = self._first_image(data)
        if start:
            self._fill(memoryview(data), start)
        else:
            self._sink.write(data)
        self._written += len(data)
        return len(data)

    def _first_image(self, data: bytes) -> int:
        """Say where in a page of images the first one is; 0 of anything else."""
        if not self._awaited:
            return 0
        start = _COUNT + int.from_bytes(data[:_COUNT], "little")
        return start if data[start : start + _COUNT] == self._awaited[0].to_bytes(_COUNT, "little") else 0

    def _fill(self, page: memoryview, at: int) -> None:
        self._sink.write(page[:at])
        while at < len(page) and self._awaited:
            self._sink.write(page[at : at + _COUNT])
            self._sink.write(next(self._images))
            at += _COUNT + self._awaited.popleft()
        self._sink.write(page[at:])

    def tell(self) -> int:
        """Say how much was written."""
        return self._written

    def flush(self) -> None:
        """Do nothing: it is flushed at its end."""

    def close(self) -> None:
        """Do nothing: whoever opened it closes it."""

    def writable(self) -> bool:
        """Say yes."""
        return True

    def readable(self) -> bool:
        """Say no."""
        return False

    def seekable(self) -> bool:
        """Say no."""
        return False
