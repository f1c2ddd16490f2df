"""Response curves and their knees."""

from __future__ import annotations

import json

import pytest
from support.command import zbatch
from support.sample_run import Sample, write_sample

from zbatch.difference import measurable
from zbatch.sheet.change import known_changes, measure_changes
from zbatch.sheet.curves import Curve, Point, curves
from zbatch.sheet.data import SheetData
from zbatch.state.run import Run


def curve(*medians, values=None):
    values = values or [number / 10 for number in range(len(medians))]
    return Curve(
        "lora.scale",
        "ink",
        tuple(Point(value, one, one, one, 1) for value, one in zip(values, medians, strict=True)),
    )


def test_the_knee_is_where_more_begins_to_do_less():
    assert curve(0, 0.3, 0.4, 0.42, 0.44).knee == 0.1
    assert curve(0, 0.2, 0.4, 0.41, 0.42).knee == 0.2


def test_the_share_is_what_has_come_by_the_knee():
    assert curve(0, 0.3, 0.36, 0.38, 0.4).share == pytest.approx(0.75)
    assert curve(0.1, 0.4, 0.46, 0.48, 0.5).share == pytest.approx(0.75)
    assert curve(0, 0.1, 0.2, 0.3).share is None


def test_an_upturn_is_where_more_does_more_again_beyond_the_knee():
    assert curve(0, 0.3, 0.4, 0.42, 0.44, 0.6, 0.75).upturn == 0.4
    assert curve(0, 0.3, 0.4, 0.42, 0.44).upturn is None  # it goes on as it went
    assert curve(0, 0.3, 0.4, 0.4, 0.4, 0.41).upturn is None  # too little to be one
    assert curve(0, 0.01, 0.1, 0.4).upturn is None  # it only begins
    assert curve(0, 0.35, 0.4, 0.6).upturn == 0.2


@pytest.mark.parametrize(
    "medians", [(0, 0.1, 0.2, 0.3), (0, 0.01, 0.1, 0.4), (0, 0, 0, 0), (0, 0.4, 0.5), (0.4, 0.3, 0.2, 0.1)]
)
def test_straight_and_growing_and_short_curves_have_none(medians):
    assert curve(*medians).knee is None


@pytest.mark.skipif(not measurable(), reason="flip-evaluator has no build for this platform")
def test_there_is_one_for_each_lora_over_all_else(tmp_path):
    with Run(write_sample(tmp_path / "run", Sample(seeds=2, troubles=False, excluded=False))) as run:
        data = SheetData.of(run)
        measure_changes(data, run.directory)
        found = list(curves(data, known_changes(data, run.directory)))
    assert [(one.axis, one.lora) for one in found] == [("lora.scale", "film"), ("lora.scale", "ink")]
    for one in found:
        assert [point.value for point in one.points] == [0, 0.4, 0.8, 1.2]
        assert [point.many for point in one.points] == [4] * 4
        assert [point.middle for point in one.points] == sorted(point.middle for point in one.points)
        assert all(point.low <= point.middle <= point.high for point in one.points)


@pytest.mark.skipif(not measurable(), reason="flip-evaluator has no build for this platform")
def test_the_command_prints_them_and_gives_them_to_machines(tmp_path):
    run = write_sample(tmp_path / "run", Sample(seeds=1, troubles=False, excluded=False))
    told = zbatch("status", str(run), "--curves", cwd=tmp_path)
    assert told.returncode == 0, told.stderr
    assert told.stdout.startswith("lora.scale of film\n    0  0.00  0.00 to 0.00       2\n  0.4  0.")
    (film, ink) = json.loads(zbatch("status", str(run), "--curves", "--json", cwd=tmp_path).stdout)
    assert [film["lora"], ink["lora"]] == ["film", "ink"]
    assert [point["value"] for point in film["points"]] == [0, 0.4, 0.8, 1.2]
    for one in (film, ink):
        assert (one["share_at_knee"] is None) is (one["knee"] is None)
        said = f"of the change has come by {one['knee']}"
        assert (said in told.stdout) is (one["knee"] is not None)


@pytest.mark.skipif(not measurable(), reason="flip-evaluator has no build for this platform")
def test_a_run_without_such_an_axis_says_so(tmp_path):
    told = zbatch(
        "status",
        str(write_sample(tmp_path / "run", Sample(loras=(), troubles=False))),
        "--curves",
        cwd=tmp_path,
    )
    assert told.returncode == 2
    assert "there is no curve in this run yet" in told.stderr
    assert "an axis of numbers" in told.stderr
