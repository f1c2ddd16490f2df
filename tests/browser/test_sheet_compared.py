"""What is compared: where the pictures and their names stand, what stands for one that is not there."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect
from support.browser import PHONE, until
from support.lightbox import differing, frame, open_first
from support.sample_run import Sample, write_sample

from zbatch.sheet import write_sheet


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    """Two shapes of picture."""
    sample = Sample(sizes=("768*768", "832*1216"), seeds=1, troubles=False, excluded=False)
    return write_sheet(write_sample(tmp_path_factory.mktemp("mixed") / "run", sample))


def test_different_shapes_stand_whole(visit, mixed):
    page = open_first(visit, mixed)
    page.get_by_label("Axis of the strip").select_option("size")
    page.keyboard.press("n")
    page.keyboard.press("Shift+Digit2")
    boxes = [pane.bounding_box() for pane in page.locator(".pane:visible").all()]
    assert boxes[0]["width"] == pytest.approx(boxes[1]["width"], abs=1)
    assert boxes[0]["height"] == pytest.approx(boxes[1]["height"], abs=1)
    assert differing(page)["size"] == ["portrait", "768*768"]
    for mode in "134":
        page.keyboard.press(f"Shift+Digit{mode}")
        assert page.locator(".pane").count() == 2


def test_what_has_no_picture_says_why_in_its_pane(visit, small):
    page = open_first(visit, small)
    for key in ("c", "Shift+Digit2", "ArrowDown", "ArrowDown"):
        page.keyboard.press(key)
    expect(page.locator(".pane.current .note")).to_contain_text("failed")
    expect(page.locator(".pane.reference:visible .under")).to_be_visible()


SEASONS = ("misty autumn", "snowy winter", "blooming spring", "burning summer")
LONG = "a red fox that sits on a mossy log beside a stream in the very middle of a quiet and wide "
LONG += "valley under tall old trees in a {} forest at dawn, soft light through the leaves, a 50mm photograph"


@pytest.fixture(scope="module")
def seasons(tmp_path_factory):
    """Long prompts that differ in two words."""
    sample = Sample(subjects=tuple(LONG.format(season) for season in SEASONS), seeds=1, troubles=False)
    return write_sheet(write_sample(tmp_path_factory.mktemp("seasons") / "run", sample))


@pytest.mark.parametrize(
    "size", [{"viewport": {"width": 1600, "height": 1000}}, PHONE], ids=["wide", "phone"]
)
def test_what_differs_in_long_prompts_shows_on_the_strip_and_between_four(visit, seasons, size):
    page = visit(seasons, **size)
    page.locator(".cell").nth(1).click()
    page.get_by_label("Axis of the strip").select_option("subject")
    ticks = page.locator(".tick").all_inner_texts()
    for tick, season in zip(ticks, SEASONS, strict=True):
        assert season.split()[0] in tick
    page.keyboard.press("c")
    for number in (1, 2, 3):
        page.locator(".stop").nth(number).click()
        if number < 3:
            page.keyboard.press("c")
    page.keyboard.press("Shift+Digit2")
    rows = page.get_by_role("table", name="subject").locator("td").all_inner_texts()
    for row, season in zip(rows, SEASONS, strict=True):
        assert season in row
        assert len(row) < 100
    for paragraph, season in zip(page.locator(".promptdiff p").all(), SEASONS, strict=False):
        assert paragraph.locator("del").all_inner_texts() == [season]
        assert paragraph.locator("ins").all_inner_texts() == [SEASONS[3]]
        assert len(paragraph.inner_text()) < 160
        assert paragraph.evaluate("element => element.scrollHeight <= element.clientHeight + 1")


def test_a_path_breaks_between_its_parts_if_at_all(visit, calm):
    page = open_first(visit, calm)
    for key in ("c", "ArrowRight", "c", "ArrowRight", "Shift+Digit2"):
        page.keyboard.press(key)
    assert page.get_by_role("table", name="loras").locator("td").all_inner_texts() == [
        "\u2014", "org/film-v2 @ 0.4", "org/film-v2 @ 0.8",
    ]  # fmt: skip
    lines = (
        page.get_by_role("table", name="loras")
        .locator("td")
        .evaluate_all("all => all.map(one => one.getBoundingClientRect().height)")
    )
    assert max(lines) - min(lines) < 4  # each on one line, as the dash is


NAMES_AND_PICTURES = """() => {
    const box = (element) => element.getBoundingClientRect();
    const panes = [...document.querySelectorAll(".pane")].filter((pane) => pane.checkVisibility());
    return [...document.querySelectorAll(".nametag:not(.away)")].map((tag, index) => {
        const pane = box(panes[Math.min(index, panes.length - 1)]);
        const shape = Number(panes[0].style.getPropertyValue("--shape"));
        const half = Math.min(pane.width, pane.height * shape) / 2;
        const middle = pane.left + pane.width / 2;
        const { left, right, top, bottom } = box(tag);
        const whole = [...tag.children].slice(1).every((one) => one.scrollWidth < one.clientWidth + 2);
        const across = left >= middle - half - 1 && right <= middle + half + 1;
        return whole && across && top >= pane.top - 1 && bottom <= pane.bottom + 1;
    });
}"""


@pytest.fixture(scope="module")
def narrow(tmp_path_factory):
    """Pictures twice as high as wide."""
    sample = Sample(sizes=("512*1024",), seeds=2, troubles=False, excluded=False)
    return write_sheet(write_sample(tmp_path_factory.mktemp("narrow") / "run", sample))


@pytest.mark.parametrize(
    "size", [{"viewport": {"width": 1600, "height": 1000}}, PHONE], ids=["wide", "phone"]
)
def test_names_stand_in_their_pictures_whole_however_narrow_those_are(visit, narrow, size):
    page = open_first(visit, narrow, reduced_motion="reduce", **size)
    for key in ("c", "ArrowRight", "ArrowDown"):
        page.keyboard.press(key)
    for mode in "1234":
        page.keyboard.press(f"Shift+Digit{mode}")
        assert set(page.evaluate(NAMES_AND_PICTURES)) == {True}, mode
    page.keyboard.press("Shift+Digit2")
    for number in (3, 4):
        for key in ("c", "ArrowRight"):
            page.keyboard.press(key)
        assert page.evaluate(NAMES_AND_PICTURES) == [True] * number
    page.keyboard.press("+")
    assert page.evaluate(NAMES_AND_PICTURES) == [True] * 4


@pytest.mark.parametrize("mode", ["1", "3", "4"])
def test_nothing_to_compare_with_is_said_and_what_there_is_stays_in_view(visit, small, mode):
    page = open_first(visit, small)
    for key in ("c", f"Shift+Digit{mode}", "ArrowDown", "ArrowDown"):
        page.keyboard.press(key)
    note = page.locator(".pane.current .note")
    expect(note).to_contain_text("There is nothing to compare with")
    expect(note).to_contain_text("failed")
    expect(note).to_contain_text("NSFW filter <b>tripped</b>")
    expect(page.locator(".pane.reference .under")).to_be_visible()
    picture = page.locator(".pane.reference").bounding_box()
    assert picture["x"] + picture["width"] <= note.bounding_box()["x"] + 1
    expect(page.locator(".handle")).to_be_hidden()
    page.keyboard.press("ArrowUp")  # there is a picture again
    way = {"1": "slider", "3": "blink", "4": "difference"}[mode]
    expect(frame(page)).to_have_attribute("data-compare", way)
    expect(note).to_be_hidden()


def test_a_picture_whose_files_are_gone_is_nothing_to_compare_with(visit, watch, tmp_path):
    index = write_sheet(write_sample(tmp_path / "run", Sample(seeds=1, troubles=False, excluded=False)))
    watch.forgiven = ("ERR_FILE_NOT_FOUND",)
    page = open_first(visit, index)
    page.keyboard.press("c")
    page.keyboard.press("Shift+Digit4")
    page.keyboard.press("ArrowRight")
    # Small pictures are their own thumbnails.
    (index.parent / page.locator(".pane.current .original").get_attribute("src")).unlink()
    until(page, "location.hash.includes('compare=difference')")
    page.wait_for_timeout(200)
    again = visit(index, page.evaluate("location.hash"))
    expect(again.locator(".pane.current .note")).to_contain_text("file missing")
    expect(again.locator(".pane.current .note")).to_contain_text("There is nothing to compare with")
    expect(again.locator(".pane.reference .under")).to_be_visible()


def test_all_ways_stand_beside_what_is_compared(visit, calm):
    page = open_first(visit, calm)
    page.keyboard.press("c")
    page.keyboard.press("ArrowDown")
    box = frame(page).bounding_box()
    up, right = (page.locator(f".way.{way}").bounding_box() for way in ("up", "right"))
    assert up["y"] + up["height"] <= box["y"] + 1
    assert up["x"] + up["width"] / 2 == pytest.approx(box["x"] + box["width"] / 2, abs=1)
    assert right["x"] >= box["x"] + box["width"]
    page.keyboard.press("ArrowUp")
    down = page.locator(".way.down").bounding_box()
    assert down["y"] >= box["y"] + box["height"] - 1


def test_the_line_of_the_slider_is_as_high_as_the_picture(visit, mixed):
    page = open_first(visit, mixed, viewport={"width": 900, "height": 1200})
    page.keyboard.press("b")
    until(page, "document.querySelector('.handle').clientHeight > 0")
    width, height = (frame(page).bounding_box()[side] for side in ("width", "height"))
    assert page.locator(".handle").bounding_box()["height"] == pytest.approx(min(width, height), abs=2)
