"""What a plan counts of a grid as its cells come: how each job stands, why cells share one, what goes out."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

from zbatch.api.endpoint import EndpointKind
from zbatch.manifest.numbering import Numbering, halves
from zbatch.model import JobState, Row
from zbatch.runner.known import KnownStates
from zbatch.runner.order import Order
from zbatch.runner.reusing import reusable
from zbatch.state.takeovers import TAKEABLE

_LORA_OFF: Final = re.compile(rb'"lora.scale":0[,}]|"lora.name":"(?:[^"\\\\]*\+)?[^"\\\\+]*@0[+"]').search
"""Looks at a cell's coordinates: whether a LoRA of it stands at scale 0, alone or in a stack."""


class Foreseen:
    """The states of jobs as they will be once pictures of other runs are taken over: those are done."""

    def __init__(self, known: KnownStates, order: Order) -> None:
        self._known = known
        self._others = KnownStates(reusable(order))
        self.counts = known.counts

    def of(self, keys: Sequence[str]) -> list[JobState | None]:
        """Give the state of each job; `None` where nobody knows it."""
        return self.here_and_there(keys)[1]

    def here_and_there(self, keys: Sequence[str]) -> tuple[list[JobState | None], list[JobState | None]]:
        """Give the state of each job here, and with what is taken over."""
        here = self._known.of(keys)
        if not self._others.counts:
            return here, here
        there = self._others.of(keys)
        taken = [
            JobState.DONE if other and (state is None or state in TAKEABLE) else state
            for state, other in zip(here, there, strict=True)
        ]
        return here, taken


class JobCount:
    """Counts batch by batch; `everything` says that the order selects all jobs."""

    def __init__(self, order: Order, standing: Foreseen, *, everything: bool) -> None:
        program = order.manifest.program
        self.states: Counter[JobState | None] = Counter()
        """Jobs by state, as they will be once pictures are taken over."""
        self.shown: Counter[JobState | None] = Counter()
        """Jobs by state, as they stand here."""
        self.reused = 0
        self.off = 0
        """Cells that show another's job because a LoRA of theirs is off."""
        self._standing = standing
        self._submits = _ToSubmit(order, standing, everything=everything)
        self._takes_loras = "loras" in program.axes or "loras" in program.fields
        self._bare: set[str] = set()
        """Keys of jobs without a LoRA, where there could be one."""

    @property
    def to_submit(self) -> int:
        """The jobs that the run would submit."""
        return self._submits.count

    def take(self, batch: Sequence[Row]) -> list[str]:
        """Count some cells; gives the keys of the jobs that they are the first to show."""
        first = [row.key for row in batch if row.request is not None and row.key is not None]
        before, standing = self._standing.here_and_there(first)
        self.shown.update(before)
        self.states.update(standing)
        self.reused += sum(old is not new for old, new in zip(before, standing, strict=True))
        self._submits.take(batch, standing)
        if self._takes_loras:
            self._bare.update(
                row.key for row in batch if row.request and row.key and b'"loras":' not in row.request
            )
        self.off += sum(
            1
            for row in batch
            if row.request is None and (row.key in self._bare or _LORA_OFF(row.coordinates))
        )
        return first


class _ToSubmit:
    """Counts the jobs a run would submit, each once, however many cells show it."""

    def __init__(self, order: Order, known: Foreseen, *, everything: bool) -> None:
        self._order = order
        self._known = known
        self._everything = everything
        self._counted = Numbering(0)
        self.count = 0

    def take(self, batch: Iterable[Row], standing: Iterable[JobState | None]) -> None:
        """Count some cells; `standing` are the states of the jobs that they are the first to show."""
        if self._everything:
            # Each job is counted at its first cell, and nothing has to be remembered.
            self._count(standing)
            return
        keys = [row.key for row in batch if row.selected and row.key is not None]
        if keys:
            _, new = self._counted.number_all(*halves([bytes.fromhex(key) for key in keys]))
            self._count(self._known.of([keys[place] for place in new.nonzero()[0].tolist()]))

    def _count(self, standing: Iterable[JobState | None]) -> None:
        by_state = Counter(standing)
        self.count += sum(number for state, number in by_state.items() if _to_submit(state, self._order))


def _to_submit(state: JobState | None, order: Order) -> bool:
    if state in (None, JobState.PENDING) or (state in order.retry and state is not JobState.SUBMITTED):
        return True
    if order.endpoint.kind is EndpointKind.PREVIEW:
        return state in (JobState.SUBMITTING, JobState.SUBMITTED, JobState.UNKNOWN)
    return state is JobState.UNKNOWN and order.manifest.limits.on_unknown == "resubmit"
