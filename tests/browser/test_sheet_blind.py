"""Blind mode: nothing tells what a picture is, pairs are fair, and what came of it is revealed at the end."""

from __future__ import annotations

import json
import re
from collections import Counter

import pytest
from playwright.sync_api import expect
from support.axe import faults
from support.browser import PHONE, address, reload, until
from support.sample_run import Sample, write_sample

from zbatch.picks.rates import pair_values
from zbatch.picks.reading import parse_picks
from zbatch.sheet import write_sheet, write_single_file
from zbatch.state.run import Run

HIDDEN = ("barn owl", "red fox", "film", "ink", "0.4", "0.8", "1.2", "1000", "1001", "valley", "Fox and film")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    place = tmp_path_factory.mktemp("blind") / "run"
    write_sheet(write_sample(place, Sample(seeds=2, troubles=False, excluded=False)))
    return place


@pytest.fixture(scope="module")
def cells(run):
    found = {}
    with Run(run) as opened:
        for cell in opened.cells():
            found.setdefault(cell.key, []).append(dict(cell.coordinates))
    return found


def everything(page):
    """All that the document holds without the page's own code, and where it is."""
    return page.evaluate("""() => {
        const all = document.documentElement.cloneNode(true);
        for (const own of all.querySelectorAll("style, meta")) own.remove();
        return [all.outerHTML, document.title, decodeURIComponent(location.hash)].join("\\n");
    }""")


def ready(page):
    expect(page.locator(".blind[data-ready]")).to_be_visible()


def kept(page):
    return json.loads(page.evaluate("localStorage.getItem('zbatch.picks.sample')"))


def begin(page):
    page.keyboard.press("j")
    page.get_by_role("button", name="Judge blind").click()
    ready(page)


def compare(page, keys):
    """One after another, each when its pictures are to be seen."""
    for key in keys:
        before = page.locator(".blindsaid").inner_text()
        page.keyboard.press(key)
        expect(page.locator(".blindsaid")).not_to_have_text(before)
        expect(page.locator(".blind[data-ready], .blindnothing")).to_be_visible()


def test_nothing_tells_what_a_picture_is(visit, run):
    page = visit(run / "index.html", "#x=lora.scale&y=seed&hide.subject=barn owl&q=fox&panel=1")
    begin(page)
    page.wait_for_timeout(300)
    for _ in range(2):
        text = everything(page)
        assert [word for word in HIDDEN if re.search(rf"\b{re.escape(word)}\b", text)] == []
        reload(page)  # as good as new, and as blind
        ready(page)
    page.get_by_role("button", name="One by one").click()
    page.keyboard.press("4")
    page.wait_for_timeout(200)
    text = everything(page)
    assert [word for word in HIDDEN if re.search(rf"\b{re.escape(word)}\b", text)] == []
    page.keyboard.press("Escape")
    expect(page.locator(".cell").first).to_be_visible()
    assert page.title() == "Fox and film"


def test_a_page_of_one_file_does_not_tell_either(visit, run, tmp_path):
    page = visit(write_single_file(run, tmp_path / "sheet.html"))
    begin(page)
    text = everything(page)
    assert [word for word in HIDDEN if re.search(rf"\b{re.escape(word)}\b", text)] == []


