from __future__ import annotations

import shutil

import pytest
from playwright.sync_api import expect
from support.browser import address, reload, until
from support.sample_run import HOSTILE, Sample, write_sample

from zbatch.sheet import write_sheet, write_single_file
from zbatch.state.artifacts import THUMB_SIDE

ELEMENTS = "document.querySelectorAll('.plane *').length"


def heads(page, kind):
    return page.locator(f".{kind}head").all_inner_texts()


def states(page):
    return page.locator(".cell").evaluate_all(
        "cells => [...new Set(cells.map(cell => cell.dataset.state))].sort()"
    )


def total(page):
    return page.locator(".total").inner_text()


def test_it_opens_with_scales_as_columns_and_seeds_as_rows(visit, small):
    page = visit(small)
    assert page.title() == "Fox and film"
    expect(page.locator("#lede")).to_have_text("Which scale of the two film LoRAs keeps the fox a fox?")
    assert heads(page, "col") == ["0", "0.4", "0.8", "1.2"]
    assert heads(page, "row")[:3] == ["1000", "1001", "1002"]
    assert "red fox" in page.locator(".sectionbar").first.inner_text()
    assert total(page).startswith("45 cells")
    assert page.locator(".pill[data-state=failed] b").inner_text() == "2"


def test_swapping_and_choosing_axes_is_kept_in_the_address(visit, small):
    page = visit(small)
    page.locator("#swap").click()
    assert heads(page, "col") == ["1000", "1001", "1002"]
    page.locator("#axis-y").select_option("subject")
    assert heads(page, "row")[:2] == ["red fox", "barn owl"]
    # The axis that left its place now cuts the sheet into sections.
    assert page.locator(".tag").all_inner_texts() == ["lora.scale", "lora.name"]
    until(page, "location.hash.includes('y=subject')")
    reload(page)
    assert heads(page, "col") == ["1000", "1001", "1002"]
    assert heads(page, "row")[:2] == ["red fox", "barn owl"]


def test_without_axes_the_sheet_is_a_wall_with_captions(visit, small):
    page = visit(small)
    page.locator("#axis-x").select_option("")
    page.locator("#axis-y").select_option("")
    expect(page.locator(".colhead")).to_have_count(0)
    assert (
        "red fox" in page.locator(".sectionbar").first.inner_text()
        or "scale" in page.locator(".caption").first.inner_text()
    )


def test_chips_hide_show_and_single_out_values_and_count_them(visit, small):
    page = visit(small)
    chip = page.locator(".chip", has_text="0.4")
    assert chip.locator(".many").inner_text() == "12"
    chip.click()
    assert heads(page, "col") == ["0", "0.8", "1.2"]
    expect(chip).to_have_attribute("aria-pressed", "false")
    assert page.locator(".chip", has_text="barn owl").locator(".many").inner_text() == "15"
    page.locator(".chip", has_text="0.8").click(modifiers=["Shift"])
    assert heads(page, "col") == ["0.8"]
    page.get_by_role("button", name="Show all values of lora.scale").click()
    assert heads(page, "col") == ["0", "0.4", "0.8", "1.2"]


def test_every_state_is_drawn_with_its_reason_and_what_redoes_it(visit, small):
    page = visit(small, "#x=&y=&size=100&panel=0")
    assert states(page) == ["done", "excluded", "failed", "pending", "rejected", "submitted", "unknown"]
    failed = page.locator(".cell[data-state=failed]").first
    assert "NSFW filter <b>tripped</b>" in failed.get_attribute("title")
    assert "zbatch run 'manifests/fox lora.yaml' --retry failed" in failed.get_attribute("title")
    assert 'when: lora.name == "ink"' in page.locator(".cell[data-state=excluded]").first.get_attribute(
        "title"
    )
    page.locator(".cell[data-state=rejected]").first.click()
    expect(page.locator(".notice")).to_contain_text("ILLEGAL_PROMPT: the prompt is not allowed")
    expect(page.locator(".notice code")).to_contain_text("--retry rejected")
    expect(page.locator(".frame")).to_have_attribute("data-state", "rejected")


def test_a_state_can_be_shown_alone(visit, small):
    page = visit(small)
    page.locator(".pill[data-state=failed]").click()
    assert states(page) == ["failed"]
    assert total(page).startswith("2 of 45 cells")
    page.locator(".pill[data-state=failed]").click()
    assert total(page).startswith("45 cells")


