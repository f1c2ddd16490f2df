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
from zbatch.manifest.selection import Selection
from zbatch.model import JobState, Row
from zbatch.runner.order import Order
from zbatch.state.directory import RunDirectory
from zbatch.state.run import Run

LORA_IS_OFF: Final = "scale 0: a LoRA that is off leaves the request"
EQUAL_REQUESTS: Final = "equal requests: their cells differ in nothing that is sent"

_LORA_OFF: Final = re.compile(rb'"lora.scale":0[,}]|"lora.name":"(?:[^"\\\\]*\+)?[^"\\\\+]*@0[+"]').search
"""Looks at a cell's coordinates: whether a LoRA of it stands at scale 0, alone or in a stack."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Counts of cells and jobs; `to_submit` and what it costs count one submit a job.

    `shared` cells show the job of an earlier cell, `shared_by` says by which rule; `dropped` are jobs the run
    has attempts of and the manifest no longer shows: they are kept, and not submitted again.
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
        UsageError: the selection selects nothing.
    """
    manifest = order.manifest
    known, spent = _known(order)
    selection = Selection.parse(order.only, order.first, manifest)
    expansion = Expansion(manifest, selection)
    keys: list[str] = []
    states: Counter[JobState | None] = Counter()
    off = 0
    to_submit = _ToSubmit(order, known, everything=selection == Selection())
    for batch in expansion.batches():
        first = [row.key for row in batch if row.request is not None and row.key is not None]
        if with_keys:
            keys += first
        if known:
            states.update(map(known.get, first))
        to_submit.take(batch, first)
        off += sum(1 for row in batch if row.request is None and row.key and _LORA_OFF(row.coordinates))
    price = manifest.price
    rate = order.rate or manifest.limits.rate
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
        excluded_by=tuple(expansion.notes.excluded.items()),
        sampled_out=expansion.notes.sampled_out,
        pairs=expansion.notes.pairs,
        pairs_covered=expansion.notes.covered,
        done=states[JobState.DONE],
        selected=expansion.selected,
        to_submit=to_submit.count,
        in_flight=states[JobState.SUBMITTED] + states[JobState.SUBMITTING],
        held=states[JobState.FAILED] + states[JobState.REJECTED] + states[JobState.UNKNOWN],
        dropped=_dropped(known, states),
        cost=None if price is None else price * to_submit.count,
        spent=None if price is None else price * spent,
        seconds=to_submit.count / rate if rate else None,
        seeds_chosen=expansion.seeds_chosen,
        warnings=expansion.warnings,
        keys=tuple(keys),
    )


class _ToSubmit:
    """Counts the jobs a run would submit, each once, however many cells show it."""

    def __init__(self, order: Order, known: Mapping[str, JobState], *, everything: bool) -> None:
        self._order = order
        self._known = known
        self._everything = everything
        self._counted: set[str] = set()
        self.count = 0

    def take(self, batch: Iterable[Row], first: Sequence[str]) -> None:
        """Count some cells; `first` are the keys of the jobs that they are the first to show."""
        if self._everything:
            # Each job is counted at its first cell, and nothing has to be remembered.
            known = self._known
            self.count += (
                sum(_to_submit(known.get(key), self._order) for key in first) if known else len(first)
            )
            return
        for row in batch:
            key = row.key
            if key is None or not row.selected or key in self._counted:
                continue
            self._counted.add(key)
            self.count += _to_submit(self._known.get(key), self._order)


def _known(order: Order) -> tuple[Mapping[str, JobState], int]:
    directory = RunDirectory(order.directory)
    if not directory.exists():
        return {}, 0
    with Run(directory.path) as run:
        attempts_left = order.manifest.limits.attempts
        return run.standing(attempts_left), run.attempts()


def _dropped(known: Mapping[str, JobState], shown: Mapping[JobState | None, int]) -> int:
    begun = Counter(known.values())
    return sum(number - shown.get(state, 0) for state, number in begun.items() if state != JobState.PENDING)


def _to_submit(state: JobState | None, order: Order) -> bool:
    if state in (None, JobState.PENDING) or (state in order.retry and state is not JobState.SUBMITTED):
        return True
    if order.endpoint.kind is EndpointKind.PREVIEW:
        return state in (JobState.SUBMITTING, JobState.SUBMITTED, JobState.UNKNOWN)
    return state is JobState.UNKNOWN and order.manifest.limits.on_unknown == "resubmit"