def test_a_dozen_pairs_are_fair_and_come_out(visit, run, cells):
    page = visit(run / "index.html")
    begin(page)
    expect(page.locator(".blindsaid")).to_contain_text("0 of 48 pairs")
    assert faults(page) == []
    compare(page, ["ArrowLeft", "ArrowRight", "ArrowDown"] * 4)
    page.keyboard.press("Control+z")
    expect(page.locator(".blindsaid")).to_contain_text("11 of 48 pairs")
    ready(page)
    compare(page, ["ArrowRight"])
    page.get_by_role("button", name="Leave and reveal").click()
    dialog = page.get_by_role("dialog", name="Picks")
    expect(dialog).to_contain_text("12 comparisons")
    assert dialog.get_by_label("Axis").input_value() == "lora.scale"
    expect(dialog.locator("tbody tr")).to_have_count(4)
    expect(dialog.locator(".verdictwords")).to_contain_text("scale")
    assert faults(page) == []
    with page.expect_download() as download:
        page.get_by_role("button", name="Export picks.json").click()
    picks = parse_picks(download.value.path().read_bytes())
    values = [pair_values(pair, cells) for pair in picks.comparisons]
    assert None not in values  # everything else is held
    met = Counter(frozenset(pair) for pair in values)
    assert set(met.values()) == {2}  # six pairs of values, each met twice
    assert len({frozenset((pair.a, pair.b)) for pair in picks.comparisons}) == 12
    page.keyboard.press("Escape")
    reload(page)
    page.keyboard.press("j")
    expect(dialog).to_contain_text("12 comparisons")


def test_the_seed_decides_the_order_and_a_link_brings_it_back(visit, run):
    order = []
    for _ in range(2):
        page = visit(run / "index.html", "#blind=7&way=pairs&axis=seed")
        ready(page)
        compare(page, ["ArrowLeft"] * 5)
        order.append([pair["a"] for pair in kept(page)["comparisons"]])
    assert order[0] == order[1]
    page = visit(run / "index.html", "#blind=8&way=pairs&axis=seed")
    ready(page)
    compare(page, ["ArrowLeft"] * 5)
    assert order[0] != [pair["a"] for pair in kept(page)["comparisons"]]


def test_filters_say_what_is_compared(visit, run):
    page = visit(run / "index.html", "#only.lora.scale=0.4&only.lora.scale=0.8&only.subject=red fox")
    begin(page)
    expect(page.locator(".blindsaid")).to_contain_text("0 of 4 pairs")
    compare(page, ["ArrowLeft"] * 4)
    expect(page.locator(".blindnothing")).to_contain_text("Every pair was compared")
    page.get_by_label("Axis to compare").select_option("subject")
    expect(page.locator(".blindnothing")).to_contain_text("No two pictures")
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    until(page, "/(only|hide)[.]lora[.]scale/.test(location.hash)")


def test_one_by_one_is_rated_by_keys(visit, run):
    page = visit(run / "index.html")
    begin(page)
    page.get_by_role("button", name="One by one").click()
    for key in ("5", "Space", "f", "Space", "x", "ArrowRight", "3", "ArrowLeft"):
        page.keyboard.press(key)
    expect(page.locator(".blindsaid")).to_have_text("4 of 28 images judged")
    expect(page.locator(".judge .away")).to_have_attribute("aria-pressed", "true")
    assert faults(page) == []
    page.keyboard.press("Control+z")
    expect(page.locator(".blindsaid")).to_have_text("3 of 28 images judged")
    page.go_back()
    expect(page.locator(".cell").first).to_be_visible()
    said = [{**own, "when": ""} for own in kept(page)["jobs"].values()]
    assert said[:3] == [
        {"rating": 5, "when": ""},
        {"favourite": True, "when": ""},
        {"reject": True, "when": ""},
    ]


def test_fingers_choose_on_a_phone(visit, run):
    page = visit(run / "index.html", **PHONE, color_scheme="dark")
    page.get_by_role("button", name="Picks:").tap()
    page.get_by_role("button", name="Judge blind").tap()
    ready(page)
    top, below = (page.locator(".print").nth(at).bounding_box() for at in (0, 1))
    assert below["y"] > top["y"] + 200  # one under the other, both in view
    assert below["y"] + below["height"] < 844
    assert faults(page) == []
    page.locator(".print").first.tap()
    expect(page.locator(".blindsaid")).to_contain_text("1 of 48")
    ready(page)
    page.get_by_role("button", name="Tie").tap()
    expect(page.locator(".blindsaid")).to_contain_text("2 of 48")
    winners = [pair["winner"] for pair in kept(page)["comparisons"]]
    assert winners == ["a", "tie"]


