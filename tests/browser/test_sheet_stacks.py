"""Several pictures in one place: turning them over, walking through them, and which lies on top."""

from __future__ import annotations

import re

from playwright.sync_api import expect
from support.browser import until
from support.lightbox import crumbs

STACKS = "#x=lora.scale&y=seed&panel=0"


def turns(page):
    """Which picture of each stack lies on top."""
    found = page.locator(".cell").evaluate_all("all => all.map(cell => cell.dataset.stack)")
    return [int(stack.split("/")[0]) for stack in found]


def test_what_no_axis_tells_apart_lies_in_a_stack_that_turns_and_opens(visit, small):
    page = visit(small)
    page.get_by_role("button", name="Stop grouping by subject").click()
    page.get_by_role("button", name="Stop grouping by lora.name").click()
    stack = page.locator(".cell").first
    expect(stack).to_have_attribute("data-stack", "1/4")
    stack.focus()
    page.keyboard.press("]")
    expect(page.locator(".cell:focus")).to_have_attribute("data-stack", "2/4")
    page.keyboard.press("Enter")
    expect(page.locator(".place")).to_have_text("2 of 4 in this cell")
    page.keyboard.press("]")
    expect(page.locator(".place")).to_have_text("3 of 4 in this cell")


def test_arrows_lead_from_stack_to_stack_along_one_axis_alone(visit, small):
    page = visit(small)
    page.get_by_role("button", name="Stop grouping by subject").click()
    page.get_by_role("button", name="Stop grouping by lora.name").click()
    page.locator(".cell").nth(1).click()
    page.keyboard.press("]")
    page.keyboard.press("]")
    expect(page.locator(".place")).to_have_text("3 of 4 in this cell")
    told = "all => all.map(one => one.innerText.replace(/\\s+/g, ' '))"
    before = page.locator(".crumbs .pair").evaluate_all(told)
    expect(page.locator(".way.right span")).to_have_text("0.8")
    page.keyboard.press("ArrowRight")
    after = page.locator(".crumbs .pair").evaluate_all(told)
    assert [one for one in after if one not in before] == ["scale 0.8"]
    page.keyboard.press("ArrowLeft")
    assert page.locator(".crumbs .pair").evaluate_all(told) == before


def test_brackets_turn_a_stack(visit, calm):
    page = visit(calm, "#x=seed&y=subject")
    page.keyboard.press("]")
    assert "2/" in page.evaluate("document.activeElement.dataset.stack")


def test_a_link_has_what_lies_on_top_of_turned_stacks(visit, calm):
    page = visit(calm, "#x=seed&y=subject")
    page.keyboard.press("]")
    page.keyboard.press("]")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("]")
    until(page, "location.hash.split('top=')[1]?.split('_').length === 2")
    stacks = "all => all.map(cell => [cell.dataset.stack, cell.querySelector('img')?.alt])"
    seen = page.locator(".cell").evaluate_all(stacks)
    assert [stack.split("/")[0] for stack, _ in seen] == ["3", "2", "1", "1"]
    address = page.evaluate("location.hash")
    assert len(address) < 80
    again = visit(calm, address)
    assert again.locator(".cell").evaluate_all(stacks) == seen
    again.evaluate("dispatchEvent(new Event('beforeprint'))")  # paper has it as it lies
    assert again.locator("#paper .under").first.text_content().startswith("3 of")
    page.keyboard.press("[")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("[")
    page.keyboard.press("[")
    until(page, "!location.hash.includes('top=')")
    strange = visit(calm, "#x=seed&y=subject&top=nothing_cell.999_abcdefgh")
    assert strange.locator(".cell").count() == 4


def test_the_picture_that_was_looked_at_lies_on_top_of_its_stack(visit, calm):
    page = visit(calm, STACKS)
    page.locator(".cell").nth(1).click()
    page.keyboard.press("]")
    page.keyboard.press("]")
    page.keyboard.press("ArrowDown")
    expect(page.locator(".place")).to_have_text("3 of 4 in this cell")
    looked_at = re.findall("red fox|barn owl|film|ink|seed 1001", crumbs(page))
    assert len(looked_at) == 3
    page.keyboard.press("Escape")
    top = page.locator(".cell:focus")
    expect(top).to_have_attribute("data-stack", "3/4")
    assert all(word in top.get_attribute("title") for word in looked_at)
    assert turns(page) == [1, 1, 1, 1, 1, 3, 1, 1]  # what was only passed lies as it lay
    until(page, "location.hash.includes('top=') && !location.hash.includes('at=')")
    page.keyboard.press("Enter")  # from there on
    expect(page.locator(".place")).to_have_text("3 of 4 in this cell")


def test_back_leaves_the_picture_on_top_too(visit, calm):
    page = visit(calm, STACKS)
    page.locator(".cell").first.click()
    page.keyboard.press("[")
    expect(page.locator(".place")).to_have_text("4 of 4 in this cell")
    until(page, "location.hash.includes('at=') && Boolean(history.state?.picture)")
    page.evaluate("history.back()")
    expect(page.locator(".cell:focus")).to_have_attribute("data-stack", "4/4")
    until(page, "location.hash.includes('top=')")


def test_a_link_followed_out_of_a_picture_turns_no_stack(visit, calm):
    page = visit(calm, STACKS)
    page.locator(".cell").first.click()
    page.keyboard.press("]")
    until(page, "location.hash.includes('at=')")
    page.evaluate("location.hash = '#x=seed&y=lora.scale&panel=0'")
    expect(page.locator("#lightbox")).to_be_hidden()
    until(page, "document.querySelector('.colhead').textContent === '1000'")
    page.wait_for_timeout(200)  # the address is written when all is done
    assert set(turns(page)) == {1}
    assert "top=" not in page.evaluate("location.hash")
