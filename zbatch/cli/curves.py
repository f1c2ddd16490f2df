"""`zbatch status --curves`: how far pictures move from their baseline, as a table."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from zbatch.cli.output import say, tell
from zbatch.difference import measurable
from zbatch.errors import UsageError
from zbatch.picks.rounding import percent
from zbatch.sheet import SheetData
from zbatch.sheet.change import known_changes, measure_changes, measured_axes
from zbatch.sheet.curves import Curve, Point, curves
from zbatch.state.run import Run

_BAR = 24
"""Characters of a bar that is full."""


def response_curves(run: Run) -> list[Curve]:
    """Measure what is not measured yet, and give the curves.

    Raises:
        UsageError: nothing here measures, or nothing in the run can be.
        DiskError: what was measured could not be written down.
    """
    if not measurable():
        raise UsageError(
            "--curves needs the package flip-evaluator, which is not installed",
            hint="pip install flip-evaluator; for some platforms there is no build of it",
        )
    data = SheetData.of(run)
    measure_changes(data, run.directory, most=None)
    found = list(curves(data, known_changes(data, run.directory)))
    if not found:
        axes = ", ".join(axis.name for axis in measured_axes(data))
        raise UsageError(
            "there is no curve in this run yet",
            hint=f"no picture along {axes} has its baseline beside it, done (scale 0, no LoRA, or the least "
            "value): have the manifest show that, and run"
            if axes
            else "a curve needs an axis of numbers, the scale of a LoRA say, with two values or more",
        )
    return found


def print_curves(found: Iterable[Curve]) -> None:
    """Print each curve as a table: median and deciles of the change at each value, and a bar."""
    for curve in found:
        say(f"{curve.axis} of {curve.lora}" if curve.lora else curve.axis)
        width = max(len(str(point.value)) for point in curve.points)
        for point in curve.points:
            deciles = f"{point.low:.2f} to {point.high:.2f}"
            bar = "  ".join(["#" * round(_BAR * point.middle), *_marks(curve, point)])
            say(
                f"  {point.value!s:>{width}}  {point.middle:.2f}  {deciles}  {point.many:>6,}  {bar}".rstrip()
            )
        if (share := curve.share) is not None:
            after = "" if curve.upturn is None else f"; after {curve.upturn} it changes faster again"
            say(f"  {percent(share)} of the change has come by {curve.knee}{after}")
    tell("change from the baseline (FLIP, 0 to 1): median, eight of ten pictures, their number")


def _marks(curve: Curve, point: Point) -> list[str]:
    marks = {"knee": curve.knee, "upturn": curve.upturn}
    return [name for name, value in marks.items() if value is not None and value == point.value]


def curves_json(found: Iterable[Curve]) -> list[dict[str, Any]]:
    """Give them for machines."""
    return [
        {
            "axis": curve.axis,
            "lora": curve.lora,
            "knee": curve.knee,
            "share_at_knee": None if (share := curve.share) is None else round(share, 4),
            "upturn": curve.upturn,
            "points": [
                {
                    "value": point.value,
                    "median": round(point.middle, 4),
                    "low": round(point.low, 4),
                    "high": round(point.high, 4),
                    "count": point.many,
                }
                for point in curve.points
            ],
        }
        for curve in found
    ]
