"""Comparing in the lightbox: by key, by pointer and by touch, in each of its four ways."""

from __future__ import annotations

import io
import re
from importlib import resources

import pytest
from PIL import Image
from playwright.sync_api import expect
from support.browser import until
from support.sample_run import Sample, write_sample

from zbatch.sheet import write_sheet

AXE = resources.files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}


@pytest.fixture(scope="module")
def calm(tmp_path_factory):
    """Everything done: two subjects, two LoRAs, scales 0 to 1.2, two seeds."""
    sample = Sample(seeds=2, troubles=False, excluded=False)
    return write_sheet(write_sample(tmp_path_factory.mktemp("calm") / "run", sample))


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    """Two shapes of picture."""
    sample = Sample(sizes=("768*768", "832*1216"), seeds=1, troubles=False, excluded=False)
    return write_sheet(write_sample(tmp_path_factory.mktemp("mixed") / "run", sample))


def opened(visit, index, **options):
    page = visit(index, **options)
    page.locator(".cell").first.click()
    expect(page.locator("#lightbox")).to_be_visible()
    return page


def crumbs(page):
    return re.sub(r"\s+", " ", page.locator(".crumbs").inner_text()).strip()


def names(page):
    return [re.sub(r"\s+", " ", text) for text in page.locator(".nametag").all_inner_texts()]


def frame(page):
    return page.locator(".frame")


def differing(page):
    return {
        row.locator("th").inner_text(): row.locator("td").all_inner_texts()
        for row in page.locator(".difference tbody tr").all()
    }


def test_c_pins_and_walking_compares(visit, calm):
    page = opened(visit, calm)
    page.keyboard.press("c")
    expect(frame(page)).to_have_attribute("data-compare", "slider")
    expect(page.locator(".alike")).to_contain_text("this is the reference itself")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    assert names(page) == ["Reference scale 0, seed 1000", "This scale 0.4, seed 1001"]
    assert differing(page)["lora.scale"] == ["0", "0.4"]
    assert differing(page)["loras"] == ["—", "org/film-v2 @ 0.4"]
    assert page.locator(".promptdiff ins").all_inner_texts() == ["filmgrain "]
    assert page.locator(".promptdiff del").count() == 0
    expect(page.locator(".same")).not_to_have_attribute("open", "")
    page.locator(".same summary").click()
    expect(page.locator(".same")).to_contain_text("red fox")
    page.keyboard.press("ArrowRight")
    expect(page.locator(".same")).to_have_attribute("open", "")  # stays as it was left


def test_escape_leaves_comparing_first(visit, calm):
    page = opened(visit, calm)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("b")
    assert names(page) == ["Reference scale 0", "This scale 0.4"]
    page.keyboard.press("Escape")
    expect(page.locator(".comparebar")).to_be_hidden()
    expect(page.locator("#lightbox")).to_be_visible()
    assert frame(page).get_attribute("data-compare") is None
    page.keyboard.press("Escape")
    expect(page.locator("#lightbox")).to_be_hidden()


def test_the_baseline_goes_along_and_so_do_neighbours(visit, calm):
    page = opened(visit, calm)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.get_by_role("button", name="Compare (C)").click()
    page.get_by_role("button", name="Baseline").click()
    assert differing(page)["lora.scale"] == ["0", "0.8"]
    page.keyboard.press("ArrowDown")
    assert differing(page)["lora.scale"] == ["0", "0.8"]
    assert "seed" not in differing(page)
    page.keyboard.press("p")
    assert differing(page)["lora.scale"] == ["0.4", "0.8"]
    page.locator(".scrubber input").fill("1")
    assert differing(page)["lora.scale"] == ["0", "0.4"]
    page.locator(".scrubber input").fill("0")
    assert names(page) == ["There is no previous one here"]
    page.locator(".scrubber input").fill("1")
    page.keyboard.press("n")
    assert differing(page)["lora.scale"] == ["0.8", "0.4"]
    page.keyboard.press("n")  # again: ends it
    expect(page.locator(".comparebar")).to_be_hidden()


