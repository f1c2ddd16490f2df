"""The plan: what a run would do and cost, before it does anything."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from zbatch.api.endpoint import EndpointKind
from zbatch.errors import Finding
from zbatch.manifest.jobs import Expansion
from zbatch.manifest.numbering import Numbering, halves
from zbatch.manifest.selection import Selection
from zbatch.model import RETRYABLE, JobState, Row
from zbatch.runner.known import KnownStates
from zbatch.runner.order import Order
from zbatch.runner.reusing import reusable
from zbatch.state.database import Meta
from zbatch.state.directory import RunDirectory
from zbatch.state.pictures import check_location
from zbatch.state.run import Run
from zbatch.state.takeovers import TAKEABLE

LORA_IS_OFF: Final = "scale 0: a LoRA that is off leaves the request"
EQUAL_REQUESTS: Final = "equal requests: their cells differ in nothing that is sent"

_LORA_OFF: Final = re.compile(rb'"lora.scale":0[,}]|"lora.name":"(?:[^"\\\\]*\+)?[^"\\\\+]*@0[+"]').search
"""Looks at a cell's coordinates: whether a LoRA of it stands at scale 0, alone or in a stack."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Counts of cells and jobs; `to_submit` and what it costs count one submit a job.

    `shared` cells show the job of an earlier cell, `shared_by` says by which rule; `dropped` are jobs the run
    has attempts of and the manifest no longer shows: they are kept, and not submitted again.
    `reused` are not done here, and taken over from other runs.
    `cost` is in USD, `None` without a price; `seconds` is the time the rate alone asks for, or `None`.
    """

    cells: int
    jobs: int
    shared: int
    shared_by: tuple[tuple[str, int], ...]
    excluded: int
    excluded_by: tuple[tuple[str, int], ...]
    sampled_out: int
    pairs: int
    pairs_covered: int
    done: int
    reused: int
    selected: int
    to_submit: int
    in_flight: int
    held: int
    dropped: int
    cost: Decimal | None
    spent: Decimal | None
    seconds: float | None
    seeds_chosen: int
    warnings: tuple[Finding, ...]
    keys: tuple[str, ...] = field(repr=False)

    def to_json(self) -> dict[str, Any]:
        """Give the shape of `zbatch plan --json`; counts are of all jobs."""
        return {
            "cells": self.cells,
            "jobs": self.jobs,
            "shared": self.shared,
            "shared_by": dict(self.shared_by),
            "excluded": self.excluded,
            "done": self.done,
            "reused": self.reused,
            "to_submit": self.to_submit,
            "cost": None if self.cost is None else float(self.cost),
            "warnings": [str(warning) for warning in self.warnings],
            "selected": self.selected,
            "in_flight": self.in_flight,
            "held": self.held,
            "dropped": self.dropped,
            "spent": None if self.spent is None else float(self.spent),
            "seconds": self.seconds,
            "seeds_chosen": self.seeds_chosen,
            "excluded_by": dict(self.excluded_by),
            "sampled_out": self.sampled_out,
            "pairs": {"covered": self.pairs_covered, "of": self.pairs} if self.pairs else None,
        }


def make_plan(order: Order, *, with_keys: bool = False) -> Plan:
    """Expand and check everything, and hold it against the run directory where there is one.

    `with_keys` keeps the keys of all jobs in the plan, for one that is saved.

    Raises:
        ManifestError: with everything that is wrong.
        UsageError: the selection selects nothing, or the run directory holds something else.
        StateError: a run lay in the directory, and its state is damaged or gone.
    """
    manifest = order.manifest
    here, spent = _known(order)
    known = _Reusing(here, order)
    selection = Selection.parse(order.only, order.first, manifest)
    expansion = Expansion(manifest, selection)
    keys: list[str] = []
    states: Counter[JobState | None] = Counter()
    shown: Counter[JobState | None] = Counter()  # as they stand here, before anything is taken over
    reused = 0
    off = 0
    bare: set[str] = set()  # jobs without a LoRA, where there could be one
    program = manifest.program
    takes_loras = "loras" in program.axes or "loras" in program.fields
    to_submit = _ToSubmit(order, known, everything=selection == Selection())
    for batch in expansion.batches():
        first = [row.key for row in batch if row.request is not None and row.key is not None]
        if with_keys:
            keys += first
        before, standing = known.here_and_there(first)
        shown.update(before)
        states.update(standing)
        reused += sum(old is not new for old, new in zip(before, standing, strict=True))
        to_submit.take(batch, standing)
        if takes_loras:
            bare.update(
                row.key for row in batch if row.request and row.key and b'"loras":' not in row.request
            )
        off += sum(
            1 for row in batch if row.request is None and (row.key in bare or _LORA_OFF(row.coordinates))
        )
    price = manifest.price
    rate = order.pace
    return Plan(
        cells=expansion.cells,
        jobs=expansion.jobs,
        shared=expansion.shared,
        shared_by=tuple(
            (rule, number)
            for rule, number in ((LORA_IS_OFF, off), (EQUAL_REQUESTS, expansion.shared - off))
            if number
        ),
        excluded=expansion.excluded,
        excluded_by=_by_rule(expansion),
        sampled_out=expansion.notes.sampled_out,
        pairs=expansion.notes.pairs,
        pairs_covered=expansion.notes.covered,
        done=states[JobState.DONE] - reused,
        reused=reused,
        selected=expansion.selected,
        to_submit=to_submit.count,
        in_flight=states[JobState.SUBMITTED] + states[JobState.SUBMITTING],
        held=sum(states[state] for state in RETRYABLE if state not in order.retry),
        dropped=_dropped(known.counts, shown),
        cost=None if price is None else price * to_submit.count,
        spent=spent,
        seconds=to_submit.count / rate if rate else None,
        seeds_chosen=expansion.seeds_chosen,
        warnings=expansion.warnings,
        keys=tuple(keys),
    )


class _ToSubmit:
    """Counts the jobs a run would submit, each once, however many cells show it."""

    def __init__(self, order: Order, known: _Reusing, *, everything: bool) -> None:
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


def _known(order: Order) -> tuple[KnownStates, Decimal | None]:
    directory = RunDirectory(order.directory)
    directory.check()
    price = order.manifest.price
    if not directory.exists():
        return KnownStates(), None if price is None else Decimal(0)
    with Run(directory.path) as run:
        check_location(directory, run.about(Meta.LOCATION), order.location, run.attempts())
        attempts_left = order.manifest.limits.attempts
        attempts = run.attempts()
        spent = run.spending.repriced(price, attempts).of(attempts)
        return KnownStates(run.standing(attempts_left)), spent


def _by_rule(expansion: Expansion) -> tuple[tuple[str, int], ...]:
    """Give how many cells each exclude rule took out, in the order in which the rules are written."""
    counts = expansion.notes.excluded
    texts = dict.fromkeys(rule.text for rule in expansion.manifest.grid.excludes)
    return tuple((text, counts[text]) for text in texts if text in counts)


class _Reusing:
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


def _dropped(begun: Mapping[JobState, int], shown: Mapping[JobState | None, int]) -> int:
    return sum(number - shown.get(state, 0) for state, number in begun.items() if state != JobState.PENDING)


def _to_submit(state: JobState | None, order: Order) -> bool:
    if state in (None, JobState.PENDING) or (state in order.retry and state is not JobState.SUBMITTED):
        return True
    if order.endpoint.kind is EndpointKind.PREVIEW:
        return state in (JobState.SUBMITTING, JobState.SUBMITTED, JobState.UNKNOWN)
    return state is JobState.UNKNOWN and order.manifest.limits.on_unknown == "resubmit"
