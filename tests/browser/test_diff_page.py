"""The page of pairs: the biggest change first, each pair opened against each other, from any folder."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from playwright.sync_api import expect
from support.axe import faults
from support.browser import PHONE, until
from support.command import zbatch
from support.lightbox import crumbs, differing, frame, names
from support.sample_run import HOSTILE, Sample, write_sample

from zbatch.difference import measurable
from zbatch.sheet.diff.apart import with_changes
from zbatch.sheet.diff.page import write_pairs
from zbatch.sheet.diff.reading import read_pairs
from zbatch.state.run import Run

pytestmark = pytest.mark.skipif(not measurable(), reason="flip-evaluator has no build for this platform")

MANIFEST = """\
version: 1
name: {name}
loras: {{{lora}: {{path: org/{lora}, trigger: {trigger}}}}}
request: {{prompt: "a {{{{ subject }}}} {{{{ lora.trigger }}}}", size: 256*320}}
matrix:
  subject: [{subjects}]
  lora: {{name: [{lora}], scale: [0, 0.6, 1.2]}}
  seed: [1, 2]
"""


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two versions of a LoRA: twelve pairs, and six cells that the second run alone has."""
    folder = tmp_path_factory.mktemp("pairs")
    for name, subjects in (("v1", "red fox, barn owl"), ("v2", "red fox, barn owl, lighthouse")):
        text = MANIFEST.format(name=name, lora=f"film-{name}", trigger=f"grain-{name}", subjects=subjects)
        (folder / f"{name}.yaml").write_text(text)
        done = zbatch("run", f"{name}.yaml", "-o", name, "--no-report", cwd=folder)
        assert done.returncode == 0, done.stderr
    return folder


def written(before, after, path, **options):
    with Run(before) as first, Run(after) as second:
        pairs = with_changes(read_pairs(first, second))
    write_pairs(pairs, path, **options)
    return path


@pytest.fixture(scope="module")
def pairs(runs):
    return written(runs / "v1", runs / "v2", runs / "v2/diff-v1.html")


WHOLE = "[...document.querySelectorAll('.half img')].every(one => one.complete && one.naturalWidth > 0)"


def both(page, wide):
    """Wait until the two pictures of the pair are there, so many pixels wide."""
    images = "[...document.querySelectorAll('.original, .pane .other')]"
    until(page, f"{images}.filter(one => one.naturalWidth {wide}).length === 2")


def changes(page):
    """The numbers on the tiles that are on the screen, from the first to the last."""
    return [float(text) for text in page.locator(".apart").all_inner_texts() if re.match(r"\d", text)]


def open_first(page):
    page.locator(".cell").first.click()
    expect(page.locator("#lightbox")).to_be_visible()


def test_the_biggest_change_comes_first(visit, pairs):
    page = visit(pairs)
    expect(page.locator("h1")).to_have_text("v1 → v2")
    expect(page.locator("#lede")).to_contain_text("lora path org/film-v1 → org/film-v2 in 8 pairs")
    expect(page.locator("#lede")).to_contain_text("left: v1, of v1.yaml; right: v2, of v2.yaml")
    expect(page.locator(".preface li").nth(1)).to_contain_text("right: v2, of v2.yaml, in ")
    expect(page.locator(".preface li").last).to_have_text("only in v2: subject lighthouse")
    expect(page.locator(".pill")).to_have_text(["8different", "4same", "6only in v2"])
    found = changes(page)
    assert len(found) >= 6
    assert found == sorted(found, reverse=True)
    assert found[0] > 0.1
    first = page.locator(".cell").first
    expect(first.locator("img")).to_have_count(2)
    page.locator("#direction").click()
    expect(page.locator(".apart").first).to_have_text("same")


def test_filters_search_and_bars_by_value(visit, pairs):
    page = visit(pairs)
    bars = page.get_by_role("group", name="lora.scale").locator(".measure b")
    expect(bars).to_have_count(3)
    medians = [float(text) for text in bars.all_inner_texts()]
    assert medians[0] == 0 < medians[1] < medians[2]
    measures = page.get_by_role("group", name="lora.scale").locator(".measure")
    expect(measures).to_contain_text(["0 of 4 differ", "4 of 4 differ", "4 of 4 differ"])
    page.locator(".pill[data-state=before], .pill[data-state=after]").click()
    expect(page.locator(".cell")).to_have_count(6)
    expect(page.locator(".half .word").first).to_have_text("not in v1")
    page.locator("#search").fill("state:same")  # and only in v2: nothing
    expect(page.locator(".nothing")).to_contain_text("Nothing matches")
    page.get_by_role("button", name="Clear all filters").last.click()
    page.locator("#search").fill("state:same")
    expect(page.locator(".cell")).to_have_count(4)
    page.locator("#search").fill("change>0 fox")
    expect(page.locator(".cell")).to_have_count(4)
    expect(bars).to_have_count(2)  # of the pairs that are shown
    page.locator("#search").fill("")
    page.get_by_role("group", name="subject").get_by_text("lighthouse").click()
    expect(page.locator(".cell")).to_have_count(12)


