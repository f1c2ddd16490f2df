"""Which images a dataset takes, of one run or several, in a fixed order, and which side each is on."""

from __future__ import annotations

import hashlib
import itertools
import os
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Self

from zbatch.errors import DiskError, UsageError
from zbatch.exports.columns import Columns, Found
from zbatch.exports.entries import Chosen, Entry, Spool
from zbatch.exports.gathering import Gathering
from zbatch.exports.listing import listed
from zbatch.exports.options import Options
from zbatch.exports.splits import SIDES, Split
from zbatch.exports.splitter import Splitter
from zbatch.exports.tally import Tally
from zbatch.exports.verification import told
from zbatch.picks.merging import Merged
from zbatch.picks.preferences import Preference, mixed, preferences
from zbatch.state.database import Meta
from zbatch.state.run import Run

if TYPE_CHECKING:
    from zbatch.exports.likeness import Pair

DROPPED = 255
"""The mark of an image that does not stay."""


class Selection:
    """The images of a dataset. Use it as a context manager: it holds a file."""

    def __init__(self, runs: Sequence[Run], options: Options) -> None:
        """Begin; `choose` does the work."""
        self.runs = tuple(runs)
        self.options = options
        self.labels = _labels(runs)
        self.tally = Tally()
        self.marks = bytearray()
        self.split: Split | None = None
        self.absent: list[tuple[str, str]] = []
        """Values that the split names and no image that stays has: the side, and the value in words."""
        self.alike: list[Pair] = []
        self.captions: list[str] = []
        self.preferences: list[Preference] = []
        """What the format `pairs` writes."""
        self.mixed = self.parted = 0
        """Comparisons of images with different prompts, and pairs that the split parts."""
        self._captionless = self._multiline = array("Q")
        self._spool = Spool()
        self._lengths = array("Q")
        self._plain = bytearray()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._spool.close()

    def choose(self, progress: Callable[[int, int], None] = lambda _done, _all: None) -> None:
        """Choose the images, caption and split them.

        Raises:
            UsageError: a name or a template is wrong, for one image perhaps, or no image is left.
            DiskError: images that the state has are gone from the disk, or are not as they were.
        """
        self._check_twice()
        self.split = self._asked_split()
        if self.split is not None and self.split.names_values:
            self.tally.by = self.split.by
        gathering = Gathering(self.runs, self.labels, self.options, self.tally)
        gathering.fill(self._spool)
        self.captions, self._lengths, self._plain = gathering.captions, gathering.lengths, gathering.plain
        self._captionless, self._multiline = gathering.captionless, gathering.multiline
        self._check_split_axis(gathering.found)
        if not len(self._spool):
            raise self.tally.nothing_left()
        self._settle_split()
        self.marks = bytearray(len(self._spool))
        if self.options.alike is not None or "blank" in self.options.drop:
            self._look(progress)
        if self.options.picks is not None:
            self._pair(self.options.picks)
        if self.split is not None:
            self._divide(self.split)
        if self.preferences:
            self._part()
        self.columns = Columns(gathering.found, self.labels, self.options.caption_column)

    @property
    def file(self) -> int:
        """Give the open file that the images chosen are in, for the processes that read there."""
        return self._spool.fileno()

    @property
    def digest(self) -> str:
        """Tell this choice apart from any other: every image, its caption, its side."""
        return hashlib.sha256(self._spool.digest.encode() + bytes(self.marks)).hexdigest()

    @property
    def sides(self) -> tuple[str, ...]:
        """The sides that have images."""
        sides = ("train",) if self.split is None else self.split.sides
        return tuple(side for side in sides if self.count(side))

    def count(self, side: str | None = None) -> int:
        """Count the images, those of one side or all."""
        if side is None:
            return len(self.marks) - self.marks.count(DROPPED)
        return self.marks.count(SIDES.index(side))

    @property
    def captionless(self) -> tuple[int, Entry | None]:
        """How many images that stay have an empty caption, and the first of them in grid order."""
        staying = [number for number in self._captionless if self.marks[number] != DROPPED]
        return len(staying), next(
            itertools.islice(self._spool.lines(), staying[0], None)
        ) if staying else None

    @property
    def multiline(self) -> int:
        """How many images that stay have a caption of several lines."""
        return sum(self.marks[number] != DROPPED for number in self._multiline)

    def lengths(self, side: str) -> Iterator[tuple[int, int, int]]:
        """Give the bytes of each image, about those of what is said of it, and whether its name is plain.

        They come in the order of `entries`.
        """
        mark = SIDES.index(side)
        return (
            (length, self._spool.length(number), plain)
            for number, (length, plain, at) in enumerate(
                zip(self._lengths, self._plain, self.marks, strict=True)
            )
            if at == mark
        )

    def entries(self, side: str | None = None) -> Iterator[Entry]:
        """Give the images of one side, or of all sides in turn."""
        for name in self.sides if side is None else (side,):
            yield from self._spool.lines(self.marks, SIDES.index(name))

    def chosen(self, side: str, counts: Iterable[int]) -> Iterator[Chosen]:
        """Give the images of a side in parts of so many each, in the order of `entries`."""
        mark, first = SIDES.index(side), 0
        for count in counts:
            end, left = first, count
            while left:
                left -= self.marks[end] == mark
                end += 1
            yield Chosen(self._spool.part(first, end), bytes(self.marks[first:end]), mark, count)
            first = end

    def _check_twice(self) -> None:
        seen: dict[str, str] = {}
        for run in self.runs:
            place = os.path.realpath(run.directory.path)
            if place in seen:
                raise UsageError(f"the run {run.directory.path} is given twice")
            seen[place] = run.name

    def _asked_split(self) -> Split | None:
        """Give the split of the options, or the one that the runs' manifests agree on."""
        options = self.options
        if options.split is not None:
            return options.split if options.split.test or options.split.validation else None
        asked = [Split.read((run.about(Meta.EXPORT) or {}).get("split")) for run in self.runs]
        if any(split != asked[0] for split in asked):
            raise UsageError(
                "the runs' manifests ask for different splits",
                hint="say which one: --split test=0.1, or none",
            )
        split = asked[0]
        return split if split is not None and (split.test or split.validation) else None

    def _look(self, progress: Callable[[int, int], None]) -> None:
        """Look at the thumbnails: who is blank, who is like an earlier one."""
        # With it comes NumPy, which takes longer to load than a small export takes.
        from zbatch.exports.likeness import Likeness, UnreadableError, look_alike  # noqa: PLC0415

        roots = [run.directory.path for run in self.runs]
        try:
            looked = Likeness(roots).look(self._spool.lines(), len(self._spool), progress)
        except UnreadableError as error:
            numbers = set(error.numbers)
            entries = (entry for number, entry in enumerate(self._spool.lines()) if number in numbers)
            paths = [os.fspath(roots[entry.run] / entry.file) for entry in entries]
            images = f"{len(paths):,} images" if len(paths) > 1 else "the image"
            raise DiskError(
                f"{images} cannot be read as an image: {listed(paths)}",
                hint="zbatch verify names every image that is not as it was saved",
            ) from error
        if "blank" in self.options.drop:
            for number in looked.blank:
                self.marks[number] = DROPPED
            if len(looked.blank):
                self.tally.taken_out["blank"] += len(looked.blank)
        if self.options.alike is not None:
            keep = [number for number in range(len(self.marks)) if self.marks[number] != DROPPED]
            self.alike = look_alike(looked.hashes, keep, self.options.alike)
            for pair in self.alike:
                self.marks[pair.number] = DROPPED
            if self.alike:
                self.tally.taken_out["near duplicates"] += len(self.alike)
        if not self.count():
            raise self.tally.nothing_left()

    def named_pairs(self) -> Iterator[tuple[Entry, Entry, int]]:
        """Give those left out as near duplicates, each with the image that stays and the distance."""
        # Those that stay come first, and are held in short.
        liked = {pair.like for pair in self.alike}
        pairs = iter(self.alike)
        pair = next(pairs, None)
        held: dict[int, Entry] = {}
        for number, entry in enumerate(self._spool.lines()):
            if number in liked:
                held[number] = entry._replace(cells=[], request={}, warnings=[], caption="")
            elif pair is not None and pair.number == number:
                yield entry, held[pair.like], pair.distance
                pair = next(pairs, None)

    def _divide(self, split: Split) -> None:
        splitter = Splitter(split, self.tally.losses)
        staying = [number for number, mark in enumerate(self.marks) if mark != DROPPED]
        for entry in self._spool.lines(self.marks, 0):
            splitter.add(entry)
        for number, side in zip(staying, splitter.sides(), strict=True):
            self.marks[number] = side
        self.absent = splitter.absent()

    def _pair(self, picks: Merged) -> None:
        """Pair the images by what people said of them; who is in no pair does not stay."""
        numbers = [number for number, mark in enumerate(self.marks) if mark != DROPPED]
        keys = picks.keys
        found = {
            entry.key: (number, entry.prompt)
            for number, entry in zip(numbers, self._spool.lines(self.marks, 0), strict=True)
            if entry.key in keys
        }
        prompts = {key: prompt for key, (_, prompt) in found.items()}
        self.preferences = list(preferences(picks, prompts))
        self.mixed = mixed(picks, prompts)
        paired = {key for pair in self.preferences for key in (pair.chosen, pair.rejected)}
        staying = {found[key][0] for key in paired}
        for number in numbers:
            if number not in staying:
                self.marks[number] = DROPPED
        if len(staying) < len(numbers):
            self.tally.taken_out["in no pair"] += len(numbers) - len(staying)
        if not staying:
            raise self.tally.nothing_left()

    def _part(self) -> None:
        """Leave out pairs that the split parts: neither side may know of the other's images."""
        if self.split is None:
            return
        sides = {entry.key: side for side in self.sides for entry in self.entries(side)}
        together = [pair for pair in self.preferences if sides[pair.chosen] == sides[pair.rejected]]
        self.parted = len(self.preferences) - len(together)
        self.preferences = together

    def _check_split_axis(self, found: Found) -> None:
        by = self.split.by if self.split is not None else None
        if by is not None and len(self._spool) and by not in found.names:
            names = ", ".join(found.names)
            raise UsageError(f"--split-by {by}: no image has that coordinate", hint=f"there are: {names}")

    def _settle_split(self) -> None:
        """Hold the values that the split names against all of its axis, those without an image too."""
        split = self.split
        if split is None or split.by is None or not split.names_values:
            return
        cells = (cell.coordinates for run in self.runs for cell in run.cells())
        values = list(dict.fromkeys(cell[split.by] for cell in cells if split.by in cell))
        sampled = sum((run.about(Meta.EXPORT) or {}).get("sample") or 0 for run in self.runs)
        settled = split.settled(values, sampled)
        self.split = settled if settled.test or settled.validation else None


def _labels(runs: Sequence[Run]) -> list[str]:
    """Call each run by its directory's name; those of one name by a number, too."""
    labels: list[str] = []
    for run in runs:
        name = told(run.directory.path.absolute().name)
        number = 2
        label = name
        while label in labels:
            label, number = f"{name}-{number}", number + 1
        labels.append(label)
    return labels