def test_excluded_cells_alone_are_counted_as_what_they_are(visit, small):
    page = visit(small, "#x=lora.scale&y=seed&group=subject&panel=1")
    page.locator(".pill[data-state=excluded]").click()
    assert states(page) == ["excluded"]
    assert total(page) == "3 excluded cells"
    expect(page.locator(".sectionbar .many")).to_have_text("3 excluded")
    assert page.locator(".chip", has_text="ink").locator(".many").inner_text() == "3"
    assert page.locator(".chip", has_text="film").locator(".many").inner_text() == "0"
    page.locator(".pill[data-state=excluded]").click()
    page.locator("#search").fill("state:excluded")
    assert total(page) == "3 excluded cells"
    page.locator("#search").fill("nothing of the kind")
    assert total(page) == "0 of 45 cells"
    expect(visit(small, "#state=excluded").locator(".total")).to_have_text("3 excluded cells")


def test_cells_that_share_a_job_are_marked(visit, small):
    page = visit(small)
    shared = page.locator(".cell[data-twins]").first
    expect(shared).to_have_attribute("data-twins", "\u00d72")
    shared.click()
    expect(page.locator(".shared")).to_contain_text("shown in 2 cells")


def test_search_knows_words_values_numbers_and_states(visit, small):
    page = visit(small)
    for query, cells in {
        "fox": 24,
        '"a barn owl"': 21,  # three cells of the owl are excluded and have no prompt
        "seed:1000": 15,  # and one that is excluded: told of apart
        "scale>0.6": 21,
        "scale>=0.4 name:ink owl": 6,
        "state:failed": 2,
        "nsfw:true": 2,
        "tripped": 2,
        "owl -ink": 12,
        "price:9": 0,
    }.items():
        page.locator("#search").fill(query)
        words = "45 cells" if cells == 45 else f"{cells} of 45 cells"
        assert total(page).startswith(words), query
    expect(page.locator(".nothing")).to_contain_text("Nothing matches")
    page.locator(".nothing button").click()
    assert total(page).startswith("45 cells")
    expect(page.locator("#search")).to_have_value("")


def test_headers_stay_in_view_in_both_directions(visit, large):
    page = visit(large, "#x=lora.scale&y=seed&group=subject&size=200")
    column, bar = (
        page.locator(".colhead", has_text="0.1").bounding_box(),
        page.locator("#scroller").bounding_box(),
    )
    assert column["y"] == bar["y"]
    page.locator("#scroller").evaluate("box => { box.scrollTop = 1500; box.scrollLeft = 600; }")
    until(page, "document.querySelector('.line').ariaRowIndex > 3")
    assert page.locator(".colhead").first.bounding_box()["y"] == bar["y"]
    assert page.locator(".rowhead").first.bounding_box()["x"] == bar["x"]
    page.locator("#scroller").evaluate("box => { box.scrollTop = box.scrollHeight * 0.6; }")
    until(page, "document.querySelector('.sectionbar').textContent.includes('subject 2')")
    title = page.locator(".sectionbar").first.bounding_box()
    assert title["x"] == bar["x"]
    assert title["y"] == page.locator(".columns").bounding_box()["height"] + bar["y"]


def test_only_what_the_window_shows_is_in_the_page(visit, large):
    page = visit(large, "#x=lora.scale&y=seed&group=subject&group=lora.name&group=size&size=56")
    for share in (0, 0.31, 0.77, 1):
        page.locator("#scroller").evaluate(
            "(box, share) => { box.scrollTop = box.scrollHeight * share; }", share
        )
        page.wait_for_timeout(60)
        assert page.locator(".cell").count() > 20
        assert page.evaluate(ELEMENTS) < 300
    page.locator("#axis-x").select_option("")
    page.locator("#axis-y").select_option("")
    assert page.evaluate(ELEMENTS) < 300


def test_the_grid_shows_thumbnails_only_in_true_proportions(visit, large):
    page = visit(large, "#x=size&y=seed&group=lora.name")
    until(page, "[...document.querySelectorAll('.cell img')].every(image => image.naturalWidth > 0)")
    areas = page.locator(".cell img").evaluate_all(
        "images => images.map(image => image.naturalWidth * image.naturalHeight)"
    )
    assert areas
    assert max(areas) <= THUMB_SIDE**2 * 1.01
    box = page.locator(".cell[title*=portrait]").first.bounding_box()
    assert abs(box["width"] / box["height"] - 832 / 1216) < 0.02


