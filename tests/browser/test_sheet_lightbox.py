from __future__ import annotations

import contextlib
import hashlib
import json
import re

import pytest
from playwright.sync_api import expect
from support.browser import PHONE, until
from support.lightbox import crumbs, open_first
from support.sample_run import Sample, write_sample

from zbatch.sheet import write_sheet
from zbatch.state.database import Meta
from zbatch.state.run import Run
from zbatch.state.store import Store


def facts(page):
    pairs = page.locator(".metadata dl").evaluate_all(
        "lists => lists.flatMap(list => [...list.querySelectorAll('dt')].map("
        "name => [name.textContent, name.nextElementSibling.textContent]))"
    )
    return dict(pairs)


def test_arrows_walk_along_the_axes_and_escape_returns(visit, small):
    page = open_first(visit, small)
    assert crumbs(page) == "subject red fox lora film scale 0 seed 1000"
    page.keyboard.press("ArrowRight")
    assert crumbs(page) == "subject red fox lora film scale 0.4 seed 1000"
    page.keyboard.press("ArrowDown")
    assert crumbs(page) == "subject red fox lora film scale 0.4 seed 1001"
    page.keyboard.press("]")
    assert crumbs(page) == "subject barn owl lora film scale 0.4 seed 1001"
    page.keyboard.press("[")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")  # the edge: stays
    assert crumbs(page) == "subject red fox lora film scale 0 seed 1001"
    page.keyboard.press("Escape")
    expect(page.locator("#lightbox")).to_be_hidden()
    expect(page.locator(".cell:focus")).to_have_attribute("title", re.compile("seed 1001"))


def test_the_edges_say_where_they_lead_and_lead_there(visit, small):
    page = open_first(visit, small)
    expect(page.locator(".way.left")).to_be_hidden()
    expect(page.locator(".way.right")).to_have_text("0.4")
    expect(page.locator(".way.down")).to_have_text("1001")
    page.locator(".way.right").click()
    assert "scale 0.4" in crumbs(page)


def test_an_edge_that_leads_out_of_the_group_says_what_else_changes(visit, small):
    page = open_first(visit, small)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    words = page.locator(".way.down").inner_text()
    page.locator(".way.down").click()
    where = crumbs(page)
    assert "seed 1000" in where
    assert all(word.strip() in where for word in words.split("·"))
    assert len(words.split("·")) > 1


def test_up_and_down_walk_the_rows_after_the_strip_was_dragged(visit, small):
    page = open_first(visit, small)
    page.locator(".scrubber input").focus()
    page.keyboard.press("ArrowRight")
    assert crumbs(page) == "subject red fox lora film scale 0.4 seed 1000"
    page.keyboard.press("ArrowDown")
    assert crumbs(page) == "subject red fox lora film scale 0.4 seed 1001"


