"""Whether images are there before anything is written: better told of at once, and together."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from zbatch.errors import DiskError, SurroundingsError
from zbatch.exports.entries import Entry
from zbatch.exports.listing import listed
from zbatch.state.run import Run


class Presence:
    """Looks for images that are not where the state has them, or not as long."""

    def __init__(self, runs: Sequence[Run]) -> None:
        self._roots = [run.pictures.place("") for run in runs]
        self._stored = [None if run.location is None else run.pictures.stored() for run in runs]
        self._gone: list[str] = []
        self._changed: list[str] = []

    def look(self, entry: Entry) -> None:
        """Look for one image.

        Raises:
            SurroundingsError: this environment cannot write its file's name.
        """
        path, stored = f"{self._roots[entry.run]}/{entry.file}", self._stored[entry.run]
        if not entry.file.isascii():
            _check_name(entry.file)
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
        """Tell of all that is amiss, together.

        Raises:
            DiskError: naming some of the images.
        """
        gone, changed = self._gone, self._changed
        if not gone and not changed:
            return
        told, hint = [], "`zbatch run` with its manifest fetches what is gone again"
        if gone:
            told.append(f"{listed(gone)}: gone")
        if changed:
            told.append(f"{listed(changed)}: not as long as when it was saved")
            these = "restore what is not as long, or delete it" if gone else "restore it, or delete it"
            hint = f"{these}: {hint}"
        count = len(gone) + len(changed)
        raise DiskError(
            f"{count:,} image{'s' * (count != 1)} cannot be exported: {'; '.join(told)}", hint=hint
        )


def _check_name(file: str) -> None:
    try:
        os.fsencode(file)
    except UnicodeEncodeError as error:
        raise SurroundingsError(
            f"the image's name {file} cannot be written: this environment's file names are "
            f"{sys.getfilesystemencoding()}",
            hint="set PYTHONUTF8=1, or a UTF-8 locale such as LC_ALL=C.UTF-8",
        ) from error
