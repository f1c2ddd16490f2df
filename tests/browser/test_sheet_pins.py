"""Several references: which of them faces this picture, what is said of it, and how one is let go."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect
from support.axe import faults
from support.browser import PHONE, until
from support.lightbox import crumbs, differing, names, open_first


def three_pinned(visit, calm, *, pins=3, **options):
    """Scales 0, 0.4 and so on pinned, and the one after them looked at."""
    page = open_first(visit, calm, **options)
    for _ in range(pins):
        page.keyboard.press("c")
        page.keyboard.press("ArrowRight")
    return page


def face(page, number):
    return page.locator(".face").nth(number - 1)


@pytest.mark.parametrize("mode", ["1", "4"])
def test_a_click_on_a_pin_chooses_which_faces_this(visit, calm, mode):
    page = three_pinned(visit, calm)
    page.keyboard.press(f"Shift+Digit{mode}")
    assert names(page) == ["Ref 1 scale 0", "This scale 1.2"]
    assert differing(page)["lora.scale"] == ["0", "1.2"]
    face(page, 2).click()
    assert names(page) == ["Ref 2 scale 0.4", "This scale 1.2"]
    assert differing(page)["lora.scale"] == ["0.4", "1.2"]
    expect(face(page, 2)).to_have_attribute("aria-pressed", "true")
    expect(face(page, 2)).to_be_focused()
    assert page.locator(".pane:visible").count() == 2
    shown = page.locator(".pane.reference:visible .other").get_attribute("alt")
    assert "scale 0.4" in shown


def test_which_one_is_chosen_stays_in_the_address_and_swaps(visit, calm):
    page = three_pinned(visit, calm)
    face(page, 3).click()
    until(page, "location.hash.includes('face=3')")
    again = visit(calm, page.evaluate("location.hash"))
    assert names(again) == ["Ref 3 scale 0.8", "This scale 1.2"]
    again.keyboard.press("s")
    assert "scale 0.8" in crumbs(again)
    assert names(again) == ["Ref 3 scale 1.2", "This scale 0.8"]
    again.keyboard.press("Shift+Digit2")
    assert differing(again)["scale"] == ["0", "0.4", "1.2", "0.8"]


def test_a_pin_is_let_go_by_an_x_of_its_own(visit, calm):
    page = three_pinned(visit, calm)
    face(page, 3).click()
    page.get_by_role("button", name="Unpin").first.click()
    assert names(page) == ["Ref 2 scale 0.8", "This scale 1.2"]  # the chosen one stays it
    page.get_by_role("button", name="Unpin").last.click()
    assert names(page) == ["Reference scale 0.4", "This scale 1.2"]
    expect(page.locator(".face .number")).to_have_count(0)
    until(page, "!location.hash.includes('face=')")
    page.get_by_role("button", name="Unpin").click()
    expect(page.locator(".comparebar")).to_be_hidden()


def test_the_fourth_pin_says_whose_place_it_takes(visit, calm):
    page = three_pinned(visit, calm)
    face(page, 3).click()  # what is looked at is not taken away
    button = page.get_by_role("button", name="Pin this one too (C)")
    expect(button).to_have_attribute(
        "title", "Pin this one too (C): 3 at most, it takes the place of scale 0.4"
    )
    page.keyboard.press("c")
    toast = page.locator("#lightbox .toast.shown")
    expect(toast).to_have_text("3 at most: it takes the place of scale 0.4")
    page.keyboard.press("Shift+Digit2")
    assert differing(page)["scale"] == ["0", "1.2", "0.8", "1.2"]
    face(page, 1).click()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("c")
    expect(toast).to_have_text("3 at most: it takes the place of scale 0.8, seed 1000")


def test_in_blink_a_click_on_a_pin_shows_it(visit, calm):
    page = three_pinned(visit, calm, reduced_motion="reduce")
    page.keyboard.press("Shift+Digit3")
    face(page, 2).click()
    expect(page.locator(".nametag:not(.away)")).to_contain_text("Ref 2")


@pytest.mark.parametrize("size", [{"viewport": {"width": 1440, "height": 900}}, PHONE], ids=["wide", "phone"])
def test_axe_finds_nothing_with_three_pins(visit, calm, size):
    page = three_pinned(visit, calm, reduced_motion="reduce", **size)
    face(page, 2).click()
    assert faults(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= size["viewport"]["width"]


def test_a_pin_beside_the_baseline_is_chosen_and_the_baseline_again(visit, calm):
    page = open_first(visit, calm)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("b")
    page.get_by_role("button", name="Pin this one too (C)").click()
    page.keyboard.press("ArrowRight")
    assert names(page) == ["Ref 1 scale 0", "This scale 0.8"]
    page.locator(".face").click()
    assert names(page) == ["Ref 2 scale 0.4", "This scale 0.8"]
    page.keyboard.press("b")
    assert names(page) == ["Ref 1 scale 0", "This scale 0.8"]
    page.keyboard.press("b")
    expect(page.locator(".comparebar")).to_be_hidden()


def test_a_click_on_a_references_name_leads_to_the_next_or_chooses(visit, calm):
    page = three_pinned(visit, calm)
    page.locator(".nametag").first.click()
    assert names(page) == ["Ref 2 scale 0.4", "This scale 1.2"]
    page.keyboard.press("Shift+Digit2")
    page.locator(".nametag").nth(2).click()
    expect(face(page, 3)).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("Shift+Digit4")
    assert names(page) == ["Ref 3 scale 0.8", "This scale 1.2"]
    page.locator(".nametag").first.click()
    assert names(page) == ["Ref 1 scale 0", "This scale 1.2"]
    page.keyboard.press("ArrowLeft")  # keys go on
    assert "scale 0.8" in crumbs(page)