def test_the_original_is_shown_with_everything_known_about_it(visit, small):
    page = open_first(visit, small)
    until(page, "document.querySelector('.original').naturalWidth > 0")
    known = facts(page)
    file = small.parent / known["path"]
    assert known["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
    assert known["size"] == "256 \u00d7 256"
    assert known["lora.name"] == "film"
    assert known["attempts"] == "1"
    assert known["task"].startswith("5f0c0000-")
    assert len(known["key"]) == 64
    assert page.locator(".prompt").inner_text() == "a red fox in a quiet valley, natural light, 50mm"
    request = json.loads(page.locator(".metadata pre").inner_text())
    assert list(request) == ["prompt", "size", "seed", "output_format"]
    assert request["seed"] == 1000
    expect(page.locator(".notice")).to_contain_text("size: asked for 768*768, got 256*256")
    assert page.locator(".original").get_attribute("src") == f"./{known['path']}"


def test_the_strip_scrubs_along_a_numeric_axis_with_all_else_held(visit, small):
    page = open_first(visit, small)
    slider = page.locator(".scrubber input")
    assert page.locator(".tick").all_inner_texts() == ["0", "0.4", "0.8", "1.2"]
    slider.fill("3")
    assert crumbs(page) == "subject red fox lora film scale 1.2 seed 1000"
    slider.fill("1")
    assert crumbs(page) == "subject red fox lora film scale 0.4 seed 1000"
    page.get_by_label("Axis of the strip").select_option("seed")
    assert page.locator(".tick").all_inner_texts() == ["1000", "1001", "1002"]
    page.locator(".stop").nth(1).click()
    assert crumbs(page) == "subject red fox lora film scale 0.4 seed 1001"


def test_while_the_strip_is_dragged_thumbnails_stand_in_at_once(visit, small):
    page = open_first(visit, small)
    until(page, "[...document.querySelectorAll('.stop img')].every(image => image.complete)")
    seen = page.evaluate(
        """[1, 3].map(place => {
            const range = document.querySelector('.scrubber input');
            range.value = place;
            range.dispatchEvent(new Event('input', { bubbles: true }));
            const [under, original] = document.querySelectorAll('.pane.current img');
            const thumb = document.querySelectorAll('.stop img')[place];
            return [under.src === thumb.src, thumb.complete, original.classList.contains('coming')];
        })"""
    )
    assert seen == [[True, True, True]] * 2


def test_a_link_leads_to_the_cell(visit, small):
    page = open_first(visit, small)
    until(page, "location.hash.includes('at=')")
    first = page.evaluate("location.hash")
    page.keyboard.press("ArrowRight")
    until(page, f"location.hash !== {json.dumps(first)}")
    again = visit(small, page.evaluate("location.hash"))
    expect(again.locator("#lightbox")).to_be_visible()
    assert crumbs(again) == "subject red fox lora film scale 0.4 seed 1000"


def test_a_link_shows_the_same_strip(visit, small):
    page = open_first(visit, small)
    page.get_by_label("Axis of the strip").select_option("seed")
    until(page, "location.hash.includes('strip=seed')")
    again = visit(small, page.evaluate("location.hash"))
    assert again.locator(".tick").all_inner_texts() == ["1000", "1001", "1002"]
    again.keyboard.press("Escape")
    again.locator(".cell").nth(1).click()
    expect(again.get_by_label("Axis of the strip")).to_have_value("seed")


def test_filters_hold_in_the_lightbox(visit, small):
    page = visit(small)
    page.locator(".chip", has_text="0.4").click()
    page.locator(".cell").first.click()
    page.keyboard.press("ArrowRight")
    assert "scale 0.8" in crumbs(page)
    assert page.locator(".tick").all_inner_texts() == ["0", "0.8", "1.2"]


def test_prompt_and_request_can_be_copied(visit, small):
    page = visit(small, permissions=["clipboard-read", "clipboard-write"])
    page.locator(".cell").nth(1).click()
    page.get_by_role("button", name="Copy request").click()
    expect(page.locator("#lightbox .toast > span")).to_have_text("Copied request")
    assert json.loads(page.evaluate("navigator.clipboard.readText()"))["loras"] == [
        {"path": "org/film-v2", "scale": 0.4}
    ]


def test_nothing_but_neighbours_is_loaded_ahead(visit, large):
    page = visit(large)
    originals = []
    page.on("request", lambda request: originals.append(request.url) if "/images/" in request.url else None)
    page.locator(".cell").first.click()
    until(page, "document.querySelector('.original').naturalWidth > 0")
    page.wait_for_timeout(200)
    assert 1 <= len(originals) <= 5


def test_a_closer_look_is_kept_from_picture_to_picture(visit, small):
    page = open_first(visit, small)
    box = page.locator(".frame").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 200)
    page.mouse.wheel(0, -600)
    until(page, "document.querySelector('.original').style.transform.includes('scale')")
    closer = page.locator(".original").evaluate("image => image.style.transform")
    page.keyboard.press("ArrowRight")
    assert page.locator(".original").evaluate("image => image.style.transform") == closer
    moved = "image => { const { e, f } = new DOMMatrix(image.style.transform); return [e, f]; }"
    before = page.locator(".original").evaluate(moved)
    page.mouse.down()
    # In many steps, as a hand does: a browser would begin to drag the picture itself off the page.
    page.mouse.move(box["x"] + box["width"] / 2 - 90, box["y"] + 160, steps=12)
    page.mouse.up()
    after = page.locator(".original").evaluate(moved)
    assert [round(new - old) for new, old in zip(after, before, strict=True)] == [-90, -40]
    page.keyboard.press("0")
    assert page.locator(".original").evaluate("image => image.style.transform") == ""
    expect(page.locator("#lightbox")).to_be_visible()


def test_escape_closes_the_picture_after_a_copy_too(visit, small):
    page = open_first(visit, small)
    page.get_by_role("button", name="Copy prompt").click()
    page.keyboard.press("Escape")
    expect(page.locator("#lightbox")).to_be_hidden()
    page.locator(".cell").first.click()
    expect(page.locator(".side")).to_be_visible()


@pytest.mark.parametrize("way", ["closed", "followed"])
@pytest.mark.parametrize("decoded", [True, False], ids=["decoded", "given up"])
def test_a_picture_that_comes_after_it_was_closed_is_of_no_concern(visit, calm, way, decoded):
    page = visit(calm)
    page.evaluate(
        """(decoded) => {
            const decode = HTMLImageElement.prototype.decode;
            HTMLImageElement.prototype.decode = async function () {
                await decode.call(this).catch(() => {});
                await new Promise((done) => setTimeout(done, 400));
                globalThis.late = true;
                if (!decoded) throw new DOMException("given up", "EncodingError");
            };
        }""",
        decoded,
    )
    page.locator(".cell").nth(1).click()
    expect(page.locator("#lightbox")).to_be_visible()
    if way == "closed":
        page.keyboard.press("Escape")
    else:
        page.evaluate("location.hash = '#x=seed&y=lora.scale'")
    expect(page.locator("#lightbox")).to_be_hidden()
    until(page, "globalThis.late")
    page.wait_for_timeout(200)  # the page's own watch tells of errors
    expect(page.locator(".toast.shown")).to_have_count(0)


