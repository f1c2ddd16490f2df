"""Images on their way into a dataset, and the file aside that holds them until it is known who stays."""

from __future__ import annotations

import hashlib
import os
from array import array
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

import orjson

from zbatch.exports.aside import cannot_keep, open_aside
from zbatch.model import Coordinates, Scalar
from zbatch.state.captions import called

_READ: Final = 1 << 18
"""Bytes of the file aside that are read at once."""


class Entry(NamedTuple):
    """One image: where it lies, what it is, and what is said of it.

    `run` is its run's number in the order given; `file` and `thumb` are from that run's directory; `cells`
    are the coordinates of every cell that shows it, in grid order, but that for which a filter took it comes
    first: the first gives the image its own.
    `nsfw` is `None` where the server did not say. `name` is what it is called in the dataset.
    """

    run: int
    key: str
    file: str
    sha256: str
    length: int
    width: int
    height: int
    media_type: str
    model: str
    nsfw: bool | None
    warnings: list[str]
    cells: list[dict[str, Scalar]]
    request: Mapping[str, Any]
    caption: str = ""
    name: str = ""
    thumb: str = ""

    @property
    def coordinates(self) -> Coordinates:
        """Those of the first cell that shows it."""
        return self.cells[0]

    @property
    def prompt(self) -> str:
        """The prompt as it was sent."""
        return str(self.request["prompt"])

    @property
    def seed(self) -> int:
        """The seed as it was sent."""
        return int(self.request["seed"])

    @property
    def called(self) -> str:
        """What messages call it: its coordinates and the beginning of its key."""
        return called(self.key, self.coordinates)


class Spool:
    """Entries in a file without a name: a million take no memory, and what was chosen is what is written.

    `digest` tells what is in it apart from anything else.
    """

    def __init__(self) -> None:
        self._file = open_aside()
        self._hash = hashlib.sha256()
        self._starts = array("Q", [0])
        """Where each entry begins, in bytes, and where the last one ends."""

    def __len__(self) -> int:
        return len(self._starts) - 1

    @property
    def digest(self) -> str:
        """Give the SHA-256 (hex) of all entries in their order."""
        return self._hash.hexdigest()

    def add(self, entry: Entry) -> None:
        """Take an entry.

        Raises:
            DiskError: there is no room for temporary files.
        """
        # Where a thumbnail lies is no part of what is written; a run with its images in a store has others.
        told = orjson.dumps(entry[:-1])
        self._hash.update(told)
        line = b"%s,%s]\n" % (told[:-1], orjson.dumps(entry.thumb))
        self._starts.append(self._starts[-1] + len(line))
        try:
            self._file.write(line)
        except OSError as error:
            raise cannot_keep(error) from error

    def lines(self, marks: bytes | bytearray | None = None, wanted: int = 0) -> Iterator[Entry]:
        """Give every entry, or those with the mark that is wanted.

        Raises:
            DiskError: there is no room for temporary files.
        """
        return entries_in(self.part(0, len(self)), b"" if marks is None else marks, wanted)

    def part(self, first: int, end: int) -> Part:
        """Give the place of the entries from `first` to before `end`, for whoever reads them.

        Raises:
            DiskError: there is no room for temporary files.
        """
        try:
            self._file.flush()
        except OSError as error:
            raise cannot_keep(error) from error
        return Part(self._file.fileno(), self._starts[first], self._starts[end])

    def length(self, number: int) -> int:
        """Give how many bytes an entry takes here: about what is said of the image."""
        return self._starts[number + 1] - self._starts[number]

    def fileno(self) -> int:
        """Give the number of the open file."""
        return self._file.fileno()

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()


class Part(NamedTuple):
    """Some entries that follow each other in the file aside: its descriptor, and from which byte to which."""

    file: int
    start: int
    end: int


def entries_in(part: Part, marks: bytes | bytearray = b"", wanted: int = 0) -> Iterator[Entry]:
    """Give the entries of a part: all, or, where they have marks, those with the one that is wanted."""
    rest, at, number = b"", part.start, 0
    while at < part.end:
        read = os.pread(part.file, min(_READ, part.end - at), at)
        at += len(read)
        *lines, rest = (rest + read).split(b"\n")
        for line in lines:
            if not marks or marks[number] == wanted:
                yield Entry(*orjson.loads(line))
            number += 1


class Chosen(NamedTuple):
    """Images of one side that follow each other: where they lie aside, and which of those there are meant."""

    part: Part
    marks: bytes
    mark: int
    images: int

    def entries(self) -> Iterator[Entry]:
        """Give them one by one."""
        return entries_in(self.part, self.marks, self.mark)
