"""Which images a dataset takes, of one run or several, in a fixed order, and which side each is on."""

from __future__ import annotations

import hashlib
import itertools
import os
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, Self

import orjson

from zbatch.errors import DiskError, UsageError
from zbatch.exports.captions import Captions
from zbatch.exports.columns import Columns, Found, names_of
from zbatch.exports.entries import Chosen, Entry, Spool
from zbatch.exports.filters import Where
from zbatch.exports.names import Names
from zbatch.exports.options import Options
from zbatch.exports.presence import Presence
from zbatch.exports.splits import SIDES, Split, Splitter
from zbatch.model import JobState
from zbatch.picks.merging import Merged
from zbatch.picks.preferences import Preference, mixed, preferences
from zbatch.state.database import Meta
from zbatch.state.records import JobFacts
from zbatch.state.run import Run
from zbatch.state.verdicts import is_flagged

if TYPE_CHECKING:
    from zbatch.exports.likeness import Pair

DROPPED = 255
"""The mark of an image that does not stay."""


@dataclass(slots=True)
class Tally:
    """What became of the images of the runs: how many were looked at, and who took how many out."""

    jobs: int = 0
    taken_out: Counter[str] = field(default_factory=Counter)
    differing: list[str] = field(default_factory=list)
    """Keys of jobs that several runs have, with different images; the first run's stays."""


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
        self.alike: list[Pair] = []
        self.captions: list[str] = []
        self.preferences: list[Preference] = []
        """What the format `pairs` writes."""
        self.mixed = self.parted = 0
        """Comparisons of images with different prompts, and pairs that the split parts."""
        self._spool = Spool()
        self._lengths = array("Q")
        self._found = Found()

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
        self._check_models()
        self.split = self._asked_split()
        self._gather()
        if not len(self._spool):
            raise self._nothing_left()
        self.marks = bytearray(len(self._spool))
        if self.options.alike is not None or "blank" in self.options.drop:
            self._look(progress)
        if self.options.picks is not None:
            self._pair(self.options.picks)
        if self.split is not None:
            self._divide(self.split)
        if self.preferences:
            self._part()
        self.columns = Columns(self._found, self.labels, self.options.caption_column)

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

    def lengths(self, side: str) -> Iterator[int]:
        """Give the images' lengths in bytes, in the order of `entries`."""
        mark = SIDES.index(side)
        return (length for length, at in zip(self._lengths, self.marks, strict=True) if at == mark)

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

    def _check_models(self) -> None:
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

    def _gather(self) -> None:
        captions = [Captions(run, self.options.caption) for run in self.runs]
        self.captions = list(dict.fromkeys(of_run.source for of_run in captions))
        for of_run in captions:
            of_run.check()
        where = self._where()
        names = Names(dots=self.options.format != "webdataset")
        seen: dict[bytes, _Content] = {}
        presence = Presence(self.runs)
        for number, run in enumerate(self.runs):
            for facts in run.facts():
                entry = self._entry(number, facts)
                if entry is None:
                    continue
                caption = captions[number].of(entry)
                if where is not None:
                    entry = entry._replace(caption=caption)
                if self._taken(entry, facts, where) and self._is_first(facts, seen):
                    presence.look(entry)
                    self._found.add(entry)
                    self._spool.add(entry._replace(caption=caption, name=names.name(entry)))
                    self._lengths.append(entry.length)
        presence.complain()
        self._check_split_axis()

    def _entry(self, number: int, facts: JobFacts) -> Entry | None:
        """Make an entry of a job that is shown and done; others are counted."""
        if facts.coordinates == b"[]":
            return None  # no longer in the manifest
        self.tally.jobs += 1
        if facts.state != JobState.DONE:
            self.tally.taken_out["not done"] += 1
            return None
        return Entry(
            number,
            facts.key,
            facts.file,
            facts.sha256 or "",
            facts.length or 0,
            facts.width or 0,
            facts.height or 0,
            facts.media_type or "",
            facts.model,
            facts.nsfw != b"null" and is_flagged(orjson.loads(facts.nsfw)),
            orjson.loads(facts.warnings),
            orjson.loads(facts.coordinates),
            orjson.loads(facts.request),
            thumb=facts.thumb or facts.file,
        )

    def _is_first(self, facts: JobFacts, seen: dict[bytes, _Content]) -> bool:
        """Tell whether no earlier run has the job; with another image, that is told."""
        if len(self.runs) == 1:
            return True
        content = _Content(_short(facts.received_sha256), _short(facts.sha256))
        first = seen.setdefault(_short(facts.key), content)
        if first is content:
            return True
        self.tally.taken_out["in an earlier run"] += 1
        if first.differs(content):
            self.tally.differing.append(facts.key)
        return False

    def _where(self) -> Where | None:
        if self.options.where is None:
            return None
        names = names_of(
            cell.coordinates for run in self.runs for cell in run.cells() if cell.key is not None
        )
        return Where(self.options.where, names, self.labels)

    def _taken(self, entry: Entry, facts: JobFacts, where: Where | None) -> bool:
        reason = None
        if "flagged" in self.options.drop and entry.nsfw:
            reason = "flagged"
        elif "warned" in self.options.drop and entry.warnings:
            reason = "warned"
        elif where is not None and not where.takes(entry, facts):
            reason = f"--where {where.source}"
        if reason is None:
            return True
        self.tally.taken_out[reason] += 1
        return False

    def _look(self, progress: Callable[[int, int], None]) -> None:
        """Look at the thumbnails: who is blank, who is like an earlier one."""
        # With it comes NumPy, which takes longer to load than a small export takes.
        from zbatch.exports.likeness import Likeness, UnreadableError, look_alike  # noqa: PLC0415

        roots = [run.directory.path for run in self.runs]
        try:
            looked = Likeness(roots).look(self._spool.lines(), len(self._spool), progress)
        except UnreadableError as error:
            entry = next(itertools.islice(self._spool.lines(), error.number, None))
            raise DiskError(
                f"the image {roots[entry.run] / entry.file} cannot be read as an image",
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
            raise self._nothing_left()

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
        splitter = Splitter(split)
        staying = [number for number, mark in enumerate(self.marks) if mark != DROPPED]
        for entry in self._spool.lines(self.marks, 0):
            splitter.add(entry)
        for number, side in zip(staying, splitter.sides(), strict=True):
            self.marks[number] = side

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
            raise self._nothing_left()

    def _part(self) -> None:
        """Leave out pairs that the split parts: neither side may know of the other's images."""
        if self.split is None:
            return
        sides = {entry.key: side for side in self.sides for entry in self.entries(side)}
        together = [pair for pair in self.preferences if sides[pair.chosen] == sides[pair.rejected]]
        self.parted = len(self.preferences) - len(together)
        self.preferences = together

    def _check_split_axis(self) -> None:
        by = self.split.by if self.split is not None else None
        if by is not None and len(self._spool) and by not in self._found.names:
            names = ", ".join(self._found.names)
            raise UsageError(f"--split-by {by}: no image has that coordinate", hint=f"there are: {names}")

    def _nothing_left(self) -> UsageError:
        jobs = self.tally.jobs
        parts = [f"{count:,} {_WORDS.get(name, name)}" for name, count in self.tally.taken_out.items()]
        said = "; ".join(parts) if parts else "the runs show no job"
        return UsageError(f"no image is left to export, of {jobs:,} job{'s' * (jobs != 1)}: {said}")


_WORDS = {"flagged": "flagged as nsfw", "warned": "kept with a warning", "blank": "blank"}


class _Content(NamedTuple):
    """What tells the image of a job from that of another run: hashes, empty where there is none."""

    received: bytes
    kept: bytes

    def differs(self, other: _Content) -> bool:
        """Tell whether two are of different images.

        What a run writes into its files differs from run to run, so the bytes as they came decide.
        """
        if self.received and other.received:
            return self.received != other.received
        return self.kept != other.kept


def _short(sha256: str | None) -> bytes:
    return bytes.fromhex(sha256 or "")[:16]


def _labels(runs: Sequence[Run]) -> list[str]:
    """Call each run by its directory's name; those of one name by a number, too."""
    labels: list[str] = []
    for run in runs:
        name = run.directory.path.absolute().name
        number = 2
        label = name
        while label in labels:
            label, number = f"{name}-{number}", number + 1
        labels.append(label)
    return labels
