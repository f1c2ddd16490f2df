"""Two runs as pairs: verdicts, what is measured and kept, and how they differ in words."""

from __future__ import annotations

import json
import shutil
import sqlite3
from dataclasses import replace

import pytest
from support.sample_run import Sample, write_sample

from zbatch.difference import MEASURE, measurable
from zbatch.errors import UsageError
from zbatch.sheet.diff.apart import with_changes
from zbatch.sheet.diff.page import page_path
from zbatch.sheet.diff.pairs import Verdict
from zbatch.sheet.diff.reading import read_pairs
from zbatch.sheet.diff.telling import again_words, alone_words, distinct_labels, request_lines, side_words
from zbatch.sheet.diff.wording import changed_fields, changed_words
from zbatch.state.run import Run

measured = pytest.mark.skipif(not measurable(), reason="flip-evaluator has no build for this platform")
SAMPLE = Sample(subjects=("red fox",), loras=("film",), scales=(0, 0.8), seeds=2, troubles=False)


def paired(before, after):
    with Run(before) as first, Run(after) as second:
        return read_pairs(first, second)


def change_bytes(run, seeds, picture=None):
    """Let other bytes have come for some pictures; of another picture, where one is named."""
    with sqlite3.connect(run / "state.sqlite3") as db:
        rows = db.execute("SELECT id, key, thumb FROM jobs ORDER BY position").fetchall()
        for number in seeds:
            row, key, thumb = rows[number]
            other = key[::-1]
            db.execute("UPDATE jobs SET received_sha256 = ?, sha256 = ? WHERE id = ?", (other, other, row))
            if picture is not None:
                source = (run / rows[picture][2]).read_bytes()
                (run / thumb).unlink()
                (run / thumb).write_bytes(source)
    db.close()


@pytest.fixture
def runs(tmp_path):
    first = write_sample(tmp_path / "first", SAMPLE)
    return first, shutil.copytree(first, tmp_path / "second")


def test_the_same_bytes_are_the_same_and_nothing_is_measured(runs):
    pairs = with_changes(paired(*runs))
    assert pairs.counts()[Verdict.SAME] == 4
    assert pairs.change == (0.0,) * 4
    assert pairs.alike
    assert not (runs[1] / "thumbs/pairs.json").exists()


@measured
def test_what_differs_is_measured_once_and_kept_with_the_later_run(runs, monkeypatch):
    change_bytes(runs[1], [0], picture=3)
    pairs = with_changes(paired(*runs))
    assert pairs.verdict(0) is Verdict.DIFFERENT
    assert pairs.change[0] > 0.01
    assert not pairs.alike
    assert pairs.within(pairs.change[0]).alike
    kept = runs[1] / "thumbs/pairs.json"
    shape = json.loads(kept.read_text())
    assert shape["measure"] == MEASURE
    assert list(shape["changes"].values()) == [pairs.change[0]]
    monkeypatch.setattr("zbatch.sheet.diff.apart.measured", lambda _: pytest.fail("measured again"))
    assert with_changes(paired(*runs)).change == pairs.change
    kept.write_text("half wri")
    monkeypatch.undo()
    assert with_changes(paired(*runs)).change == pairs.change


@measured
def test_other_bytes_of_one_picture_are_different_until_a_tolerance_says_otherwise(runs):
    change_bytes(runs[1], [1])
    pairs = with_changes(paired(*runs))
    assert pairs.change[1] == 0
    assert pairs.verdict(1) is Verdict.DIFFERENT
    assert pairs.within(0).alike


@measured
def test_progress_is_told_in_portions(runs, monkeypatch):
    change_bytes(runs[1], [0, 1, 2])
    monkeypatch.setattr("zbatch.sheet.diff.apart.AT_ONCE", 2)
    told = []
    with_changes(paired(*runs), lambda *numbers: told.append(numbers))
    assert told == [(2, 3), (3, 3)]


def test_a_thumbnail_that_is_gone_is_not_measured_and_the_pair_is_different(runs):
    change_bytes(runs[1], [0])
    pairs = paired(*runs)
    (runs[1] / pairs.sheet.thumbnail(pairs.sheet.cells.job[0])).unlink()
    pairs = with_changes(pairs)
    assert pairs.change[0] is None
    assert pairs.verdict(0) is Verdict.DIFFERENT
    assert not pairs.within(1).alike
    assert pairs.biggest()[0] == 0


def test_troubles_on_either_side_are_unfinished(tmp_path):
    calm = write_sample(tmp_path / "calm", Sample(troubles=False))
    troubled = write_sample(tmp_path / "troubled", Sample())
    for places in ((calm, troubled), (troubled, calm), (troubled, troubled)):
        pairs = with_changes(paired(*places))
        assert pairs.counts()[Verdict.UNFINISHED] > 0
        assert not pairs.alike


def test_runs_without_cells_and_without_a_common_place_are_refused(tmp_path):
    some = write_sample(tmp_path / "some", SAMPLE)
    other = write_sample(tmp_path / "other", Sample(subjects=("owl",), scales=(0.8,), first_seed=5))
    none = write_sample(tmp_path / "none", Sample(subjects=()))
    with pytest.raises(UsageError, match="none has no cells"):
        paired(some, none)
    with pytest.raises(UsageError, match="subject is red fox there, owl here") as caught:
        paired(some, other)
    assert "--pair 'subject=red fox:owl'" in caught.value.hint