def test_the_slider_is_dragged_and_moved_by_keys(visit, calm):
    page = opened(visit, calm)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("b")
    handle = page.get_by_role("slider", name="How much of the reference shows")
    assert handle.get_attribute("aria-valuenow") == "50"
    box = handle.bounding_box()
    middle = box["x"] + box["width"] / 2
    page.mouse.move(middle, box["y"] + 200)
    page.mouse.down()
    page.mouse.move(middle + 120, box["y"] + 210)
    page.mouse.up()
    dragged = int(handle.get_attribute("aria-valuenow"))
    assert dragged > 60
    moved = handle.bounding_box()
    assert moved["x"] + moved["width"] / 2 == pytest.approx(middle + 120, abs=1.5)
    page.keyboard.press("ArrowLeft")  # it has the focus
    assert int(handle.get_attribute("aria-valuenow")) == dragged - 2
    page.keyboard.press("Home")
    assert handle.get_attribute("aria-valuenow") == "0"
    frame(page).focus()
    page.keyboard.press("Shift+ArrowRight")
    assert handle.get_attribute("aria-valuenow") == "5"
    assert "scale 0.4" in crumbs(page)  # nothing of it walked


def test_each_side_of_the_slider_shows_its_own_picture(visit, calm):
    page = opened(visit, calm)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("b")
    clips = page.evaluate(
        "[...document.querySelectorAll('.pane')].map(pane => getComputedStyle(pane).clipPath)"
    )
    assert len(clips) == 2
    assert len(set(clips)) == 2
    assert "none" not in clips


def test_side_by_side_up_to_four_zoomed_together(visit, calm):
    page = opened(visit, calm)
    page.keyboard.press("c")
    page.keyboard.press("2")
    for number in (1, 2, 3):
        page.keyboard.press("ArrowRight")
        assert page.locator(".pane:visible").count() == number + 1
        if number < 3:
            page.keyboard.press("c")
    assert page.locator(".nametag").count() == 4
    boxes = [pane.bounding_box() for pane in page.locator(".pane:visible").all()]
    assert len({(round(box["width"]), round(box["height"])) for box in boxes}) == 1
    assert len({(round(box["x"]), round(box["y"])) for box in boxes}) == 4
    assert differing(page)["scale"] == ["0", "0.4", "0.8", "1.2"]
    last = boxes[-1]
    page.mouse.move(last["x"] + last["width"] / 3, last["y"] + last["height"] / 3)
    page.mouse.wheel(0, -500)
    until(page, "document.querySelector('.original').style.transform.includes('scale')")
    transforms = page.locator(".pane:visible .under").evaluate_all(
        "all => all.map(one => one.style.transform)"
    )
    assert len(set(transforms)) == 1
    before = transforms[0]
    page.mouse.down()
    page.mouse.move(last["x"] + last["width"] / 3 - 40, last["y"] + last["height"] / 3 - 10)
    page.mouse.up()
    after = page.locator(".pane:visible .under").evaluate_all("all => all.map(one => one.style.transform)")
    assert len(set(after)) == 1
    assert after[0] != before
    page.locator(".pinned").first.click()
    assert page.locator(".pane:visible").count() == 3


def test_blink_alternates_at_a_rate_one_chooses(visit, calm):
    page = opened(visit, calm)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("b")
    page.keyboard.press("3")
    page.get_by_label("Rate").fill("3")
    expect(page.locator(".adjust output")).to_have_text("3/s")
    for shown in ("This", "Reference", "This"):
        expect(page.locator(".nametag:not(.away)")).to_contain_text(shown)
        assert page.locator(".pane:visible:not(.away)").count() == 1


def test_blink_waits_for_a_key_where_less_motion_is_wanted(visit, calm):
    page = opened(visit, calm, reduced_motion="reduce")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("b")
    page.keyboard.press("3")
    expect(page.locator(".adjust")).to_contain_text("Space or a tap switches")
    shown = page.locator(".nametag:not(.away)").inner_text()
    page.wait_for_timeout(1300)
    assert page.locator(".nametag:not(.away)").inner_text() == shown
    page.keyboard.press(" ")
    assert page.locator(".nametag:not(.away)").inner_text() != shown
    page.keyboard.press(" ")
    assert page.locator(".nametag:not(.away)").inner_text() == shown


