"""Images on their way into a dataset, and the file aside that holds them until it is known who stays."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import orjson

from zbatch.errors import DiskError
from zbatch.model import Coordinates, Scalar


class Entry(NamedTuple):
    """One image: where it lies, what it is, and what is said of it.

    `run` is its run's number in the order given; `file` and `thumb` are from that run's directory; `cells`
    are the coordinates of every cell that shows it, in grid order: the first gives the image its own.
    """

    run: int
    key: str
    file: str
    thumb: str
    sha256: str
    length: int
    width: int
    height: int
    media_type: str
    model: str
    nsfw: bool
    warnings: list[str]
    cells: list[dict[str, Scalar]]
    request: Mapping[str, Any]
    caption: str = ""

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
        cell = ", ".join(f"{name}={value}" for name, value in self.coordinates.items())
        return f"the image {self.key[:12]} ({cell[:200]})" if cell else f"the image {self.key[:12]}"


class Spool:
    """Entries in a file without a name: a million take no memory, and what was chosen is what is written.

    `digest` tells what is in it apart from anything else.
    """

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(prefix="zbatch-export-")  # noqa: SIM115 - closed by `close`
        self._hash = hashlib.sha256()
        self._count = 0

    def __len__(self) -> int:
        return self._count

    @property
    def digest(self) -> str:
        """Give the SHA-256 (hex) of all entries in their order."""
        return self._hash.hexdigest()

    def add(self, entry: Entry) -> None:
        """Take an entry.

        Raises:
            DiskError: there is no room for temporary files.
        """
        line = orjson.dumps(tuple(entry), option=orjson.OPT_APPEND_NEWLINE)
        # Where a thumbnail lies is no part of what is written; a run with its images in a store has others.
        self._hash.update(orjson.dumps(tuple(entry._replace(thumb=""))))
        self._count += 1
        try:
            self._file.write(line)
        except OSError as error:
            raise self._full(error) from error

    def lines(self, marks: bytes | bytearray | None = None, wanted: int = 0) -> Iterator[Entry]:
        """Give every entry, or those with the mark that is wanted; one reading at a time.

        Raises:
            DiskError: there is no room for temporary files.
        """
        try:
            self._file.seek(0)
        except OSError as error:
            raise self._full(error) from error
        for number, line in enumerate(self._file):
            if marks is None or marks[number] == wanted:
                yield Entry(*orjson.loads(line))

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    @staticmethod
    def _full(error: OSError) -> DiskError:
        return DiskError(
            f"cannot write a temporary file in {tempfile.gettempdir()}: {error.strerror or error}",
            hint="make room there, or set TMPDIR to a directory that has some",
        )
