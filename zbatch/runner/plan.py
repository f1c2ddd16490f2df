"""The plan: what a run would do and cost, before it does anything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from zbatch.errors import Finding
from zbatch.manifest.jobs import Expansion
from zbatch.manifest.selection import Selection
from zbatch.model import RETRYABLE, JobState
from zbatch.runner.counting import Foreseen, JobCount
from zbatch.runner.known import KnownStates
from zbatch.runner.order import Order
from zbatch.state.database import Meta
from zbatch.state.directory import RunDirectory
from zbatch.state.pictures import check_location
from zbatch.state.run import Run

LORA_IS_OFF: Final = "scale 0: a LoRA that is off leaves the request"
EQUAL_REQUESTS: Final = "equal requests: their cells differ in nothing that is sent"


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
    known, spent = _known(order)
    standing = Foreseen(known, order)
    selection = Selection.parse(order.only, order.first, manifest)
    expansion = Expansion(manifest, selection)
    count = JobCount(order, standing, everything=selection == Selection())
    keys: list[str] = []
    for batch in expansion.batches():
        first = count.take(batch)
        if with_keys:
            keys += first
    price = manifest.price
    rate = order.pace
    return Plan(
        cells=expansion.cells,
        jobs=expansion.jobs,
        shared=expansion.shared,
        shared_by=tuple(
            (rule, number)
            for rule, number in ((LORA_IS_OFF, count.off), (EQUAL_REQUESTS, expansion.shared - count.off))
            if number
        ),
        excluded=expansion.excluded,
        excluded_by=_by_rule(expansion),
        sampled_out=expansion.notes.sampled_out,
        pairs=expansion.notes.pairs,
        pairs_covered=expansion.notes.covered,
        done=count.states[JobState.DONE] - count.reused,
        reused=count.reused,
        selected=expansion.selected,
        to_submit=count.to_submit,
        in_flight=count.states[JobState.SUBMITTED] + count.states[JobState.SUBMITTING],
        held=sum(count.states[state] for state in RETRYABLE if state not in order.retry),
        dropped=_dropped(standing.counts, count.shown),
        cost=None if price is None else price * count.to_submit,
        spent=spent,
        seconds=count.to_submit / rate if rate else None,
        seeds_chosen=expansion.seeds_chosen,
        warnings=expansion.warnings,
        keys=tuple(keys),
    )


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


def _dropped(begun: Mapping[JobState, int], shown: Mapping[JobState | None, int]) -> int:
    return sum(number - shown.get(state, 0) for state, number in begun.items() if state != JobState.PENDING)