def test_the_difference_of_a_picture_with_itself_is_black(visit, calm):
    page = opened(visit, calm, viewport={"width": 900, "height": 800}, color_scheme="dark")
    page.keyboard.press("c")
    page.keyboard.press("4")
    until(page, "[...document.querySelectorAll('.pane img')].every(image => image.complete)")
    page.wait_for_timeout(200)
    box = page.locator(".original").bounding_box()
    same = clip(page, box)
    assert max(same) <= 2
    page.keyboard.press("ArrowRight")
    page.wait_for_timeout(300)
    different = clip(page, box)
    assert max(different) > 2
    page.get_by_label("Gain").fill("16")
    page.wait_for_timeout(100)
    assert sum(clip(page, box)) > sum(different)
    page.keyboard.press("Shift+ArrowLeft")
    expect(page.locator(".adjust output")).to_contain_text("15")


def clip(page, box):
    """The mean colour of the middle of the picture."""
    side = min(box["width"], box["height"]) / 2
    x, y = box["x"] + box["width"] / 2 - side / 2, box["y"] + box["height"] / 2 - side * 0.4
    shot = page.screenshot(clip={"x": x, "y": y, "width": side, "height": side * 0.7})
    with Image.open(io.BytesIO(shot)) as picture:
        return picture.convert("RGB").resize((1, 1), Image.Resampling.BOX).getpixel((0, 0))


@pytest.mark.parametrize("reference", ["pinned", "baseline"])
def test_a_link_opens_the_same_comparison(visit, calm, reference):
    page = opened(visit, calm)
    page.keyboard.press("c" if reference == "pinned" else "ArrowRight")
    page.keyboard.press("ArrowRight" if reference == "pinned" else "b")
    page.keyboard.press("4")
    until(page, "location.hash.includes('compare=difference')")
    again = visit(calm, page.evaluate("location.hash"))
    expect(frame(again)).to_have_attribute("data-compare", "difference")
    assert names(again) == names(page)
    assert crumbs(again) == crumbs(page)
    page.keyboard.press("Escape")
    until(page, "!location.hash.includes('compare=')")


def test_a_link_with_nonsense_in_it_opens_the_picture(visit, calm):
    page = opened(visit, calm)
    until(page, "location.hash.includes('at=')")
    again = visit(calm, page.evaluate("location.hash") + "&compare=magic&ref=nothing&ref=cell.999999")
    expect(again.locator("#lightbox")).to_be_visible()
    expect(again.locator(".comparebar")).to_be_hidden()


def test_different_shapes_stand_whole(visit, mixed):
    page = opened(visit, mixed)
    page.get_by_label("Axis of the strip").select_option("size")
    page.keyboard.press("n")
    page.keyboard.press("2")
    boxes = [pane.bounding_box() for pane in page.locator(".pane:visible").all()]
    assert boxes[0]["width"] == pytest.approx(boxes[1]["width"], abs=1)
    assert boxes[0]["height"] == pytest.approx(boxes[1]["height"], abs=1)
    assert differing(page)["size"] == ["portrait", "768*768"]
    for mode in "134":
        page.keyboard.press(mode)
        assert page.locator(".pane").count() == 2


def test_what_has_no_picture_says_why_in_its_pane(visit, small):
    page = opened(visit, small)
    for key in ("c", "2", "ArrowDown", "ArrowDown"):
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
    page = opened(visit, calm)
    for key in ("c", "ArrowRight", "c", "ArrowRight", "2"):
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
    page = opened(visit, narrow, reduced_motion="reduce", **size)
    for key in ("c", "ArrowRight", "ArrowDown"):
        page.keyboard.press(key)
    for mode in "1234":
        page.keyboard.press(mode)
        assert set(page.evaluate(NAMES_AND_PICTURES)) == {True}, mode
    page.keyboard.press("2")
    for number in (3, 4):
        for key in ("c", "ArrowRight"):
            page.keyboard.press(key)
        assert page.evaluate(NAMES_AND_PICTURES) == [True] * number
    page.keyboard.press("+")
    assert page.evaluate(NAMES_AND_PICTURES) == [True] * 4


