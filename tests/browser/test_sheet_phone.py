"""The lightbox on a phone: the picture at the top at full width, the strip under it, then what is known."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect
from support.browser import PHONE, until
from support.lightbox import crumbs
from support.sample_run import Sample, write_sample

from zbatch.sheet import write_sheet


@pytest.fixture(scope="module")
def tall(tmp_path_factory):
    sample = Sample(sizes=("832*1216",), loras=("film",), troubles=False)
    return write_sheet(write_sample(tmp_path_factory.mktemp("tall") / "run", sample))


def boxes(page):
    return [
        page.locator(name).bounding_box()
        for name in ("#lightbox .top", ".frame", ".judge", ".scrubber", ".side")
    ]


def open_on(visit, index, **options):
    page = visit(index, **{**PHONE, **options})
    page.locator(".cell").nth(1).click()
    until(page, "document.querySelector('.original').naturalWidth > 0")
    return page


class Fingers:
    """Two hands' worth of touch events, as a screen sends them."""

    def __init__(self, page):
        self._session = page.context.new_cdp_session(page)

    def _send(self, kind, points):
        touches = [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(points)]
        self._session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": touches})

    def go(self, *ways):
        """Each way is a start and an end; all fingers move at once."""
        self._send("touchStart", [ways[0][0]])
        if len(ways) > 1:  # a hand never lands all at once
            self._send("touchStart", [start for start, _ in ways])
        for step in range(1, 9):
            self._send(
                "touchMove",
                [(x0 + (x1 - x0) * step / 8, y0 + (y1 - y0) * step / 8) for (x0, y0), (x1, y1) in ways],
            )
        self._send("touchEnd", [])


def scale(page):
    found = re.search(r"scale\(([\d.]+)\)", transform(page))
    return float(found[1]) if found else 1


def transform(page):
    return page.locator(".original").evaluate("image => image.style.transform")


def test_two_fingers_bring_it_closer_and_one_moves_it_then(visit, small):
    page = open_on(visit, small)
    box = page.locator(".frame").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    before = crumbs(page)
    fingers = Fingers(page)
    fingers.go(((x - 30, y), (x - 90, y)), ((x + 30, y), (x + 90, y)))
    assert scale(page) == pytest.approx(3, rel=0.02)
    at = transform(page)
    fingers.go(((x, y), (x - 80, y - 40)))  # a swipe, were it not closer
    assert transform(page) != at
    assert crumbs(page) == before
    at = transform(page)
    page.locator(".scrubber input").fill("2")
    assert crumbs(page) != before
    assert transform(page) == at
    fingers.go(((x - 150, y), (x - 10, y)), ((x + 150, y), (x + 10, y)))
    assert transform(page) == ""
    fingers.go(((x + 60, y), (x - 60, y)))  # a swipe again
    assert "scale 1.2" in crumbs(page)
    assert page.evaluate("visualViewport.scale") == 1  # the picture, not the page


def test_what_lies_between_two_fingers_goes_along_with_them(visit, small):
    page = open_on(visit, small)
    box = page.locator(".frame").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    Fingers(page).go(((x - 40, y), (x - 20, y + 50)), ((x + 40, y), (x + 140, y + 50)))
    left, top = (float(number) for number in re.findall(r"(-?[\d.]+)px", transform(page)))
    assert scale(page) == pytest.approx(2, rel=0.02)
    assert (left, top) == (pytest.approx(60, abs=3), pytest.approx(50, abs=3))


def test_two_fingers_move_all_that_is_compared(visit, small):
    page = open_on(visit, small)
    page.keyboard.press("b")
    page.keyboard.press("Shift+Digit2")
    box = page.locator(".pane.current").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    Fingers(page).go(((x - 20, y), (x - 50, y)), ((x + 20, y), (x + 50, y)))
    both = page.locator(".pane:visible .under").evaluate_all("all => all.map(one => one.style.transform)")
    assert len(both) == 2
    assert len(set(both)) == 1
    assert scale(page) == pytest.approx(2.5, rel=0.03)


