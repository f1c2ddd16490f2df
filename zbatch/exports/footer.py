"""The end of a Parquet file, edited: the numbers in it that change with images that pyarrow never saw.

It is a `FileMetaData` of https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift
in Thrift's compact protocol, whose numbers are as long as they are large: an edited end is of another length.
What is not edited is copied as it lies, whatever it is.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

TRUE, FALSE, BYTE, DOUBLE, BINARY, LIST, SET, MAP, STRUCT = 1, 2, 3, 7, 8, 9, 10, 11, 12
_NUMBERS: Final = frozenset({4, 5, 6})
_SIZES: Final = {TRUE: 0, FALSE: 0, BYTE: 1, DOUBLE: 8}
"""Types of one length, in bytes; a flag is in its type."""


class Added(NamedTuple):
    """What was put into a row group."""

    place: int
    """Where the group begins in the file that pyarrow knows of."""
    size: int
    """Bytes that its first column has more."""
    values: int
    """Bytes that the values in it have more, without what stands around them."""


def edited_end(end: bytes, added: Sequence[Added]) -> bytes:
    """Give the metadata of a file whose row groups, each of them, were added to."""
    return _End(end, added).edited()


class Compact:
    """Numbers and what is between them, read from front to back; what is changed goes into a copy."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0
        self._copied = 0
        self._copy = bytearray()

    def varint(self) -> int:
        """Read a number without a sign."""
        data, at = self.data, self.at
        byte = data[at]
        at += 1
        value, shift = byte & 127, 7
        while byte > 127:
            byte = data[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
        self.at = at
        return value

    def number(self) -> int:
        """Read a number with its sign."""
        value = self.varint()
        return (value >> 1) ^ -(value & 1)

    def add(self, to: int) -> int:
        """Make the number that comes larger; gives what it was."""
        start = self.at
        value = self.number()
        self._put(start, value + to)
        return value

    def _put(self, start: int, value: int) -> None:
        """Put another number, of no sign, in place of the one just read."""
        self._copy += self.data[self._copied : start]
        self._copy += _varint(value << 1)
        self._copied = self.at

    def copy(self) -> bytes:
        """Give all of it, with what was changed."""
        return bytes(self._copy + self.data[self._copied :])

    def fields(self) -> Iterator[tuple[int, int]]:
        """Give each field's number and type; whoever takes them reads or skips what it holds."""
        field = 0
        while byte := self.data[self.at]:
            self.at += 1
            field = field + (byte >> 4) if byte >> 4 else self.number()
            yield field, byte & 15
        self.at += 1

    def listed(self) -> Iterator[tuple[int, int]]:
        """Give each item's place in a list and its type."""
        byte = self.data[self.at]
        self.at += 1
        count = byte >> 4 if byte >> 4 < 15 else self.varint()
        for place in range(count):
            yield place, byte & 15

    def skip(self, kind: int) -> None:
        """Go past a value."""
        if kind in _NUMBERS:
            self.varint()
        elif kind == BINARY:
            length = self.varint()
            self.at += length
        elif kind == STRUCT:
            for _, inner in self.fields():
                self.skip(inner)
        elif kind in (LIST, SET):
            for _, inner in self.listed():
                self.skip(BYTE if inner in (TRUE, FALSE) else inner)
        elif kind == MAP:
            self._skip_map()
        else:
            self.at += _SIZES[kind]

    def _skip_map(self) -> None:
        count = self.varint()
        if count:
            kinds = self.data[self.at]
            self.at += 1
            for _ in range(count):
                for inner in (kinds >> 4, kinds & 15):
                    self.skip(BYTE if inner in (TRUE, FALSE) else inner)


class _End(Compact):
    """`FileMetaData`, and which of its fields say where something lies or how many bytes it has."""

    def __init__(self, data: bytes, added: Sequence[Added]) -> None:
        super().__init__(data)
        self._added = added
        self._places = [one.place for one in added]
        self._moved = [0]
        for one in added:
            self._moved.append(self._moved[-1] + one.size)

    def edited(self) -> bytes:
        for field, kind in self.fields():
            if field == 4:  # row_groups
                for group, _ in self.listed():
                    self._group(self._added[group])
            else:
                self.skip(kind)
        return self.copy()

    def _group(self, added: Added) -> None:
        for field, kind in self.fields():
            if field == 1:  # columns
                for column, _ in self.listed():
                    self._column(None if column else added)
            elif field in (2, 6):  # total_byte_size, total_compressed_size
                self.add(added.size)
            elif field == 5:  # file_offset
                self._move()
            else:
                self.skip(kind)

    def _column(self, added: Added | None) -> None:
        for field, kind in self.fields():
            if field == 2:  # file_offset
                self._move()
            elif field == 3:  # meta_data
                self._chunk(added)
            else:
                self.skip(kind)

    def _chunk(self, added: Added | None) -> None:
        for field, kind in self.fields():
            if field in (9, 10, 11):  # data_page_offset, index_page_offset, dictionary_page_offset
                self._move()
            elif added and field in (6, 7):  # total_uncompressed_size, total_compressed_size
                self.add(added.size)
            elif added and field == 16:  # size_statistics
                self._statistics(added.values)
            else:
                self.skip(kind)

    def _statistics(self, values: int) -> None:
        for field, kind in self.fields():
            if field == 1:  # unencoded_byte_array_data_bytes
                self.add(values)
            else:
                self.skip(kind)

    def _move(self) -> None:
        """Say where something lies now; 0 is nowhere."""
        start = self.at
        place = self.number()
        if moved := self._moved[bisect_left(self._places, place)]:
            self._put(start, place + moved)


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)