@pytest.mark.parametrize("mode", ["1", "3", "4"])
def test_nothing_to_compare_with_is_said_and_what_there_is_stays_in_view(visit, small, mode):
    page = opened(visit, small)
    for key in ("c", mode, "ArrowDown", "ArrowDown"):
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
    page = opened(visit, index)
    page.keyboard.press("c")
    page.keyboard.press("4")
    page.keyboard.press("ArrowRight")
    # Small pictures are their own thumbnails.
    (index.parent / page.locator(".pane.current .original").get_attribute("src")).unlink()
    until(page, "location.hash.includes('compare=difference')")
    page.wait_for_timeout(200)
    again = visit(index, page.evaluate("location.hash"))
    expect(again.locator(".pane.current .note")).to_contain_text("file missing")
    expect(again.locator(".pane.current .note")).to_contain_text("There is nothing to compare with")
    expect(again.locator(".pane.reference .under")).to_be_visible()


def test_pins_wait_until_they_are_let_go(visit, calm):
    page = opened(visit, calm)
    page.keyboard.press("c")
    page.keyboard.press("Escape")  # ends comparing
    page.keyboard.press("Escape")
    expect(page.locator("#lightbox")).to_be_hidden()
    page.locator(".cell").nth(2).click()
    expect(page.locator(".comparebar")).to_be_hidden()
    until(page, "location.hash.includes('pin=')")
    again = visit(calm, page.evaluate("location.hash"))
    again.get_by_role("button", name="Compare with 1 pinned (C)").click()
    assert names(again) == ["Reference scale 0", "This scale 0.8"]
    again.keyboard.press("p")
    assert names(again) == ["Reference scale 0.4", "This scale 0.8"]
    again.keyboard.press("p")  # ends it: the pin was not lost to it
    again.keyboard.press("c")
    assert names(again) == ["Reference scale 0", "This scale 0.8"]
    again.keyboard.press("Escape")
    again.get_by_role("button", name="Let the pins go").click()
    expect(again.get_by_role("button", name="Compare (C)")).to_be_visible()
    until(again, "!location.hash.includes('pin=')")


def test_all_ways_stand_beside_what_is_compared(visit, calm):
    page = opened(visit, calm)
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


def test_zoom_is_kept_when_comparing_begins_and_ends(visit, calm):
    page = opened(visit, calm)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("+")
    page.keyboard.press("+")
    page.keyboard.press("b")
    scales = page.locator(".pane:visible .under").evaluate_all(
        "all => all.map(one => one.style.transform.match(/scale\\(([\\d.]+)\\)/)[1])"
    )
    assert [float(scale) for scale in scales] == pytest.approx([1.96, 1.96])
    page.keyboard.press("Escape")
    assert "scale(1.96)" in page.locator(".original").evaluate("image => image.style.transform")


def test_keys_go_on_after_what_had_the_focus_is_gone(visit, calm):
    page = opened(visit, calm)
    page.keyboard.press("ArrowRight")
    page.get_by_role("button", name="Compare (C)").click()
    page.locator(".pinned").click()  # unpins it, and is gone
    page.keyboard.press("ArrowRight")
    assert "scale 0.8" in crumbs(page)
    page.keyboard.press("b")
    page.get_by_role("button", name="End comparing (Esc)").click()
    page.keyboard.press("ArrowLeft")
    assert "scale 0.4" in crumbs(page)
    page.get_by_role("button", name="Copy prompt").focus()
    page.keyboard.press("i")  # hides the panel it stands in
    page.keyboard.press("ArrowLeft")
    assert "scale 0 " in crumbs(page)


