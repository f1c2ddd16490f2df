"""One process owns a run, by a lock that dies with it and that no child inherits; and its directory."""

import os
import re
import subprocess
import sys

import pytest

from zbatch.durable import make_durable_directory, write_aside
from zbatch.errors import DiskError, RunBusyError, UsageError
from zbatch.state.directory import RunDirectory
from zbatch.state.lock import RunLock

HOLDER = """
import subprocess, sys
from pathlib import Path
from zbatch.state.directory import RunDirectory
from zbatch.state.lock import RunLock
with RunLock(RunDirectory(Path(sys.argv[1]))):
    sleeper = [sys.executable, "-c", "import time; time.sleep(60)"]
    child = subprocess.Popen(sleeper) if len(sys.argv) > 2 else None
    print(child.pid if child else 0, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def directory(tmp_path):
    directory = RunDirectory(tmp_path / "runs" / "fox")
    directory.create()
    return directory


@pytest.fixture
def holder(directory):
    started = []

    def start(*more):
        process = subprocess.Popen(
            [sys.executable, "-c", HOLDER, directory.path, *more],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        started.append(process)
        return process, int(process.stdout.readline())

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_a_second_process_is_refused_with_the_first_ones_id(directory, holder):
    process, _ = holder()
    with pytest.raises(RunBusyError, match=rf"process {process.pid}\b") as caught, RunLock(directory):
        pass
    assert str(directory.path) in caught.value.message
    assert "zbatch status" in caught.value.hint
    process.communicate("", timeout=10)
    with RunLock(directory):
        assert (directory.path / ".lock").read_text() == f"{os.getpid()}\n"
    assert (directory.path / ".lock").read_text() == ""


def test_the_lock_dies_with_kill_9_even_where_a_child_lives_on(directory, holder):
    process, child = holder("child")
    process.kill()
    process.wait(10)
    try:
        with RunLock(directory):
            os.kill(child, 0)  # it is there still, and holds nothing
    finally:
        os.kill(child, 9)


def test_one_process_cannot_own_a_run_twice(directory):
    with RunLock(directory), pytest.raises(RunBusyError), RunLock(directory):
        pass


def test_a_lock_that_cannot_be_made_is_a_disk_error(tmp_path):
    with pytest.raises(DiskError, match=re.escape(str(tmp_path / "gone" / ".lock"))):
        RunLock(RunDirectory(tmp_path / "gone")).__enter__()


def test_a_directory_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(UsageError, match=r"not empty \(it holds thesis\.tex\)"):
        RunDirectory(tmp_path).create()
    assert [entry.name for entry in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_directory_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "runs").write_text("a file")
    with pytest.raises(DiskError, match=r"runs/fox.*nothing was submitted|runs/fox") as caught:
        RunDirectory(tmp_path / "runs" / "fox").create()
    assert "nothing was submitted" in caught.value.hint


def test_creating_twice_and_after_a_crash_before_the_state_is_fine(directory):
    (directory.path / ".lock").touch()
    directory.create()
    (directory.parts / "4711.part").write_bytes(b"half")
    directory.clear_parts()
    assert list(directory.parts.iterdir()) == []


def test_some_room_is_held_while_a_run_goes_on(directory):
    with directory.reserved():
        assert directory.reserve.stat().st_size == 2**20
        directory.give_reserve()
        assert not directory.reserve.exists()
        directory.give_reserve()
    with directory.reserved():
        pass
    assert not directory.reserve.exists()


def test_without_even_that_much_room_nothing_begins(directory):
    directory.reserve.mkdir()
    with pytest.raises(DiskError, match="no room to begin"), directory.reserved():
        pass


def test_parts_that_are_no_directory_are_a_disk_error(directory):
    directory.parts.rmdir()
    directory.parts.write_text("")
    with pytest.raises(DiskError, match=r"\.parts"):
        directory.clear_parts()


def test_writing_aside_replaces_whole_or_not_at_all(tmp_path):
    target = tmp_path / "jobs.jsonl"
    target.write_bytes(b"old")
    write_aside(target, b"new")
    assert target.read_bytes() == b"new"
    target.unlink()
    target.mkdir()
    with pytest.raises(DiskError, match=r"jobs\.jsonl"):
        write_aside(target, b"newer")
    assert [entry.name for entry in tmp_path.iterdir()] == ["jobs.jsonl"]


def test_directories_are_made_in_order(tmp_path):
    make_durable_directory(tmp_path / "a" / "b" / "c")
    make_durable_directory(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b" / "c").is_dir()
