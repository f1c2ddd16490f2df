"""Where everything in a document was written: a tree beside the data.

Documents have values by the hundred thousand and findings by the handful, so a position is one integer, and
becomes a `Mark` when somebody asks.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from typing import Final

from zbatch.manifest.findings import Mark, Place

_COLUMN_BITS: Final = 28
"""Columns go as far as the longest line of the largest data file."""

_COLUMN: Final = (1 << _COLUMN_BITS) - 1


def packed(line: int, column: int) -> int:
    """Put a line and a column, counted from 1, into one integer; they order as positions do."""
    return line << _COLUMN_BITS | column


def unpacked(at: int, file: str) -> Mark:
    """Give the mark of a packed position."""
    return Mark(file, at >> _COLUMN_BITS, at & _COLUMN)


class RowMarks:
    """The positions of the rows of one data file."""

    __slots__ = ("_at", "file")

    def __init__(self, file: str) -> None:
        self.file = file
        self._at = array("Q")

    def __len__(self) -> int:
        return len(self._at)

    def __getitem__(self, number: int) -> Mark:
        return unpacked(self._at[number], self.file)

    def append(self, line: int, column: int) -> None:
        """Add the position of the next row."""
        self._at.append(packed(line, column))

    def kept(self, numbers: Iterable[int]) -> RowMarks:
        """Give those of some of the rows."""
        marks = RowMarks(self.file)
        marks._at.extend(self._at[number] for number in numbers)
        return marks


class Positions:
    """The position of one list or map, and those of what it holds.

    `inside` has an entry for every item: its own `Positions`, or a packed position in the same `file`, or a
    `Mark` where it was written in another one. `keys` has the positions of the keys of a map.
    """

    __slots__ = ("at", "file", "inside", "keys")

    def __init__(
        self,
        file: str,
        at: int,
        inside: dict[str, Entry] | list[Entry] | RowMarks | None = None,
        keys: dict[str, int | Mark] | None = None,
    ) -> None:
        self.file = file
        self.at = at
        self.inside: dict[str, Entry] | list[Entry] | RowMarks = {} if inside is None else inside
        self.keys: dict[str, int | Mark] = {} if keys is None else keys

    @property
    def mark(self) -> Mark:
        """Its own position."""
        return unpacked(self.at, self.file)

    def find(self, place: Place) -> Mark:
        """Give the position of a value, or of the nearest thing round it that has one."""
        node = self
        for part in place:
            entry = node.entry(part)
            if entry is None:
                return node.mark
            if not isinstance(entry, Positions):
                return node.marked(entry)
            node = entry
        return node.mark

    def find_key(self, place: Place) -> Mark | None:
        """Give the position of a key of a map, where there is one at that place."""
        node = self
        for part in place[:-1]:
            entry = node.entry(part)
            if not isinstance(entry, Positions):
                return None
            node = entry
        key = node.keys.get(str(place[-1])) if place else None
        return None if key is None else node.marked(key)

    def under(self, key: str | int) -> Positions:
        """Give the positions of a list or map inside; an alias, or a name of a file, holds nothing itself."""
        entry = self.entry(key)
        if isinstance(entry, Positions):
            return entry
        mark = self.mark if entry is None else self.marked(entry)
        return Positions(mark.file, packed(mark.line, mark.column))

    def put(self, key: str | int, entry: Positions) -> None:
        """Say anew where something inside was written."""
        if isinstance(self.inside, dict):
            self.inside[str(key)] = entry
        elif isinstance(self.inside, list) and isinstance(key, int) and key < len(self.inside):
            self.inside[key] = entry

    def attach(self, place: Place, rows: RowMarks) -> None:
        """Say where the items at a place were written: in the data file that it names."""
        node = self
        for part in place:
            inner = node.under(part)
            node.put(part, inner)
            node = inner
        node.inside = rows

    def entries(self) -> Iterator[tuple[str, Entry]]:
        """Give what a map holds, each as it can stand in any other."""
        for key, entry in self.inside.items() if isinstance(self.inside, dict) else ():
            yield key, entry if isinstance(entry, Positions) else self.marked(entry)

    def key_marks(self) -> Iterator[tuple[str, int | Mark]]:
        """Give the position of each of its keys."""
        for key, at in self.keys.items():
            yield key, self.marked(at)

    def entry(self, part: str | int) -> Entry | None:
        """Give what there is of an item: nothing where it has no position of its own."""
        inside = self.inside
        if isinstance(inside, dict):
            return inside.get(part) if isinstance(part, str) else None
        return inside[part] if isinstance(part, int) and 0 <= part < len(inside) else None

    def marked(self, entry: int | Mark) -> Mark:
        """Give the mark of an entry that is a position."""
        return unpacked(entry, self.file) if isinstance(entry, int) else entry


Entry = int | Mark | Positions