def test_values_count_the_pairs_that_are_shown(visit, pairs):
    page = visit(pairs, "#panel=1")
    counts = page.get_by_role("group", name="subject").locator(".chip > .many")
    expect(counts).to_have_text(["6", "6", "6"])
    page.locator(".pill[data-state=different]").click()
    expect(counts).to_have_text(["4", "4", "0"])


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_with_forced_colours_changes_medians_and_the_focus_are_seen(visit, pairs, scheme):
    page = visit(pairs, "#panel=1", color_scheme=scheme, forced_colors="active")
    style = "(one, name) => getComputedStyle(one)[name]"
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    for kind in ("different", "same"):
        badge = page.locator(f".pairtile[data-state={kind}] .apart").first
        assert badge.evaluate(style, "backgroundColor") == ground  # no picture shines through
        assert badge.evaluate(style, "borderStyle") == "solid"
    medians = page.get_by_role("group", name="lora.scale").locator(".median")
    expect(medians).to_have_count(3)
    for bar in medians.all():
        filled, rest = re.findall(r"rgba?\([^)]*\)", bar.evaluate(style, "backgroundImage"))
        assert filled != rest == ground
    page.locator(".cell").first.focus()
    page.keyboard.press("ArrowRight")
    assert page.locator(".cell:focus").evaluate(style, "outlineStyle") == "solid"


def test_the_grid_and_back_and_the_address_holds_the_order(visit, pairs):
    page = visit(pairs)
    page.locator("#scroller").focus()
    page.keyboard.press("w")
    expect(page.locator(".colhead")).to_have_text(["0", "0.6", "1.2"])
    page.keyboard.press("w")
    page.locator("#sort").select_option("axis.seed")
    page.locator("#direction").click()
    shown = page.locator(".caption").first.inner_text()
    until(page, "location.hash.includes('sort=axis.seed&down=1')")
    again = visit(pairs, page.evaluate("location.hash"))
    expect(again.locator("#sort")).to_have_value("axis.seed")
    expect(again.locator(".caption").first).to_have_text(shown)
    page.locator("#sort").select_option("")
    until(page, "/sort=(&|$)/.test(location.hash)")
    again = visit(pairs, page.evaluate("location.hash"))
    expect(again.locator("#sort")).to_have_value("")


def test_a_pair_opens_with_the_slider_on_it(visit, pairs):
    page = visit(pairs)
    open_first(page)
    expect(frame(page)).to_have_attribute("data-compare", "slider")
    assert names(page) == ["v1", "v2"]
    table = differing(page)
    assert table["loras"] == ["org/film-v1 @ 1.2", "org/film-v2 @ 1.2"]
    assert "seed" not in table
    assert page.locator(".promptdiff ins").all_inner_texts() == ["grain-v2"]
    assert page.locator(".promptdiff del").all_inner_texts() == ["grain-v1"]
    expect(page.locator(".far .number")).to_contain_text("1 of 12 pairs")
    both(page, "=== 256")
    sources = page.locator(".original, .pane .other").evaluate_all("all => all.map(one => one.src)")
    assert "/v2/images/" in sources[1] or "/v2/images/" in sources[0]
    assert any("/v1/images/" in source for source in sources)
    handle = page.get_by_role("slider", name="How much of the reference shows")
    frame(page).focus()
    page.keyboard.press("Shift+ArrowRight")
    assert handle.get_attribute("aria-valuenow") == "55"


@pytest.mark.parametrize("width", [390, 760, 1000, 1400, 1800])
def test_what_made_the_two_has_the_panels_width(visit, pairs, runs, tmp_path, width):
    same = written(runs / "v1", runs / "v1", tmp_path / "self.html")
    for path in (pairs, same):
        page = visit(path, viewport={"width": width, "height": 900})
        open_first(page)
        block = page.locator(".block.far")
        boxes = block.locator(".made, p:not(.number)").evaluate_all("all => all.map(one => one.clientWidth)")
        room = block.evaluate("block => block.clientWidth")
        assert boxes == [room] * len(boxes)
        assert block.locator(".made").bounding_box()["height"] < 4 * 22


def test_blink_difference_and_side_by_side(visit, pairs):
    page = visit(pairs)
    open_first(page)
    page.keyboard.press("3")
    page.get_by_label("Rate").fill("3")
    for shown in ("v2", "v1", "v2"):
        expect(page.locator(".nametag:not(.away)")).to_contain_text(shown)
    page.keyboard.press("4")
    expect(frame(page)).to_have_attribute("data-compare", "difference")
    page.keyboard.press("2")
    expect(page.locator(".pane:visible")).to_have_count(2)
    page.keyboard.press("ArrowRight")
    expect(frame(page)).to_have_attribute("data-compare", "side")  # stays as it is from pair to pair