def test_a_pair_with_a_missing_picture_is_passed_over(browser, watch, tmp_path):
    watch.forgiven = ("ERR_FILE_NOT_FOUND",)
    place = tmp_path / "run"
    sample = Sample(subjects=("red fox",), loras=("film",), seeds=1, troubles=False, excluded=False)
    index = write_sheet(write_sample(place, sample))
    with Run(place) as opened:
        artifact = next(iter(opened.jobs(shown_only=True))).artifact
    for gone in {artifact.file, artifact.thumb}:  # a small picture is its own thumbnail
        (place / gone).unlink()
    page = browser.new_page()
    watch.over(page)
    page.goto(index.as_uri() + "#blind=1&way=pairs&axis=lora.scale")
    ready(page)
    compare(page, ["ArrowLeft"] * 3)
    expect(page.locator(".blindnothing")).to_contain_text("Every pair was compared whose pictures are there")
    page.close()


@pytest.mark.parametrize(
    ("axis", "words"),
    [
        ("lora.scale", "Alike: all but scale and what it brings to the prompt"),
        ("subject", "Alike: all but subject and what it brings to the prompt"),
        ("seed", "Alike: all but the seed"),
    ],
)
def test_it_says_what_the_two_have_alike(visit, run, axis, words):
    page = visit(run / "index.html", f"#blind=3&way=pairs&axis={axis}")
    ready(page)
    expect(page.locator(".blindalike")).to_have_text(words)


def test_prompt_and_seed_are_said_to_be_alike_where_they_are(visit, run):
    page = visit(run / "index.html", "#hide.lora.scale=0")
    begin(page)
    expect(page.locator(".blindalike")).to_have_text("Alike: all but scale, prompt and seed too")
    page.get_by_role("button", name="One by one").click()
    expect(page.locator(".blindalike")).to_be_empty()


def test_pairs_that_lines_share_count_once_and_others_not_at_all(visit, run):
    index, blind = run / "index.html", "blind=3&way=pairs&axis=seed"
    page = visit(index, f"#{blind}")
    expect(page.locator(".blindsaid")).to_contain_text("0 of 14 pairs")  # without LoRA, two lines are one
    page.goto(address(index, f"#only.lora.scale=0&only.lora.scale=0.4&{blind}"))
    expect(page.locator(".blindsaid")).to_contain_text("0 of 6 pairs")
    ready(page)
    compare(page, ["ArrowLeft"] * 6)
    expect(page.locator(".blindsaid")).to_contain_text("6 of 6 pairs")
    expect(page.locator(".blindnothing")).to_contain_text("Every pair was compared")
    page.goto(address(index, f"#only.lora.scale=0.8&{blind}"))
    expect(page.locator(".blindsaid")).to_contain_text("0 of 4 pairs")  # none of which were among those


def test_what_was_skipped_comes_again_and_the_last_can_be_undone(visit, run):
    page = visit(run / "index.html", "#only.lora.scale=0.8&blind=3&way=pairs&axis=seed")
    ready(page)
    page.keyboard.press("Space")
    ready(page)
    compare(page, ["ArrowLeft"] * 3)
    expect(page.locator(".blindnothing")).to_have_text("Every pair was compared, but for 1 that was skipped.")
    assert faults(page) == []
    page.get_by_role("button", name="Show the skipped").click()
    ready(page)
    compare(page, ["ArrowDown"])
    expect(page.locator(".blindnothing")).to_have_text("Every pair was compared.")
    page.get_by_role("button", name="Undo").click()
    ready(page)
    expect(page.locator(".blindsaid")).to_contain_text("3 of 4 pairs")
    page.keyboard.press("ArrowRight")
    expect(page.locator(".blindsaid")).to_contain_text("4 of 4 pairs")
    assert [pair["winner"] for pair in kept(page)["comparisons"]][-1] != "tie"


TRANSFORMS = "all => all.map((one) => one.style.transform)"