def test_short_coordinates_are_always_in_view(visit, tmp_path):
    prompts = tuple(f"a {animal} " + "in a long and winding sentence " * 8 for animal in ("fox", "crow"))
    page = open_on(visit, write_sheet(write_sample(tmp_path / "run", Sample(subjects=prompts))))
    for word in ("film", "0.4", "1000"):
        value = page.locator(".crumbs .value", has_text=re.compile(f"^{word}$"))
        expect(value).to_be_in_viewport(ratio=1)
        assert value.evaluate("element => element.scrollWidth <= element.clientWidth + 1")
    assert page.locator("#lightbox .top").bounding_box()["height"] < 90


def test_the_details_close_by_their_own_button(visit, small):
    page = open_on(visit, small)
    side = page.locator(".side")
    page.get_by_role("button", name="Close this panel (I)").tap()
    expect(side).to_be_hidden()
    page.get_by_role("button", name="Details (I)", exact=True).tap()
    expect(side).to_be_visible()
    side.focus()
    page.keyboard.press("Escape")  # closes the picture, as everywhere in it
    expect(page.locator("#lightbox")).to_be_hidden()


def test_the_values_close_by_their_button_by_escape_and_by_a_tap_beside(visit, small):
    page = visit(small, **PHONE)
    panel = page.locator("#panel")
    values = page.get_by_role("button", name="Show or hide values (V)")
    values.tap()
    page.get_by_role("button", name="Close the values (V)").tap()
    expect(panel).to_be_hidden()
    values.tap()
    page.keyboard.press("Escape")
    expect(panel).to_be_hidden()
    values.tap()
    page.touchscreen.tap(370, 500)
    expect(panel).to_be_hidden()
    expect(page.locator("#lightbox")).to_be_hidden()  # the tap opened nothing


def test_nothing_is_empty_and_all_of_it_is_on_the_screen(visit, small):
    top, frame, judge, scrubber, side = boxes(open_on(visit, small))
    assert (frame["x"], frame["width"]) == (0, 390)
    assert frame["height"] == pytest.approx(390, abs=1)  # the pictures are square: no bands
    for upper, lower in ((top, frame), (frame, judge), (judge, scrubber), (scrubber, side)):
        assert lower["y"] == pytest.approx(upper["y"] + upper["height"], abs=1)
    assert scrubber["y"] + scrubber["height"] < 700
    assert side["y"] + side["height"] == pytest.approx(844, abs=1)


def test_a_tall_picture_leaves_room_for_what_is_below(visit, tall):
    _, frame, _, scrubber, side = boxes(open_on(visit, tall))
    assert frame["height"] <= 0.57 * 844
    assert scrubber["y"] + scrubber["height"] < 844 - 100
    assert side["height"] >= 180 - 1


def test_what_is_known_scrolls_under_the_picture(visit, small):
    page = open_on(visit, small)
    side = page.locator(".side")
    assert side.evaluate("element => element.scrollHeight > element.clientHeight + 100")
    side.evaluate("element => { element.scrollTop = 200; }")
    page.locator(".scrubber input").fill("2")
    assert side.evaluate("element => element.scrollTop") == 200  # the same line, picture by picture
    page.get_by_role("button", name="Details (I)").click()
    expect(side).to_be_hidden()
    assert page.locator(".frame").bounding_box()["width"] == 390


def test_a_phone_that_lies_has_all_beside_each_other(visit, small):
    page = open_on(visit, small, viewport={"width": 844, "height": 390})
    _, frame, _, scrubber, side = boxes(page)
    assert frame["height"] > 200
    assert side["x"] >= frame["x"] + frame["width"]
    assert scrubber["y"] + scrubber["height"] <= 391


def test_a_long_prompt_does_not_hide_the_other_coordinates(visit, tmp_path):
    places = ("misty autumn", "snowy winter")
    prompts = tuple(f"a red fox sitting on a mossy log in a {place} forest at dawn" for place in places)
    page = open_on(visit, write_sheet(write_sample(tmp_path / "run", Sample(subjects=prompts))))
    bar = page.locator(".crumbs").bounding_box()
    for pair in page.locator(".crumbs .pair").all():
        box = pair.bounding_box()
        assert box["y"] + box["height"] <= bar["y"] + bar["height"] + 1


