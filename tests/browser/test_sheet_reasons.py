"""Why a cell has no picture: on its thumbnail where there is room, always in title and lightbox."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect
from support.browser import until
from support.sample_run import Sample, write_sample

from zbatch.sheet import write_sheet

INSIDE = """cells => cells.flatMap(cell => {
    const box = cell.getBoundingClientRect();
    const inside = (part) => part.top >= box.top - 1 && part.bottom <= box.bottom + 1;
    const parts = [...cell.querySelectorAll(".icon, .word, .why")];
    return parts.every((part) => inside(part.getBoundingClientRect())) ? [] : [cell.innerText];
})"""
WALL = "#x=&y=&size=100&panel=0"


def test_a_small_thumbnail_says_why_in_few_words_the_servers_own_where_they_fit(visit, small):
    page = visit(small, WALL)
    for state, words in {
        "failed": "task failed",
        "rejected": "the prompt is not allowed",
        "unknown": "connection lost",
        "excluded": "when:",
    }.items():
        expect(page.locator(f".cell[data-state={state}] .why").first).to_contain_text(words)


def test_a_reason_stays_within_its_thumbnail(visit, small):
    page = visit(small, "#x=&y=&size=60&panel=0", viewport={"width": 390, "height": 780})
    cells = page.locator(".cell:not([data-state=done])")
    assert cells.count() > 3
    assert cells.evaluate_all(INSIDE) == []
    assert "ILLEGAL_PROMPT: the prompt is not allowed" in page.locator(
        ".cell[data-state=rejected]"
    ).get_attribute("title")


def test_no_word_is_cut_in_a_narrow_thumbnail(visit, tmp_path):
    sample = Sample(sizes=("256*1024",), seeds=2)
    page = visit(write_sheet(write_sample(tmp_path / "run", sample)), "#x=&y=&size=80&panel=0")
    cells = page.locator(".cell:not([data-state=done])")
    assert cells.count() > 3
    assert max(cells.evaluate_all("all => all.map(cell => cell.clientWidth)")) < 56
    cut = """cells => cells.flatMap(cell => [...cell.querySelectorAll('.word, .why')]
        .filter(part => part.scrollWidth > part.clientWidth + 1 || part.offsetWidth > cell.clientWidth)
        .map(part => part.innerText))"""
    assert cells.evaluate_all(cut) == []
    assert cells.evaluate_all("all => all.every(cell => cell.querySelector('.icon, .word'))")


def test_a_large_thumbnail_says_it_in_full(visit, small):
    page = visit(small, "#x=&y=&size=220&panel=0")
    expect(page.locator(".cell[data-state=failed] .why").first).to_contain_text("NSFW filter <b>tripped</b>")


@pytest.mark.parametrize("size", [(1280, 800), (390, 844)], ids=["wide", "phone"])
def test_a_long_reason_is_whole_in_the_lightbox_and_short_elsewhere(visit, tmp_path, size):
    said = "the prompt was refused because " + "of this and that, " * 100 + "and that is all"
    index = write_sheet(write_sample(tmp_path / "run", Sample(reason=said)))
    page = visit(index, f"{WALL}&state=failed", viewport={"width": size[0], "height": size[1]})
    cell = page.locator(".cell").first
    assert len(cell.inner_text()) < 250
    cell.click()
    for place in (".note .reason", ".notice"):
        expect(page.locator(place)).to_contain_text(said)
    reason = page.locator(".note .reason")
    box, frame = reason.bounding_box(), page.locator(".frame").bounding_box()
    assert box["y"] >= frame["y"]
    assert box["y"] + box["height"] <= frame["y"] + frame["height"]
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.wheel(0, 5000)
    until(
        page,
        """(() => {
        const reason = document.querySelector(".note .reason");
        return reason.scrollTop + reason.clientHeight >= reason.scrollHeight - 2;
    })()""",
    )


def test_what_an_earlier_run_gave_up_on_is_not_drawn_as_under_way(visit, small):
    page = visit(small, f"{WALL}&state=submitted")
    given_up = page.locator(".cell", has_text="not here yet").first
    expect(given_up.locator(".why")).to_have_text("not finished after 1800 s")
    words = "known to the server, picture not here yet: job_deadline: not finished after 1800 s"
    assert words in given_up.get_attribute("title")
    assert "zbatch run" in given_up.get_attribute("title")
    plain = page.locator(".cell", has_text="submitted").first
    assert plain.locator(".why").count() == 0
    given_up.click()
    for place in (".note", ".notice"):
        expect(page.locator(place)).to_contain_text("known to the server, picture not here yet")
        expect(page.locator(place)).to_contain_text("job_deadline: not finished after 1800 s")
    assert "in flight" not in page.locator("body").inner_text()


def test_excluded_cells_are_told_of_apart_everywhere(visit, small):
    page = visit(small)
    assert page.locator(".total").inner_text().startswith("45 cells")
    assert page.locator(".pill[data-state=excluded] b").inner_text() == "3"
    assert page.locator(".chip", has_text="barn owl").locator(".many").inner_text() == "21"
    page.locator(".scroller").evaluate("element => { element.scrollTop = element.scrollHeight; }")
    expect(page.locator(".sectionbar").last.locator(".many")).to_have_text("9")


@pytest.mark.parametrize(
    ("endpoint", "words"), [("preview", "would have cost"), ("https://api.example.org", "cost")]
)
def test_money_that_nobody_paid_is_not_told_as_paid(visit, tmp_path, endpoint, words):
    page = visit(write_sheet(write_sample(tmp_path / "run", Sample(endpoint=endpoint, seeds=1))))
    page.keyboard.press("?")
    names = page.locator(".help .run dt").all_inner_texts()
    assert [name for name in names if "cost" in name] == [words]
