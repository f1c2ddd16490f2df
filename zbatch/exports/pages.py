"""What pyarrow writes a Parquet file into: images go into it that pyarrow is not given.

It copies what it is given three times before it writes it, and holds a row group at each. It is told that
every image is empty, and each goes from where it was read into the file; what says how long something is, or
where it lies, is edited.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, Protocol

from zbatch.errors import SurroundingsError
from zbatch.exports.footer import Added, Compact, edited_end

_COUNT: Final = 4
"""Bytes of a number in a page, which says before each value how long it is; and of one at a file's end."""

_MARK: Final = b"PAR1"
"""A file's first and last bytes."""


class Sink(Protocol):
    """Where the bytes of the file go."""

    def write(self, data: bytes | memoryview, /) -> int:
        """Write all of them."""


class Pages:
    """A file that pyarrow writes, and the images that go into its pages.

    The images are its first column; pages are of format 1, plain and without checksums.
    """

    closed = False

    def __init__(self, sink: Sink, images: Iterator[bytes] | None = None) -> None:
        """Say where the file goes; `images` come in the order of its rows, each as long as was told."""
        self.fills = images is not None
        """Whether it puts images where pyarrow writes empty ones."""
        self._sink = sink
        self._images = images if images is not None else iter(())
        self._written = 0
        self._awaited: list[int] = []
        self._header: bytes | None = None
        self._added: list[Added] = []
        self._end: list[bytes] | None = None

    def await_images(self, lengths: Iterable[int]) -> None:
        """Be told how long the images of the next row group are; all its rows are written with empty ones."""
        self._awaited = list(lengths)

    def check(self) -> None:
        """Hold what was written against what was to be.

        Raises:
            SurroundingsError: images are not there: this pyarrow writes pages of another kind.
        """
        if self._awaited:
            raise _unlike()

    def write(self, data: bytes) -> int:
        """Write what pyarrow has, a page or what stands around it.

        Raises:
            DiskError: an image is gone or was changed, or the disk is full.
            SurroundingsError: it is not the page that was to come.
        """
        if self._end is not None:
            self._end.append(data)
        elif not self._awaited or not self._written:
            self._sink.write(data)
        elif self._header is None:
            self._header = data
        else:
            self._fill(self._header, data)
            self._awaited, self._header = [], None
        self._written += len(data)
        return len(data)

    def _fill(self, header: bytes, page: bytes) -> None:
        """Write a page of empty images with the images in it."""
        lengths, total = self._awaited, sum(self._awaited)
        start = len(page) - _COUNT * len(lengths)
        if start < 0 or any(page[start:]) or (edited := _longer(header, len(page), total)) is None:
            raise _unlike()
        place = self._written - len(header)
        self._added.append(Added(place, total + len(edited) - len(header), total))
        self._sink.write(edited)
        self._sink.write(page[:start])
        for length in lengths:
            self._sink.write(length.to_bytes(_COUNT, "little"))
            self._sink.write(next(self._images))

    def await_end(self) -> None:
        """Be told that all rows are written: what comes now is the file's end."""
        self._end = []

    def end(self) -> None:
        """Write the file's end, once pyarrow has written it.

        Raises:
            SurroundingsError: it is not an end as was to come.
        """
        end = b"".join(self._end or [])
        if self._added:
            whole = len(end) - len(_MARK) - _COUNT
            if whole < 0 or end[whole:] != whole.to_bytes(_COUNT, "little") + _MARK:
                raise _unlike()
            try:
                edited = edited_end(end[:whole], self._added)
            except (IndexError, KeyError) as error:
                raise _unlike() from error
            end = edited + len(edited).to_bytes(_COUNT, "little") + _MARK
        self._sink.write(end)

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


def _longer(header: bytes, size: int, added: int) -> bytes | None:
    """Give the header of a page that is longer by so many bytes; `None` where it is not of such a page."""
    reader = Compact(header)
    sizes = 0
    try:
        for field, kind in reader.fields():
            if field in (2, 3):  # uncompressed_page_size, compressed_page_size
                sizes += reader.add(added) == size
            else:
                reader.skip(kind)
    except (IndexError, KeyError):
        return None
    return reader.copy() if sizes == 2 and reader.at == len(header) else None


def _unlike() -> SurroundingsError:
    return SurroundingsError(
        "the version of pyarrow that is installed writes Parquet files that zbatch cannot fill",
        hint="pip install 'pyarrow<27'",
    )
