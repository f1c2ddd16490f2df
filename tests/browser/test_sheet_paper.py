"""What a printer gets: few bytes, pictures in line, and of an open picture that one alone."""

from __future__ import annotations

import re
import shutil

import pytest
from playwright.sync_api import expect
from support.browser import until
from support.sample_run import Sample, write_sample

from zbatch.sheet import write_sheet

LONG = "a fisherman mends a net in front of an old stone bridge over a quiet river, " * 1300


@pytest.fixture(scope="module")
def detailed(tmp_path_factory):
    """Pictures whose thumbnails have more dots than paper shows of them."""
    sample = Sample(
        scales=tuple(number / 10 for number in range(7)), sizes=("768*768", "832*1216"), troubles=False
    )
    return write_sheet(write_sample(tmp_path_factory.mktemp("detailed") / "run", sample))


@pytest.fixture(scope="module")
def wordy(tmp_path_factory):
    """Two prompts of a hundred kilobytes, one word apart."""
    sample = Sample(subjects=(f"{LONG}smiling", f"{LONG}crying"), loras=("film",), scales=(0, 1), seeds=1)
    return write_sheet(write_sample(tmp_path_factory.mktemp("wordy") / "run", sample))


def printed(page):
    """Have it as it is printed: all pictures there, and small where they are drawn small."""
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    until(page, "[...document.querySelectorAll('#paper img')].every(image => image.complete)")


def pages(page, **options):
    """Count the pages of the PDF."""
    return len(re.findall(rb"/Type\s*/Page\b", page.pdf(format="A4", **options)))


def test_many_pictures_are_printed_with_the_dots_that_paper_shows(visit, detailed):
    page = visit(detailed, "#x=&y=&panel=0")
    printed(page)
    until(page, "document.querySelectorAll('#paper canvas').length > 100")
    expect(page.locator("#paper img")).to_have_count(0)
    widest = page.evaluate(
        "Math.max(...[...document.querySelectorAll('#paper canvas')].map(one => one.width))"
    )
    assert widest < 200  # of the 256 that a thumbnail has
    expect(page.locator("#paper canvas").first).to_have_attribute("aria-label", re.compile("scale 0"))


def test_both_axes_and_what_was_asked_for_are_on_paper(visit, detailed):
    page = visit(detailed, "#x=lora.scale&y=seed&q=scale%3C0.5&panel=0")
    printed(page)
    expect(page.locator("#paper .corner").first).to_have_text("scale →\nseed ↓")
    expect(page.locator("#paper .asked")).to_have_text("Search: scale<0.5")
    page = visit(detailed, "#x=lora.scale&y=&panel=0")
    printed(page)
    expect(page.locator("#paper thead tr:last-child th").first).to_have_text("scale 0")
    expect(page.locator("#paper .asked")).to_have_count(0)
    page = visit(detailed, "#x=&y=&sort=made&down=1&panel=0")
    printed(page)
    expect(page.locator("#paper .asked")).to_have_text("Sorted by time made, newest first")


def test_a_stack_says_on_paper_which_of_its_pictures_is_printed(visit, small, wordy):
    under = "#paper .under"
    page = visit(small, "#x=lora.scale&y=lora.name&panel=0")
    page.keyboard.press("]")
    printed(page)
    told = page.locator(under).all_inner_texts()
    assert told[0] == "2 of 6 here: red fox · seed\u00a01001"
    assert told[1] == "1 of 6 here: red fox · seed\u00a01000"
    page = visit(small, "#x=lora.scale&y=seed&group=subject&group=lora.name&panel=0")
    printed(page)
    expect(page.locator(under)).to_have_count(0)
    page = visit(wordy, "#x=lora.scale&y=seed&panel=0")
    printed(page)
    words = page.locator(under).first.inner_text()
    assert re.fullmatch(r"1 of 2 here: a fisherman[^…]*…[^…]*smiling", words)
    assert len(words) <= len("1 of 2 here: ") + 44


def test_few_pictures_are_printed_from_the_images_themselves(visit, detailed):
    only = "&only.subject=red%20fox&only.lora.name=film&only.seed=1000&only.size=portrait"
    page = visit(detailed, f"#x=lora.scale&y=seed{only}")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    source = page.evaluate("[...document.querySelectorAll('#paper img')].map(one => one.src)")
    assert len(source) == 7
    assert all("/images/" in one for one in source)


