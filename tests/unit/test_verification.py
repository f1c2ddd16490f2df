"""Holding a run's files against its state: what differs, what is left over, what can be mended."""

import contextlib
import os
import shutil
import sqlite3
from pathlib import Path

import orjson
import pytest
from PIL import Image
from support.sample_run import Sample, write_sample

from zbatch.errors import RunBusyError
from zbatch.exports.mending import mend_run
from zbatch.exports.provenance import write_provenance
from zbatch.exports.run_check import verify_run
from zbatch.exports.verification import Problem, on_a_line
from zbatch.model import JobState
from zbatch.state.directory import RunDirectory
from zbatch.state.kept import KeptFiles
from zbatch.state.lock import RunLock
from zbatch.state.missing import missing_names
from zbatch.state.run import Run


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    path = write_sample(
        tmp_path_factory.mktemp("verify") / "run",
        Sample(troubles=False, excluded=False, seeds=2, sizes=("1536*1152",)),
    )
    listed(path)
    return path


@pytest.fixture
def run(made, tmp_path):
    return shutil.copytree(made, tmp_path / "run")


def change(run, sql):
    with contextlib.closing(sqlite3.connect(run / "state.sqlite3", timeout=0)) as connection, connection:
        connection.execute(sql)
    listed(run)


def listed(path):
    """Write jobs.jsonl, as the end of a run does."""
    with Run(path) as run:
        write_provenance(run)


def pictures(run):
    with Run(run) as opened:
        return [job for job in opened.jobs() if job.artifact]


def found(run, **options):
    result = verify_run(run, **options)
    return result, {one.file: one for one in result.differences}


def test_a_whole_run_has_no_differences(run):
    told = []
    result = verify_run(run, lambda files, length: told.append((files, length)))
    jobs = pictures(run)
    assert (result.files, result.whole, result.differs) == (len(jobs), len(jobs), False)
    assert result.bytes == sum(job.artifact.bytes for job in jobs) == sum(length for _, length in told)
    assert not result.left_over
    assert not result.notes


