"""Words that have little room: heads of columns and rows, reasons in a small cell."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect
from support.browser import PHONE
from support.lightbox import open_first
from support.sample_run import Sample, write_sample

from zbatch.sheet import write_sheet

LONG = "a {} fox sitting on a mossy log in a {} forest at dawn, soft light, film photo"
KINDS = (("red", "misty autumn"), ("red", "snowy winter"), ("grey", "blooming spring"), ("red", "burning"))
CUT = """all => all
    .filter(one => one.scrollHeight > one.clientHeight + 1 || one.scrollWidth > one.clientWidth + 1)
    .map(one => one.innerText)"""


@pytest.fixture(scope="module")
def long(tmp_path_factory):
    sample = Sample(subjects=tuple(LONG.format(*kind) for kind in KINDS), seeds=2, troubles=False)
    return write_sheet(write_sample(tmp_path_factory.mktemp("long") / "run", sample))


@pytest.mark.parametrize("size", [PHONE, {"viewport": {"width": 1280, "height": 800}}], ids=["phone", "wide"])
@pytest.mark.parametrize("fragment", ["#x=subject&y=seed", "#x=seed&y=subject", "#x=subject&y=seed&size=60"])
def test_heads_are_shortened_once_where_they_differ(visit, long, size, fragment):
    page = visit(long, fragment, **size)
    heads = page.locator(".colhead:not(.number) span, .rowhead:not(.number) span")
    assert heads.count() >= 3
    assert heads.evaluate_all(CUT) == []  # the page need not cut them a second time
    for words in heads.all_inner_texts():
        assert "\u2026\u2026" not in words
    assert len(set(heads.all_inner_texts())) == heads.count()


WHOLE = {
    "#x=lora.scale&y=seed&group=subject&group=lora.name&panel=0": (".sectionbar .value", 5),
    "#x=lora.scale&y=subject&panel=0": (".rowhead span", 5),
    "#x=subject&y=seed&group=lora.name&panel=0&size=260": (".colhead span", 3),
}


@pytest.mark.parametrize("fragment", WHOLE)
def test_heads_are_whole_where_there_is_room(visit, tmp_path, fragment):
    texts = [f"an old fisherman mends a {kind} net before a stone bridge over a river" for kind in "abc"]
    texts += [f"{text}, {'soft light, ' * 3}85mm, film grain" for text in texts[:2]]
    place, many = WHOLE[fragment]
    sample = Sample(subjects=tuple(texts[:many]), seeds=2, troubles=False)
    page = visit(write_sheet(write_sample(tmp_path / "run", sample)), fragment)
    shown = page.locator(place)
    assert shown.count() >= 3
    assert not [words for words in shown.all_inner_texts() if "\u2026" in words]
    assert shown.evaluate_all(CUT) == []
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    for text in texts[:3]:
        assert page.locator("#paper th", has_text=text).count() > 0, text


def test_every_head_and_chip_names_its_axis_and_the_whole_value(visit, long):
    texts = [LONG.format(*kind) for kind in KINDS]
    titles = "all => all.map(one => one.title)"
    for fragment, place in {
        "#x=lora.scale&y=subject&panel=0": ".rowhead",
        "#x=subject&y=seed&panel=0": ".colhead",
        "#x=lora.scale&y=seed&group=subject&panel=0": ".sectionbar .pair",
        "#x=lora.scale&y=seed&panel=1": ".chip",
    }.items():
        told = visit(long, fragment).locator(place).evaluate_all(titles)
        assert f"subject: {texts[0]}" in told, place
    rows = visit(long, "#x=subject&y=seed&panel=0").locator(".rowhead")
    assert rows.evaluate_all(titles) == ["seed: 1000", "seed: 1001"]


def test_heads_of_columns_are_no_higher_than_their_words_need(visit, calm, long):
    high = [
        visit(index, fragment).locator(".colhead").first.bounding_box()["height"]
        for index, fragment in (
            (calm, "#x=lora.scale&y=seed"),
            (calm, "#x=subject&y=seed"),
            (long, "#x=subject&y=seed&size=440"),
            (long, "#x=subject&y=seed&size=190"),
        )
    ]
    assert high == [38, 38, 47, 81]


def test_a_code_breaks_at_its_underscores_and_is_copied_whole(visit, tmp_path):
    index = write_sheet(write_sample(tmp_path / "run", Sample(reason="TASK_STATUS_FAILED_BY_SERVER")))
    page = visit(index, "#x=&y=&state=failed&size=150&panel=0")
    why = page.locator(".cell .why").first
    assert "TASK_STATUS_FAILED" in why.inner_text()
    breaks = why.evaluate("""why => {
        const range = document.createRange();
        const letters = [];
        for (const node of why.childNodes) for (let at = 0; at < (node.length ?? 0); at += 1) {
            range.setStart(node, at);
            range.setEnd(node, at + 1);
            letters.push([node.data[at], Math.round(range.getBoundingClientRect().top)]);
        }
        const lower = letters.map(([, top], at) => at > 0 && top > letters[at - 1][1] + 4);
        return letters.flatMap(([letter], at) => (lower[at + 1] ? [letter] : []));
    }""")
    assert "_" in breaks
    assert set(breaks) <= {" ", "_"}


@pytest.mark.parametrize("width", [1440, 2560])
def test_the_strip_stands_under_the_picture(visit, calm, width):
    page = open_first(visit, calm, viewport={"width": width, "height": 1000})
    frame, strip = page.locator(".frame").bounding_box(), page.locator(".strip").bounding_box()
    apart = (frame["x"] + frame["width"] / 2) - (strip["x"] + strip["width"] / 2)
    assert abs(apart) < (2 if width > 2000 else 30)
    expect(page.locator(".pick")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_scrollbar_has_no_strip_of_its_own_beside_the_heads(visit, calm, scheme):
    page = visit(calm, "#x=lora.scale&y=seed", color_scheme=scheme)
    colours = page.locator("#scroller").evaluate("box => getComputedStyle(box).scrollbarColor")
    assert colours.endswith(page.evaluate("getComputedStyle(document.body).backgroundColor"))
