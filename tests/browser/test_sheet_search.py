"""The search box: ranges, lists, what is not, and a gentle word about what it did not understand."""

from __future__ import annotations

import contextlib
import sqlite3

import pytest
from playwright.sync_api import expect
from support.browser import reload, until
from support.sample_run import Sample, write_sample

from zbatch.sheet import write_sheet
from zbatch.sheet.data import SheetData
from zbatch.sheet.page import render_data, render_page
from zbatch.state.run import Run


def total(page):
    return page.locator(".total").inner_text().split(" · ")[0]


@pytest.mark.parametrize(
    ("query", "cells"),
    [
        ("scale:0.4..0.8", 24),
        ("scale:0.8..", 21),
        ("scale:..0.4", 24),
        ("seed:1000,1002", 30),
        ("-seed:1000", 30),
        ("-scale:0..0.8", 9),
        ('prompt:"a barn owl" -ink seed:1001', 4),
        ('"quiet valley, natural" fox', 24),
        ("subject=fox", 0),
        ('subject="red fox"', 24),
        ("STATE:done nsfw:true", 2),
        ("nsfw:false", 2),
        ("nsfw:unknown", 33),
        ("-nsfw:true state:done", 35),
        ("fox -state:done", 5),
        ("lora.scale>1", 9),
    ],
)
def test_terms_are_joined_by_and(visit, small, query, cells):
    page = visit(small)
    page.locator("#search").fill(query)
    assert total(page) == f"{cells} of 45 cells"


@pytest.mark.parametrize(
    ("query", "words", "better"),
    [
        ("sale>0.6 fox", "No axis is called “sale”: scale?", "scale>0.6 fox"),
        ("sed:1000", "No axis is called “sed”: seed?", "seed:1000"),
        ("sate:failed", "No axis is called “sate”: state?", "state:failed"),
        ("state:faild", "No state is called “faild”: failed?", "state:failed"),
        ("scale:0.8..0.4", "scale:0.8..0.4 begins above its end: scale:0.4..0.8?", "scale:0.4..0.8"),
    ],
)
def test_the_name_that_was_meant_is_offered(visit, small, query, words, better):
    page = visit(small)
    page.locator("#search").fill(query)
    expect(page.locator(".complaint")).to_have_text(words)
    page.locator(".complaint button").click()
    expect(page.locator("#search")).to_have_value(better)
    expect(page.locator(".complaint")).to_have_count(0)
    assert not total(page).startswith("0 of")


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("seed:999", "Nothing has seed:999: seed goes from 1000 to 1002"),
        ("scale>high", "Nothing has scale>high: scale goes from 0 to 1.2"),
        ("subject>3", "subject is no number: subject:… finds its values"),
        ("rating>9", "Nothing has rating>9: ratings go from 1 to 5"),
        ("rating>good", "rating is a number from 1 to 5, not “good”"),
        ("rating:3", "No picture here has rating:3"),
        ("nsfw:maybe", "nsfw is true, false or unknown, not “maybe”"),
        ("xylophone:3", "No axis is called “xylophone”"),
        ("change>0.3", "How far pictures are from the baseline is not known here"),
    ],
)
def test_what_cannot_be_is_said(visit, small, query, words):
    page = visit(small)
    page.locator("#search").fill(query)
    expect(page.locator(".complaint")).to_have_text(words)


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """A page that knows how far its pictures are from their baseline: a quarter, all of them."""
    with Run(write_sample(tmp_path_factory.mktemp("measured") / "run", Sample(seeds=1))) as run:
        data = SheetData.of(run)
        index = write_sheet(run, data=data)
        changes = {"lora.scale": [0.25] * len(data.jobs.key)}
    index.write_bytes(render_page(data, inline=render_data(data, changes=changes)))
    return index


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("change>0.3", "No picture here has change>0.3"),
        ("change:0.5..1", "No picture here has change:0.5..1"),
        ("change:large", "change is a number from 0 to 1, not “large”"),
    ],
)
def test_why_no_picture_has_such_a_change_is_said(visit, measured, query, words):
    page = visit(measured)
    page.locator("#search").fill(query)
    expect(page.locator(".complaint")).to_have_text(words)
    expect(page.locator(".nothing")).to_contain_text(words)
    page.locator("#search").fill("change:0.2..0.3")
    expect(page.locator(".complaint")).to_have_count(0)
    assert not total(page).startswith("0 of")
    page.locator("#search").fill("-change>0.3")  # to leave out what is not there is no mistake
    expect(page.locator(".complaint")).to_have_count(0)
    assert not total(page).startswith("0 of")