def test_each_kind_of_difference_is_told_with_what_was_expected_and_what_lies_there(run):
    jobs = pictures(run)
    paths = [run / job.file for job in jobs]
    paths[0].unlink()
    os.truncate(paths[1], 500)
    data = bytearray(paths[2].read_bytes())
    data[len(data) // 2] ^= 1
    paths[2].write_bytes(data)
    paths[3].write_text("<html>404</html>" * 1000)
    paths[4].unlink()
    paths[4].mkdir()
    paths[5].write_bytes(bytes(jobs[5].artifact.bytes))
    (run / jobs[6].artifact.thumb).unlink()
    paths[7].unlink()
    os.mkfifo(paths[7])
    result, by_file = found(run)
    assert {file: one.problem for file, one in by_file.items()} == {
        jobs[0].file: Problem.MISSING,
        jobs[1].file: Problem.TRUNCATED,
        jobs[2].file: Problem.CHANGED,
        jobs[3].file: Problem.OTHER_TYPE,
        jobs[4].file: Problem.NO_FILE,
        jobs[5].file: Problem.CHANGED,
        jobs[6].artifact.thumb: Problem.THUMBNAIL,
        jobs[7].file: Problem.NO_FILE,
    }
    changed = by_file[jobs[2].file]
    assert (changed.sha256, changed.length) == (jobs[2].artifact.sha256, jobs[2].artifact.bytes)
    assert changed.found_sha256 not in (None, changed.sha256)
    assert changed.key == jobs[2].key
    assert "zeros" in by_file[jobs[5].file].found
    assert by_file[jobs[3].file].found == "an HTML page"
    assert result.whole == len(jobs) - 7
    assert result.to_json()["counts"]["missing"] == 1


def test_swapped_pictures_are_told_by_whose_they_are(run):
    one, other = pictures(run)[:2]
    aside = run / "aside"
    (run / one.file).rename(aside)
    (run / other.file).rename(run / one.file)
    aside.rename(run / other.file)
    _, by_file = found(run)
    assert by_file[one.file].holds == other.key
    assert by_file[other.file].holds == one.key
    assert {difference.problem for difference in by_file.values()} == {Problem.CHANGED}


def test_what_is_no_jobs_picture_is_left_over_and_no_difference(run):
    job = pictures(run)[0]
    stem = job.file.removesuffix(".webp")
    (run / "images" / "deep").mkdir()
    (run / "images" / "deep" / "notes.txt").write_text("mine")
    (run / f"{stem}.png").write_bytes(b"older")
    (run / f"{stem}.json").write_text("{}")  # what lies beside a picture under its name is its own
    (run / f"{stem}.txt").write_text("a caption")
    result = verify_run(run)
    assert not result.differs
    assert {(one.file, one.key, one.state) for one in result.left_over} == {
        ("images/deep/notes.txt", None, None),
        (f"{stem}.png", job.key, "done"),
    }


def test_names_that_are_no_text_are_left_over_and_told_escaped(run):
    strange = [b"\xff\xfe.webp", b"bell\x07 and\nline.txt", "ü \u202e.webp".encode()]
    for name in strange:
        (run / "images" / os.fsdecode(name)).write_bytes(b"x")
    result = verify_run(run)
    assert len(result.left_over) == 3
    files = [one["file"] for one in orjson.loads(orjson.dumps(result.to_json()))["left_over"]]
    assert sorted(files) == [
        "images/\\xff\\xfe.webp",
        "images/bell\x07 and\nline.txt",
        "images/ü \u202e.webp",
    ]
    assert {on_a_line(one.file) for one in result.left_over} == {
        "images/\\xff\\xfe.webp",
        "images/bell\\x07 and\\nline.txt",
        "images/ü \\u202e.webp",
    }


def test_a_picture_whose_job_is_not_done_is_told_apart_unless_a_run_is_putting_it_there(run):
    directory = RunDirectory(run)
    job = pictures(run)[0]
    change(run, f"UPDATE jobs SET state = 'submitted' WHERE key = '{job.key}'")
    result = verify_run(run)
    assert [(one.file, one.state) for one in result.left_over] == [(job.file, JobState.SUBMITTED)]
    assert not result.differs
    with RunLock(directory):
        assert not verify_run(run).left_over


def test_what_a_run_changes_meanwhile_is_no_difference(run, monkeypatch):
    """The picture was made anew, with other bytes, between the look at the state and that at the file."""
    jobs = pictures(run)
    for job in jobs:
        (run / job.file).write_bytes(b"made anew")

    def now(kept, job_id):
        change(run, "UPDATE jobs SET state = 'submitted' WHERE id > 1")
        return asked(kept, job_id)

    asked = KeptFiles.now
    monkeypatch.setattr(KeptFiles, "now", now)
    result = verify_run(run)
    assert result.overtaken == len(jobs) - 1
    assert [one.key for one in result.differences] == [jobs[0].key]


def test_a_verification_does_not_hold_up_whoever_writes(run):
    writes = []

    def write(_files, _length):
        change(run, "UPDATE jobs SET message = 'x' WHERE id = 1")
        writes.append(1)

    assert not verify_run(run, write).differs
    assert writes


def test_mending_moves_what_is_in_the_way_and_makes_thumbnails_and_nothing_else(run):
    jobs = pictures(run)
    paths = [run / job.file for job in jobs]
    paths[0].write_bytes(b"changed")
    paths[1].unlink()
    thumb = run / jobs[2].artifact.thumb
    before = thumb.read_bytes()
    thumb.unlink()
    mended = mend_run(verify_run(run))
    assert mended.set_aside == [jobs[0].file]
    assert (run / "set-aside" / jobs[0].file).read_bytes() == b"changed"
    assert mended.thumbnails == [jobs[2].artifact.thumb]
    assert thumb.read_bytes() == before
    assert not mended.failed
    assert {one.problem for one in verify_run(run).differences} == {Problem.MISSING}
    assert list(map(len, missing_names(RunDirectory(run)))) == [2]  # what the next run asks for again
    paths[0].write_bytes(b"once more")
    mend_run(verify_run(run))
    assert {path.read_bytes() for path in (run / "set-aside" / "images").iterdir()} == {
        b"changed",
        b"once more",
    }


def damaged(path, at):
    data = bytearray(path.read_bytes())
    data[at] ^= 0x5A
    path.write_bytes(data)


def test_a_thumbnail_that_is_none_is_told_and_made_again(run):
    jobs = pictures(run)
    thumbs = [run / job.artifact.thumb for job in jobs]
    before = [thumb.read_bytes() for thumb in thumbs]
    for thumb in thumbs[:4]:
        thumb.unlink()  # the samples' are links to one another
        thumb.write_bytes(before[thumbs.index(thumb)])
    os.truncate(thumbs[0], len(before[0]) - 40)
    thumbs[1].write_bytes(b"")
    thumbs[2].write_bytes(b"<html></html>\xff\xd9")
    damaged(thumbs[3], len(before[3]) // 3)  # within what is drawn: nothing but looking tells
    result, by_file = found(run)
    assert {file: one.found for file, one in by_file.items()} == {
        jobs[0].artifact.thumb: "it is cut off",
        jobs[1].artifact.thumb: "it is empty",
        jobs[2].artifact.thumb: "it is no JPEG",
    }
    assert (result.thumbnails, result.whole) == (len(jobs), len(jobs))
    result, by_file = found(run, decode=True)
    assert set(by_file) == {job.artifact.thumb for job in jobs[:4]}
    assert sorted(mend_run(result).thumbnails) == sorted(by_file)
    assert [thumb.read_bytes() for thumb in thumbs] == before
    assert not verify_run(run, decode=True).differs


def test_a_listing_that_is_not_what_the_state_says_is_told_by_its_line_and_written_anew(run):
    listing = run / "jobs.jsonl"
    whole = listing.read_bytes()
    second = whole.index(b"\n") + 1
    for data, words in (
        (whole[: second + 9] + b"~" + whole[second + 10 :], "from line 2 on"),
        (whole[:second], "from line 2 on"),
        (whole + b"{}\n", "it goes on behind its last line"),
        (None, "missing"),
    ):
        listing.unlink() if data is None else listing.write_bytes(data)
        result = verify_run(run)
        assert [(one.problem, one.file, one.found) for one in result.differences] == [
            (Problem.SIDECAR, "jobs.jsonl", words)
        ]
        assert mend_run(result).sidecars == ["jobs.jsonl"]
        assert listing.read_bytes() == whole


def test_a_listing_that_an_earlier_zbatch_wrote_says_the_same_of_less(run):
    listing = run / "jobs.jsonl"
    lines = [orjson.loads(line) for line in listing.read_bytes().splitlines()]
    for line in lines:
        del line["reused_from"]
    listing.write_bytes(b"".join(orjson.dumps(line) + b"\n" for line in lines))
    assert not verify_run(run).differs
    lines[3]["attempts"] += 1
    listing.write_bytes(b"".join(orjson.dumps(line) + b"\n" for line in lines))
    assert [one.found for one in verify_run(run).differences] == ["from line 4 on"]


def test_what_lies_beside_the_pictures_is_not_held_against_a_run_that_goes_on_or_was_killed(run):
    (run / "jobs.jsonl").write_bytes(b"older")
    with RunLock(RunDirectory(run)):
        result = verify_run(run)
    assert (result.differs, result.sidecars) == (False, 0)
    assert "a run goes on" in result.notes[0]
    (run / ".lock").write_text("4194305\n")
    result = verify_run(run)
    assert (result.differs, result.sidecars) == (False, 0)
    assert "the last run was killed before it wrote" in result.notes[0]
    assert mend_run(result).sidecars == ["jobs.jsonl"]
    assert (verify_run(run).sidecars, verify_run(run).notes) == (1, [])


def test_thumbnails_that_an_earlier_zbatch_made_are_some(run):
    thumb = run / pictures(run)[0].artifact.thumb
    with Image.open(thumb) as image:
        image.load()
    thumb.unlink()
    image.save(thumb, "WEBP")
    assert not verify_run(run, decode=True).differs
    os.truncate(thumb, thumb.stat().st_size - 7)
    _, by_file = found(run)
    assert [one.found for one in by_file.values()] == ["it is cut off"]


def test_nothing_is_mended_while_a_run_goes_on(run):
    (run / pictures(run)[0].file).write_bytes(b"changed")
    result = verify_run(run)
    with RunLock(RunDirectory(run)), pytest.raises(RunBusyError):
        mend_run(result)
    assert not (run / "set-aside").exists()


def test_pictures_that_the_manifest_no_longer_shows_are_verified_and_stay(run):
    job = pictures(run)[0]
    change(run, f"UPDATE jobs SET position = NULL WHERE key = '{job.key}'")
    (run / job.file).write_bytes(b"changed")
    result = verify_run(run)
    assert [(one.key, one.shown) for one in result.differences] == [(job.key, False)]
    assert not mend_run(result).set_aside
    assert (run / job.file).exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_cannot_be_read_is_neither_whole_nor_different(run):
    job = pictures(run)[0]
    path: Path = run / job.file
    path.chmod(0)
    try:
        result = verify_run(run)
    finally:
        path.chmod(0o644)
    assert (result.differs, result.unreadable) == (False, 1)
    assert "ermission" in result.differences[0].found
