"""How it is looked at: groups in order and folded, twins marked, words that differ, fingers, paper."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect
from support.browser import reload, until
from support.sample_run import Sample, write_sample

from zbatch.sheet import write_sheet

LOG = "a red fox sitting on a mossy log in a {} forest at dawn, seen from afar through grass, in soft light"
ALIKE = (LOG.format("misty autumn"), LOG.format("snowy winter"), "a small harbour with wooden boats")


@pytest.fixture(scope="module")
def alike(tmp_path_factory):
    sample = Sample(subjects=ALIKE, loras=("film",), scales=(0, 1), seeds=2, troubles=False, excluded=False)
    return write_sheet(write_sample(tmp_path_factory.mktemp("alike") / "run", sample))


def test_groups_change_their_order(visit, small):
    page = visit(small)
    assert page.locator(".sectionbar").first.inner_text().split("\n")[:2] == ["subject", "red fox"]
    page.get_by_role("button", name="Group by lora.name before subject").click()
    assert page.locator(".tag").all_inner_texts() == ["lora.name", "subject"]
    assert page.locator(".sectionbar").first.inner_text().split("\n")[:2] == ["lora", "film"]
    until(page, "location.hash.includes('group=lora.name&group=subject')")
    reload(page)
    assert page.locator(".tag").all_inner_texts() == ["lora.name", "subject"]


def test_groups_fold_one_and_all_and_the_address_keeps_it(visit, small):
    page = visit(small, "#x=lora.scale&y=seed&group=subject&group=lora.name&size=60")
    page.locator(".sectionbar").nth(1).click()
    until(page, "location.hash.includes('fold=')")
    reload(page)
    folded = page.locator(".sectionbar[aria-expanded=false]")
    expect(folded).to_have_count(1)
    expect(folded).to_contain_text("ink")
    page.keyboard.press("g")
    expect(folded).to_have_count(4)
    expect(page.locator(".cell")).to_have_count(0)
    page.locator(".sectionbar").first.click()
    expect(page.locator(".cell").first).to_be_visible()
    until(page, "/fold=all&fold=0/.test(location.hash)")
    reload(page)
    expect(folded).to_have_count(3)
    page.locator("#fold").click()
    expect(folded).to_have_count(4)
    page.locator("#fold").click()
    expect(folded).to_have_count(0)


def test_pointing_at_a_cell_marks_those_with_the_same_image(visit, small):
    page = visit(small, "#x=lora.scale&y=lora.name&group=seed&group=subject&size=100")
    page.locator(".cell[data-twins]").first.hover()
    expect(page.locator(".cell.twin")).to_have_count(1)
    assert "scale 0" in page.locator(".cell.twin").get_attribute("title")
    page.locator("#title").hover()
    expect(page.locator(".cell.twin")).to_have_count(0)


@pytest.mark.parametrize("width", [390, 1440])
def test_the_words_that_differ_show_wherever_a_text_is_shortened(visit, alike, width):
    places = {
        "#x=lora.scale&y=seed&group=subject&panel=1": ".sectionbar .value",
        "#x=lora.scale&y=subject&panel=0": ".rowhead",
        "#x=subject&y=lora.scale&panel=0&size=140": ".colhead",
        "#x=&y=&panel=0&size=150": ".caption",
    }
    for fragment, place in places.items():
        page = visit(alike, fragment, viewport={"width": width, "height": 900})
        shown = " | ".join(page.locator(place).all_inner_texts())
        assert "misty" in shown, fragment
        if place != ".sectionbar .value" and width > 1000:
            assert "snowy" in shown, fragment
    page = visit(
        alike, "#x=lora.scale&y=seed&group=subject&panel=1", viewport={"width": width, "height": 900}
    )
    chips = page.locator(".chip .what").all_inner_texts()
    assert "misty autumn" in chips[0].replace("\n", " ")
    assert "snowy winter" in chips[1].replace("\n", " ")
    if width > 1000:
        page.locator(".cell").first.click()
        expect(page.locator(".crumbs")).to_contain_text("misty autumn")


def test_every_text_is_its_own_after_shortening(visit, tmp_path):
    subjects = tuple(
        f"studio portrait of {who}, dressed in {what} clothes, {where}, {when}, photographed on film"
        for who in ("a fox", "an owl")
        for what in ("medieval", "modern")
        for where in ("in a ruined castle", "on a windy beach")
        for when in ("at noon", "at night")
    )
    sample = Sample(
        subjects=subjects, loras=("film",), scales=(0, 1), seeds=1, troubles=False, excluded=False
    )
    page = visit(write_sheet(write_sample(tmp_path / "run", sample)), "#x=lora.scale&y=seed&panel=1")
    chips = page.locator(".chips").first.locator(".what").all_inner_texts()
    assert len(set(chips)) == len(subjects)
    assert all(len(chip) <= 44 for chip in chips)


def test_two_fingers_change_the_size_and_one_that_rests_tells(visit, small):
    page = visit(small, viewport={"width": 390, "height": 780}, has_touch=True, is_mobile=True)
    before = page.locator(".cell").first.bounding_box()["width"]
    touch = page.context.new_cdp_session(page)
    x, y = 180, 400

    def send(kind, *points):
        touch.send(
            "Input.dispatchTouchEvent",
            {
                "type": kind,
                "touchPoints": [{"x": px, "y": py, "id": number} for number, (px, py) in enumerate(points)],
            },
        )

    send("touchStart", (x - 30, y), (x + 30, y))
    for spread in (40, 60, 80):
        send("touchMove", (x - spread, y), (x + spread, y))
        page.wait_for_timeout(30)
    send("touchEnd")
    assert page.locator(".cell").first.bounding_box()["width"] > before * 1.5
    box = page.locator(".cell").first.bounding_box()
    send("touchStart", (box["x"] + 20, box["y"] + 20))
    expect(page.locator("#toast")).to_contain_text("scale 0")
    send("touchEnd")
    expect(page.locator("#lightbox")).to_be_hidden()
    page.keyboard.press("?")
    expect(page.locator("#help")).to_contain_text("two fingers")


def test_paper_gets_words_for_every_state_and_labels_on_the_wall(visit, small):
    page = visit(small, "#x=&y=&panel=0")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    assert page.locator("#paper td").count() == 48
    paper = page.locator("#paper").inner_text().replace("\xa0", " ")
    for words in (
        "failed",
        "rejected",
        "unknown",
        "pending",
        "submitted",
        "excluded",
        "seed 1002",
        "scale 0.4",
    ):
        assert words in paper, words


@pytest.mark.parametrize("width", [390, 768, 1440, 2560])
def test_no_width_makes_the_page_itself_scroll(visit, small, width):
    page = visit(small, viewport={"width": width, "height": 900})
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    expect(page.locator(".cell").first).to_be_in_viewport()


def test_the_values_come_and_go_with_the_width(visit, small):
    page = visit(small, viewport={"width": 390, "height": 844})
    expect(page.locator("#panel")).to_be_hidden()
    page.set_viewport_size({"width": 1280, "height": 800})
    expect(page.locator(".chip").first).to_be_visible()
    page.locator(".cell[data-state=done]").first.focus()
    page.keyboard.press("4")
    expect(page.locator(".chip .mean").first).to_contain_text("4.0★")
    page.set_viewport_size({"width": 800, "height": 800})
    expect(page.locator("#panel")).to_be_hidden()


def test_one_value_shown_alone_makes_a_short_address(visit, large):
    page = visit(large, "#x=lora.scale&y=seed&panel=1")
    page.locator(".chip", has_text="1004").click(modifiers=["Shift"])
    until(page, "location.hash.includes('only.seed=1004') && !location.hash.includes('hide')")
    reload(page)
    assert page.locator(".rowhead").all_inner_texts() == ["1004"]


def test_a_long_value_that_is_hidden_makes_a_short_address(visit, alike):
    page = visit(alike, "#x=lora.scale&y=seed&group=subject&panel=1&size=60")
    page.locator(".chip", has_text="snowy").click()
    until(page, "location.hash.includes('hide.subject=')")
    assert page.evaluate("location.hash.length") < 160
    reload(page)
    expect(page.locator(".sectionbar")).to_have_count(2)
    expect(page.locator(".chip[aria-pressed=false]")).to_contain_text("snowy")


def test_a_finger_that_rests_on_a_value_shows_it_alone(visit, small):
    page = visit(small, "#panel=1", viewport={"width": 390, "height": 780}, has_touch=True, is_mobile=True)
    expect(page.locator(".aside")).to_contain_text("A long press shows it alone")
    box = page.locator(".chip", has_text="barn owl").bounding_box()
    touch = page.context.new_cdp_session(page)
    at = [{"x": box["x"] + 20, "y": box["y"] + 10}]
    touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": at})
    page.wait_for_timeout(700)
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    page.wait_for_timeout(100)
    expect(page.locator(".chip", has_text="barn owl")).to_have_attribute("aria-pressed", "true")
    expect(page.locator(".chip", has_text="red fox")).to_have_attribute("aria-pressed", "false")


def focused(page):
    return page.evaluate(
        "document.activeElement.getAttribute('aria-label') || document.activeElement.innerText"
    )


def test_the_focus_stays_where_it_worked_or_goes_to_what_stands_nearest(visit, small):
    page = visit(small)
    page.get_by_role("button", name="Group by lora.name before subject").focus()
    page.keyboard.press("Enter")
    assert focused(page) == "Group by subject before lora.name"
    page.get_by_role("button", name="Stop grouping by lora.name").focus()
    page.keyboard.press("Enter")
    assert focused(page) == "Stop grouping by subject"
    page.keyboard.press("Enter")
    assert focused(page) == "Add a group"


def test_a_folded_group_keeps_the_focus(visit, small):
    page = visit(small)
    page.locator(".sectionbar").nth(1).focus()
    before = focused(page)
    page.keyboard.press("Enter")
    expect(page.locator(".sectionbar[aria-expanded=false]")).to_have_count(1)
    assert focused(page) == before
    page.keyboard.press("g")
    assert focused(page) == before


def test_clearing_all_filters_leaves_the_focus_on_the_page(visit, small):
    page = visit(small, "#q=nothing-like-it")
    page.locator(".nothing").get_by_role("button", name="Clear all filters").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".cell").first).to_be_visible()
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.cell") is not None
    page.locator(".chip").first.click()
    page.locator("#panel").get_by_role("button", name="Clear all filters").focus()
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.closest('#panel') !== null")


def test_a_cell_keeps_the_focus_when_the_grid_becomes_a_wall(visit, small):
    page = visit(small)
    page.locator(".cell").nth(2).focus()
    cell = page.evaluate("document.activeElement.cell")
    page.keyboard.press("w")
    assert page.evaluate("document.activeElement.cell") == cell
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.cell") != cell


def test_a_value_alone_and_the_others_again_is_no_filter(visit, small):
    page = visit(small)
    chips = page.locator(".axisvalues", has_text="lora.name").locator(".chip")
    chips.nth(0).click(modifiers=["Shift"])
    expect(page.get_by_role("button", name="Clear all filters")).to_be_visible()
    chips.nth(1).click()
    expect(page.get_by_role("button", name="Clear all filters")).to_be_hidden()
    until(page, "!/hide|only/.test(location.hash)")


def test_chips_count_excluded_cells_where_there_are_no_others(visit, small):
    page = visit(small, "#q=state%3Aexcluded")
    cells = page.locator(".cell").count()
    counts = page.locator(".axisvalues", has_text="seed").locator(".chip .many").all_inner_texts()
    assert sum(map(int, counts)) == cells > 0


def test_what_was_chosen_just_before_the_page_is_left_is_in_the_address(visit, small):
    page = visit(small)
    page.wait_for_timeout(300)
    page.locator("#axis-x").select_option("seed")
    page.goto("about:blank")
    page.go_back()
    until(page, "document.querySelector('#axis-x')?.value === 'seed'")
    assert page.locator(".colhead").all_inner_texts() == ["1000", "1001", "1002"]


def test_counts_of_what_is_judged_keep_their_place_while_one_types(visit, small):
    page = visit(small)
    page.locator(".cell[data-state=done]").first.focus()
    page.keyboard.press("4")
    pill = page.locator(".pill.judged")
    expect(pill).to_contain_text("1")
    before = pill.bounding_box()
    page.locator("#search").fill("owl")
    expect(pill).to_contain_text("of ")
    page.wait_for_timeout(300)
    assert pill.bounding_box() == before
