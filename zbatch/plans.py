"""Saved plans: `zbatch plan -o FILE` writes one, `zbatch run FILE` does that and nothing else."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import orjson

from zbatch.api.endpoint import parse_endpoint
from zbatch.durable import write_aside
from zbatch.errors import UsageError
from zbatch.manifest.jobs import Expansion
from zbatch.manifest.judging import describe
from zbatch.manifest.loader import load_manifest
from zbatch.manifest.parser import Manifest
from zbatch.runner.order import Order
from zbatch.runner.plan import Plan
from zbatch.runner.plan import make_plan as plan_order
from zbatch.settings import ENDPOINT_VARIABLE, Settings, resolve

_NEW_PLAN: Final = "make a new plan: zbatch plan ... -o FILE"


def save_plan(plan: Plan, settings: Settings, order: Order, path: Path) -> None:
    """Save a plan with everything that `run` needs to do it, and nothing else.

    Raises:
        UsageError: another file lies there.
        DiskError: it could not be written.
    """
    if path.exists() and not _is_plan(path):
        raise UsageError(f"{path} is there already and is no plan", hint="give another name with -o")
    saved = {
        "zbatch_plan": 1,
        "manifest": str(order.manifest.path.resolve()),
        "endpoint": order.endpoint.url,
        "run_dir": str(order.directory.resolve()),
        "location": None if order.location is None else str(order.location),
        "only": list(settings.only),
        "first": settings.first,
        "retry": list(order.retry),
        "reuse": [str(path.resolve()) for path in order.reuse],
        "max_cost": None if order.max_cost is None else str(order.max_cost),
        "rate": settings.rate,
        "allow_outside": settings.allow_outside,
        "to_submit": plan.to_submit,
        "sources": {
            str(source.directory / source.path.name): source.sha256
            for source in order.manifest.document.sources
        },
        "jobs": list(plan.keys),
    }
    write_aside(path, orjson.dumps(saved, option=orjson.OPT_INDENT_2) + b"\n")


def read_plan(path: Path) -> dict[str, Any] | None:
    """Read a saved plan; `None` where the file is none (a manifest, say).

    Raises:
        UsageError: it is a damaged one.
    """
    if path.suffix != ".json" and not _is_plan(path):
        return None
    try:
        saved = orjson.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot read the plan {path}: {error}") from error
    if not isinstance(saved, dict) or saved.get("zbatch_plan") != 1:
        raise UsageError(f"{path} is no plan that `zbatch plan -o` saved")
    return saved


def _is_plan(path: Path) -> bool:
    try:
        with path.open("rb") as stream:
            begin = stream.read(200).lstrip()
    except OSError:
        return False
    return begin.startswith(b"{") and b'"zbatch_plan"' in begin


def order_of_plan(saved: Mapping[str, Any], settings: Settings) -> Order:
    """Give the order a saved plan stands for, after checking that it would do what was planned and no more.

    `settings` are those given now: key, concurrency and rate count; an endpoint may only be the plan's own.
    That the plan names an endpoint does not make it trusted: a file says so, not a person.

    Raises:
        UsageError: the manifest gives other jobs now, or more would be submitted; says what changed.
    """
    _check_plan_settings(saved, settings)
    try:
        manifest = load_manifest(saved["manifest"], allow_outside=saved["allow_outside"])
        named = settings.endpoint or os.environ.get(ENDPOINT_VARIABLE)
        settings = replace(
            settings,
            endpoint=saved["endpoint"],
            run_dir=saved.get("location") or saved["run_dir"],
            only=tuple(saved["only"]),
            first=saved["first"],
            retry=tuple(saved["retry"]),
            reuse=tuple(saved.get("reuse", ())),
            max_cost=saved["max_cost"],
            rate=settings.rate or saved["rate"],
        )
        planned, to_submit = set(saved["jobs"]), int(saved["to_submit"])
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError(f"the plan is damaged ({error})", hint=_NEW_PLAN) from error
    given = named is not None and parse_endpoint(named).url == saved["endpoint"]
    order = replace(resolve(manifest, settings), endpoint_given=given, directory=Path(saved["run_dir"]))
    plan = plan_order(order, with_keys=True)
    now = set(plan.keys)
    if planned != now:
        raise UsageError(_what_changed(saved, order.manifest, planned, now), hint=_NEW_PLAN)
    if plan.to_submit > to_submit:
        raise UsageError(
            f"the plan was to submit {to_submit} jobs, and now it would be {plan.to_submit}",
            hint=_NEW_PLAN,
        )
    return order


def _what_changed(saved: Mapping[str, Any], manifest: Manifest, planned: set[str], now: set[str]) -> str:
    """Say how the jobs differ from those planned: in number, through which files, and where it begins."""
    new, gone = now - planned, planned - now
    text = f"the manifest gives other jobs than were planned: {len(new):,} new, {len(gone):,} gone"
    sources = {str(source.directory / source.path.name): source for source in manifest.document.sources}
    before = saved.get("sources") or {}
    files = [Path(name).name for name in before if name not in sources]
    files += [source.path.name for name, source in sources.items() if before.get(name) != source.sha256]
    text += f"; changed: {', '.join(files)}" if files else "; changed: an input image, or zbatch itself"
    if new:
        rows = Expansion(manifest).rows()
        first = next(row for row in rows if row.key in new)
        text += f"; the first new job is that of the cell {describe(orjson.loads(first.coordinates))}"
    return text


def _check_plan_settings(saved: Mapping[str, Any], settings: Settings) -> None:
    """Refuse flags that would make another run of the plan than was planned.

    Raises:
        UsageError: naming the first.
    """
    decided = {
        "-o/--run-dir": settings.run_dir,
        "--only": settings.only,
        "--first": settings.first,
        "--retry": settings.retry,
        "--reuse": settings.reuse,
        "--max-cost": settings.max_cost,
        "--allow-outside": settings.allow_outside,
    }
    for flag, value in decided.items():
        if value:
            raise UsageError(f"{flag} was decided by the plan", hint=_NEW_PLAN)
    if settings.endpoint is not None and parse_endpoint(settings.endpoint).url != saved.get("endpoint"):
        raise UsageError(f"the plan was made for the endpoint {saved.get('endpoint')}", hint=_NEW_PLAN)
