"""A keyboard alone: from a fresh page into the grid, through it, and between it and the search."""

from __future__ import annotations

from playwright.sync_api import expect
from support.browser import until

FOCUSED = "document.activeElement.querySelector('img')?.alt ?? document.activeElement.id"


def scrolled(page):
    return page.locator("#scroller").evaluate("element => element.scrollTop")


def test_arrows_go_to_the_grid_from_a_fresh_page(visit, calm):
    page = visit(calm)
    assert page.evaluate("document.activeElement === document.body")
    page.keyboard.press("ArrowRight")  # now one sees where one is
    assert "scale 0," in page.evaluate(FOCUSED)
    page.keyboard.press("ArrowRight")
    assert "scale 0.4" in page.evaluate(FOCUSED)
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("ArrowRight")  # from where one was
    assert "scale 0.8" in page.evaluate(FOCUSED)


def test_keys_that_scroll_do_so_at_once(visit, large):
    page = visit(large, "#size=160")
    page.keyboard.press("PageDown")
    once = scrolled(page)
    assert once > 400
    page.keyboard.press("PageDown")
    assert scrolled(page) > 1.8 * once
    page.keyboard.press("PageUp")
    assert abs(scrolled(page) - once) < 60
    page.keyboard.press("Control+End")
    until(
        page,
        "document.querySelector('#scroller').scrollTop + document.querySelector('#scroller').clientHeight"
        " > document.querySelector('#scroller').scrollHeight - 60",
    )
    page.keyboard.press("Control+Home")
    assert scrolled(page) < 60


def test_home_and_end_stay_in_the_row_and_with_ctrl_go_through_all(visit, calm):
    page = visit(calm)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    where = page.evaluate(FOCUSED)
    assert "scale 0," in where
    page.keyboard.press("End")
    last = page.evaluate(FOCUSED)
    assert last == where.replace("scale 0,", "scale 1.2,")
    page.keyboard.press("Home")
    assert page.evaluate(FOCUSED) == where
    page.keyboard.press("Control+End")
    assert "barn owl" in page.evaluate(FOCUSED)
    assert "scale 1.2, seed 1001" in page.evaluate(FOCUSED)
    page.keyboard.press("Control+Home")
    assert "red fox" in page.evaluate(FOCUSED)
    assert "scale 0, seed 1000" in page.evaluate(FOCUSED)
    page.keyboard.press("?")
    expect(page.locator("#help")).to_contain_text("first, last of the row; with Ctrl, of all")


def test_enter_opens_what_is_first_in_the_window(visit, calm, large):
    page = visit(calm)
    page.keyboard.press("Enter")
    expect(page.locator(".crumbs")).to_contain_text("1000")
    page = visit(large)
    page.locator("#scroller").evaluate("element => { element.scrollTop = element.scrollHeight; }")
    page.wait_for_timeout(200)
    page.keyboard.press("ArrowDown")
    assert "subject 3" in page.evaluate(FOCUSED)
    before = scrolled(page)
    page.keyboard.press("ArrowDown")
    assert scrolled(page) >= before


def test_the_first_stop_leads_to_the_images(visit, calm):
    page = visit(calm)
    skip = page.get_by_role("link", name="To the images")
    page.keyboard.press("Tab")
    expect(skip).to_be_focused()
    box = skip.bounding_box()
    assert box["width"] > 60
    assert box["y"] >= 0
    page.keyboard.press("Enter")
    assert "scale 0," in page.evaluate(FOCUSED)
    expect(page.locator("#lightbox")).to_be_hidden()
    assert skip.bounding_box()["width"] <= 1


def test_the_search_is_left_for_what_it_found(visit, calm):
    page = visit(calm)
    for key in ("Enter", "ArrowDown"):
        page.keyboard.press("/")
        page.keyboard.type("owl scale>0.6")
        page.keyboard.press(key)
        assert "barn owl" in page.evaluate(FOCUSED)
        assert "scale 0.8" in page.evaluate(FOCUSED)
        assert page.locator("#search").input_value() == "owl scale>0.6"
    page.keyboard.press("/")
    page.keyboard.press("Escape")
    assert page.locator("#search").input_value() == ""
    expect(page.locator("#search")).to_be_focused()
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement === document.body")


def test_where_nothing_matches_the_search_keeps_the_focus(visit, calm):
    page = visit(calm)
    page.keyboard.press("/")
    page.keyboard.type("zebra")
    page.keyboard.press("Enter")
    expect(page.locator("#search")).to_be_focused()
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    page.keyboard.press("ArrowDown")
    assert "scale 0," in page.evaluate(FOCUSED)