def test_pictures_of_a_row_on_the_wall_stand_in_line(visit, small):
    page = visit(small, "#x=&y=&panel=0")
    printed(page)
    tops = """[...document.querySelectorAll('#paper tr')].map(row => new Set([...row.cells].map(cell =>
        Math.round(cell.firstElementChild.getBoundingClientRect().top))).size)"""
    assert set(page.evaluate(tops)) == {1}


def test_a_reason_makes_no_row_taller_than_its_pictures(visit, tmp_path):
    sample = Sample(
        scales=tuple(number / 10 for number in range(13)), subjects=("fox",), seeds=1, reason="no " * 200
    )
    page = visit(write_sheet(write_sample(tmp_path / "run", sample)), "#x=lora.scale&y=lora.name")
    printed(page)
    heights = page.evaluate("""() => {
        const high = (one) => one.getBoundingClientRect().height;
        return [...document.querySelectorAll('#paper .none')].map(one =>
            [high(one), high(one.closest('table').querySelector('img, canvas'))]);
    }""")
    assert heights
    assert all(words <= picture + 4 for words, picture in heights), heights


def test_an_open_picture_is_printed_alone_on_one_page(visit, small):
    page = visit(small)
    page.locator(".cell").first.click()
    printed(page)
    expect(page.locator("#paper table")).to_have_count(0)
    expect(page.locator("#paper img")).to_have_count(1)
    assert "/images/" in page.locator("#paper img").get_attribute("src").replace("./", "/")
    words = page.locator("#paper").inner_text()
    for told in ("lora.scale", "seed", "1000", "a red fox in a quiet valley", "256 \u00d7 256", "job "):
        assert told in words, told
    expect(page.locator("#facts")).to_be_hidden()
    assert pages(page) == 1
    assert pages(page, landscape=True) == 1
    page.emulate_media(media="screen")
    page.keyboard.press("Escape")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("#paper table").count() > 0


def test_a_comparison_is_printed_side_by_side_with_what_differs(visit, calm):
    page = visit(calm)
    page.locator(".cell").nth(3).click()
    page.keyboard.press("b")
    expect(page.locator(".frame[data-compare]")).to_be_visible()
    printed(page)
    expect(page.locator("#paper figure")).to_have_count(2)
    names = page.locator("#paper figcaption").all_inner_texts()
    assert names == ["Reference scale 0", "This scale 1.2"]
    tops = {page.locator("#paper img").nth(number).bounding_box()["y"] for number in range(2)}
    assert len(tops) == 1
    assert page.locator("#paper .difference tbody th").first.inner_text() == "lora.scale"
    expect(page.locator("#paper .same dl")).to_be_visible()
    assert pages(page) == 1


def test_a_long_prompt_stays_on_the_page_and_says_how_long_it_is(visit, wordy):
    page = visit(wordy)
    page.locator(".cell").last.click()
    printed(page)
    assert re.search(
        r"…[^…]*crying in a quiet valley.*\(\d{2,3},\d{3} characters, whole in the page\)",
        page.locator("#paper .prompt").inner_text(),
    )
    assert pages(page) == 1
    assert pages(page, landscape=True) == 1
    page.emulate_media(media="screen")
    page.evaluate("dispatchEvent(new Event('afterprint'))")  # keys lead to the picture again
    page.keyboard.press("p")
    page.keyboard.press("ArrowUp")
    expect(page.locator(".frame[data-compare]")).to_be_visible()
    printed(page)
    assert pages(page) == 1


def test_what_has_no_picture_is_printed_with_its_reason(visit, small):
    page = visit(small, "#x=&y=&panel=0&state=failed&q=state:failed")
    page.locator(".cell[data-state=failed]").first.click()
    printed(page)
    expect(page.locator("#paper figure .none")).to_contain_text("failed")
    expect(page.locator("#paper figure .why")).to_contain_text("NSFW filter")


def test_what_has_no_picture_is_printed_with_what_the_server_said_where_it_fits(visit, small):
    page = visit(small)
    printed(page)
    words = page.locator("#paper .none").all_inner_texts()
    assert "rejected: ILLEGAL_PROMPT: the prompt is not allowed" in words
    assert any("NSFW filter <b>tripped</b>" in told for told in words)
    cut = page.locator("#paper .none .why").evaluate_all(
        "all => all.filter(one => one.scrollHeight > one.clientHeight + 1).map(one => one.innerText)"
    )
    assert cut == []