def test_the_keyboard_walks_the_grid_and_the_size_can_be_set(visit, large):
    page = visit(large)
    page.locator(".cell").first.focus()
    for key in ("ArrowRight", "ArrowDown", "ArrowDown", "PageDown", "ArrowLeft"):
        page.keyboard.press(key)
    expect(page.locator(".cell:focus")).to_have_count(1)
    page.keyboard.press("Control+End")
    expect(page.locator(".cell:focus")).to_be_in_viewport()
    assert "subject 3" in page.locator(".cell:focus").get_attribute("title")
    expect(page.locator(".cell:not([title])")).to_have_count(0)
    before = page.locator(".cell").first.bounding_box()["width"]
    page.keyboard.press("+")
    until(page, f"document.querySelector('.cell').getBoundingClientRect().width > {before}")


def test_sections_fold(visit, small):
    page = visit(small)
    page.locator(".sectionbar").first.click()
    expect(page.locator(".sectionbar").first).to_have_attribute("aria-expanded", "false")
    assert "ink" in page.locator(".sectionbar").nth(1).inner_text()


def test_hostile_text_stays_text(visit, hostile):
    page = visit(hostile, "#x=&y=&panel=1")
    page.wait_for_timeout(200)
    assert page.title() == "</title><script>document.title='owned'</script>"
    assert page.locator("#title").inner_text() == page.title()
    assert page.locator("img[onerror], img[src=x], a[href^=javascript]").count() == 0
    assert page.locator("script").count() == 3
    for text in HOSTILE[:2]:
        assert page.locator(".chip .what").filter(has_text=text[:12]).count() >= 1
    page.locator("#search").fill("javascript:alert")
    page.locator(".cell").first.click()
    expect(page.locator(".prompt")).to_contain_text("{{ 7 * 7 }}")
    assert page.evaluate("globalThis.owned") is None


def test_a_phone_gets_a_page_that_fits(visit, small):
    page = visit(small, viewport={"width": 390, "height": 780}, has_touch=True, is_mobile=True)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    expect(page.locator("#panel")).to_be_hidden()
    page.locator(".cell").nth(1).tap()
    expect(page.locator("#lightbox")).to_be_visible()


def test_light_and_dark_follow_the_system_and_the_key(visit, small):
    page = visit(small, color_scheme="dark")
    colour = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(colour)
    page.keyboard.press("t")
    assert page.evaluate(colour) != dark
    page.keyboard.press("?")
    expect(page.locator("#help")).to_contain_text("swap columns and rows")
    page.keyboard.press("Escape")
    expect(page.locator("#help")).to_be_hidden()


def test_paper_gets_tables(visit, small):
    page = visit(small)
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    assert page.locator("#paper table").count() == 4
    assert page.locator("#paper td").count() == 48
    expect(page.locator(".work")).to_be_hidden()
    # A head of a table is what printers repeat: the group's title is in it, above those of the columns.
    for table, words in zip(page.locator("#paper table").all(), ("film", "ink", "film", "ink"), strict=True):
        title, columns = table.locator("thead tr").all()
        assert words in title.inner_text()
        assert columns.locator("th").all_inner_texts() == ["scale →\nseed ↓", "0", "0.4", "0.8", "1.2"]
    style = "element => [getComputedStyle(element).display, getComputedStyle(element).breakAfter]"
    assert page.locator("#paper thead").first.evaluate(style) == ["table-header-group", "avoid"]


def test_everything_has_a_name(visit, small):
    page = visit(small)
    nameless = """[...document.querySelectorAll('button, input, select, .cell, img')].filter(one =>
        !(one.getAttribute('aria-label') || one.title || one.innerText || one.alt || one.closest('label') ||
          one.closest('dialog') || one.querySelector('img[alt]'))).map(one => one.outerHTML)"""
    assert page.evaluate(nameless) == []


def test_missing_data_is_said(visit, watch, small, tmp_path):
    watch.forgiven = ("ERR_FILE_NOT_FOUND",)
    copy = tmp_path / "copy"
    shutil.copytree(small.parent, copy)
    (copy / "data.js").unlink()
    page = visit(copy / "index.html")
    expect(page.locator("#trouble")).to_contain_text("data.js is missing")


