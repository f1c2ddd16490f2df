"""Files that are away: what stands for a picture, and that it is there when its files are back."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect
from support.browser import until
from support.sample_run import Sample, write_sample

from zbatch.sheet import write_sheet

SHOWN = "document.querySelector('.pane.current .{}').naturalWidth > 0"


@pytest.fixture
def index(watch, tmp_path):
    """Eight pictures that are larger than their thumbnails."""
    watch.forgiven = ("ERR_FILE_NOT_FOUND",)
    sample = Sample(seeds=1, troubles=False, excluded=False, sizes=("1248*1248",))
    return write_sheet(write_sample(tmp_path / "run", sample))


def files(index, page):
    """The first picture's thumbnail and itself."""
    page.locator(".cell").first.click()
    sources = [page.locator(f".pane.current .{name}").get_attribute("src") for name in ("under", "original")]
    page.close()
    thumb, image = (index.parent / source for source in sources)
    assert thumb != image
    return thumb, image


def put_away(*paths):
    """Have files be away; gives what brings them back."""
    away = [(path, path.rename(path.with_suffix(".away"))) for path in paths]
    return lambda: [there.rename(path) for path, there in away]


@pytest.fixture
def away(visit, index):
    """A page whose first picture is away, thumbnail and all; its cell, and what brings the files back."""
    back = put_away(*files(index, visit(index)))
    page = visit(index)
    cell = page.locator(".cell").first
    expect(cell).to_contain_text("file missing")
    return page, cell, back


def test_pictures_whose_files_come_back_are_shown_again(away):
    page, cell, back = away
    cell.click()
    note = page.locator(".pane.current .note")
    expect(note).to_contain_text("are not beside this page")
    expect(page.locator(".stop .none[data-state=missing]")).to_have_count(1)
    page.keyboard.press("ArrowRight")
    expect(note).to_be_hidden()
    page.keyboard.press("ArrowLeft")  # looked for once more, and still away
    expect(note).to_contain_text("are not beside this page")
    back()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowLeft")
    until(page, SHOWN.format("original"))
    expect(note).to_be_hidden()
    page.keyboard.press("Escape")
    expect(cell.locator("img")).to_have_count(1)
    until(page, "document.querySelector('.cell img').naturalWidth > 0")


def test_who_comes_back_to_the_page_sees_what_came_back(away):
    page, cell, back = away
    cell.focus()
    back()
    page.evaluate("dispatchEvent(new Event('focus'))")
    expect(cell.locator("img")).to_have_count(1)
    expect(cell).to_be_focused()


def test_the_picture_stands_in_for_its_thumbnail(visit, index):
    put_away(files(index, visit(index))[0])
    page = visit(index)
    until(page, "document.querySelector('.cell img')?.naturalWidth === 416")
    page.locator(".cell").first.click()
    until(page, SHOWN.format("original"))
    expect(page.locator(".pane.current .under")).to_be_hidden()
    until(page, "document.querySelector('.stop img')?.naturalWidth === 416")
