from __future__ import annotations

import contextlib
import re
import signal

import pytest
from playwright.sync_api import expect
from support.browser import reload, until
from support.command import zbatch_started
from support.growing_run import GrowingRun
from support.sample_run import Sample

from zbatch.sheet.live import Pulse

SCALES = (0.2, 0.4, 0.8, 1.2)  # without the baseline, which cells would share
PLAIN = Sample(scales=SCALES, troubles=False, excluded=False)


@pytest.fixture
def begin(tmp_path):
    """Begin a run that goes on as far as the test says."""
    with contextlib.ExitStack() as stack:
        yield lambda sample: stack.enter_context(contextlib.closing(GrowingRun(tmp_path / "run", sample)))


@pytest.fixture
def growing(begin):
    return begin(PLAIN)


def mark(page):
    return page.locator("#live")


def pictures(page):
    return page.locator('.cell[data-state="done"]')


def test_an_open_page_fills_and_ends_by_itself(visit, growing):
    page = visit(growing.tell())
    expect(mark(page)).to_have_text("live, 0 of 48 jobs done")
    expect(pictures(page)).to_have_count(0)
    growing.make(3)
    growing.tell()
    expect(pictures(page)).to_have_count(3)
    until(page, "[...document.querySelectorAll('.cell img')].every((image) => image.naturalWidth > 0)")
    expect(mark(page)).to_have_text("live, 3 of 48 jobs done")
    expect(page.locator('.pill[data-state="done"] b')).to_have_text("3")
    growing.fail("TASK_FAILED", "the server <b>says</b> no")
    growing.make(2)
    growing.tell()
    expect(page.locator('.cell[data-state="failed"]')).to_contain_text("says</b> no")
    growing.make(42)
    growing.end()
    expect(mark(page)).to_have_text("the run ended, 47 of 48 jobs done")
    assert page.evaluate("document.querySelectorAll('script').length") == 3
    reload(page)
    expect(page.locator(".cell").first).to_be_visible()
    expect(mark(page)).to_be_hidden()


def test_a_page_knows_the_changes_once_the_run_has_ended(visit, begin):
    growing = begin(Sample(subjects=("red fox",), loras=("film",), seeds=1, troubles=False, excluded=False))
    page = visit(growing.tell(), "#x=&y=&panel=0")
    growing.make(4)
    growing.end()
    expect(mark(page)).to_have_text("the run ended, 4 of 4 jobs done")
    page.locator("#search").fill("change>0")
    expect(page.locator(".cell")).to_have_count(3)
    expect(page.locator(".complaint")).to_have_count(0)


def test_a_page_that_is_opened_later_catches_up(visit, growing):
    growing.tell()
    growing.make(2)
    growing.tell()
    growing.make(2)
    page = visit(growing.tell())
    expect(pictures(page)).to_have_count(4)
    expect(mark(page)).to_have_text("live, 4 of 48 jobs done")


def test_a_filter_that_the_run_leaves_nothing_of_says_so(visit, growing):
    growing.make(47)
    page = visit(growing.tell(), "#state=pending")
    expect(page.locator(".cell")).to_have_count(1)
    growing.make(1)
    growing.tell()
    expect(page.locator(".nothing")).to_contain_text("Nothing matches.")
    page.get_by_role("button", name="Clear all filters").last.click()
    expect(pictures(page).first).to_be_visible()


def test_place_selection_and_what_is_typed_stay(visit, growing):
    growing.make(6)
    page = visit(growing.tell(), "#x=lora.scale&y=seed&group=subject&group=lora.name&size=200")
    page.locator("#scroller").evaluate("element => { element.scrollTop = 300; }")
    until(page, "document.querySelector('#scroller').scrollTop === 300")
    page.locator(".cell").nth(4).focus()
    title = page.locator(".cell:focus").get_attribute("title")
    before = page.locator(".cell:focus").bounding_box()
    top = page.locator("#scroller").evaluate("element => element.scrollTop")
    growing.make(20)
    growing.tell()
    expect(mark(page)).to_have_text("live, 26 of 48 jobs done")
    assert page.locator("#scroller").evaluate("element => element.scrollTop") == top
    assert page.locator(".cell:focus").get_attribute("title").split(":")[0] == title.split(":")[0]
    assert page.locator(".cell:focus").bounding_box() == before
    page.keyboard.press("/")
    page.keyboard.type("owl")
    growing.make(4)
    growing.tell()
    expect(mark(page)).to_have_text("live, 30 of 48 jobs done")
    expect(page.locator("#search:focus")).to_have_value("owl")


def test_what_is_looked_at_stays_where_it_is_when_pictures_come_above(visit, begin):
    growing = begin(Sample(seeds=20, troubles=False, excluded=False, pictures=8))
    growing.make(120)
    page = visit(growing.tell(), "#x=lora.scale&y=seed&group=subject&group=lora.name&size=200&state=done")
    page.locator("#scroller").evaluate("element => { element.scrollTop = 1200; }")
    until(page, "document.querySelector('#scroller').scrollTop === 1200")
    page.wait_for_timeout(100)
    title = page.locator(".cell").nth(6).get_attribute("title")
    before = page.get_by_title(title, exact=True).bounding_box()
    growing.make(20)
    growing.tell()
    expect(mark(page)).to_have_text("live, 140 of 280 jobs done")
    assert page.get_by_title(title, exact=True).bounding_box() == before


