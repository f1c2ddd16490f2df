"""The first pass over the runs: each job's image, whether it is asked for, and how it is captioned and named.

What this decides of an image, it decides from the state alone; who looks at pixels, at picks or at the other
images comes later, in the selection.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence

import orjson

from zbatch.exports.columns import Found, names_of
from zbatch.exports.entries import Entry, Spool
from zbatch.exports.filters import Where
from zbatch.exports.names import Names, is_plain
from zbatch.exports.options import Options
from zbatch.exports.presence import Presence
from zbatch.exports.repeats import Repeats
from zbatch.exports.tally import Tally
from zbatch.model import JobState
from zbatch.state.captions import Captions
from zbatch.state.records import JobFacts
from zbatch.state.run import Run
from zbatch.state.verdicts import judgement


class Gathering:
    """Reads the jobs of the runs, in the order of runs and grids, and lays aside the images asked for."""

    def __init__(self, runs: Sequence[Run], labels: list[str], options: Options, tally: Tally) -> None:
        """Compile the captions and the filter; `tally` is told of what is not taken.

        Raises:
            UsageError: a template or the filter is wrong.
        """
        self.lengths = array("Q")
        """The images' lengths in bytes."""
        self.plain = bytearray()
        """Whether an archive has place for the names of an image, its caption and its facts: 1 or 0 each."""
        self.captionless = array("Q")
        """The numbers of images whose caption is empty."""
        self.multiline = array("Q")
        """The numbers of images whose caption has several lines."""
        self.found = Found()
        self._runs = runs
        self._options = options
        self._tally = tally
        self._captions = [Captions(run, options.caption) for run in runs]
        for captions in self._captions:
            captions.check()
        self._where = None if options.where is None else _where(options.where, runs, labels)

    @property
    def captions(self) -> list[str]:
        """The templates of the captions, each once."""
        return list(dict.fromkeys(captions.source for captions in self._captions))

    def fill(self, spool: Spool) -> None:
        """Lay aside every image that is asked for.

        Raises:
            UsageError: a template or the filter fails for an image.
            DiskError: images that the state has are gone from the disk, or are not as they were.
        """
        names = Names(dots=self._options.format != "webdataset")
        repeats = Repeats(self._tally, several=len(self._runs) > 1)
        presence = Presence(self._runs)
        for number, run in enumerate(self._runs):
            for facts in run.facts():
                entry = self._entry(number, facts)
                taken = None if entry is None else self._taken(entry, facts)
                if taken is not None and repeats.is_first(facts):
                    presence.look(taken)
                    if not taken.caption.strip():
                        self.captionless.append(len(spool))
                    elif "\n" in taken.caption or "\r" in taken.caption:
                        self.multiline.append(len(spool))
                    self.found.add(taken)
                    name = names.name(taken)
                    spool.add(taken._replace(name=name))
                    self.lengths.append(taken.length)
                    self.plain.append(is_plain(f"{name.rpartition('.')[0]}.json"))
        presence.complain()

    def _entry(self, number: int, facts: JobFacts) -> Entry | None:
        """Make an entry of a job that is shown and done; others are counted."""
        if facts.coordinates == b"[]":
            return None  # no longer in the manifest
        self._tally.jobs += 1
        if facts.state != JobState.DONE:
            cells = orjson.loads(facts.coordinates) if self._tally.by is not None else ()
            self._tally.take_out("not done", cells)
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
            None if facts.nsfw == b"null" else judgement(orjson.loads(facts.nsfw)),
            orjson.loads(facts.warnings),
            orjson.loads(facts.coordinates),
            orjson.loads(facts.request),
            thumb=facts.thumb or facts.file,
        )

    def _taken(self, entry: Entry, facts: JobFacts) -> Entry | None:
        """Give an image that is asked for, captioned; one that is not is counted."""
        reason = None
        if "flagged" in self._options.drop and entry.nsfw:
            reason = "flagged"
        elif "warned" in self._options.drop and entry.warnings:
            reason = "warned"
        if reason is None:
            for at in self._standings(entry):
                captioned = at._replace(caption=self._captions[entry.run].of(at))
                if self._where is None or self._where.takes(captioned, facts):
                    return captioned
            assert self._where is not None  # noqa: S101 - without it the first one was taken
            reason = f"--where {self._where.source}"
        self._tally.take_out(reason, entry.cells)
        return None

    @staticmethod
    def _standings(entry: Entry) -> Iterator[Entry]:
        """Give an image where it stands first, and then at each of the other cells that show it."""
        yield entry
        for number, cell in enumerate(entry.cells[1:], 1):
            yield entry._replace(cells=[cell, *entry.cells[:number], *entry.cells[number + 1 :]])


def _where(source: str, runs: Sequence[Run], labels: list[str]) -> Where:
    cells = (cell.coordinates for run in runs for cell in run.cells() if cell.key is not None)
    return Where(source, names_of(cells), labels)
