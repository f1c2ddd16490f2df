"""What the bar and the lines for machines say of polling."""

import io
import json

import pytest

from zbatch.progress import JsonProgress, details
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
