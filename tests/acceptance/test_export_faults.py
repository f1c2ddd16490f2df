"""What may befall an export: a kill in the middle, a disk that fills, another that writes the same one."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import shutil
import signal
from pathlib import Path

import pytest
from support.command import wait_until, zbatch, zbatch_started
from support.dataset_run import write_dataset
from support.disks import mounted

JOBS = 3_000


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return write_dataset(tmp_path_factory.mktemp("made") / "animals", JOBS, side=64, length=4_000)


def tree(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def words(run, form, *more):
    shards = ("--shard-count", 400) if form in ("webdataset", "parquet") else ()
    return ["export", run, "--format", form, "-o", "out", *shards, "--split", "test=0.2", *more]


@pytest.mark.parametrize("form", ["imagefolder", "imagefolder --copy", "webdataset", "parquet", "kohya"])
def test_a_kill_at_any_moment_and_the_same_command_gives_the_same_bytes(tmp_path, run, form):
    form, *more = form.split()
    command = words(run, form, *more)
    aside = tmp_path / ".out.partial" / "tree"
    killed = 0
    for wanted in (2, 5, 12):
        with zbatch_started(*command, cwd=tmp_path) as process:
            with contextlib.suppress(AssertionError):  # it may be quicker than we look
                wait_until(lambda wanted=wanted: len(list(aside.rglob("*.*"))) > wanted, process)
            process.send_signal(signal.SIGKILL)
            process.wait()
        if (tmp_path / "out").exists():
            break
        killed += 1
        assert sorted(path.name for path in tmp_path.iterdir()) == [".out.partial"]
        for name in ("out", ".out.partial"):
            said = zbatch("verify", name, cwd=tmp_path)
            assert (said.returncode, said.stdout) == (2, "")
            assert f"{name} is an export that was not finished: {form}, 3,000 images" in said.stderr
    assert killed
    done = zbatch(*command, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    whole = tmp_path / "whole"
    whole.mkdir()
    assert zbatch(*command, cwd=whole).returncode == 0
    assert tree(tmp_path / "out") == tree(whole / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "whole"]
    assert zbatch("verify", "out", cwd=tmp_path).returncode == 0


def test_an_interrupted_copy_never_writes_through_links_of_an_interrupted_export(tmp_path, run):
    """The run's images are the same files: what is written over in the export must not be they."""
    before = tree(run / "images")
    command = words(run, "imagefolder")
    aside = tmp_path / ".out.partial" / "tree" / "train"
    with zbatch_started(*command, cwd=tmp_path) as process:
        wait_until(lambda: aside.is_dir() and len(list(aside.iterdir())) > 5, process)
        process.send_signal(signal.SIGKILL)
        process.wait()
    done = zbatch(*command, "--copy", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert {path.stat().st_nlink for path in (tmp_path / "out" / "train").iterdir()} == {1}
    assert tree(run / "images") == before


def test_ctrl_c_keeps_what_is_done(tmp_path, run):
    aside = tmp_path / ".out.partial" / "tree"
    with zbatch_started(*words(run, "kohya"), cwd=tmp_path) as process:
        wait_until(lambda: len(list(aside.rglob("*.*"))) > 20, process)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (130, "")
    assert err == "interrupted: what is done is kept aside, and the same command goes on with it\n"
    assert zbatch(*words(run, "kohya"), cwd=tmp_path).returncode == 0


@pytest.mark.parametrize("form", ["imagefolder", "webdataset", "parquet"])
def test_a_full_disk_says_so_and_the_export_goes_on_once_there_is_room(tmp_path, run, form):
    with mounted(tmp_path / "disk", megabytes=8) as place:
        ballast = place / "ballast"
        command = words(run, form, *["--copy"] * (form == "imagefolder"))
        done = zbatch(*command, cwd=place)
        assert done.returncode == 4, done.stderr
        assert "No space left on device\n  hint: what is done is kept in" in done.stderr
        assert f"{place}/.out.partial: make room and give the same command again" in done.stderr
        assert not (place / "out").exists()
        assert not ballast.exists()
        os.system(f"mount -o remount,size=64m {place}")
        done = zbatch(*command, cwd=place)
        assert done.returncode == 0, done.stderr
        assert "an interrupted export was gone on with" in done.stderr
        assert zbatch(*command, cwd=tmp_path).returncode == 0
        assert tree(place / "out") == tree(tmp_path / "out")


def test_images_on_another_disk_are_copied_and_that_is_told(tmp_path, run):
    with mounted(tmp_path / "disk", megabytes=64) as place:
        done = zbatch(*words(run, "imagefolder", "--no-check"), cwd=place)
        assert done.returncode == 0, done.stderr
        assert "the images are copies: no links can be made from the run to there" in done.stderr


def test_two_exports_do_not_write_one_place_at_once(tmp_path, run):
    (tmp_path / ".out.partial").mkdir()
    with (tmp_path / ".out.partial" / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = zbatch(*words(run, "jsonl"), cwd=tmp_path)
    assert done.returncode == 4
    assert "another process writes the export out\n  hint: wait for it to end" in done.stderr


def test_what_another_export_left_is_dropped_and_what_is_no_exports_is_not(tmp_path, run):
    aside = tmp_path / ".out.partial"
    with zbatch_started(*words(run, "kohya"), cwd=tmp_path) as process:
        wait_until(lambda: len(list(aside.rglob("*.*"))) > 20, process)
        process.send_signal(signal.SIGKILL)
        process.wait()
    done = zbatch(*words(run, "jsonl"), cwd=tmp_path)
    assert done.returncode == 0
    assert "what another interrupted export had left aside was dropped" in done.stderr
    shutil.rmtree(tmp_path / "out")
    aside.mkdir()
    (aside / "mine").write_text("mine")
    done = zbatch(*words(run, "jsonl"), cwd=tmp_path)
    assert done.returncode == 2
    assert "holds what is no part of an export (mine)" in done.stderr
    assert (aside / "mine").read_text() == "mine"


def test_a_place_that_cannot_be_written_is_told(tmp_path, run):
    (tmp_path / "file").write_text("")
    done = zbatch("export", run, "--format", "jsonl", "-o", "file/out", cwd=tmp_path)
    assert done.returncode == 4
    assert "cannot" in done.stderr
    assert os.strerror(errno.ENOTDIR) in done.stderr
    done = zbatch("export", Path("nowhere"), "--format", "jsonl", "-o", "out", cwd=tmp_path)
    assert done.returncode == 2
    assert "nowhere is not a run directory" in done.stderr


def test_a_place_where_a_disk_is_mounted_is_refused_before_anything_is_written(tmp_path, run):
    with mounted(tmp_path / "disk", megabytes=40):
        said = zbatch("export", run, "--format", "csv", "-o", "disk", cwd=tmp_path)
        assert said.returncode == 2
        assert "disk is where a disk is mounted" in said.stderr
        assert "hint: give a directory in it: -o disk/export" in said.stderr
        assert [path.name for path in tmp_path.iterdir()] == ["disk"]
        assert zbatch("export", run, "--format", "csv", "-o", "disk/export", cwd=tmp_path).returncode == 0


def test_the_longest_name_that_a_directory_may_have_is_one_of_an_export(tmp_path, run):
    name = "n" * 255
    done = zbatch("export", run, "--format", "csv", "-o", name, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert zbatch("verify", name, cwd=tmp_path).returncode == 0


@pytest.mark.parametrize("name", ["n" * 256, "n" * 300, "/".join(["n" * 200] * 25)])
def test_a_name_that_no_directory_may_have_is_told(tmp_path, run, name):
    for command in ["export", run, "--format", "csv", "-o", name], ["verify", name]:
        said = zbatch(*command, cwd=tmp_path)
        assert said.returncode in {2, 4}, said.stderr
        assert "too long" in said.stderr
        assert "a bug" not in said.stderr
    assert list(tmp_path.iterdir()) == []


def test_an_empty_place_is_no_place(tmp_path, run):
    said = zbatch("export", run, "--format", "csv", "-o", "", cwd=tmp_path)
    assert (said.returncode, "is empty: give a directory" in said.stderr) == (2, True)


def test_shards_that_another_pyarrow_wrote_are_written_again(tmp_path, run):
    """Versions write other bytes: an export is one version's."""
    command = words(run, "parquet")
    with zbatch_started(*command, cwd=tmp_path) as process:
        with contextlib.suppress(AssertionError):  # it may be quicker than we look
            wait_until((tmp_path / ".out.partial" / "shards.jsonl").exists, process)
        process.send_signal(signal.SIGKILL)
        process.wait()
    aside = tmp_path / ".out.partial"
    shards = [json.loads(line) for line in (aside / "shards.jsonl").read_bytes().splitlines()]
    other = [shard | {"tool": "pyarrow 1.0"} for shard in shards[:1]]
    assert all(shard["tool"].startswith("pyarrow ") for shard in shards)
    (aside / "shards.jsonl").write_text("".join(f"{json.dumps(one)}\n" for one in [*other, *shards[1:]]))
    files = {shard["name"]: (aside / "tree" / shard["name"]).stat().st_mtime_ns for shard in shards}
    assert zbatch(*command, cwd=tmp_path).returncode == 0
    anew = [name for name, time in files.items() if (tmp_path / "out" / name).stat().st_mtime_ns != time]
    assert anew == [shards[0]["name"]]


@pytest.mark.parametrize("form", ["webdataset", "parquet"])
@pytest.mark.parametrize("caption", ["{{ request.seed }}", "{{ 'ab\u72d0' * 2000 }} {{ request.seed }}"])
def test_shards_are_no_larger_than_is_asked_for(tmp_path, run, form, caption):
    command = ["export", run, "--format", form, "-o", "out", "--caption", caption]
    assert zbatch(*command, "--shard-size", "400kB", cwd=tmp_path).returncode == 0
    shards = [path for path in (tmp_path / "out").rglob("*.*") if path.suffix in {".tar", ".parquet"}]
    assert len(shards) > 30
    assert max(path.stat().st_size for path in shards) <= 400_000
