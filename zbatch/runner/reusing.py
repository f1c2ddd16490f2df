"""`--reuse`: pictures that other runs made are taken over by job key, before anything is submitted."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Final

from zbatch.api.endpoint import EndpointKind
from zbatch.clock import monotonic
from zbatch.errors import UsageError
from zbatch.model import JobState
from zbatch.runner.order import Order
from zbatch.state.directory import RunDirectory
from zbatch.state.donor import Donor, Offer, Picked, UnfitError
from zbatch.state.placing import place_all
from zbatch.state.store import Store
from zbatch.state.takeovers import TakenOver, Wanted
from zbatch.state.writer import StateWriter

_AT_ONCE: Final = 256
"""Pictures that are put in place and noted together."""
_PAGE: Final = 2_000
_THREADS: Final = 4
_EXAMPLES: Final = 3
_SILENT: Final = 5.0
"""Seconds after which a word is said of how far it is."""


@contextlib.contextmanager
def donors(order: Order) -> Iterator[list[Donor]]:
    """Open the runs that pictures are taken over from.

    Raises:
        UsageError: there is no run there, it is the one that takes, its pictures come from another kind of
            endpoint, or those of the one that takes go into an object store.
        StateError: its state is damaged, gone, or a newer zbatch's.
    """
    with contextlib.ExitStack() as stack:
        found = []
        for path in order.reuse:
            _check_taker(path, order)
            donor = stack.enter_context(Donor(path, order.directory))
            if donor.kind and donor.kind != order.endpoint.kind:
                raise UsageError(
                    f"--reuse {path}: its pictures were made by the {donor.kind} endpoint {donor.endpoint}, "
                    f"and this run is of the {order.endpoint.kind} endpoint {order.endpoint}: they are never "
                    "mixed",
                    hint=f"run with --endpoint {donor.endpoint}, or leave --reuse out",
                )
            found.append(donor)
        yield found


def _check_taker(path: Path, order: Order) -> None:
    if order.location is not None:
        raise UsageError(
            f"--reuse puts pictures into the run's own directory, and those of this run go to "
            f"{order.location}",
            hint="give a directory with -o; without --reuse everything is submitted and paid again",
        )
    if os.path.realpath(path) == os.path.realpath(order.directory):
        raise UsageError(
            f"--reuse {path}: that is the run itself, which keeps its pictures anyway",
            hint="name another run, or leave --reuse out",
        )


def reusable(order: Order) -> Iterator[tuple[str, JobState]]:
    """Give, as a plan takes it, the key of every job whose picture could be taken over: as done.

    Raises:
        ZbatchError: as `donors`.
    """
    with donors(order) as found:
        for donor in found:
            for key in donor.made():
                yield key, JobState.DONE


class Reuse:
    """Takes over what a run wants and others have. At every instant, what is noted as done lies in place.

    A picture is held against its hash, put in place whole and durably, thumbnail first, and only then noted
    as done. Killed in between, the next run finds the job as it was and does that again.
    """

    def __init__(self, order: Order, stopped: threading.Event, tell: Callable[[str], None]) -> None:
        self._order = order
        self._directory = RunDirectory(order.directory)
        self._stopped = stopped
        self._tell = tell
        self._words: list[tuple[str, str]] = []
        self._taken: Counter[Path] = Counter()
        self._unfit: dict[str, str] = {}

    def check(self) -> None:
        """Look whether the other runs can be taken from.

        Raises:
            ZbatchError: as `donors`.
        """
        with donors(self._order):
            pass

    async def take(self, writer: StateWriter) -> list[tuple[str, str]]:
        """Take over what there is; gives what a person should know, each with its reason.

        Raises:
            DiskError: a picture could not be written, or a state not read; what was taken before stays.
        """
        with donors(self._order) as found, _threads() as threads:
            for donor in found:
                if donor.endpoint != self._order.endpoint.url:
                    self._words.append(
                        ("reuse", f"the pictures of {donor.path} were made by {donor.endpoint}")
                    )
            await self._take_back_lost(writer)
            after, told = -1, monotonic()
            while not self._stopped.is_set():
                wanted = await writer.commit(partial(Store.takeable, after=after, limit=_AT_ONCE))
                if not wanted:
                    break
                after = wanted[-1].id
                notes = await asyncio.to_thread(self._place, wanted, found, threads)
                if notes:
                    await writer.commit(partial(Store.take_over, pictures=notes))
                if monotonic() > told + _SILENT:
                    told = monotonic()
                    self._tell(f"{self._taken.total():,} pictures taken over so far")
        return [*self._words, *self._told()]

    async def _take_back_lost(self, writer: StateWriter) -> None:
        """What was taken over before and has been lost since is wanted again."""
        free = self._order.endpoint.kind is EndpointKind.PREVIEW
        after = -1
        while page := await writer.commit(partial(Store.taken_pictures, after=after, limit=_PAGE)):
            after = page[-1][0]
            for job_id, file, size in page:
                if _size(self._directory.path / file) != size:
                    await writer.commit(partial(Store.ask_again, job_id=job_id, free=free))

    def _place(
        self, wanted: Sequence[Wanted], donors: Sequence[Donor], threads: ThreadPoolExecutor
    ) -> list[TakenOver]:
        """Put in place what the runs have of some jobs; the first run that has one whole gives it."""
        left = list(wanted)
        notes: list[TakenOver] = []
        for donor in donors:
            offers = donor.offers([one.key for one in left])
            asked = [one for one in left if one.key in offers]

            picked = list(threads.map(partial(_picked, donor), asked, [offers[one.key] for one in asked]))
            good = [one for one in picked if isinstance(one, Picked)]
            for one, outcome in zip(asked, picked, strict=True):
                if isinstance(outcome, str):
                    self._unfit[one.key] = outcome
                else:
                    self._unfit.pop(one.key, None)
            for error in place_all(self._directory, [one.files for one in good]):
                if error is not None:
                    raise error
            notes += [one.note for one in good]
            self._taken[donor.path] += len(good)
            placed = {one.note.job_id for one in good}
            left = [one for one in left if one.id not in placed]
        return notes

    def _told(self) -> Iterator[tuple[str, str]]:
        for path, count in self._taken.items():
            if count:
                yield "reuse", f"{count:,} pictures taken over from {path}: not submitted, not paid again"
            elif not self._unfit:
                yield "reuse", f"{path} has nothing that this run still needs"
        if self._unfit:
            examples = "; ".join(list(self._unfit.values())[:_EXAMPLES])
            more = len(self._unfit) - _EXAMPLES
            examples += f"; and {more:,} more" if more > 0 else ""
            yield "reuse", f"{len(self._unfit):,} pictures are not taken over, and are made anew: {examples}"


def _picked(donor: Donor, wanted: Wanted, offer: Offer) -> Picked | str:
    try:
        return donor.pick(wanted, offer)
    except UnfitError as problem:
        return f"{donor.path / offer.artifact.file} {problem}"


def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(_THREADS, thread_name_prefix="zbatch-reuse")


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None
