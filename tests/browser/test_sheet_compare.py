"""Comparing in the lightbox: by key, by pointer and by touch, in each of its four ways."""

from __future__ import annotations

import io

import pytest
from PIL import Image
from playwright.sync_api import expect
from support.axe import faults
from support.browser import PHONE, until
from support.lightbox import crumbs, differing, frame, names, open_first


def test_c_pins_and_walking_compares(visit, calm):
    page = open_first(visit, calm)
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
    page = open_first(visit, calm)
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
    page = open_first(visit, calm)
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
    page = open_first(visit, calm)
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
    page = open_first(visit, calm)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("b")
    clips = page.evaluate(
        "[...document.querySelectorAll('.pane')].map(pane => getComputedStyle(pane).clipPath)"
    )
    assert len(clips) == 2
    assert len(set(clips)) == 2
    assert "none" not in clips


def test_side_by_side_up_to_four_zoomed_together(visit, calm):
    page = open_first(visit, calm)
    page.keyboard.press("c")
    page.keyboard.press("Shift+Digit2")
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
    page.locator(".unpin").first.click()
    assert page.locator(".pane:visible").count() == 3


def test_blink_alternates_at_a_rate_one_chooses(visit, calm):
    page = open_first(visit, calm)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("b")
    page.keyboard.press("Shift+Digit3")
    page.get_by_label("Rate").fill("3")
    expect(page.locator(".adjust output")).to_have_text("3/s")
    for shown in ("This", "Reference", "This"):
        expect(page.locator(".nametag:not(.away)")).to_contain_text(shown)
        assert page.locator(".pane:visible:not(.away)").count() == 1


def test_blink_waits_for_a_key_where_less_motion_is_wanted(visit, calm):
    page = open_first(visit, calm, reduced_motion="reduce")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("b")
    page.keyboard.press("Shift+Digit3")
    expect(page.locator(".adjust")).to_contain_text("Space or a tap switches")
    shown = page.locator(".nametag:not(.away)").inner_text()
    page.wait_for_timeout(1300)
    assert page.locator(".nametag:not(.away)").inner_text() == shown
    page.keyboard.press(" ")
    assert page.locator(".nametag:not(.away)").inner_text() != shown
    page.keyboard.press(" ")
    assert page.locator(".nametag:not(.away)").inner_text() == shown


def test_the_difference_of_a_picture_with_itself_is_black(visit, calm):
    page = open_first(visit, calm, viewport={"width": 900, "height": 800}, color_scheme="dark")
    page.keyboard.press("c")
    page.keyboard.press("Shift+Digit4")
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
    page = open_first(visit, calm)
    page.keyboard.press("c" if reference == "pinned" else "ArrowRight")
    page.keyboard.press("ArrowRight" if reference == "pinned" else "b")
    page.keyboard.press("Shift+Digit4")
    until(page, "location.hash.includes('compare=difference')")
    again = visit(calm, page.evaluate("location.hash"))
    expect(frame(again)).to_have_attribute("data-compare", "difference")
    assert names(again) == names(page)
    assert crumbs(again) == crumbs(page)
    page.keyboard.press("Escape")
    until(page, "!location.hash.includes('compare=')")


def test_a_link_with_nonsense_in_it_opens_the_picture(visit, calm):
    page = open_first(visit, calm)
    until(page, "location.hash.includes('at=')")
    again = visit(calm, page.evaluate("location.hash") + "&compare=magic&ref=nothing&ref=cell.999999")
    expect(again.locator("#lightbox")).to_be_visible()
    expect(again.locator(".comparebar")).to_be_hidden()


def test_pins_wait_until_they_are_let_go(visit, calm):
    page = open_first(visit, calm)
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


def test_zoom_is_kept_when_comparing_begins_and_ends(visit, calm):
    page = open_first(visit, calm)
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
    page = open_first(visit, calm)
    page.keyboard.press("ArrowRight")
    page.get_by_role("button", name="Compare (C)").click()
    page.locator(".unpin").click()  # unpins it, and is gone
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
    page = open_first(visit, calm)
    page.keyboard.press("c")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("s")
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
    page = open_first(visit, calm)
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
    page.keyboard.press("Shift+Digit2")
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
    for mode in "1234":
        page.keyboard.press(f"Shift+Digit{mode}")
        assert faults(page) == [], mode


def test_a_relation_chosen_takes_back_what_was_said_of_the_pin(visit, calm):
    page = open_first(visit, calm)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("c")
    toast = page.locator("#lightbox .toast.shown")
    expect(toast).to_contain_text("Pinned")
    page.keyboard.press("b")
    expect(toast).to_have_count(0, timeout=500)


def test_the_bar_is_one_line_in_a_usual_window_and_what_wraps_stays_together(visit, calm):
    page = open_first(visit, calm)
    page.keyboard.press("c")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+Digit4")
    expect(page.locator(".adjust")).to_be_visible()
    middles = """() => [...document.querySelectorAll('.comparebar :is(.segments, .square:not([hidden]))')]
        .map(one => one.getBoundingClientRect()).map(({ y, height }) => Math.round(y + height / 2))"""
    assert len(set(page.evaluate(middles))) == 1
    page.set_viewport_size({"width": 900, "height": 800})
    ways, *against = page.evaluate(middles)
    assert len(set(against)) == 1
    assert against[0] > ways
