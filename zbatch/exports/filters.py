"""`--where`: an expression that tells which images a dataset takes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from zbatch.exports.entries import Entry
from zbatch.expressions.conditions import Condition
from zbatch.state.records import JobFacts

_OF_ENTRY: Final = frozenset(
    {
        "prompt",
        "caption",
        "seed",
        "width",
        "height",
        "nsfw",
        "warnings",
        "model",
        "key",
        "file",
        "sha256",
        "request",
    }
)
_OF_JOB: Final = frozenset({"state", "attempts", "reason"})

FACTS: Final = (*_OF_ENTRY, *_OF_JOB, "bytes", "run")
"""What is known of every image, beside its coordinates. A coordinate of the same name comes first."""


class Where:
    """Tells of each image whether it is taken. An axis that an image does not stand on is null for it."""

    def __init__(self, source: str, names: Iterable[str], runs: list[str]) -> None:
        """Compile an expression over coordinates of these `names` and the facts.

        Raises:
            UsageError: it does not compile, or uses a name that is neither.
        """
        self.source = source
        self._runs = runs
        self._condition = Condition(source, names, FACTS, option="--where", what="image")

    def takes(self, entry: Entry, job: JobFacts) -> bool:
        """Tell whether an image is taken at its first cell, by what the state says of its job.

        Raises:
            UsageError: the expression fails for it; the image is named.
        """

        def fact(name: str) -> Any:
            if name in ("bytes", "run"):
                return entry.length if name == "bytes" else self._runs[entry.run]
            return getattr(job if name in _OF_JOB else entry, name)

        return self._condition.holds(entry.coordinates, fact, entry.called)
