"""`output`, `report` and `export`: what is written, how the sheet is laid out at first, what datasets say."""

from __future__ import annotations

from collections.abc import Collection, Container, Mapping
from dataclasses import dataclass
from typing import Any

from zbatch.manifest.findings import Findings, Place, nearest
from zbatch.manifest.grid import Grid
from zbatch.manifest.splitting import SplitValues
from zbatch.manifest.templates import ValueTemplate
from zbatch.manifest.values import called
from zbatch.model import Scalar


@dataclass(frozen=True, slots=True)
class Report:
    """How the sheet is laid out at first: axis names. Without `group`, the axes that are left group it."""

    x: str | None = None
    y: str | None = None
    group: tuple[str, ...] | None = None
    title: str | None = None


Share = float | tuple[Scalar, ...]
"""What is kept of a dataset for a split: a share from 0 to 1, or the values of an axis by name."""


@dataclass(frozen=True, slots=True)
class Split:
    """How a dataset is split: by the values of an axis, or by a hash alone; the rest is for training."""

    by: str | None = None
    test: Share = 0.0
    validation: Share = 0.0


@dataclass(frozen=True, slots=True)
class Output:
    """What is written of each image: whether its file tells what made it (`embed`), and what lies beside it.

    `sidecars` are `json`, its line of jobs.jsonl, and `txt`, its caption.
    """

    embed: bool = True
    sidecars: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Export:
    """What exports say of images: the caption's template, and how a dataset is split."""

    caption: ValueTemplate | None = None
    split: Split | None = None


@dataclass(frozen=True, slots=True)
class AxisNames:
    """The names a layout may use: `known` coordinates, and `lost` ones of axes `written` and unreadable."""

    known: Collection[str]
    lost: Container[str]
    written: Collection[str]

    def check(self, place: Place, name: str | None, findings: Findings) -> None:
        """Add a finding where a name is no axis."""
        if name is not None and name not in self.known and name.partition(".")[0] not in self.lost:
            unread = [axis for axis in self.written if axis in self.lost]
            findings.error(place, f"{name!r} is no axis", hint=nearest(name, {*self.known, *unread}))


def parse_report(spec: Mapping[str, Any], names: AxisNames, findings: Findings) -> Report:
    """Read `report`."""
    group = spec.get("group")
    groups = (group,) if isinstance(group, str) else None if group is None else tuple(group)
    names.check(("report", "x"), spec.get("x"), findings)
    names.check(("report", "y"), spec.get("y"), findings)
    for number, name in enumerate(groups or ()):
        names.check(
            ("report", "group") if isinstance(group, str) else ("report", "group", number), name, findings
        )
    return Report(spec.get("x"), spec.get("y"), groups, spec.get("title"))


def parse_export(
    spec: Mapping[str, Any], caption: ValueTemplate | None, names: AxisNames, grid: Grid, findings: Findings
) -> Export:
    """Read `export`, its caption compiled; values of a split are held against those of the grid."""
    split = spec.get("split")
    if split is None:
        return Export(caption)
    place: Place = ("export", "split")
    names.check((*place, "by"), split.get("by"), findings)
    shares = {name: split[name] for name in ("test", "validation") if split.get(name) is not None}
    listed = [name for name, share in shares.items() if isinstance(share, list)]
    if not shares:
        findings.error(place, "says what it splits by, not how much", hint="add test: 0.1")
    elif listed and split.get("by") is None:
        findings.error(
            (*place, listed[0]), "names values of no axis", hint="add by: with the axis whose values they are"
        )
    elif sum(share for share in shares.values() if not isinstance(share, list)) > 1:
        findings.error(place, "test and validation are more than all there is", got=list(shares.values()))
    by = split.get("by")
    known = SplitValues(grid, by) if by in names.known and by.partition(".")[0] not in names.lost else None
    read: dict[str, Share] = {}
    for name, share in shares.items():
        if isinstance(share, list):
            read[name] = known.named(share, (*place, name), findings) if known else tuple(share)
        else:
            read[name] = float(share)
    sides = [{called(at) for at in share} for share in read.values() if isinstance(share, tuple)]
    twice = set.intersection(*sides) if len(sides) > 1 else ()
    if twice:
        both = ", ".join(sorted(twice))
        findings.error(place, f"test and validation both name {both}", hint="name each value for one of them")
    return Export(caption, Split(by, **read))
