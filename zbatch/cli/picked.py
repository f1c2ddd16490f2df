"""Picks files named on a command line, read and held against a run."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path

import click

from zbatch.cli.output import tell
from zbatch.errors import UsageError
from zbatch.picks.reading import read_picks
from zbatch.picks.records import Picks
from zbatch.picks.standing import stand

picks = click.option(
    "--picks",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="What somebody picked, exported from the page; may be repeated, for several people.",
)


def read_all(files: Iterable[Path], runs: Iterable[tuple[str, Collection[str]]]) -> tuple[Picks, ...]:
    """Read picks files, and tell what of them is not these runs' (each its identity and its jobs' keys).

    Raises:
        UsageError: one is no picks file, or is of no run here; all such are told at once.
        DiskError: one cannot be read.
    """
    known = list(runs)
    identities = [identity for identity, _ in known]
    keys = known[0][1] if len(known) == 1 else set().union(*(own for _, own in known))
    found: list[Picks] = []
    wrong: list[UsageError] = []
    for file in files:
        try:
            one = read_picks(file)
            identity = one.identity if one.identity in identities else identities[0]
            for note in stand(one, identity, keys, str(file)).notes(str(file), one):
                tell(f"note: {note}")
            found.append(one)
        except UsageError as error:
            wrong.append(error)
    if wrong:
        raise UsageError("\nerror: ".join(error.message for error in wrong), hint=wrong[-1].hint)
    return tuple(found)