def test_a_bar_that_scrolls_sideways_fades_where_there_is_more(visit, small):
    page = visit(small, **PHONE)
    bar = page.locator("#axes")
    expect(bar).to_have_class("axes moreafter")
    assert "gradient" in bar.evaluate("element => getComputedStyle(element).maskImage")
    bar.evaluate("element => { element.scrollLeft = 60; }")
    expect(bar).to_have_class("axes moreafter morebefore")
    bar.evaluate("element => { element.scrollLeft = element.scrollWidth; }")
    expect(bar).to_have_class("axes morebefore")


def test_a_bar_that_is_whole_does_not_fade(visit, small):
    page = visit(small)
    page.wait_for_timeout(300)
    assert page.locator(".morebefore, .moreafter").count() == 0


def test_arrows_lie_beside_a_low_picture(visit, tmp_path):
    sample = Sample(sizes=("1024*256",), troubles=False)
    page = open_on(visit, write_sheet(write_sample(tmp_path / "run", sample)))
    page.keyboard.press("ArrowDown")
    frame = page.locator(".frame").bounding_box()
    middle, low = frame["y"] + frame["height"] / 2, frame["width"] / 4 / 2
    for way in ("up", "down"):
        box = page.locator(f".way.{way}").bounding_box()
        away = max(box["y"] - middle, middle - box["y"] - box["height"])
        assert away >= low - 4, way


LYING = {**PHONE, "viewport": {"width": 844, "height": 390}}


def test_on_a_phone_that_lies_the_head_leaves_the_window_to_the_pictures(visit, small):
    page = visit(small, **LYING)
    assert page.locator(".head").bounding_box()["height"] <= 84
    assert page.locator("#scroller").bounding_box()["height"] >= 300
    for name in ("#axes", "#facts"):  # what does not fit is pushed sideways, and fades
        expect(page.locator(name)).to_have_class(re.compile("moreafter"))
    first = page.locator(".cell").first.bounding_box()
    assert first["y"] + first["height"] < 390


@pytest.mark.parametrize("phone", [PHONE, LYING], ids=["upright", "lying"])
def test_the_counts_keep_no_hole_and_their_places_on_a_phone(visit, small, phone):
    page = visit(small, **phone)
    total, pills = page.locator(".total"), page.locator(".pill")
    places = "all => all.map(one => one.getBoundingClientRect()).map(({ x, y, height }) => [x, y, height])"
    before = pills.evaluate_all(places)
    box = total.bounding_box()
    assert before[0][0] == pytest.approx(box["x"], abs=1)  # on a line of their own, from its beginning
    assert before[0][1] >= box["y"] + box["height"] - 1
    assert min(height for _, _, height in before) >= 24
    page.locator("#search").fill("fox")
    expect(total).to_have_text("24 of 45 cells")
    assert pills.evaluate_all(places) == before
    gaps = """() => [...document.querySelectorAll('.pill')].map(one => one.getBoundingClientRect())
        .map((box, at, all) => at && box.left - all[at - 1].right).slice(1)"""
    assert max(page.evaluate(gaps)) <= 6


@pytest.mark.parametrize("details", [True, False], ids=["details", "bare"])
def test_on_a_phone_that_lies_all_of_an_open_picture_is_in_the_window(visit, small, details):
    page = open_on(visit, small, **LYING)
    page.keyboard.press("b")
    page.keyboard.press("Shift+Digit2")
    if not details:
        page.keyboard.press("i")
    assert page.locator(".frame").bounding_box()["height"] >= (235 if details else 265)
    for name in (
        "#lightbox .top",
        ".comparebar",
        ".frame",
        ".judge",
        ".scrubber",
        ".pick select",
        ".track input",
    ):
        expect(page.locator(name)).to_be_in_viewport(ratio=0.95)
    bars = [page.locator(name).bounding_box() for name in (".judge", ".scrubber")]
    assert (bars[0]["y"] + bars[0]["height"] <= bars[1]["y"] + 1) == details  # else beside each other
    if details:
        assert page.locator(".copies").bounding_box()["height"] < 44
        page.locator(".copies .closer").tap()
        expect(page.locator(".side")).to_be_hidden()
