"""The response curve under the strip: this line of pictures, the others like it, and where one stands."""

from __future__ import annotations

import json
import math
import random
import re
from collections import Counter

import orjson
import pytest
from playwright.sync_api import expect
from support.axe import faults
from support.sample_run import Sample, write_sample

from zbatch.difference import measurable
from zbatch.sheet import SheetData, write_sheet
from zbatch.sheet.change import measure_changes
from zbatch.sheet.curves import curves
from zbatch.sheet.page import HOME, render_data, render_page
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
    label = curve.get_attribute("aria-label").split(" % of")[0].rpartition(". ")[0] or curve.get_attribute(
        "aria-label"
    )
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


SHAPES = {
    "knee": lambda scale: 0.5 * (1 - math.exp(-4 * scale)),
    "upturn": lambda scale: 0.3 * (1 - math.exp(-9 * scale)) + max(0, scale - 0.8) ** 1.5,
    "straight": lambda scale: 0.3 * scale,
}


@pytest.fixture(scope="module")
def shaped(tmp_path_factory):
    """One line of seven scales whose changes are made up, by shape: the data, and its page."""
    scales = tuple(number / 5 for number in range(7))
    sample = Sample(("red fox", "barn owl"), ("film", "ink"), scales, 2, troubles=False, excluded=False)
    made = {}
    with Run(write_sample(tmp_path_factory.mktemp("shaped") / "run", sample)) as run:
        data = SheetData.of(run)
        index = write_sheet(run, data=data)
        for shape, height in SHAPES.items():
            dice = random.Random(shape)
            changes = {
                "lora.scale": _changes(
                    data, lambda scale, up=height, by=dice: up(scale) * by.uniform(0.9, 1.1)
                )
            }
            page = index.with_name(f"{shape}.html")
            page.write_bytes(render_page(data, inline=render_data(data, changes=changes)))
            made[shape] = page, list(curves(data, changes))
    return made


def _changes(data, height):
    axis = next(axis for axis in data.axes if axis.name == "lora.scale")
    column = data.cells.coordinates[data.axes.index(axis)]
    changes = [None] * len(data.jobs.key)
    for cell, job in enumerate(data.cells.job):
        changes[job] = min(1.0, height(axis.values[column[cell]]))
    return changes


@pytest.mark.parametrize("shape", SHAPES)
def test_scale_and_bends_are_marked_as_the_command_prints_them(visit, shaped, shape):
    index, (film, ink) = shaped[shape]
    page = visit(index)
    for one in (film, ink):
        page.locator(".sectionbar", has_text=one.lora).first.wait_for()
        page.locator(f".cell[title*='lora {one.lora}']").nth(1).click()
        curve = page.locator(".curve")
        assert curve.locator(".reach").all_inner_texts()[1] == "0"
        top = float(curve.locator(".reach").first.inner_text())
        assert top >= max(point.high for point in one.points) > top - 0.2
        label = curve.get_attribute("aria-label")
        assert ("the knee" in label) is (one.knee is not None)
        for name, value in (("knee", one.knee), ("upturn", one.upturn)):
            mark = curve.locator(f".bend.{name}")
            assert mark.count() == (value is not None)
            if value is not None:
                stop = page.locator(".stop", has_text=re.compile(f"^{value:g}$")).bounding_box()
                assert mark.bounding_box()["x"] == pytest.approx(stop["x"] + stop["width"] / 2, abs=3)
        if one.knee is not None:
            assert f"{100 * one.share:.0f} % of the change has come by {one.knee:g}, the knee" in label
        if one.upturn is not None:
            assert f"after {one.upturn:g} it changes faster again" in label
        assert faults(page) == []
        page.keyboard.press("Escape")
    kinds = {"knee": (True, False), "upturn": (True, True), "straight": (False, False)}
    assert (film.knee is not None, film.upturn is not None) == kinds[shape]


COUNT = """
  const data = new Dataset(raw);
  const [axis, names] = ["lora.scale", "lora.name"].map((name) => data.byName.get(name));
  return names.values.map((_, kind) => {
    const found = responses(data, axis, names.column.indexOf(kind));
    const all = found.map(({ low, middle, high, many }) => [low, middle, high, many]);
    return { all, bent: bends(axis.values, found) };
  });
"""


def test_the_page_and_zbatch_draw_the_same_curves(browser, tmp_path):
    scales = tuple(number / 10 for number in range(9))
    sample = Sample(("red fox",), ("film", "ink"), scales, 5, troubles=False, excluded=False)
    with Run(write_sample(tmp_path / "run", sample)) as run:
        data = SheetData.of(run)
    page = browser.new_page()
    names = ("words", "shortening", "columns", "axis", "dataset", "curve")
    source = "\n".join((HOME / "assets" / f"{name}.js").read_text("utf-8") for name in names)
    bends = Counter()
    for seed in range(40):
        dice = random.Random(seed)
        up, bow, late = dice.uniform(0, 0.6), dice.uniform(0.5, 9), dice.choice([0, 0, 0.5, 2])
        changes = {
            "lora.scale": _changes(
                data,
                lambda scale, up=up, bow=bow, late=late, by=dice: (
                    (up * (1 - math.exp(-bow * scale)) + late * max(0, scale - 0.5) ** 2)
                    * by.uniform(0.8, 1.2)
                ),
            )
        }
        raw = json.loads(orjson.dumps(data.document(changes), option=orjson.OPT_SERIALIZE_DATACLASS))
        said = page.evaluate(f"([raw]) => {{ {source}\n{COUNT} }}", [raw])
        for one, own in zip(curves(data, changes), said, strict=True):
            assert own["all"] == [[point.low, point.middle, point.high, point.many] for point in one.points]
            told = own["bent"] or {"knee": None, "share": None, "upturn": None}
            assert (told["knee"], told["share"], told["upturn"]) == (one.knee, one.share, one.upturn)
            bends[one.knee is not None, one.upturn is not None] += 1
    page.close()
    assert min(bends[kind] for kind in ((False, False), (True, False), (True, True))) > 3
