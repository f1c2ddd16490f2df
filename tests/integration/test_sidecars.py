"""Sidecars: lines of jobs.jsonl and captions beside the images, as state and people have them."""

from __future__ import annotations

import json
import os

import pytest

MANIFEST = """\
version: 1
name: fox
request: {{prompt: "a {{{{ subject }}}}", size: 256*256, seed: 1}}
matrix: {{subject: [red fox, "lièvre\\nvariable"]}}
include: [{{label: hand, request: {{prompt: a hand}}}}]
output: {{file: "{{{{ subject | slug }}}}", sidecars: [{kinds}]}}
export: {{caption: "{caption}"}}
"""
SUBJECT = "a photo of {{ subject | default('a hand') }}"


@pytest.fixture
def run(zbatch, tmp_path):
    def run(kinds="json, txt", caption=SUBJECT, code=0):
        (tmp_path / "fox.yaml").write_text(MANIFEST.format(kinds=kinds, caption=caption), "utf-8")
        found, _, err = zbatch("run", "fox.yaml", "--no-report", "--progress", "plain")
        assert found == code, err
        return err

    return run


@pytest.fixture
def images(tmp_path):
    return tmp_path / "runs" / "fox-preview" / "images"


def listed(images):
    return {path.name for path in images.iterdir()}


def stems(images):
    return sorted({name.rpartition(".")[0] for name in listed(images)})


def test_each_image_has_its_line_and_its_caption(run, images, zbatch):
    run()
    lines = (images.parent / "jobs.jsonl").read_bytes().splitlines(keepends=True)
    assert len(lines) == 3
    captions = set()
    for line in lines:
        stem = (images.parent / json.loads(line)["file"]).with_suffix("")
        assert stem.with_suffix(".json").read_bytes() == line
        captions.add(stem.with_suffix(".txt").read_text("utf-8"))
    assert captions == {"a photo of red fox\n", "a photo of lièvre\nvariable\n", "a photo of a hand\n"}
    assert len(listed(images)) == 9
    code, out, err = zbatch("verify", "fox.yaml")
    assert (code, "belong" in out + err) == (0, False), out + err


def test_without_being_asked_for_there_are_none(run, images):
    run("")
    assert len(listed(images)) == 3
    run("json")
    assert len(listed(images)) == 6
    run("txt")
    assert len(listed(images)) == 9  # what lies there is never deleted


def test_another_caption_is_written_over_ours_and_not_over_that_of_a_person(run, images, zbatch):
    run()
    mine = images / "red-fox.txt"
    mine.write_text("a fox that I described\n")
    err = run(caption="{{ request.prompt }}")
    assert "images/red-fox.txt would have another caption now, and stays as somebody wrote it" in err
    assert mine.read_text() == "a fox that I described\n"
    texts = {path.read_text("utf-8") for path in images.glob("*.txt")}
    assert texts == {"a fox that I described\n", "a lièvre\nvariable\n", "a hand\n"}
    mine.unlink()
    code, _, err = zbatch("report", "fox.yaml")
    assert (code, "note:" in err) == (0, False)
    assert mine.read_text() == "a red fox\n"


def test_what_is_as_it_should_be_is_not_written_again(run, images, zbatch):
    run()
    (images / "red-fox.txt").write_text("")  # as a crash may leave it
    os.utime(images / "red-fox.json", ns=(5, 5))
    before = {path: path.stat().st_ino for path in images.glob("*.[jt][sx]*")}
    assert zbatch("report", "fox.yaml")[0] == 0
    after = {path: path.stat().st_ino for path in before}
    assert {path.name for path in before if before[path] != after[path]} == {"red-fox.txt"}
    assert (images / "red-fox.txt").read_text() == "a photo of red fox\n"


def test_a_caption_that_fails_for_one_image_names_it_and_the_others_are_written(run, images):
    err = run(caption="a {{ subject }}")
    assert "not every caption could be written: the caption of the image" in err
    assert "'subject' is undefined" in err or "subject" in err
    assert len(list(images.glob("*.txt"))) == 2
    assert len(list(images.glob("*.json"))) == 3


def test_what_is_in_the_way_is_named_and_the_images_are_safe(run, images, zbatch):
    run("txt")
    (images / "red-fox.json").mkdir()
    err = run("json", code=4)
    assert "red-fox.json: Is a directory" in err
    assert "the images and the state are safe" in err
    (images / "red-fox.json").rmdir()
    assert zbatch("report", "fox.yaml")[0] == 0
    assert len(list(images.glob("*.json"))) == 3


def test_an_image_that_is_gone_gets_none(run, images, zbatch):
    run("")
    (images / "red-fox.webp").unlink()
    run("json", code=0)
    assert (images / "red-fox.json").exists()  # it was made anew
    assert stems(images) == sorted(path.stem for path in images.glob("*.webp"))


def test_verify_holds_them_against_the_state_and_mends_them(run, images, zbatch):
    run()
    code, out, _ = zbatch("verify", "fox.yaml")
    assert (code, "3 pictures are as they were written down, 6 sidecars and jobs.jsonl too" in out) == (
        0,
        True,
    )
    line, caption, gone, mine = (
        images / name
        for name in ("red-fox.json", "red-fox.txt", "lievre-variable.json", "lievre-variable.txt")
    )
    whole = {path: path.read_bytes() for path in (line, caption, gone)}
    line.write_bytes(whole[line].replace(b"done", b"dome"))
    time = caption.stat().st_mtime_ns
    caption.write_bytes(b"a" * len(whole[caption]))
    os.utime(caption, ns=(time, time))  # as a disk changes it
    gone.unlink()
    mine.write_text("as I wrote it\n")
    code, out, err = zbatch("verify", "fox.yaml", "--json")
    shape = json.loads(out)
    assert (code, shape["counts"]["sidecar"], shape["sidecars"]) == (1, 3, 6)
    assert {one["file"] for one in shape["differences"]} == {f"images/{path.name}" for path in whole}
    assert [note.split()[0] for note in shape["notes"]] == ["images/lievre-variable.txt"]
    code, out, err = zbatch("verify", "fox.yaml", "--mend")
    assert (code, "written anew from the state: 3 files" in out) == (1, True), out + err
    assert {path: path.read_bytes() for path in whole} == whole
    assert mine.read_text() == "as I wrote it\n"
    assert caption.stat().st_mtime_ns == time
    code, out, err = zbatch("verify", "fox.yaml")
    assert (code, "5 sidecars and jobs.jsonl too" in out) == (0, True)
    assert "stays as somebody wrote it" in err
