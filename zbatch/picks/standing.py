"""How picks stand to a run: whether they are its own, and which of their images it still has."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from zbatch.errors import UsageError
from zbatch.picks.records import Picks


@dataclass(frozen=True, slots=True)
class Standing:
    """Picks held against a run. What is `gone` is kept, and counts again where the job comes back."""

    known: int
    gone: int
    foreign: bool

    def notes(self, name: str, picks: Picks) -> list[str]:
        """Say what a person should know; `name` is the file's. Nothing where all is as it should be."""
        many = self.known + self.gone
        said = "judges or compares" if picks.comparisons else "judges"
        known = f"{self.known:,}" if self.known else "none"
        of = f"{known} of the {many:,} images that it {said} are in this one"
        if many == 1:
            of = f"the image that it {said} is {'' if self.known else 'not '}in this one"
        if self.gone and self.known:
            of += f"; what it says of the other {self.gone:,} does not count here"
        if self.foreign:
            return [f"{name} was made for another run ({picks.name or 'of no name'}): {of}"]
        if self.gone:
            return [f"{name}: {of}"]
        return []


def stand(picks: Picks, identity: str, keys: Collection[str], name: str) -> Standing:
    """Hold picks against a run with this identity and these jobs (a set or a dict, for speed).

    Raises:
        UsageError: they are another run's and none of their images is in this one.
    """
    said = picks.keys
    known = sum(key in keys for key in said)
    foreign = picks.identity != identity
    if foreign and not known:
        raise UsageError(
            f"{name} is of another run ({picks.name or 'of no name'}): "
            f"{'it judges no image' if not said else 'none of its images is in this one'}",
            hint="give the run whose page the picks were exported from",
        )
    return Standing(known, len(said) - known, foreign)
