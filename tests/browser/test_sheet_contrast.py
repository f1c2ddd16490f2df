"""Forced colours: what backgrounds and shadows say elsewhere is still told apart."""

from __future__ import annotations

import io

import pytest
from PIL import Image
from playwright.sync_api import expect

STYLE = """(element, name) => getComputedStyle(element)[name]"""
FORCED = {"forced_colors": "active"}


def style(locator, name):
    return locator.evaluate(STYLE, name)


def drawn(page, locator):
    """The colours that a piece of the page has, with how many pixels each."""
    with Image.open(io.BytesIO(page.screenshot(clip=locator.bounding_box()))) as picture:
        return {colour: number for number, colour in picture.convert("RGB").getcolors(100_000)}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_states_focus_and_what_is_pressed_are_told_apart(visit, small, scheme):
    page = visit(small, "#panel=1&hide.subject=barn%20owl", color_scheme=scheme, **FORCED)
    grid, wall = page.locator("#shape-table"), page.locator("#shape-wall")
    for name in ("backgroundColor", "color"):
        assert style(grid, name) != style(wall, name)
    shown, hidden = page.locator(".chip").nth(0), page.locator(".chip").nth(1)
    assert (style(shown, "borderStyle"), style(hidden, "borderStyle")) == ("solid", "dashed")
    page.locator(".pill[data-state=failed]").click()
    pressed, other = page.locator(".pill[data-state=failed]"), page.locator(".pill[data-state=done]")
    assert style(pressed, "backgroundColor") != style(other, "backgroundColor")
    failed = page.locator(".cell[data-state=failed]").first
    assert style(failed, "borderStyle") == "solid"
    failed.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowLeft")
    assert style(page.locator(".cell:focus"), "outlineStyle") == "solid"
    assert style(page.locator(".cell:focus"), "outlineWidth") == "3px"
    pressed.click()
    for state, line in {"pending": "dashed", "excluded": "dotted"}.items():
        page.goto(page.url.split("#")[0] + f"#x=&y=&state={state}&panel=0")
        assert style(page.locator(f".cell[data-state={state}]").first, "borderStyle") == line


def test_sliders_badges_and_the_current_picture_are_drawn(visit, small):
    page = visit(small, "#x=lora.scale&y=seed&group=subject&panel=0", **FORCED)
    ink, ground = (0, 0, 0), (255, 255, 255)
    track = drawn(page, page.locator("#size"))
    assert track[ink] > 200
    badge = page.locator(".cell[data-stack]").first
    assert "solid" in badge.evaluate("cell => getComputedStyle(cell, '::before').outlineStyle")
    page.locator(".cell").first.focus()
    for _ in range(20):  # it comes and goes: a picture of it may be of a moment when it does
        page.keyboard.press("4")
        toast = drawn(page, page.locator("#toast"))
        if toast.get(ink, 0) > 20:
            break
    assert toast[ground] > toast.get(ink, 0) > 20  # words on the ground, not a bar
    page.keyboard.press("Enter")
    page.keyboard.press("c")
    page.keyboard.press("ArrowRight")
    assert style(page.locator(".stop[data-current] img"), "outlineStyle") == "solid"
    assert style(page.locator(".stop:not([data-current]) img").first, "outlineStyle") == "none"
    modes = page.locator(".mode[data-mode]")
    assert style(modes.nth(0), "backgroundColor") != style(modes.nth(1), "backgroundColor")
    expect(page.locator(".handle")).to_be_visible()
    assert style(page.locator(".grip"), "backgroundColor") == "rgb(255, 255, 255)"
    assert drawn(page, page.locator(".track input"))[ink] > 200


def test_the_interval_of_a_win_rate_is_the_thick_part_of_its_line(visit, calm):
    page = visit(calm, **FORCED)
    page.keyboard.press("j")
    page.get_by_role("button", name="Judge blind").click()
    for number in range(1, 7):
        expect(page.locator(".blind[data-ready]")).to_be_visible()
        page.keyboard.press("ArrowLeft")
        expect(page.locator(".blindsaid")).to_contain_text(f"{number} of")
    page.locator(".print").first.hover()
    assert style(page.locator(".print").first, "outlineStyle") == "solid"
    page.get_by_role("button", name="Leave and reveal").click()
    page.mouse.move(0, 0)
    bar = page.locator(".ratebar").first
    expect(bar).to_be_visible()
    thick = [float(style(bar.locator(part), "strokeWidth").rstrip("px")) for part in (".whole", ".interval")]
    assert thick[1] >= 3 * thick[0]


def test_numbers_on_a_failed_stack_do_not_lie_on_each_other(visit, small):
    page = visit(small, "#x=lora.scale&y=seed&group=subject&panel=0")
    cell = page.locator(".cell[data-stack][data-twins]:not([data-state=done])").first
    sides = """cell => ['::before', '::after'].map(part => getComputedStyle(cell, part))
        .map(({ left, width }) => [parseFloat(left), parseFloat(left) + parseFloat(width)])"""
    stack, twins = cell.evaluate(sides)
    assert twins[1] < stack[0]
