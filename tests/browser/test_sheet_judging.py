"""Judging as a person does it: by keys and clicks, kept by the browser, undone, searched and sorted by."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import expect
from support.axe import faults
from support.browser import PHONE, address, reload, until

KEPT = "JSON.parse(localStorage.getItem('zbatch.picks.sample'))"


def marks(page):
    return page.locator(".cell[data-mark]").evaluate_all("all => all.map(one => one.dataset.mark)")


def test_keys_judge_what_has_the_focus_and_it_is_kept(visit, calm):
    page = visit(calm)
    page.keyboard.press("4")  # first one sees where one is
    expect(page.locator(".cell:focus")).to_have_count(1)
    assert marks(page) == []
    page.keyboard.press("ArrowRight")
    for key in ("4", "f", "ArrowRight", "5", "ArrowRight", "x"):
        page.keyboard.press(key)
    assert marks(page) == ["4★ ♥", "5★", "✕"]
    expect(page.locator(".pill.judged")).to_have_text("3of 28 images judged")
    assert "rated 4 of 5, favourite" in page.locator(".cell[data-mark]").first.get_attribute("title")
    reload(page)
    expect(page.locator(".cell[data-mark]").first).to_be_visible()
    assert marks(page) == ["4★ ♥", "5★", "✕"]


def test_the_same_again_takes_it_back_and_a_reject_is_no_favourite(visit, calm):
    page = visit(calm)
    page.locator(".cell").nth(1).focus()
    for key in ("3", "f", "x"):
        page.keyboard.press(key)
    assert marks(page) == ["3★ ✕"]
    page.keyboard.press("x")
    page.keyboard.press("3")
    assert marks(page) == []
    expect(page.locator(".pill.judged")).to_have_count(0)


def test_undo_goes_back_step_by_step(visit, calm):
    page = visit(calm)
    page.locator(".cell").nth(1).focus()
    for key in ("3", "5", "f"):
        page.keyboard.press(key)
    for left in (["5★"], ["3★"], []):
        page.keyboard.press("Control+z")
        assert marks(page) == left
    page.keyboard.press("Meta+z")
    expect(page.locator("#toast")).to_contain_text("Nothing to undo")
    page.keyboard.press("/")
    page.keyboard.type("fox")
    page.keyboard.press("Control+z")  # of the text
    assert page.locator("#toast").inner_text() == "Nothing to undo"


def test_undo_says_what_and_leads_there(visit, calm):
    page = visit(calm)
    page.locator(".cell").nth(1).focus()
    page.keyboard.press("4")
    judged = page.locator(".cell").nth(1).get_attribute("title").split("\n")[0]
    page.keyboard.press("Control+End")
    page.keyboard.press("Control+z")
    expect(page.locator("#toast")).to_contain_text("Undone: 4 stars, ")
    expect(page.locator("#toast")).to_contain_text(judged.split(", ")[0])
    assert page.locator(".cell:focus").get_attribute("title").startswith(judged)


def test_space_goes_to_the_next_unjudged_also_in_an_open_picture(visit, calm):
    page = visit(calm)
    page.locator(".cell").nth(0).focus()
    page.keyboard.press("2")
    page.keyboard.press("Space")
    assert "scale 0.4" in page.locator(".cell:focus").get_attribute("title")
    page.keyboard.press("3")
    page.keyboard.press("Enter")
    expect(page.locator(".judge .star.on")).to_have_count(3)
    page.keyboard.press("Space")
    expect(page.locator(".crumbs")).to_contain_text("0.8")
    page.keyboard.press("5")
    expect(page.locator(".judge .star.on")).to_have_count(5)
    page.keyboard.press("Shift+Space")
    expect(page.locator(".crumbs")).not_to_contain_text("0.8")
    page.keyboard.press("Control+z")
    expect(page.locator(".crumbs")).to_contain_text("0.8")  # where it was undone
    expect(page.locator(".judge .star.on")).to_have_count(0)


def test_keys_judge_while_pictures_are_compared(visit, calm):
    page = visit(calm)
    page.locator(".cell").nth(2).click()
    page.keyboard.press("b")
    page.keyboard.press("2")
    expect(page.locator(".judge .star.on")).to_have_count(2)
    page.keyboard.press("Shift+Digit2")
    expect(page.locator(".mode[data-mode=side]")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("m")
    expect(page.locator(".mode[data-mode=blink]")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("x")
    expect(page.locator(".judge .away")).to_have_attribute("aria-pressed", "true")
    expect(page.locator(".mode[data-mode=blink]")).to_be_visible()


def test_stars_are_clicked_and_what_has_no_picture_is_not_judged(visit, small):
    page = visit(small)
    page.locator(".pill[data-state=failed]").click()
    page.locator(".cell").first.click()
    expect(page.locator(".judge")).to_be_hidden()
    page.keyboard.press("4")
    expect(page.locator("#lightbox .toast")).to_contain_text("no picture")
    page.keyboard.press("Escape")
    page.locator(".pill[data-state=failed]").click()
    page.locator(".cell[data-state=done]").first.click()
    page.get_by_role("button", name="4 stars").click()
    page.get_by_role("button", name="Favourite").click()
    page.keyboard.press("Escape")
    assert marks(page)[0] == "4★ ♥"


def test_a_shared_image_is_judged_wherever_it_stands(visit, calm):
    page = visit(calm, "#x=lora.scale&y=lora.name&group=subject&group=seed")
    page.locator(".cell[data-twins]").first.focus()
    page.keyboard.press("4")
    assert marks(page) == ["4★", "4★"]
    expect(page.locator(".pill.judged b")).to_have_text("1")


def test_search_and_sorting_know_what_is_judged(visit, calm):
    page = visit(calm, "#x=&y=&size=120")
    for number, key in ((2, "2"), (5, "5"), (11, "4"), (13, "x")):
        page.locator(".cell").nth(number).focus()
        page.keyboard.press(key)
    page.locator(".cell").nth(5).focus()
    page.keyboard.press("f")
    search = page.locator("#search")
    for words, found in (
        ("rating>3", ["5★ ♥", "4★"]),
        ("rating:2..4", ["2★", "4★"]),
        ("is:favourite", ["5★ ♥"]),
        ("is:favorite", ["5★ ♥"]),
        ("is:reject", ["✕"]),
        ("is:judged -rating>3", ["2★", "✕"]),
    ):
        search.fill(words)
        assert marks(page) == found
    search.fill("is:unjudged")
    assert marks(page) == []
    search.fill("is:favurite")
    expect(page.locator(".complaint").first).to_contain_text("favourite")
    search.fill("")
    page.locator("#sort").select_option("rating")
    assert marks(page)[:2] == ["5★ ♥", "4★"]
    turn = page.get_by_role("button", name="Best first: turn round (R)")
    assert faults(page) == []
    turn.click()
    assert marks(page)[:2] == ["2★", "4★"]
    expect(page.get_by_role("button", name="Worst first: turn round (R)")).to_be_visible()
    assert (
        page.locator(".cell").last.get_attribute("data-mark") is None
    )  # what nobody rated is last either way
    until(page, "location.hash.includes('sort=rating') && location.hash.includes('down=0')")
    reload(page)
    expect(page.locator(".cell[data-mark]").first).to_be_visible()
    assert marks(page)[:2] == ["2★", "4★"]
    page.locator("#sort").select_option("picks")
    assert marks(page) == ["5★ ♥", "4★", "2★", "✕"]
    until(page, "location.hash.includes('sort=picks') && !location.hash.includes('down=')")
    reload(page)
    expect(page.locator(".cell[data-mark]").first).to_be_visible()
    assert marks(page) == ["5★ ♥", "4★", "2★", "✕"]
    page.locator("#sort").select_option("seed")
    expect(page.get_by_role("button", name="Smallest first: turn round (R)")).to_be_visible()


def test_values_tell_their_mean_rating(visit, calm):
    page = visit(calm, "#x=lora.scale&y=seed&group=subject&group=lora.name&panel=1")
    for number, key in ((1, "2"), (5, "5"), (2, "4")):
        page.locator(".cell").nth(number).focus()
        page.keyboard.press(key)
    # The numbers follow a moment later, all of them at once.
    expect(page.locator(".chip", has_text="0.8").first).to_contain_text("4.0★")
    expect(page.locator(".chip", has_text="0.4").first).to_contain_text("3.5★")
    expect(page.locator(".chip", has_text="1.2").first).not_to_contain_text("★")
    page.keyboard.press("j")
    dialog = page.get_by_role("dialog", name="Picks")
    dialog.get_by_label("Axis").select_option("lora.scale")
    rows = [" ".join(row.split()) for row in dialog.locator("tbody tr").all_inner_texts()]
    assert rows == ["0.4 3.50 2", "0.8 4.00 1"]
    assert faults(page) == []


def test_two_open_tabs_lose_nothing_of_each_other(visit, calm):
    one = visit(calm)
    other = one.context.new_page()
    other.goto(address(calm))
    one.locator(".cell").nth(1).focus()
    one.keyboard.press("4")
    until(other, "document.querySelectorAll('.cell[data-mark]').length === 1")
    # Also where the other has not heard yet: what is written goes on top of what is there.
    other.evaluate("addEventListener('storage', (event) => event.stopImmediatePropagation(), true)")
    other.locator(".cell").nth(2).focus()
    other.keyboard.press("5")
    one.locator(".cell").nth(3).focus()
    one.keyboard.press("x")
    assert marks(one) == ["4★", "5★", "✕"]
    assert len(one.evaluate(KEPT)["jobs"]) == 3


def test_what_cannot_be_read_is_set_aside(visit, calm):
    page = visit(calm)
    page.evaluate("localStorage.setItem('zbatch.picks.sample', '{\"half')")
    reload(page)
    expect(page.locator("#toast")).to_contain_text("set aside")
    assert page.evaluate("localStorage.getItem('zbatch.picks.sample.damaged')") == '{"half'
    page.locator(".cell").nth(1).focus()
    page.keyboard.press("4")
    page.evaluate("localStorage.setItem('zbatch.picks.sample.others', '[{\"version\": 1')")
    reload(page)
    expect(page.locator(".cell[data-mark]").first).to_be_visible()
    assert marks(page) == ["4★"]
    expect(page.locator("#toast")).to_contain_text("import them again")


def test_where_nothing_is_kept_that_is_said_and_export_helps(browser, watch, calm, tmp_path):
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.add_init_script("Storage.prototype.setItem = () => { throw new DOMException('no'); };")
    page = context.new_page()
    watch.over(page)
    page.goto(address(calm))
    page.locator(".cell").nth(1).focus()
    page.keyboard.press("4")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("5")
    expect(page.locator("#toast")).to_be_visible()
    assert marks(page) == ["4★", "5★"]
    page.keyboard.press("j")
    expect(page.locator(".picks .warned")).to_contain_text("does not keep your picks")
    with page.expect_download() as download:
        page.get_by_role("button", name="Export picks.json").click()
    document = json.loads(download.value.path().read_text())
    assert sorted(said["rating"] for said in document["jobs"].values()) == [4, 5]
    context.close()
    assert watch.problems == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_finger_judges_on_a_phone(visit, calm, scheme):
    page = visit(calm, **PHONE, color_scheme=scheme)
    page.locator(".cell").nth(1).tap()
    page.get_by_role("button", name="3 stars").tap()
    expect(page.locator(".judge .star.on")).to_have_count(3)
    box = page.get_by_role("button", name="3 stars").bounding_box()
    assert min(box["width"], box["height"]) >= 36
    assert faults(page) == []
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Picks:").tap()
    expect(page.get_by_role("dialog", name="Picks")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert faults(page) == []
