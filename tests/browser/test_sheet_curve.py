"""The response curve under the strip: this line of pictures, the others like it, and where one stands."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect
from support.sample_run import Sample, write_sample

from zbatch.difference import measurable
from zbatch.sheet import SheetData, write_sheet
from zbatch.sheet.change import measure_changes
from zbatch.state.run import Run

pytestmark = pytest.mark.skipif(not measurable(), reason="flip-evaluator has no build for this platform")


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    sample = Sample(seeds=2, troubles=False, excluded=False)
    with Run(write_sample(tmp_path_factory.mktemp("study") / "run", sample)) as run:
        data = SheetData.of(run)
        measure_changes(data, run.directory)
        return write_sheet(run, data=data)


def test_it_shows_how_far_each_step_goes_and_where_one_stands(visit, study):
    page = visit(study)
    page.locator(".cell").nth(1).click()
    curve = page.locator(".curve")
    expect(curve).to_be_visible()
    label = curve.get_attribute("aria-label")
    assert label.startswith("Change from the baseline along scale: 0: 0.00, 0.4: 0.")
    told = [float(part.rsplit(" ", 1)[1]) for part in label.split(", ")]
    assert told == sorted(told)
    assert curve.locator("path").evaluate_all("all => all.map(one => one.className.baseVal)") == [
        "band",
        "middle",
        "own",
    ]
    expect(page.locator(".pick output")).to_contain_text(f"change {told[1]:.2f}")
    before = curve.locator(".dot").bounding_box()
    page.keyboard.press("ArrowRight")
    expect(page.locator(".pick output")).to_contain_text(f"change {told[2]:.2f}")
    after = curve.locator(".dot").bounding_box()
    assert after["x"] > before["x"]
    assert after["y"] <= before["y"]
    stop = page.locator(".stop[data-current]").bounding_box()
    assert after["x"] + after["width"] / 2 == pytest.approx(stop["x"] + stop["width"] / 2, abs=3)


def test_there_is_none_along_seeds_nor_where_nothing_was_measured(visit, study, calm):
    page = visit(study)
    page.locator(".cell").nth(1).click()
    page.locator(".pick select").select_option("seed")
    expect(page.locator(".curve")).to_be_hidden()
    page = visit(calm)
    page.locator(".cell").nth(1).click()
    expect(page.locator(".strip .stop").first).to_be_visible()
    expect(page.locator(".curve")).to_be_hidden()


def test_a_line_that_is_not_all_done_breaks_off(visit, tmp_path):
    with Run(write_sample(tmp_path / "run", Sample(excluded=False))) as run:
        data = SheetData.of(run)
        measure_changes(data, run.directory)
        page = visit(write_sheet(run, data=data))
    page.locator(".cell").first.click()
    for _ in range(12):
        expect(page.locator(".scrubber")).to_be_visible()
        label = page.locator(".curve").get_attribute("aria-label") or ""
        if "unknown" in label and page.locator(".curve").is_visible():
            break
        page.keyboard.press("ArrowDown")
    else:
        pytest.fail("no line of this sample has a picture that is not there")
    assert page.locator(".curve .own").get_attribute("d").count("M") >= 1


def test_values_that_are_not_evenly_spaced_stand_as_far_apart_as_they_are(visit, tmp_path):
    sample = Sample(
        subjects=("red fox",),
        loras=("film",),
        scales=(0, 0.9, 1.0, 1.2),
        seeds=1,
        troubles=False,
        excluded=False,
    )
    with Run(write_sample(tmp_path / "run", sample)) as run:
        data = SheetData.of(run)
        measure_changes(data, run.directory)
        page = visit(write_sheet(run, data=data))
    page.locator(".cell").first.click()
    drawn = page.locator(".curve .own").get_attribute("d").replace("M", "L").split("L")[1:]
    assert [float(point.split()[0]) for point in drawn] == pytest.approx([0.5, 2.75, 3.0, 3.5])
