"""The lightbox on a phone: the picture at the top at full width, the strip under it, then what is known."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect
from support.browser import until
from support.sample_run import Sample, write_sample

from zbatch.sheet import write_sheet

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}


@pytest.fixture(scope="module")
def tall(tmp_path_factory):
    sample = Sample(sizes=("832*1216",), loras=("film",), troubles=False)
    return write_sheet(write_sample(tmp_path_factory.mktemp("tall") / "run", sample))


def boxes(page):
    return [page.locator(name).bounding_box() for name in ("#lightbox .top", ".frame", ".scrubber", ".side")]


def open_on(visit, index, **options):
    page = visit(index, **{**PHONE, **options})
    page.locator(".cell").nth(1).click()
    until(page, "document.querySelector('.original').naturalWidth > 0")
    return page


def test_nothing_is_empty_and_all_of_it_is_on_the_screen(visit, small):
    top, frame, scrubber, side = boxes(open_on(visit, small))
    assert (frame["x"], frame["width"]) == (0, 390)
    assert frame["height"] == pytest.approx(390, abs=1)  # the pictures are square: no bands
    for upper, lower in ((top, frame), (frame, scrubber), (scrubber, side)):
        assert lower["y"] == pytest.approx(upper["y"] + upper["height"], abs=1)
    assert scrubber["y"] + scrubber["height"] < 700
    assert side["y"] + side["height"] == pytest.approx(844, abs=1)


def test_a_tall_picture_leaves_room_for_what_is_below(visit, tall):
    _, frame, scrubber, side = boxes(open_on(visit, tall))
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
    _, frame, scrubber, side = boxes(page)
    assert frame["height"] > 200
    assert side["x"] >= frame["x"] + frame["width"]
    assert scrubber["y"] + scrubber["height"] <= 391


def test_a_long_prompt_does_not_hide_the_other_coordinates(visit, tmp_path):
    places = ("misty autumn", "snowy winter")
    prompts = tuple(f"a red fox sitting on a mossy log in a {place} forest at dawn" for place in places)
    page = open_on(visit, write_sheet(write_sample(tmp_path / "run", Sample(subjects=prompts))))
    crumbs = page.locator(".crumbs").bounding_box()
    for pair in page.locator(".crumbs .pair").all():
        box = pair.bounding_box()
        assert box["y"] + box["height"] <= crumbs["y"] + crumbs["height"] + 1