def test_a_page_is_named_after_the_earlier_run_and_lies_with_the_later(runs):
    assert page_path(paired(*runs)) == runs[1] / "diff-first.html"


# ── words ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("before", "after", "labels"),
    [
        ("runs/v1", "runs/v2", ("v1", "v2")),
        ("old/fox", "new/fox", ("old/fox", "new/fox")),
        ("a/x/fox", "b/x/fox", ("a/x/fox", "b/x/fox")),
        ("fox", "fox", ("fox", "fox again")),
        ("fox", "fox/reproduced/20261129", ("fox", "reproduced/20261129")),
        ("fox/reproduced/1", "fox/reproduced/2", ("1", "reproduced/2")),
    ],
)
def test_runs_are_called_by_as_much_of_their_paths_as_tells_them_apart(before, after, labels, tmp_path):
    assert distinct_labels(tmp_path / before, tmp_path / after) == labels


def test_equal_requests_are_said_to_be_and_endpoints_named(tmp_path, runs):
    hosted = Sample(**{**SAMPLE.__dict__, "endpoint": "https://api.example.org"})
    other = write_sample(tmp_path / "hosted", hosted)
    assert request_lines(paired(*runs)) == ["the requests of the pairs are the same"]
    assert request_lines(paired(runs[0], other)) == [
        "the requests of the pairs are the same",
        "made at preview and at https://api.example.org",
    ]


def test_each_side_is_told_from_the_other_and_what_it_alone_has(tmp_path):
    first, second = (
        write_sample(tmp_path / name, replace(SAMPLE, scales=scales))
        for name, scales in (("fox", (0, 0.4, 0.8)), ("fox-2", (0, 0.8, 0.9, 1)))
    )
    pairs = paired(first, second)
    before, after = (side_words(pairs, number) for number in (0, 1))
    began = "begun 2026-11-24 10:00 UTC"
    assert before == f"fox-lora-scales, of manifests/fox lora.yaml, in {first}, {began}"
    assert after == f"fox-lora-scales, of manifests/fox lora.yaml, in {second}, {began}"
    assert side_words(pairs, 0, place=False) == "fox-lora-scales, of manifests/fox lora.yaml"
    assert alone_words(pairs, Verdict.BEFORE) == "lora.scale 0.4"
    assert alone_words(pairs, Verdict.AFTER) == "lora.scale 0.9, 1"
    assert again_words(pairs) == ""


def test_a_few_that_differ_are_counted_where_the_median_does_not_show_them(runs):
    change_bytes(runs[1], [0])
    pairs = paired(*runs)  # nothing is measured: what differs is known all the same
    rows = {
        axis.name: [(row.value, row.pairs, row.different) for row in rows] for axis, rows in pairs.by_axis()
    }
    assert rows == {"lora.scale": [(0, 2, 1), (0.8, 2, 0)], "seed": [(1000, 2, 1), (1001, 2, 0)]}
    assert {row.median for _, rows in pairs.by_axis() for row in rows} == {None}
    assert [row.median for _, rows in with_changes(pairs).by_axis() for row in rows] == [0, 0, 0, 0]


def test_fields_that_differ_are_counted_by_what_became_of_them():
    def body(prompt, path="org/v1", **more):
        return {"prompt": prompt, "seed": 1, "loras": [{"path": path, "scale": 0.5}], **more}

    changes = changed_fields(
        [
            (body("a red fox"), body("a grey fox", "org/v2"), 3),
            (body("a red owl"), body("a grey owl", "org/v2"), 2),
            (body("a red owl"), {"prompt": "a red owl", "seed": 1, "strength": 0.5}, 1),
        ]
    )
    found = {change.field: (change.pairs, change.changes) for change in changes}
    assert found == {
        "lora path": (5, (("org/v1", "org/v2", 5),)),
        "prompt": (5, (("red", "grey", 5),)),
        "loras": (1, (("org/v1 @ 0.5", "none", 1),)),
        "strength": (1, (("none", "0.5", 1),)),
    }
    assert [change.field for change in changes][:2] == ["lora path", "prompt"]


def test_many_ways_to_differ_are_counted():
    changes = changed_fields([({"seed": number}, {"seed": -number}, 1) for number in range(1, 9)])
    assert len(changes[0].changes) == 5
    assert (changes[0].more, changes[0].pairs) == (3, 8)


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("a red fox", "a red fox filmgrain", ("", "filmgrain")),
        ("filmgrain a fox", "a fox", ("filmgrain", "")),
        ("a fox, in snow", "a fox, at dawn in snow", ("", "at dawn")),
        ("fox fox", "fox fox fox", ("", "fox")),
        ("", "a fox", ("", "a fox")),
        ("a  fox", "a fox", ("a  fox", "a fox")),  # only the blanks: all of it
    ],
)
def test_the_words_that_changed(before, after, words):
    assert changed_words(before, after) == words
