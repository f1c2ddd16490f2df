"""The plan: what a run would do and cost, before it does anything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from zbatch.api.endpoint import EndpointKind
from zbatch.errors import Finding
from zbatch.manifest.jobs import Expansion
from zbatch.manifest.selection import Selection
from zbatch.model import JobState
from zbatch.runner.order import Order
from zbatch.state.directory import RunDirectory
from zbatch.state.run import Run


@dataclass(frozen=True, slots=True)
class Plan:
    """Counts of cells and jobs; `to_submit` and what it costs count one submit a job.

    `cost` is in USD, `None` without a price; `seconds` is the time the rate alone asks for, or `None`.
    """

    cells: int
    jobs: int
    shared: int
    excluded: int
    done: int
    selected: int
    to_submit: int
    in_flight: int
    held: int
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
            "excluded": self.excluded,
            "done": self.done,
            "to_submit": self.to_submit,
            "cost": None if self.cost is None else float(self.cost),
            "warnings": [str(warning) for warning in self.warnings],
            "selected": self.selected,
            "in_flight": self.in_flight,
            "held": self.held,
            "spent": None if self.spent is None else float(self.spent),
            "seconds": self.seconds,
            "seeds_chosen": self.seeds_chosen,
        }


def make_plan(order: Order) -> Plan:
    """Expand and check everything, and hold it against the run directory where there is one.

    Raises:
        ManifestError: with everything that is wrong.
        UsageError: the selection selects nothing.
    """
    manifest = order.manifest
    known, spent = _known(order)
    expansion = Expansion(manifest, Selection.parse(order.only, order.first, manifest))
    chosen: set[str] = set()
    keys: list[str] = []
    done = in_flight = held = 0
    for row in expansion.rows():
        key = row.key
        if key is None:
            continue
        if row.request is not None:
            keys.append(key)
            state = known.get(key)
            done += state is JobState.DONE
            in_flight += state in (JobState.SUBMITTED, JobState.SUBMITTING)
            held += state in (JobState.FAILED, JobState.REJECTED, JobState.UNKNOWN)
        if row.selected and key not in chosen and _to_submit(known.get(key), order):
            chosen.add(key)
    price = manifest.price
    rate = order.rate or manifest.limits.rate
    return Plan(
        cells=expansion.cells,
        jobs=expansion.jobs,
        shared=expansion.shared,
        excluded=expansion.excluded,
        done=done,
        selected=expansion.selected,
        to_submit=len(chosen),
        in_flight=in_flight,
        held=held,
        cost=None if price is None else price * len(chosen),
        spent=None if price is None else price * spent,
        seconds=len(chosen) / rate if rate else None,
        seeds_chosen=expansion.seeds_chosen,
        warnings=expansion.warnings,
        keys=tuple(keys),
    )


def _known(order: Order) -> tuple[Mapping[str, JobState], int]:
    directory = RunDirectory(order.directory)
    if not directory.exists():
        return {}, 0
    with Run(directory.path) as run:
        attempts_left = order.manifest.limits.attempts
        return run.standing(attempts_left), run.attempts()


def _to_submit(state: JobState | None, order: Order) -> bool:
    if state in (None, JobState.PENDING) or (state in order.retry and state is not JobState.SUBMITTED):
        return True
    if order.endpoint.kind is EndpointKind.PREVIEW:
        return state in (JobState.SUBMITTING, JobState.SUBMITTED, JobState.UNKNOWN)
    return state is JobState.UNKNOWN and order.manifest.limits.on_unknown == "resubmit"
