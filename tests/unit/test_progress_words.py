"""What the bar, the plain lines and the lines for machines say, and what of it a narrow terminal shows."""

import io
import json
import re
from decimal import Decimal

import pytest

from zbatch.progress import BarProgress, JsonProgress, PlainProgress, details
from zbatch.runner.events import Progress


def progress(**more):
    fields = {
        "done": 3,
        "total": 9,
        "failed": 0,
        "in_flight": 2,
        "window": 8,
        "submit_rate": None,
        "throttled": 0,
        "polls": 8,
        "polls_per_job": 2.61,
        "detection_delay": 0.823,
        "made_now": 3,
        "seconds": 12.0,
        "cost": None,
        "cost_expected": None,
        "draining": "",
    }
    return Progress(**{**fields, **more})


def test_the_bar_tells_polls_a_job_and_how_late_ends_are_found():
    assert "2.6 polls a job, 0.82 s late" in details(progress())


@pytest.mark.parametrize("more", [{"polls_per_job": None, "detection_delay": None}])
def test_it_says_nothing_of_them_before_a_task_has_ended(more):
    words = details(progress(**more))
    assert "polls" not in words
    assert "late" not in words


def test_machines_are_told_both_as_numbers_or_null():
    stream = io.StringIO()
    listener = JsonProgress(stream)
    listener.progress(progress())
    listener.progress(progress(polls_per_job=None, detection_delay=None))
    known, unknown = (json.loads(line) for line in stream.getvalue().splitlines())
    assert (known["polls_per_job"], known["detection_delay"]) == (2.61, 0.823)
    assert (unknown["polls_per_job"], unknown["detection_delay"]) == (None, None)


def test_the_pace_of_submits_is_told_where_there_is_one():
    assert "window 8, 90 submits/min" in details(progress(submit_rate=1.5))
    assert "submits" not in details(progress())


def drawn(monkeypatch, columns, **more):
    monkeypatch.setattr("tqdm.std._screen_shape_wrapper", lambda: lambda stream: (columns, 24))
    terminal = io.StringIO()
    bar = BarProgress(terminal)
    bar.progress(progress(**more))
    text = terminal.getvalue().rsplit("\r", 1)[1].rstrip()
    bar.close()
    return text


MONEY = {"cost": Decimal("0.36"), "cost_expected": Decimal("0.60")}
ALL = {**MONEY, "failed": 2, "throttled": 7, "submit_rate": 1.5, "draining": "interrupted"}


@pytest.mark.parametrize("columns", range(24, 220))
def test_fields_of_the_bar_are_left_out_whole_and_counts_and_cost_last(monkeypatch, columns):
    text = drawn(monkeypatch, columns, **ALL)
    assert len(text) <= columns
    assert "3/9" in text
    if columns >= 34:
        assert "$0.36 of $0.60" in text
    _, bracket, inside = text.partition("[")
    if bracket:
        assert inside.endswith("]")
        whole = [*details(progress(**ALL)).split(", "), "00:00<?", "?img/s"]
        assert set(inside[:-1].split(", ")) <= set(whole)


def test_a_wide_terminal_shows_everything(monkeypatch):
    assert details(progress(**ALL)) in drawn(monkeypatch, 200, **ALL)


def test_a_pause_that_the_server_asked_for_takes_the_place_of_the_time_left(monkeypatch):
    paused = {"paused_for": 3000.0, "pause_asked": True, **MONEY}
    for columns in (80, 120, 200):
        text = drawn(monkeypatch, columns, **paused)
        assert re.search(r"paused until \d\d:\d\d:\d\d: the server asked", text)
        assert "<" not in text
    stream = io.StringIO()
    PlainProgress(stream).progress(progress(**paused))
    assert re.search(r"img/s, paused until \d\d:\d\d:\d\d: the server asked; ", stream.getvalue())
    assert " left" not in stream.getvalue()
    assert "paused until" in drawn(monkeypatch, 120, paused_for=30.0)
    assert "the server asked" not in drawn(monkeypatch, 120, paused_for=30.0)


def test_machines_are_told_how_long_a_pause_is():
    stream = io.StringIO()
    listener = JsonProgress(stream)
    listener.progress(progress())
    listener.progress(progress(paused_for=12.5, pause_asked=True))
    none, some = (json.loads(line) for line in stream.getvalue().splitlines())
    assert (none["paused_for"], some["paused_for"], some["pause_asked"]) == (None, 12.5, True)