def test_keys_walk_and_escape_closes_at_once(visit, pairs):
    page = visit(pairs)
    open_first(page)
    before = crumbs(page)
    page.keyboard.press("ArrowRight")
    assert crumbs(page) != before
    assert names(page) == ["v1", "v2"]
    page.keyboard.press("s")  # there is nothing to swap with
    assert names(page) == ["v1", "v2"]
    page.keyboard.press("Escape")
    expect(page.locator("#lightbox")).to_be_hidden()
    page.keyboard.press("Enter")
    expect(frame(page)).to_have_attribute("data-compare", "slider")


def test_another_comparison_and_back_to_the_other_run(visit, pairs):
    page = visit(pairs)
    open_first(page)
    page.keyboard.press("b")
    assert names(page) == ["Reference scale 0", "This scale 1.2"]
    page.keyboard.press("Escape")
    assert names(page) == ["v1", "v2"]
    page.keyboard.press("b")
    page.keyboard.press("o")
    assert names(page) == ["v1", "v2"]
    page.keyboard.press("o")  # again: it stays
    assert names(page) == ["v1", "v2"]


def test_a_link_brings_back_the_pair_and_the_way_it_was_compared(visit, pairs):
    page = visit(pairs)
    open_first(page)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("3")
    until(page, "location.hash.includes('compare=blink')")
    again = visit(pairs, page.evaluate("location.hash"))
    expect(frame(again)).to_have_attribute("data-compare", "blink")
    assert crumbs(again) == crumbs(page)


def test_what_one_run_alone_has_says_so(visit, pairs):
    page = visit(pairs, "#state=after")
    open_first(page)
    expect(frame(page)).to_have_attribute("data-compare", "side")
    expect(page.locator(".note:visible")).to_contain_text("not in v1")
    expect(page.locator(".far")).not_to_contain_text("of 12")


def test_a_page_that_was_mailed_has_its_thumbnails(visit, watch, pairs, tmp_path):
    watch.forgiven = ("ERR_FILE_NOT_FOUND",)
    page = visit(Path(shutil.copy(pairs, tmp_path)))
    until(page, WHOLE)
    open_first(page)
    expect(page.locator("#lightbox .toast")).to_contain_text("are not where this page looks for them")
    page.keyboard.press("ArrowRight")
    both(page, "> 0")


def test_a_page_without_thumbnails_inside_shows_those_of_the_runs(visit, runs, tmp_path):
    place = tmp_path / "a b%20#"
    place.mkdir()
    path = written(runs / "v1", runs / "v2", place / "diff.html", inside=0)
    assert "data:image/webp" not in path.read_text()
    page = visit(path)
    until(page, WHOLE)
    open_first(page)
    both(page, "=== 256")


def test_a_run_against_itself_is_the_same_everywhere(visit, runs, tmp_path):
    page = visit(written(runs / "v1", runs / "v1", tmp_path / "self.html"))
    expect(page.locator(".pill")).to_have_text(["12same"])
    open_first(page)
    expect(page.locator(".far")).to_contain_text("The same to the byte")
    expect(page.locator(".alike")).to_have_text("Nothing in their requests: they are equal.")


def test_pairs_are_printed_as_pairs(visit, pairs):
    page = visit(pairs)
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    first = page.locator(".printpair").first
    expect(first.locator("img, canvas")).to_have_count(2)
    expect(first.locator("b")).to_have_text(re.compile(r"0\.\d\d"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(visit, pairs, scheme):
    page = visit(pairs, color_scheme=scheme)
    assert faults(page) == []
    open_first(page)
    for details in page.locator("details.rest summary").all():
        details.click()
    assert faults(page) == []


def test_axe_finds_nothing_on_a_phone_in_the_grid_and_the_help(visit, pairs):
    page = visit(pairs, "#x=lora.scale&y=seed&panel=1", **PHONE)
    assert faults(page) == []
    page.keyboard.press("v")
    page.locator(".cell").first.tap()
    assert names(page) == ["v1", "v2"]
    assert faults(page) == []
    page.keyboard.press("?")
    expect(page.locator("#help")).to_contain_text("with the other run again")
    expect(page.locator("#help")).to_contain_text("These runs")


def test_hostile_texts_are_texts(visit, tmp_path):
    sample = Sample(hostile=True, title="</title><script>document.title='owned'</script>", subjects=("fox",))
    runs = [write_sample(tmp_path / f"<img src=x onerror=alert(1)> {name}", sample) for name in ("a", "b")]
    page = visit(written(*runs, tmp_path / "diff.html"))
    assert "owned" not in page.title()
    expect(page.locator("h1")).to_contain_text("<img src=x onerror=alert(1)> a → <img src=x")
    page.locator("#search").fill("owned")
    expect(page.locator(".cell")).to_have_count(2)
    open_first(page)
    for details in page.locator("details.rest summary").all():
        details.click()
    expect(page.locator(".side")).to_contain_text(HOSTILE[0])
    expect(page.locator("[onerror]")).to_have_count(0)
    assert "owned" not in page.title()