def test_x_swaps_with_the_reference(visit, calm):
    page = opened(visit, calm)
    page.keyboard.press("c")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("x")
    assert "scale 0 " in crumbs(page)
    assert names(page) == ["Reference scale 0.4", "This scale 0"]


def test_only_what_is_compared_and_neighbours_are_loaded(visit, large):
    page = visit(large)
    originals = set()
    page.on("request", lambda request: originals.add(request.url) if "/images/" in request.url else None)
    page.locator(".cell").nth(3).click()
    page.keyboard.press("b")
    page.wait_for_timeout(400)
    assert 1 <= len(originals) <= 6  # it, four neighbours, the baseline


def test_by_touch_on_a_phone(visit, calm):
    page = visit(calm, **PHONE)
    page.locator(".cell").nth(1).tap()
    page.get_by_role("button", name="Compare (C)").tap()
    expect(frame(page)).to_have_attribute("data-compare", "slider")
    page.locator(".stop").nth(3).tap()
    assert names(page) == ["Reference scale 0.4", "This scale 1.2"]
    for mode in ("Side by side", "Blink", "Difference", "Slider"):
        page.get_by_role("button", name=mode, exact=True).tap()
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        assert frame(page).bounding_box()["width"] == 390
        bar = page.locator(".comparebar").bounding_box()
        assert bar["height"] < 100
    page.get_by_role("button", name="End comparing (Esc)").tap()
    expect(page.locator(".comparebar")).to_be_hidden()
    expect(page.locator("#lightbox")).to_be_visible()


def test_the_help_opens_over_the_lightbox_and_tells_the_keys(visit, calm):
    page = opened(visit, calm)
    page.keyboard.press("?")
    help_ = page.locator("#help")
    expect(help_).to_contain_text("swap with the reference")
    page.keyboard.press("Escape")
    expect(help_).to_be_hidden()
    expect(page.locator("#lightbox")).to_be_visible()


def test_hostile_texts_are_only_text(visit, hostile):
    page = visit(hostile)
    page.locator(".cell").last.scroll_into_view_if_needed()
    page.locator(".cell").last.click()
    page.keyboard.press("c")
    page.keyboard.press("2")
    for key in ("ArrowUp", "ArrowLeft", "[", "ArrowUp"):
        page.keyboard.press(key)
    expect(page.locator(".difference")).to_be_visible()
    assert page.evaluate("document.title") != "owned"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [{"viewport": {"width": 1440, "height": 900}}, PHONE], ids=["wide", "phone"])
def test_axe_finds_nothing_while_comparing(visit, calm, scheme, size):
    page = visit(calm, color_scheme=scheme, reduced_motion="reduce", **size)
    page.locator(".cell").nth(1).click()
    for key in ("c", "ArrowRight"):
        page.keyboard.press(key)
    page.evaluate(AXE)
    for mode in "1234":
        page.keyboard.press(mode)
        page.wait_for_timeout(200)
        found = page.evaluate(
            """async () => (await axe.run(document, { resultTypes: ["violations"] })).violations.map(
                ({ id, nodes }) => [id, ...nodes.slice(0, 4).map(({ html }) => html.slice(0, 200))])"""
        )
        assert found == [], mode


def test_the_line_of_the_slider_is_as_high_as_the_picture(visit, mixed):
    page = opened(visit, mixed, viewport={"width": 900, "height": 1200})
    page.keyboard.press("b")
    until(page, "document.querySelector('.handle').clientHeight > 0")
    width, height = (frame(page).bounding_box()[side] for side in ("width", "height"))
    assert page.locator(".handle").bounding_box()["height"] == pytest.approx(min(width, height), abs=2)


def test_a_relation_chosen_takes_back_what_was_said_of_the_pin(visit, calm):
    page = opened(visit, calm)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("c")
    toast = page.locator("#lightbox .toast.shown")
    expect(toast).to_contain_text("Pinned")
    page.keyboard.press("b")
    expect(toast).to_have_count(0, timeout=500)