def test_the_lightbox_stays_open_and_its_picture_comes(visit, growing):
    growing.make(1)
    page = visit(growing.tell())
    page.locator(".cell").nth(1).click()
    frame = page.locator("#lightbox .frame")
    expect(frame).to_have_attribute("data-state", "pending")
    expect(page.locator("#lightbox .stop img")).to_have_count(1)
    growing.make(12)
    growing.tell()
    expect(frame).to_have_attribute("data-state", "done")
    until(page, "document.querySelector('.original').naturalWidth > 0")
    expect(page.locator("#lightbox .stop img")).to_have_count(4)
    expect(page.locator("#lightbox")).to_be_visible()
    # Zoomed in on a picture that is there: nothing moves when others come.
    frame.dispatch_event("dblclick", {"clientX": 300, "clientY": 300})
    zoomed = page.locator(".original").evaluate("element => element.style.transform")
    assert "scale(3)" in zoomed
    growing.make(5)
    growing.tell()
    expect(mark(page)).to_have_text("live, 18 of 48 jobs done")
    assert page.locator(".original").evaluate("element => element.style.transform") == zoomed


def test_a_filter_takes_new_pictures_in(visit, growing):
    growing.make(2)
    page = visit(growing.tell(), "#state=done")
    expect(page.locator(".cell")).to_have_count(2)
    growing.make(3)
    growing.tell()
    expect(page.locator(".cell")).to_have_count(5)


def test_another_grid_is_taken_over_with_the_view(visit, growing):
    growing.make(4)
    page = visit(growing.tell(), "#x=seed&y=lora.scale")
    growing.plan(Sample(scales=SCALES, troubles=False, excluded=False, seeds=4))
    growing.tell()
    expect(mark(page)).to_have_text("live, 4 of 64 jobs done")
    expect(page.locator(".colhead")).to_have_text(["1000", "1001", "1002", "1003"])
    expect(page.locator("#axis-x")).to_have_value("seed")


def test_a_run_without_a_grid_yet_is_waited_for(visit, begin):
    growing = begin(Sample(subjects=(), troubles=False))
    page = visit(growing.tell(Pulse.WAITING))
    expect(mark(page)).to_have_text("waiting for the run, 0 of 0 jobs done")
    expect(page.locator(".nothing")).to_contain_text("This run has no cells")
    growing.plan(PLAIN)
    growing.make(1)
    growing.tell()
    expect(pictures(page)).to_have_count(1)
    expect(page.locator(".nothing")).to_be_hidden()


def test_a_page_whose_watcher_was_killed_long_ago_says_so(visit, growing):
    index = growing.tell()
    pulse = growing.directory.live / "pulse.js"
    pulse.write_text(re.sub(r'"at":"[^"]*"', '"at":"2020-01-01T10:00:00.000Z"', pulse.read_text()))
    page = visit(index)
    expect(mark(page)).to_contain_text("nothing heard since")
    growing.make(1)
    growing.tell()
    expect(mark(page)).to_have_text("live, 1 of 48 jobs done", timeout=12000)


def test_hostile_texts_that_come_late_are_text(visit, growing):
    page = visit(growing.tell())
    growing.fail("</script><script>document.title='owned'</script>", '<img src=x onerror="document.title=1">')
    growing.tell()
    expect(page.locator('.cell[data-state="failed"]')).to_have_count(1)
    assert page.title() == "Fox and film"


MANIFEST = """
version: 1
name: watched
request: {prompt: "a {{ subject }} in the snow", size: 512*512}
matrix: {subject: [fox, owl], seed: {from: 1, count: 4}}
report: {x: seed, y: subject}
"""


def test_started_before_the_run_it_follows_it_to_its_end(visit, tmp_path):
    (tmp_path / "watched.yaml").write_text(MANIFEST)
    with zbatch_started("report", "watched.yaml", "--watch", "--single-file", cwd=tmp_path) as watcher:
        assert "waiting for one to begin" in watcher.stderr.readline()
        slowly = ("--rate", "100/min", "-j", "1", "--no-report")
        with zbatch_started("run", "watched.yaml", *slowly, cwd=tmp_path) as run:
            assert watcher.stdout.readline().strip() == "runs/watched-preview/index.html"
            page = visit(tmp_path / "runs/watched-preview/index.html")
            until(page, "document.querySelectorAll('.cell').length === 8")
            expect(mark(page)).to_contain_text("live, ")
            expect(mark(page)).to_have_text("the run ended, 8 of 8 jobs done", timeout=30_000)
            expect(page.locator(".cell img")).to_have_count(8)
            assert run.communicate(timeout=30)[0].startswith("8 of 8 jobs done")
        out, _ = watcher.communicate(timeout=30)
        assert watcher.returncode == 0
    assert out.split() == ["runs/watched-preview/sheet.html"]
    assert [path.name for path in (tmp_path / "runs/watched-preview/live").iterdir()] == ["pulse.js"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_leaves_the_sheet_whole(visit, growing, number):
    directory = growing.directory
    with zbatch_started("report", directory.path, "--watch", cwd=directory.path) as watcher:
        assert watcher.stdout.readline()
        page = visit(directory.index)
        expect(mark(page)).to_have_text("waiting for the run, 0 of 48 jobs done")
        growing.make(2)
        expect(pictures(page)).to_have_count(2)
        watcher.send_signal(number)
        watcher.communicate(timeout=20)
        assert watcher.returncode == 130
    expect(mark(page)).to_have_text("no longer watched, 2 of 48 jobs done")
    reload(page)
    expect(pictures(page)).to_have_count(2)
    expect(mark(page)).to_be_hidden()
