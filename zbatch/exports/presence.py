"""Whether images are there before anything is written: better told of at once, and together."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Final

from zbatch.errors import DiskError
from zbatch.exports.entries import Entry
from zbatch.state.run import Run

_NAMED: Final = 3
"""How many of many images a message names."""


class Presence:
    """Looks for images that are not where the state has them, or not as long."""

    def __init__(self, runs: Sequence[Run]) -> None:
        self._roots = [run.pictures.place("") for run in runs]
        self._stored = [None if run.location is None else run.pictures.stored() for run in runs]
        self._gone: list[str] = []
        self._changed: list[str] = []

    def look(self, entry: Entry) -> None:
        """Look for one image."""
        path, stored = f"{self._roots[entry.run]}/{entry.file}", self._stored[entry.run]
        if stored is not None:
            if stored.get(entry.file) != entry.length:
                (self._changed if entry.file in stored else self._gone).append(path)
            return
        try:
            if os.stat(path).st_size != entry.length:  # noqa: PTH116 - of a hundred thousand
                self._changed.append(path)
        except OSError:
            self._gone.append(path)

    def complain(self) -> None:
        """Tell of all that is amiss.

        Raises:
            DiskError: naming some of the images.
        """
        for paths, what, hint in (
            (self._gone, "gone", "`zbatch run` with its manifest fetches what is gone again"),
            (
                self._changed,
                "not as long as when it was saved",
                "restore it, or delete it and `zbatch run` with its manifest fetches it again",
            ),
        ):
            if paths:
                more = f" and {len(paths) - _NAMED:,} more" if len(paths) > _NAMED else ""
                raise DiskError(
                    f"{len(paths):,} image{'s' * (len(paths) != 1)} cannot be exported: "
                    f"{', '.join(paths[:_NAMED])}{more}: {what}",
                    hint=hint,
                )