def test_the_chosen_theme_is_there_before_the_data(visit, watch, small, tmp_path):
    watch.forgiven = ("ERR_FILE_NOT_FOUND",)
    copy = tmp_path / "copy"
    shutil.copytree(small.parent, copy)
    page = visit(copy / "index.html", color_scheme="light")
    page.keyboard.press("t")
    page.wait_for_function("document.documentElement.dataset.theme === 'dark'")
    page.wait_for_timeout(1000)  # what is kept goes from one process of the browser to the next
    (copy / "data.js").unlink()
    page.goto(address(copy / "index.html", "#x="))
    page.reload()
    expect(page.locator("#trouble")).to_contain_text("data.js is missing")
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"


def test_a_single_file_travels_alone(visit, small, tmp_path):
    page = visit(write_single_file(small.parent, tmp_path / "alone.html"))
    assert heads(page, "col") == ["0", "0.4", "0.8", "1.2"]
    page.locator(".cell").first.click()
    until(page, "document.querySelector('.original').naturalWidth > 0")
    assert page.locator(".original").get_attribute("src").startswith("data:image/webp")
    expect(page.locator(".place")).to_have_text("thumbnail")
    expect(page.locator(".metadata")).to_contain_text("one file that holds thumbnails")
    assert [path.name for path in tmp_path.iterdir()] == ["alone.html"]


@pytest.mark.parametrize("size", ["1216*832", "768*768", "832*1216"])
def test_at_first_all_columns_fit_whatever_the_shape_of_the_pictures(visit, tmp_path, size):
    scales = tuple(number / 5 for number in range(7))
    sample = Sample(sizes=(size,), scales=scales, seeds=2, troubles=False)
    page = visit(write_sheet(write_sample(tmp_path / "run", sample)))
    expect(page.locator(".cell").first).to_be_visible()
    assert page.evaluate(
        "document.querySelector('.scroller').scrollWidth <= document.querySelector('.scroller').clientWidth"
    )


@pytest.mark.parametrize(
    ("width", "size"), [(360, "768*1344"), (390, "768*768"), (1024, "768*1344"), (1440, "768*1344")]
)
def test_four_columns_fit_and_a_chosen_size_stays(visit, tmp_path, width, size):
    sample = Sample(sizes=(size,), loras=("film",), seeds=2, troubles=False)
    index = write_sheet(write_sample(tmp_path / "run", sample))
    fits = (
        "(({ scrollWidth, clientWidth }) => scrollWidth <= clientWidth)(document.querySelector('.scroller'))"
    )
    for fragment in ("#x=lora.scale&y=seed&group=subject", "#x=lora.scale&y=subject&group=seed"):
        page = visit(index, fragment, viewport={"width": width, "height": 844})
        expect(page.locator(".colhead")).to_have_count(4)
        assert page.evaluate(fits), fragment
    page.locator("#size").fill("400")
    assert not page.evaluate(fits) or width > 1400
    before = page.locator(".cell").first.bounding_box()["width"]
    page.locator("#axis-y").select_option("")
    assert page.locator(".cell").first.bounding_box()["width"] == before
    until(page, "location.hash.includes('size=')")
    reload(page)
    assert page.locator(".cell").first.bounding_box()["width"] == before


def test_what_flies_past_is_blank_and_is_drawn_when_it_stands(visit, large):
    page = visit(large)
    page.evaluate("""() => {
        globalThis.blanks = 0;
        const blank = () => document.querySelectorAll(".cell:not([title])").length;
        new MutationObserver(() => { blanks = Math.max(blanks, blank()); })
            .observe(document.querySelector("#scroller"), { childList: true, subtree: true });
    }""")
    page.mouse.move(700, 500)
    for _ in range(20):
        page.mouse.wheel(0, 3000)
    expect(page.locator(".cell:not([title])")).to_have_count(0)
    assert page.evaluate("blanks") > 0
    assert page.locator(".cell").count() > 10


def test_without_row_heads_titles_begin_where_pictures_do(visit, calm):
    page = visit(calm, "#x=lora.name&y=&group=subject&group=seed")
    left = page.locator(".sectionbar .icon").first.bounding_box()["x"]
    assert left == page.locator(".cell").first.bounding_box()["x"]
