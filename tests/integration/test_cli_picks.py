"""Picks on the command line: shown by the sheet, exported as preference pairs, wrong files."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from support.picks_files import WRONG
from support.sample_run import Sample, write_sample

import zbatch as library
from zbatch.state.run import Run


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    place = tmp_path_factory.mktemp("picked") / "fox"
    return write_sample(place, Sample(seeds=2, troubles=False, excluded=False))


@pytest.fixture(scope="module")
def by_prompt(made):
    """Keys of images that share a prompt: one LoRA's scales from 0.4 up, and both seeds."""
    found = {}
    with Run(made) as run:
        for job in run.jobs(shown_only=True):
            found.setdefault(job.request.prompt, []).append(job.key)
    return found


def write_picks(path, jobs=None, comparisons=(), who="Ann", identity="sample"):
    run = {"identity": identity, "name": "fox-lora-scales"}
    document = {"version": 1, "run": run, "who": who, "jobs": jobs or {}, "comparisons": list(comparisons)}
    path.write_text(json.dumps(document))
    return path


def pairs_of(place):
    return [json.loads(line) for line in (Path(place) / "train" / "pairs.jsonl").read_text().splitlines()]


def test_the_sheet_has_what_several_people_picked(zbatch, made, by_prompt, tmp_path):
    keys = [key for keys in by_prompt.values() for key in keys]
    ann = write_picks(tmp_path / "ann.json", {keys[0]: {"rating": 5}})
    ben = write_picks(tmp_path / "ben.json", {keys[0]: {"rating": 2}, "f" * 64: {"rating": 1}}, who="Ben")
    code, out, err = zbatch(
        "report", made, "--picks", ann, "--picks", ben, "--single-file", "--png", "fox.png"
    )
    assert code == 0, err
    assert f"{ben}: 1 of the 2 images that it judges are in this one" in err
    assert f"picks: 1 of {len(keys)} images judged, 0 comparisons, by Ann, Ben" in err
    assert len(out.splitlines()) == 3
    for page in (made / "data.js", made / "sheet.html"):
        assert re.findall('"who":"([^"]*)"', page.read_text()) == ["Ann", "Ben"]
    code, _, _ = zbatch("report", made)
    assert '"who"' not in (made / "data.js").read_text()  # each report says what it shows


@pytest.mark.parametrize("name", ["cut off", "newer", "rating of six", "another JSON"])
def test_a_wrong_file_changes_nothing(zbatch, made, tmp_path, name):
    zbatch("report", made)
    before = (made / "data.js").read_bytes()
    text, words = WRONG[name]
    path = tmp_path / "picks.json"
    path.write_text(text)
    code, _, err = zbatch("report", made, "--picks", path)
    assert code == 2
    assert words in err
    assert "hint:" in err
    assert err.startswith("error: ")
    assert (made / "data.js").read_bytes() == before


def test_all_wrong_files_are_told_at_once(zbatch, made, tmp_path):
    foreign = write_picks(tmp_path / "eve.json", {"f" * 64: {"rating": 1}}, identity="other")
    code, _, err = zbatch("report", made, "--picks", foreign, "--picks", tmp_path / "none.json")
    assert code == 2
    assert "eve.json is of another run (fox-lora-scales): none of its images is in this one" in err
    assert "none.json" in err


def test_preference_pairs_are_written_for_training(zbatch, made, by_prompt, tmp_path):
    first, other, *_ = (keys for keys in by_prompt.values() if len(keys) > 3)
    a, b, c, d = first[:4]
    ann = write_picks(
        tmp_path / "ann.json",
        {c: {"rating": 5}, d: {"rating": 2}, other[0]: {"rating": 3}},
        [
            {"a": a, "b": b, "winner": "a", "axis": "lora.scale"},
            {"a": a, "b": other[0], "winner": "b", "axis": "subject"},
            {"a": a, "b": c, "winner": "tie", "axis": "lora.scale"},
        ],
    )
    ben = write_picks(
        tmp_path / "ben.json",
        {c: {"rating": 3}},
        [{"a": b, "b": a, "winner": "tie", "axis": "lora.scale"}],
        who="Ben",
    )
    words = ("export", made, "--format", "pairs", "--picks", ann, "--picks", ben, "-o", "pairs")
    code, out, err = zbatch(*words)
    assert code == 0, err
    assert "2 pairs in train/pairs.jsonl" in err
    assert "1 comparisons were left out: the two images have different prompts" in err
    rows = pairs_of(out.strip())
    assert [
        (row["chosen_key"], row["rejected_key"], row["margin"], row["source"], row["votes"]) for row in rows
    ] == [
        (a, b, 0.5, "comparison", 2),
        (c, d, 0.5, "rating", 1),
    ]
    for row in rows:
        assert row["chosen_request"]["prompt"] == row["rejected_request"]["prompt"] == row["prompt"]
        assert (Path("pairs") / "train" / row["chosen"]).stat().st_size > 0
        assert (Path("pairs") / "train" / row["rejected"]).stat().st_size > 0
    assert len(list(Path("pairs", "train").glob("*.webp"))) == 4  # the others are in no pair
    code, _, err = zbatch(*words)
    assert "is this export already" in err
    done = library.export(made, "pairs", format="pairs", picks=[ann, str(ben)])
    assert not done.made  # the same in a notebook
    write_picks(ann, {c: {"rating": 1}, d: {"rating": 5}})  # Ben has 3 for the one
    code, _, err = zbatch(*words)
    assert code == 2
    assert "holds another export" in err


def test_pairs_and_picks_go_together(zbatch, made, tmp_path):
    empty = write_picks(tmp_path / "empty.json")
    for words, said in (
        (("--format", "pairs"), "needs a file of them"),
        (("--format", "jsonl", "--picks", empty), "--picks means nothing for the format jsonl"),
        (("--format", "pairs", "--picks", empty), "no image is left to export"),
    ):
        code, _, err = zbatch("export", made, *words, "-o", "out")
        assert code == 2
        assert said in err
        assert not Path("out").exists()
