"""The wall: every picture for itself, in an order that one chooses, by keys as well, kept in the address."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect
from support.browser import reload, until
from support.sample_run import Sample, write_sample

from zbatch.difference import measurable
from zbatch.sheet import SheetData, write_sheet
from zbatch.sheet.change import measure_changes
from zbatch.state.run import Run


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """Twelve pictures, none excluded, all done."""
    sample = Sample(subjects=("red fox",), loras=("film",), troubles=False, excluded=False)
    return write_sheet(write_sample(tmp_path_factory.mktemp("plain") / "run", sample))


SCALES = (0, 0.4, 0.8, 1.2)


def captions(page):
    return [text.replace("\xa0", " ") for text in page.locator(".caption").all_inner_texts()]


def test_the_wall_comes_and_the_grid_comes_back_as_it_was(visit, small):
    page = visit(small)
    page.get_by_role("button", name="Wall", exact=True).click()
    expect(page.locator(".colhead")).to_have_count(0)
    expect(page.locator("#axis-x")).to_have_count(0)
    expect(page.get_by_role("button", name="Wall", exact=True)).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("w")
    assert page.locator(".colhead").all_inner_texts() == ["0", "0.4", "0.8", "1.2"]
    assert page.locator(".tag").all_inner_texts() == ["subject", "lora.name"]


def test_a_wall_that_was_linked_to_turns_into_the_usual_grid(visit, small):
    page = visit(small, "#x=&y=")
    page.get_by_role("button", name="Grid", exact=True).click()
    assert page.locator(".colhead").all_inner_texts() == ["0", "0.4", "0.8", "1.2"]


def test_it_sorts_by_any_axis_both_ways_and_the_address_keeps_it(visit, plain):
    page = visit(plain, "#x=&y=&panel=0")
    assert captions(page)[:3] == [f"scale 0 · seed {seed}" for seed in (1000, 1001, 1002)]
    page.locator("#sort").select_option("seed")
    assert captions(page)[:4] == [f"scale {scale} · seed 1000" for scale in (0, 0.4, 0.8, 1.2)]
    page.keyboard.press("Escape")
    page.locator("#direction").click()
    assert captions(page)[0] == "scale 0 · seed 1002"
    assert captions(page)[-1] == "scale 1.2 · seed 1000"
    until(page, "location.hash.includes('sort=axis.seed') && location.hash.includes('down=1')")
    reload(page)
    assert captions(page)[0] == "scale 0 · seed 1002"
    page.locator("#scroller").focus()
    page.keyboard.press("r")
    assert captions(page)[0] == "scale 0 · seed 1000"


def test_it_sorts_by_time_and_by_file(visit, plain):
    page = visit(plain, "#x=&y=&sort=file&panel=0")
    files = page.locator(".cell img").evaluate_all("images => images.map(image => image.src)")
    assert files == sorted(files)
    page.goto(page.url.replace("sort=file", "sort=made&down=1"))
    reload(page)
    assert captions(page)[0] == "scale 1.2 · seed 1002"


def test_what_was_never_made_comes_last_either_way(visit, small):
    for down in ("", "&down=1"):
        page = visit(small, f"#x=&y=&sort=made&panel=0&size=60{down}")
        page.locator(".cell").first.focus()
        page.keyboard.press("Control+End")
        expect(page.locator(".cell:focus")).to_have_attribute("data-state", "excluded")


def test_arrows_and_the_lightbox_follow_the_order(visit, plain):
    page = visit(plain, "#x=&y=&sort=axis.seed&panel=0")
    page.locator(".cell").first.focus()
    page.keyboard.press("ArrowRight")
    assert "scale 0.4" in page.locator(".cell:focus").get_attribute("title")
    page.keyboard.press("Enter")
    page.keyboard.press("ArrowRight")
    expect(page.locator(".crumbs")).to_contain_text("0.8")


def test_groups_cut_the_wall_and_each_is_sorted(visit, plain):
    page = visit(plain, "#x=&y=&group=lora.scale&sort=axis.seed&down=1&panel=0")
    assert page.locator(".sectionbar").first.inner_text().split() == ["scale", "0", "3"]
    assert captions(page)[:3] == ["seed 1002", "seed 1001", "seed 1000"]


def test_a_caption_names_whole_values_in_lines_that_break_alike(visit, large):
    page = visit(large, "#x=&y=&panel=0&size=180")
    lines = [caption.split("\n") for caption in captions(page)]
    assert [part for line in lines[0] for part in line.split(" · ")] == [
        "subject 0", "film", "scale 0", "seed 1000", "768*768",
    ]  # fmt: skip
    assert len({tuple(line.count("·") for line in own) for own in lines}) == 1
    assert all(page.locator(".caption").evaluate_all(WHOLE))


WHOLE = """captions => captions.map((one) =>
    one.scrollHeight <= one.clientHeight + 1 && one.scrollWidth <= one.clientWidth + 1)"""


@pytest.mark.parametrize("width", [390, 1440])
def test_a_long_prompt_leaves_the_short_values_whole_and_shows_where_it_differs(visit, tmp_path, width):
    places = ("misty autumn", "snowy winter")
    subjects = tuple(
        f"a red fox sitting on a mossy log in a {place} forest at dawn, soft light" for place in places
    )
    sample = Sample(
        subjects=subjects, loras=("film",), seeds=2, sizes=("768*1344",), troubles=False, excluded=False
    )
    index = write_sheet(write_sample(tmp_path / "run", sample))
    page = visit(index, "#x=&y=&panel=0&size=240", viewport={"width": width, "height": 900})
    *short, prompt = captions(page)[0].split("\n")
    assert short == (["scale 0 · seed 1000"] if width > 1000 else ["scale 0", "seed 1000"])
    assert "misty" in prompt
    assert all(page.locator(".caption").evaluate_all(WHOLE))


@pytest.mark.skipif(not measurable(), reason="flip-evaluator has no build for this platform")
def test_it_sorts_by_and_searches_for_the_change_from_the_baseline(visit, tmp_path):
    sample = Sample(subjects=("red fox",), loras=("film",), seeds=1, troubles=False, excluded=False)
    with Run(write_sample(tmp_path / "run", sample)) as run:
        write_sheet(run)
        page = visit(run.directory.index, "#x=&y=&panel=0")
        assert "change" not in page.locator("#sort option").evaluate_all("all => all.map(one => one.value)")
        page.locator("#search").fill("change>0")
        expect(page.locator(".complaint")).to_contain_text("not known here")
        data = SheetData.of(run)
        measure_changes(data, run.directory)
        page = visit(write_sheet(run, data=data), "#x=&y=&panel=0")
    page.locator("#sort").select_option("change")
    expect(page.locator(".caption").first).to_have_text("change\u00a00.00\nscale\u00a00")
    assert [text.split("\n")[1] for text in captions(page)] == [f"scale {scale}" for scale in SCALES]
    page.locator("#direction").click()
    assert [text.split("\n")[1] for text in captions(page)] == [f"scale {scale}" for scale in SCALES[::-1]]
    page.locator(".cell").first.click()
    expect(page.locator(".metadata")).to_contain_text("from the baseline")
    page.keyboard.press("Escape")
    page.locator("#search").fill("change>0")
    assert sorted(text.split("\n")[1] for text in captions(page)) == ["scale 0.4", "scale 0.8", "scale 1.2"]
