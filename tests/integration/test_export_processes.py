"""Exports written by several processes: the same bytes as by one, the same words where something is wrong."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from functools import partial
from pathlib import Path

import pytest
from support.command import wait_until, zbatch, zbatch_started
from support.dataset_run import write_dataset

import zbatch as library
from zbatch.errors import DiskError, SurroundingsError
from zbatch.exports.crew import Crew, Hand

JOBS = 700
FORMATS = ("imagefolder", "webdataset", "parquet", "kohya")
FOLDERS = ("imagefolder", "kohya")


def shards_of(form):
    return {} if form in FOLDERS else {"shard_count": 90}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return write_dataset(tmp_path_factory.mktemp("made") / "animals", JOBS, side=64, length=4_000)


@pytest.fixture
def own(run, tmp_path):
    shutil.copytree(run, tmp_path / "own")
    return tmp_path / "own"


def tree(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def children():
    """Processes that this one has started and that have not ended."""
    found: set[int] = set()
    for task in Path("/proc/self/task").iterdir():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # of a thread that has just ended
            found.update(map(int, (task / "children").read_text().split()))
    return found


@pytest.fixture(autouse=True)
def none_stays():
    """Whatever becomes of an export, none of its processes is left."""
    before = children()
    yield
    assert children() <= before


@pytest.mark.parametrize("form", FORMATS)
def test_however_many_write_it_the_bytes_are_the_same(run, tmp_path, form):
    made = {}
    for processes in (0, 2, 5):
        told = []
        done = library.export(
            run,
            tmp_path / str(processes),
            format=form,
            split="test=0.2",
            **shards_of(form),
            copy=processes == 5 and form in FOLDERS,
            processes=processes,
            progress=lambda what, at, of, told=told: told.append((what, at, of)),
        )
        assert told[-1] == ("writing", JOBS, JOBS)
        assert [at for _, at, _ in told] == sorted(at for _, at, _ in told)
        made[processes] = tree(tmp_path / str(processes))
        assert done.files == len(made[processes]) - 1
        assert done.linked == (JOBS if form in FOLDERS and processes != 5 else 0)
    assert made[0] == made[2] == made[5]


@pytest.mark.parametrize("form", FORMATS)
def test_an_image_that_was_changed_is_named_in_the_same_words(own, tmp_path, form):
    image = sorted((own / "images").iterdir())[JOBS // 2]
    data = bytearray(image.read_bytes())
    data[2_000] ^= 1
    image.write_bytes(data)
    said = set()
    for processes in (0, 3):
        with pytest.raises(DiskError) as caught:
            library.export(own, tmp_path / "out", format=form, **shards_of(form), processes=processes)
        said.add(str(caught.value))
    assert len(said) == 1
    assert image.name in said.pop()
    assert not (tmp_path / "out").exists()


def test_a_process_that_ends_ends_the_export_and_what_is_done_is_kept(run, tmp_path):
    others = children()

    def kill(*_):
        for pid in children() - others:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    with pytest.raises(SurroundingsError, match="a helper process that writes the export ended"):
        library.export(run, tmp_path / "out", format="webdataset", shard_count=30, processes=2, progress=kill)
    assert not (tmp_path / "out").exists()
    library.export(run, tmp_path / "out", format="webdataset", shard_count=30, processes=2)
    assert library.verify_export(tmp_path / "out").differences == []


def test_the_writers_of_an_export_that_is_killed_end_with_it(run, tmp_path):
    words = ["export", run, "--format", "imagefolder", "--copy", "-o", "out"]
    large = write_dataset(tmp_path / "large", 4_000, side=64, length=40_000)
    words[1] = large
    with zbatch_started(*words, cwd=tmp_path) as process:
        wait_until(lambda: len(list((tmp_path / ".out.partial" / "tree").rglob("*.*"))) > 20, process)
        writers = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert len(writers) > 1 or (os.cpu_count() or 1) == 1
    done = zbatch(*words, cwd=tmp_path)  # at once: nobody holds the place any more
    assert done.returncode == 0, done.stderr


ASKS_AND_IS_KILLED = """
import os, signal, sys
from zbatch.exports.likeness import _hand
hand = _hand()
hand.tell(sys.stdin.buffer.read())
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("cut", [0, 5])
def test_those_who_look_at_images_for_whom_was_killed_end_without_a_word(run, cut):
    """They answer nobody; or what they were asked came in half."""
    batch = [[str(path)] for path in sorted((run / "images").iterdir())[:20]]
    asked = (json.dumps(batch) + "\n").encode() * 3
    done = subprocess.run(
        [sys.executable, "-c", ASKS_AND_IS_KILLED],
        input=asked[: len(asked) - cut],
        capture_output=True,
        check=False,
        timeout=60,
    )  # until the last of those who can write there has ended
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGKILL, b"", b"")


def test_a_sigint_that_only_a_writer_gets_is_not_heard_while_it_starts_either(run, tmp_path, capfd):
    others, started = children(), []

    def interrupt(path):
        while not path.exists():
            with contextlib.suppress(
                ProcessLookupError, FileNotFoundError
            ):  # of threads and children that end
                for pid in children() - others:
                    started.append(pid)
                    os.kill(pid, signal.SIGINT)

    sender = threading.Thread(target=interrupt, args=(tmp_path / "out",))
    sender.start()
    try:
        library.export(run, tmp_path / "out", format="webdataset", shard_count=90, processes=2)
    finally:
        (tmp_path / "out").mkdir(exist_ok=True)
        sender.join()
    assert started
    assert library.verify_export(tmp_path / "out").differences == []
    assert capfd.readouterr().err == ""


def test_answers_come_in_the_order_of_the_questions_and_an_error_ends_them_all():
    def ask(hand, number):
        if number == 40:
            raise ZeroDivisionError
        return number

    threads = threading.active_count()
    answers = []
    start = partial(Hand, "zbatch.exports.looking", "looks at images")
    with Crew(start, 3) as crew, pytest.raises(ZeroDivisionError):
        answers.extend(crew.answers(range(100), ask))
    assert answers == list(range(40))[: len(answers)]
    assert threading.active_count() == threads


@pytest.mark.parametrize("form", ["webdataset", "imagefolder"])
def test_unchecked_an_image_is_taken_as_it_lies_if_it_is_as_long(own, tmp_path, form):
    first, second, *_ = sorted((own / "images").iterdir())
    data = first.read_bytes()
    first.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    done = library.export(own, tmp_path / "out", format=form, check=False, copy=form in FOLDERS)
    assert done.images == {"train": JOBS}
    second.write_bytes(second.read_bytes() + b"more")
    with pytest.raises(DiskError, match=f"{second.name}.*not as long as when it was saved"):
        library.export(own, tmp_path / "other", format=form, check=False, copy=form in FOLDERS)
