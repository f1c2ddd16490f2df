"""axe-core finds nothing to mend, light and dark, wide and phone; and a screen reader hears where it is."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect
from support.axe import faults
from support.browser import PHONE, until


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    "fragment",
    [
        "",
        "#x=&y=&size=100&panel=1",
        "#x=lora.scale&y=&group=seed&group=subject&panel=0&fold=all",
        "#x=lora.scale&y=seed&q=zzz",
        "#x=lora.scale&y=seed&q=sale:1",
    ],
    ids=["grid", "wall", "folded", "nothing", "complaint"],
)
def test_axe_finds_nothing_on_the_sheet(visit, small, scheme, fragment):
    assert faults(visit(small, fragment, color_scheme=scheme)) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_lightbox_and_help(visit, small, scheme):
    page = visit(small, color_scheme=scheme)
    page.keyboard.press("?")
    assert faults(page) == []
    page.keyboard.press("Escape")
    page.locator(".cell").first.click()
    assert faults(page) == []
    page.keyboard.press("Escape")
    page.locator(".pill[data-state=failed]").click()
    page.locator(".cell").first.click()
    assert faults(page) == []


def test_axe_finds_nothing_on_a_phone(visit, small):
    page = visit(small, **PHONE)
    assert faults(page) == []
    page.keyboard.press("v")
    assert faults(page) == []
    page.keyboard.press("v")
    page.locator(".cell").nth(1).tap()
    assert faults(page) == []


def test_axe_finds_nothing_in_hostile_text(visit, hostile):
    assert faults(visit(hostile, "#x=&y=&panel=1")) == []


def test_a_screen_reader_is_told_where_in_the_whole_grid_it_is(visit, large):
    page = visit(large, "#x=lora.scale&y=seed&group=subject&group=lora.name&group=size&size=120")
    grid = page.get_by_role("grid")
    # The head, 4 subjects by 2 LoRAs by 2 sizes, and ten seeds in each.
    assert grid.get_attribute("aria-rowcount") == str(1 + 16 + 160)
    assert grid.get_attribute("aria-colcount") == "13"
    first = page.get_by_role("row").nth(0)
    expect(first.get_by_role("columnheader").first).to_have_attribute("aria-colindex", "1")
    page.locator("#scroller").evaluate("box => { box.scrollTop = box.scrollHeight / 2; }")
    until(page, "Number(document.querySelector('.line').ariaRowIndex) > 60")
    lines = page.locator(".line").evaluate_all("lines => lines.map(line => Number(line.ariaRowIndex))")
    assert lines == sorted(lines)
    assert 60 < lines[0] < 120
    page.locator("#scroller").evaluate("box => { box.scrollTop -= 300; }")
    page.wait_for_timeout(100)
    lines = page.locator(".line").evaluate_all("lines => lines.map(line => Number(line.ariaRowIndex))")
    assert lines == sorted(lines)
    page.keyboard.press("Control+End")
    page.locator(".cell").first.focus()
    page.keyboard.press("Control+End")
    focused = page.locator(".cell:focus")
    assert focused.locator("xpath=..").get_attribute("aria-rowindex") == str(1 + 16 + 160)
    assert focused.get_attribute("aria-colindex") == "13"


def test_every_picture_has_words(visit, small):
    page = visit(small)
    assert page.locator("img:not([alt]), .cell img[alt='']").count() == 0
    assert "scale 0.4" in page.locator(".cell img").nth(1).get_attribute("alt")


def test_who_wants_no_motion_gets_none(visit, small):
    page = visit(small, reduced_motion="reduce")
    assert page.locator(".sectionbar .icon").first.evaluate(
        "icon => getComputedStyle(icon).transitionDuration"
    ) in {
        "0s",
        "",
    }
