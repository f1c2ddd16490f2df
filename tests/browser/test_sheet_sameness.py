"""A difference that is black says so: equal pictures, and those that differ less than one sees."""

from __future__ import annotations

from dataclasses import replace

import pytest
from playwright.sync_api import expect
from support.lightbox import frame, open_first
from support.sample_run import Sample, write_sample

from zbatch.sheet import SheetData, write_sheet
from zbatch.sheet.change import baselines, measured_axes
from zbatch.sheet.known import keep_numbers, pair_name
from zbatch.state.run import Run

SHAPE = Sample(loras=("film",), scales=(0, 0.4, 0.8), seeds=1, troubles=False)


@pytest.fixture(scope="module")
def equal(tmp_path_factory):
    """Every picture is the same one, though its file says of each how it was made."""
    sample = replace(SHAPE, pictures=1)
    return write_sheet(write_sample(tmp_path_factory.mktemp("equal") / "run", sample))


@pytest.fixture(scope="module")
def near(tmp_path_factory):
    """Along each scale, the first step is measured as next to nothing and the second as something."""
    with Run(write_sample(tmp_path_factory.mktemp("near") / "run", SHAPE)) as run:
        data = SheetData.of(run)
        pairs = [pair for axis in measured_axes(data) for pair in baselines(data, axis)]
        names = [pair_name(data.jobs.sha256[base], data.jobs.sha256[job]) for job, base in pairs]
        keep_numbers(run.directory.thumbs / "changes.json", dict(zip(names, [0.0003, 0.2] * 9, strict=False)))
        return write_sheet(run)


def difference(visit, index, steps):
    page = open_first(visit, index)
    page.keyboard.press("c")
    page.keyboard.press("Shift+Digit4")
    for _ in range(steps):
        page.keyboard.press("ArrowRight")
    expect(frame(page)).to_have_attribute("data-compare", "difference")
    return page, page.locator(".sameness")


def test_equal_pictures_are_said_to_be(visit, equal):
    page, said = difference(visit, equal, 1)
    expect(said).to_have_text("No pixel differs")
    box, picture = said.bounding_box(), page.locator(".original").bounding_box()
    assert picture["x"] < box["x"]
    assert box["x"] + box["width"] < picture["x"] + picture["width"]
    page.keyboard.press("Shift+Digit1")
    expect(said).to_be_hidden()


def test_what_differs_is_left_to_be_seen(visit, calm):
    page, said = difference(visit, calm, 0)
    expect(said).to_have_text("No pixel differs")  # it is the reference itself
    page.keyboard.press("ArrowRight")
    expect(said).to_be_hidden()


def test_what_nobody_sees_is_said_where_it_was_measured(visit, near):
    page, said = difference(visit, near, 1)
    expect(said).to_have_text("They differ less than one can see (change 0.000)")
    page.keyboard.press("ArrowRight")
    expect(said).to_be_hidden()