def said_of_nsfw(folder, verdict):
    """A sheet of a run of whose every picture the server said this."""
    path = write_sample(folder / "run", Sample(seeds=1, troubles=False))
    with contextlib.closing(sqlite3.connect(path / "state.sqlite3")) as db, db:
        db.execute("UPDATE jobs SET nsfw = ?", (verdict,))
    return write_sheet(path)


def test_that_no_picture_is_nsfw_is_said_but_to_leave_those_out_is_no_mistake(visit, tmp_path):
    page = visit(said_of_nsfw(tmp_path, 0))
    page.locator("#search").fill("nsfw:true")
    expect(page.locator(".complaint")).to_have_text("The server called no picture here NSFW")
    page.locator("#search").fill("-nsfw:true")
    expect(page.locator(".complaint")).to_have_count(0)
    assert not total(page).startswith("0 of")


def test_where_the_server_said_nothing_of_nsfw_that_is_told(visit, tmp_path):
    page = visit(said_of_nsfw(tmp_path, None))
    page.locator("#search").fill("fox nsfw:false")
    expect(page.locator(".complaint")).to_have_text(
        "The server said of no picture here whether it is NSFW: nsfw:unknown?"
    )
    page.locator(".complaint button").click()
    expect(page.locator("#search")).to_have_value("fox nsfw:unknown")
    assert not total(page).startswith("0 of")


def test_a_term_that_is_being_typed_hides_nothing(visit, small):
    page = visit(small)
    page.locator("#search").press_sequentially("scale>")
    assert total(page) == "45 cells"
    page.locator("#search").press_sequentially("0.6 -")
    assert total(page) == "21 of 45 cells"


def test_the_address_keeps_it_and_escape_empties_it(visit, small):
    page = visit(small)
    page.keyboard.press("/")
    page.keyboard.type("scale>0.6")
    until(page, "location.hash.includes('q=scale%3E0.6')")
    reload(page)
    expect(page.locator("#search")).to_have_value("scale>0.6")
    page.keyboard.press("/")
    page.keyboard.press("Escape")
    expect(page.locator("#search")).to_have_value("")
    assert total(page) == "45 cells"
    until(page, "!location.hash.includes('q=')")
    page.keyboard.press("Escape")
    expect(page.locator("#search")).not_to_be_focused()


def test_odd_queries_do_no_harm(visit, small):
    page = visit(small)
    for query in (
        '"',
        "((",
        "[a-z",
        "\\",
        "a:b:c",
        ">",
        "::",
        "-",
        "__proto__:1",
        "constructor>1",
        "\u202e",
        "x" * 9000,
    ):
        page.locator("#search").fill(query)
        assert "cell" in total(page), query


PLACES = """() => [...document.querySelectorAll('.head, .chip, .pill, .panel h3, #axes button, #axes select')]
    .map(one => one.getBoundingClientRect())
    .flatMap(({ x, y, width, height }) => [x, y, width, height])"""


@pytest.mark.parametrize("width", [1280, 900, 390])
def test_nothing_moves_while_one_types(visit, small, width):
    page = visit(small, "#panel=1", viewport={"width": width, "height": 900})
    page.locator(".chip").first.wait_for()
    before = page.evaluate(PLACES)
    for query in ("zebra", "fox", "scale>9", "sed:1", "-sed:1", ""):
        page.locator("#search").fill(query)
        until(page, "!document.querySelector('.nothing').hidden || document.querySelector('.cell')")
        page.wait_for_timeout(60)
        now = page.evaluate(PLACES)
        assert len(now) == len(before), query
        assert now == pytest.approx(before, abs=0.5), query
    none = visit(small, "#panel=1&q=zebra", viewport={"width": width, "height": 900})
    none.locator(".chip").first.wait_for()
    assert none.evaluate(PLACES) == pytest.approx(before, abs=0.5)