def test_a_fresh_lightbox_points_at_no_button(visit, small):
    page = open_first(visit, small)
    page.keyboard.press("ArrowRight")
    expect(page.locator(".frame")).to_be_focused()
    page.keyboard.press("Enter")  # would press a button that had the focus
    expect(page.locator("#lightbox")).to_be_visible()


def test_the_strip_is_dragged_by_its_pictures_and_a_click_chooses(visit, calm):
    page = open_first(visit, calm)
    boxes = [stop.bounding_box() for stop in page.locator(".stop img").all()]
    middles = [(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2) for box in boxes]
    page.mouse.move(*middles[0])
    page.mouse.down()
    for middle, scale in zip(middles[1:], ("0.4", "0.8", "1.2"), strict=True):
        page.mouse.move(*middle, steps=4)
        assert f"scale {scale} " in crumbs(page)
    page.mouse.move(middles[-1][0] + 900, 20)  # beyond its end
    assert "scale 1.2 " in crumbs(page)
    page.mouse.move(*middles[1])
    page.mouse.up()
    assert "scale 0.4 " in crumbs(page)
    page.mouse.move(*middles[2])  # let go of
    assert "scale 0.4 " in crumbs(page)
    page.mouse.click(*middles[3])
    assert "scale 1.2 " in crumbs(page)
    page.keyboard.press("ArrowDown")
    assert "seed 1001" in crumbs(page)


def test_a_finger_drags_the_strip(visit, calm):
    page = open_first(visit, calm, **PHONE)
    boxes = [stop.bounding_box() for stop in page.locator(".stop img").all()]
    session = page.context.new_cdp_session(page)

    def touch(kind, at=None):
        points = [{"x": at["x"] + at["width"] / 2, "y": at["y"] + at["height"] / 2}] if at else []
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    touch("touchStart", boxes[0])
    for box in boxes[1:]:
        touch("touchMove", box)
    until(page, "document.querySelector('.crumbs').textContent.includes('1.2')")
    touch("touchEnd")
    assert "scale 1.2 " in crumbs(page)


@pytest.mark.parametrize(
    ("fragment", "words"),
    [
        ("#at=0123456789ab", "The image of this link is not in this sheet"),
        ("#at=cell.0&compare=slider&ref=0123456789ab", "A reference of this link is not in this sheet"),
        ("#at=0123456789ab&ref=cell.x", "The image and a reference of this link are not in this sheet"),
    ],
)
def test_what_a_link_names_and_the_sheet_has_not_is_said(visit, calm, fragment, words):
    page = visit(calm, fragment + "&q=owl")
    expect(page.locator(".toast.shown")).to_have_text(words)
    expect(page.locator("#search")).to_have_value("owl")  # the rest is as it says
    if "cell.0" in fragment:
        expect(page.locator("#lightbox")).to_be_visible()
    else:
        expect(page.locator("#lightbox")).to_be_hidden()


def test_a_link_that_is_whole_says_nothing(visit, calm):
    page = open_first(visit, calm)
    page.keyboard.press("c")
    until(page, "location.hash.includes('ref=')")
    again = visit(calm, page.evaluate("location.hash"))
    expect(again.locator(".comparebar")).to_be_visible()
    expect(again.locator(".toast.shown")).to_have_count(0)


def test_of_pictures_in_an_object_store_thumbnails_are_shown_and_where_they_are_is_said(visit, tmp_path):
    """The page asks no network: a request for a picture that is not beside it would fail this test."""
    path = write_sample(tmp_path / "run", Sample(seeds=1, troubles=False, excluded=False))
    with Run(path) as run:
        thumbs = {job.artifact.thumb for job in run if job.artifact}
    with contextlib.closing(Store(path / "state.sqlite3")) as store, store.transaction():
        store.set_meta(Meta.LOCATION, "s3://bucket/runs/fox")
    for image in (path / "images").rglob("*"):
        if image.is_file() and image.relative_to(path).as_posix() not in thumbs:
            image.unlink()
    page = open_first(visit, write_sheet(path))
    expect(page.locator("#lightbox")).to_contain_text("thumbnail")
    assert facts(page)["path"].startswith("s3://bucket/runs/fox/images/")
    expect(page.locator(".metadata")).to_contain_text("a page that shows it: s3://bucket/runs/fox/index.html")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#lightbox .path")).to_have_count(1)
    assert page.locator("#lightbox a.path").count() == 0
