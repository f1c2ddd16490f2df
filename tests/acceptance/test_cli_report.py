from __future__ import annotations

import os

import pytest
from PIL import Image
from support.command import zbatch
from support.runs import write_manifest
from support.sample_run import Sample, write_sample

SMALL = Sample(subjects=("red fox",), loras=("film",), troubles=False, excluded=False)


@pytest.fixture
def run(tmp_path):
    return write_sample(tmp_path / "run", SMALL)


def test_a_single_file_above_the_limit_is_refused_with_what_to_do_instead(run, tmp_path):
    picture = next((run / "images").iterdir())  # so small that it is its own thumbnail
    os.truncate(picture, 60_000_000)
    done = zbatch("report", run, "--single-file", cwd=tmp_path)
    assert done.returncode == 2
    assert "the single-file sheet would be 80 MB; the limit is 64 MB" in done.stderr
    assert "hint: zip the run directory instead" in done.stderr
    assert not (run / "sheet.html").exists()
    assert (run / "index.html").exists()


def test_watching_a_run_that_has_ended_writes_the_sheet_and_ends(run, tmp_path):
    done = zbatch("report", run, "--watch", "--png", "sheet.png", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [str(run / "index.html"), "sheet.png"]
    assert '"live"' not in (run / "data.js").read_text()
    assert not (run / "live").exists()


def test_the_picture_is_written_beside_and_named_on_stdout(run, tmp_path):
    done = zbatch("report", run, "--png", "out.png", cwd=tmp_path)
    assert done.stdout.split() == [str(run / "index.html"), "out.png"]
    assert done.stderr == ""
    with Image.open(tmp_path / "out.png") as image:
        assert image.info["dpi"] == pytest.approx((300, 300), abs=1)


def test_another_ending_than_png_is_refused(run, tmp_path):
    done = zbatch("report", run, "--png", "out.jpg", cwd=tmp_path)
    assert done.returncode == 2
    assert "give a name that ends in .png" in done.stderr


def test_ten_new_images_touch_their_own_files_and_no_others(tmp_path):
    write_manifest(tmp_path, 40, size="512*512")
    command = ("run", "trial.yaml", "-o", "run", "--endpoint", "preview")

    def files():
        found = [*(tmp_path / "run" / "images").iterdir(), *(tmp_path / "run" / "thumbs").iterdir()]
        return {path: (path.stat().st_mtime_ns, path.stat().st_ino) for path in found}

    assert zbatch(*command, "--first", "30", cwd=tmp_path).returncode == 0
    before = files()
    assert zbatch(*command, cwd=tmp_path).returncode == 0
    after = files()
    assert {path: after[path] for path in before} == before
    assert (len(before), len(after)) == (60, 80)
    assert zbatch("report", "run", cwd=tmp_path).returncode == 0
    assert files() == after


def test_signs_without_a_font_are_hinted_at_once_and_drawn(tmp_path):
    sample = Sample(subjects=("\u07d2\u13a0\U00012000 fox",), loras=("film",), troubles=False)
    run = write_sample(tmp_path / "run", sample)
    done = zbatch("report", run, "--png", "out.png", cwd=tmp_path)
    assert done.returncode == 0
    assert (tmp_path / "out.png").exists()
    lines = done.stderr.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("hint: no installed font has ")
    assert "; install fonts-" in lines[0]
