"""Jobs that several runs have: the first run's image is taken, and it is told where another's differs."""

from __future__ import annotations

from typing import NamedTuple

from zbatch.exports.tally import Tally
from zbatch.state.records import JobFacts


class Repeats:
    """Remembers the jobs of the runs so far, in a few bytes each; of one run (`several` false), none."""

    def __init__(self, tally: Tally, *, several: bool) -> None:
        self._tally = tally
        self._several = several
        self._seen: dict[bytes, _Content] = {}

    def is_first(self, facts: JobFacts) -> bool:
        """Tell whether no earlier run has the job; one that has it is counted, another image noted."""
        if not self._several:
            return True
        content = _Content(_short(facts.received_sha256), _short(facts.sha256))
        first = self._seen.setdefault(_short(facts.key), content)
        if first is content:
            return True
        self._tally.taken_out["in an earlier run"] += 1
        if first.differs(content):
            self._tally.differing.append(facts.key)
        return False


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
