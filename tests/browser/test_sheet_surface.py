"""What goes on being shown stays in the page, where it belongs, and says what it should."""

from __future__ import annotations

from playwright.sync_api import expect
from support.browser import until

MARK = "document.querySelectorAll('.cell').forEach((cell) => { cell.kept = true; })"
DRAWN = "[...document.querySelectorAll('.cell img')].every((image) => image.hasAttribute('src'))"
KEPT = "[...document.querySelectorAll('.cell')].filter((cell) => cell.kept).length"
CELLS = "document.querySelectorAll('.cell').length"

IN_ORDER = """
() => {
  const place = (element) => new DOMMatrix(getComputedStyle(element).transform);
  const lines = [...document.querySelectorAll(".line")];
  const tops = lines.filter((line) => line.firstElementChild).map((line) => place(line.firstElementChild).f);
  const ascends = (numbers) => numbers.every((number, at) => at === 0 || numbers[at - 1] < number);
  return ascends(lines.map((line) => Number(line.ariaRowIndex))) && ascends(tops) && lines.every((line) => {
    const cells = [...line.children];
    const columns = cells.map((cell) => Number(cell.ariaColIndex));
    return ascends(columns) && ascends(cells.map((cell) => place(cell).e));
  });
}
"""


def told(page):
    """What stands where: row and column as a screen reader counts them, and what the cell says."""
    return page.locator(".cell").evaluate_all(
        """cells => cells.map(cell => [
          cell.parentElement.ariaRowIndex, cell.ariaColIndex, cell.title, cell.className,
          cell.dataset.stack ?? "", cell.querySelector("img")?.getAttribute("src") ?? "",
          cell.innerText, cell.style.transform, cell.style.width,
        ])"""
    )


def test_cells_that_are_still_shown_are_the_same_elements(visit, small):
    page = visit(small)
    before = page.evaluate(CELLS)
    page.evaluate(MARK)
    page.locator("#search").fill("scale>0")
    until(page, f"{CELLS} < {before}")
    assert page.evaluate(KEPT) == page.evaluate(CELLS)
    page.locator("#swap").click()
    assert page.evaluate(KEPT) > 0
    page.evaluate(MARK)
    page.locator("#size").fill("240")
    until(page, "parseInt(document.querySelector('.cell').style.width) > 230")
    assert page.evaluate("document.querySelector('.cell[data-state=done]').kept")


def test_pictures_that_come_back_are_the_same_elements(visit, small):
    page = visit(small)
    page.evaluate(MARK)
    page.evaluate("document.querySelectorAll('.cell').forEach((cell) => cell.classList.add('twin', 'fresh'))")
    before = told(page)
    page.locator("#search").fill("scale>0")
    until(page, f"{CELLS} < {len(before)}")
    page.locator("#search").fill("")
    until(page, f"{CELLS} === {len(before)}")
    assert page.evaluate(KEPT) == len(before)
    # What was pointed at, or had just come, is not when it is back.
    gone = page.locator(".cell").evaluate_all(
        "cells => cells.filter(cell => !cell.matches('.twin, .fresh')).length"
    )
    assert 0 < gone < len(before)


def test_no_more_than_two_windows_full_wait_aside(visit, large):
    page = visit(large)
    page.evaluate("globalThis.seen = new Set()")
    look = "document.querySelectorAll('.cell').forEach((cell) => seen.add(new WeakRef(cell)))"
    for _ in range(12):
        page.evaluate(look)
        page.locator("#scroller").evaluate("root => { root.scrollTop += root.clientHeight; }")
        page.wait_for_timeout(150)  # faster, and they would be blank
    assert page.evaluate("seen.size") > 300
    page.request_gc()
    assert page.evaluate("[...seen].filter((one) => one.deref()).length") < 300


def test_what_is_said_of_a_picture_meanwhile_is_seen_when_it_comes_back(visit, small):
    page = visit(small)
    page.locator(".cell[data-state=done]").first.focus()
    page.keyboard.press("4")
    expect(page.locator(".cell[data-mark]")).not_to_have_count(0)
    title = page.locator(".cell[data-mark]").first.get_attribute("title")
    assert "4" in title
    page.locator("#search").fill("is:unjudged")
    expect(page.locator(".cell[data-mark]")).to_have_count(0)
    page.locator("#search").press("Escape")
    page.locator("#search").press("Escape")
    page.locator("#search").fill("is:unjudged")
    page.locator("#scroller").focus()
    page.keyboard.press("Control+z")
    page.locator("#search").fill("")
    until(page, "document.querySelectorAll('.cell').length > 0")
    expect(page.locator(".cell[data-mark]")).to_have_count(0)


def test_whatever_was_shown_before_a_view_is_drawn_as_if_it_were_opened(visit, small):
    page = visit(small)
    steps = [
        lambda: page.locator("#search").fill("fox"),
        lambda: page.locator("#swap").click(),
        lambda: page.locator("#shape-wall").click(),
        lambda: page.locator("#search").fill(""),
        lambda: page.locator("#shape-table").click(),
        lambda: page.locator("#axis-x").select_option("lora.name"),
        lambda: page.get_by_role("button", name="Stop grouping by subject").click(),
        lambda: page.locator(".pill[data-state=failed]").click(),
        lambda: page.locator(".pill[data-state=failed]").click(),
        lambda: page.locator("#size").fill("100"),
    ]
    for step in steps:
        step()
        page.wait_for_timeout(400)  # the address is written a moment later
        assert page.evaluate(IN_ORDER)
        fresh = visit(small, page.evaluate("location.hash"))
        until(fresh, DRAWN)
        assert told(page) == told(fresh)
        fresh.close()


def test_the_focus_goes_with_a_cell_that_moves(visit, small):
    page = visit(small)
    cell = page.locator(".line").nth(1).locator(".cell").nth(1)
    cell.focus()
    title = cell.get_attribute("title")
    page.keyboard.press("s")
    expect(page.locator(".cell:focus")).to_have_attribute("title", title)
    assert page.evaluate(IN_ORDER)


def test_what_was_judged_unseen_is_marked(visit, small):
    page = visit(small, "#q=fox+film+seed%3A1000")
    page.evaluate("location.hash = 'q=fox+film+seed%3A1000&blind=7&way=single'")
    expect(page.locator(".blindsaid")).to_contain_text("0 of ")
    page.locator("dialog.blind").press("4")
    expect(page.locator(".blindsaid")).to_contain_text("1 of ")
    page.get_by_role("button", name="Leave and reveal").click()
    page.keyboard.press("Escape")
    expect(page.locator(".cell[data-mark]").first).to_be_visible()