def test_both_are_looked_at_closer_alike_and_the_next_pair_is_whole(visit, run):
    page = visit(run / "index.html", "#blind=3&way=pairs&axis=lora.scale")
    ready(page)
    canvases = page.locator(".print canvas")
    box = page.locator(".print").nth(1).bounding_box()
    page.mouse.move(box["x"] + 60, box["y"] + 80)
    page.mouse.wheel(0, -500)
    expect(page.locator(".blindstage.closer")).to_be_visible()
    one, other = canvases.evaluate_all(TRANSFORMS)
    assert one == other != ""
    assert faults(page) == []
    # Dragging moves both and chooses neither; a click chooses still.
    page.mouse.down()
    page.mouse.move(box["x"] + 120, box["y"] + 140, steps=4)
    page.mouse.up()
    moved = canvases.evaluate_all(TRANSFORMS)
    assert moved[0] == moved[1] != one
    expect(page.locator(".blindsaid")).to_contain_text("0 of 48")
    page.mouse.click(box["x"] + 120, box["y"] + 140)
    expect(page.locator(".blindsaid")).to_contain_text("1 of 48")
    ready(page)
    assert canvases.evaluate_all(TRANSFORMS) == ["", ""]
    for key, closer in (("+", True), ("0", False), ("=", True), ("-", False)):
        page.keyboard.press(key)
        assert bool(page.locator(".blindstage.closer").count()) is closer
    page.keyboard.press("+")
    page.get_by_role("button", name="The whole picture again").click()
    expect(page.locator(".blindstage.closer")).to_have_count(0)
    compare(page, ["ArrowLeft"])  # keys go on
    page.get_by_role("button", name="One by one").click()
    page.keyboard.press("+")
    assert canvases.evaluate_all(TRANSFORMS)[0].endswith("scale(1.4)")
    assert len(kept(page)["comparisons"]) == 2


def test_fingers_bring_a_pair_closer_and_nothing_moves_for_it(visit, run):
    page = visit(run / "index.html", "#blind=3&way=pairs&axis=lora.scale", **PHONE)
    ready(page)
    box = page.locator(".print").first.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    touch = page.context.new_cdp_session(page)

    def points(kind, *places):
        touch.send(
            "Input.dispatchTouchEvent",
            {"type": kind, "touchPoints": [{"x": at, "y": y, "id": number} for number, at in places]},
        )

    points("touchStart", (0, x - 20), (1, x + 20))
    points("touchMove", (0, x - 60), (1, x + 60))
    points("touchEnd")
    expect(page.locator(".blindstage.closer")).to_be_visible()
    one, other = page.locator(".print canvas").evaluate_all(TRANSFORMS)
    assert one == other != ""
    assert page.locator(".print").first.bounding_box() == box
    expect(page.locator(".blindsaid")).to_contain_text("0 of 48")
    page.get_by_role("button", name="The whole picture again").tap()
    expect(page.locator(".blindstage.closer")).to_have_count(0)


def test_what_was_judged_one_by_one_is_revealed(visit, run):
    page = visit(run / "index.html", "#blind=7&way=single")
    expect(page.locator(".blindsaid")).to_contain_text("0 of ")
    page.locator("dialog.blind").press("4")
    page.keyboard.press("Control+z")
    toast = page.locator("dialog.blind .toast")
    expect(toast).to_have_text("Undone: 4 stars")  # and nothing of what picture
    page.keyboard.press("4")
    page.get_by_role("button", name="Leave and reveal").click()
    dialog = page.get_by_role("dialog", name="Picks")
    expect(dialog).to_contain_text("1 of ")
    expect(dialog.locator("table.results")).to_contain_text("4.00")


def test_who_judged_nothing_is_back_in_the_sheet(visit, run):
    page = visit(run / "index.html", "#blind=7&way=single")
    page.get_by_role("button", name="Leave and reveal").click()
    expect(page.get_by_role("dialog", name="Picks")).to_be_hidden()