def test_folded_groups_are_titles_with_their_counts(visit, small):
    page = visit(small, "#x=lora.scale&y=seed&group=subject&group=lora.name&panel=0")
    on_screen = page.locator(".sectionbar")
    on_screen.first.click()
    many = on_screen.first.locator(".many").inner_text()
    printed(page)
    folded = page.locator("#paper .folded")
    expect(folded).to_have_text([re.compile(rf"^subject red fox · .* film{many} cells, folded$")])
    expect(page.locator("#paper table")).to_have_count(3)
    first = page.locator("#paper > *").first
    expect(first).to_have_class(re.compile("folded"))  # they stand in the order of the page
    page.emulate_media(media="screen")
    page.keyboard.press("g")
    expect(page.locator(".sectionbar[aria-expanded=false]")).to_have_count(4)
    printed(page)
    expect(folded).to_have_count(4)
    expect(folded.last).to_be_visible()
    expect(page.locator("#paper :is(img, canvas, table)")).to_have_count(0)
    assert pages(page) == 1


def test_what_was_judged_is_on_the_printed_pictures(visit, calm):
    page = visit(calm)
    page.locator(".cell").nth(1).focus()
    for key in ("4", "f", "ArrowRight", "x"):
        page.keyboard.press(key)
    expect(page.locator(".cell[data-mark]")).to_have_count(2)
    printed(page)
    marks = page.locator("#paper .marked")
    expect(marks).to_have_text(["4★ ♥", "✕"])
    assert page.locator("#paper .pictured").evaluate_all(
        "all => all.flatMap((one, number) => one.querySelector('.marked') ? [number] : [])"
    ) == [1, 2]
    look = """one => {
        const { color, backgroundColor, opacity } = getComputedStyle(one);
        return [color, backgroundColor, opacity];
    }"""
    assert marks.last.evaluate(look) == ["rgb(0, 0, 0)", "rgb(255, 255, 255)", "1"]
    inside = """all => all.every(one => {
        const [mark, picture] = [one, one.parentElement].map(each => each.getBoundingClientRect());
        return mark.left >= picture.left && mark.right <= picture.right && mark.bottom <= picture.bottom;
    })"""
    assert marks.evaluate_all(inside)
    assert page.locator("#paper .pictured[data-reject]").count() == 1


@pytest.mark.parametrize("fragment", ["", "&only.subject=red%20fox&only.lora.name=film&only.seed=1000"])
def test_a_missing_file_is_printed_as_a_box_of_the_pictures_size(visit, watch, calm, tmp_path, fragment):
    watch.forgiven = ("ERR_FILE_NOT_FOUND",)
    copy = tmp_path / "copy"
    shutil.copytree(calm.parent, copy)
    page = visit(copy / "index.html", f"#x=lora.scale&y=seed{fragment}")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    gone = page.locator("#paper img").first.get_attribute("src")
    (copy / gone).unlink()  # so small that it is its own thumbnail
    page = visit(copy / "index.html", f"#x=lora.scale&y=seed{fragment}")
    printed(page)
    box = page.locator("#paper .pictured .none")
    expect(box).to_have_text(["file missing"])
    sizes = page.locator("#paper tr:has(.none) .pictured").evaluate_all(
        "all => all.map(one => [one, one.firstElementChild]).flat().map(one => one.getBoundingClientRect())"
        ".map(({ width, height }) => [Math.round(width), Math.round(height)])"
    )
    assert len(sizes) >= 8
    assert len({tuple(size) for size in sizes}) == 1


def test_a_thumbnail_is_printed_where_the_image_itself_is_gone(visit, watch, detailed, tmp_path):
    watch.forgiven = ("ERR_FILE_NOT_FOUND",)
    copy = tmp_path / "copy"
    shutil.copytree(detailed.parent, copy)
    shutil.rmtree(copy / "images")
    only = "&only.subject=red%20fox&only.lora.name=film&only.seed=1000&only.size=portrait"
    page = visit(copy / "index.html", f"#x=lora.scale&y=seed{only}")
    printed(page)
    until(page, "document.querySelectorAll('#paper .pictured > :is(img, canvas)').length === 7")
    until(page, "![...document.querySelectorAll('#paper img')].some(one => !one.naturalWidth)")
    expect(page.locator("#paper .none")).to_have_count(0)
