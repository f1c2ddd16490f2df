"""The browser's Back, Forward and Reload, from `file://`: a picture that is opened is one step."""

from __future__ import annotations

import re

from playwright.sync_api import expect
from support.browser import reload, until
from support.lightbox import crumbs, names

STEPS = "history.length"
GRID = "location.hash.includes('x=') && !location.hash.includes('at=')"


def lightbox(page):
    return page.locator("#lightbox")


def opened(page, number=0):
    page.locator(".cell").nth(number).click()
    expect(lightbox(page)).to_be_visible()
    until(page, "location.hash.includes('at=')")


def test_back_closes_the_picture_and_forward_opens_it(visit, calm):
    page = visit(calm)
    until(page, GRID)
    before = page.evaluate(STEPS)
    opened(page)
    for key in ("ArrowRight", "ArrowRight"):
        page.keyboard.press(key)
    page.wait_for_timeout(200)
    assert page.evaluate(STEPS) == before + 1  # however far one walked
    page.evaluate("history.back()")
    expect(lightbox(page)).to_be_hidden()
    until(page, GRID)
    expect(page.locator(".cell:focus")).to_have_attribute("title", re.compile(r"scale 0\.8"))
    page.evaluate("history.forward()")
    expect(lightbox(page)).to_be_visible()
    assert "scale 0.8" in crumbs(page)
    page.evaluate("history.back()")
    expect(lightbox(page)).to_be_hidden()
    assert page.evaluate(STEPS) == before + 1


def test_escape_takes_the_step_back_and_leaves_one_entry(visit, calm):
    page = visit(calm)
    until(page, GRID)
    before = page.evaluate(STEPS)
    for _ in range(3):
        opened(page)
        page.keyboard.press("ArrowRight")
        page.keyboard.press("Escape")
        expect(lightbox(page)).to_be_hidden()
        until(page, GRID)
        until(page, "history.state === null")
        expect(page.locator(".cell:focus")).to_have_count(1)
    assert page.evaluate(STEPS) == before + 1
    page.go_back()  # there is nothing of this page before it
    assert page.url == "about:blank"


def test_another_picture_opened_at_once_after_escape_has_its_step(visit, calm):
    page = visit(calm)
    until(page, GRID)
    opened(page)
    page.evaluate(
        "document.querySelector('#lightbox').close(); document.querySelectorAll('.cell')[2].click()"
    )
    until(page, "history.state !== null && location.hash.includes('at=')")
    expect(lightbox(page)).to_be_visible()
    assert "scale 0.8" in crumbs(page)
    page.evaluate("history.back()")
    expect(lightbox(page)).to_be_hidden()
    until(page, GRID)


def test_what_was_done_in_the_picture_is_kept_by_back(visit, calm):
    page = visit(calm)
    opened(page)
    page.keyboard.press("c")
    page.keyboard.press("ArrowRight")
    page.wait_for_timeout(200)
    page.evaluate("history.back()")
    expect(lightbox(page)).to_be_hidden()
    until(page, GRID)
    opened(page, 3)
    page.keyboard.press("c")
    assert names(page) == ["Reference scale 0", "This scale 1.2"]


def test_a_link_to_a_picture_is_no_further_step(visit, calm):
    page = visit(calm, "#at=cell.1")
    expect(lightbox(page)).to_be_visible()
    before = page.evaluate(STEPS)
    page.keyboard.press("Escape")
    expect(lightbox(page)).to_be_hidden()
    until(page, GRID)
    assert page.evaluate(STEPS) == before
    opened(page)
    page.evaluate("history.back()")
    expect(lightbox(page)).to_be_hidden()


def test_a_reload_keeps_the_picture_and_the_way_back(visit, calm):
    page = visit(calm)
    until(page, GRID)
    opened(page, 1)
    page.wait_for_timeout(200)
    reload(page)
    expect(lightbox(page)).to_be_visible()
    assert "scale 0.4" in crumbs(page)
    page.evaluate("history.back()")
    expect(lightbox(page)).to_be_hidden()
    until(page, GRID)
    page.evaluate("history.forward()")
    expect(lightbox(page)).to_be_visible()
    reload(page)
    page.keyboard.press("Escape")
    expect(lightbox(page)).to_be_hidden()
    until(page, GRID)


def test_links_followed_in_the_page_are_steps_as_ever(visit, calm):
    page = visit(calm)
    opened(page, 1)
    page.evaluate("location.hash = '#at=cell.6'")
    until(page, "document.querySelector('.crumbs').textContent.includes('1.2')")
    page.evaluate("history.back()")
    until(page, "document.querySelector('.crumbs').textContent.includes('0.4')")
    expect(lightbox(page)).to_be_visible()
    page.evaluate("history.back()")
    expect(lightbox(page)).to_be_hidden()


def test_where_the_browser_refuses_a_step_the_picture_opens_all_the_same(visit, calm):
    page = visit(calm)
    until(page, GRID)
    page.evaluate("""() => {
        const refuse = () => { throw new DOMException("no"); };
        history.pushState = history.replaceState = refuse;
    }""")
    page.locator(".cell").first.click()
    expect(lightbox(page)).to_be_visible()
    page.keyboard.press("ArrowRight")
    assert "scale 0.4" in crumbs(page)
    page.keyboard.press("Escape")
    expect(lightbox(page)).to_be_hidden()
    assert page.evaluate(GRID)
