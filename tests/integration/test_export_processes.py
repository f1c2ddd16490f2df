"""Exports written by several processes: the same bytes as by one, the same words where something is wrong."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
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
    return {
        int(pid)
        for task in Path("/proc/self/task").iterdir()
        for pid in (task / "children").read_text().split()
    }


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
            shard_count=90,
            copy=processes == 5,
            processes=processes,
            progress=lambda what, at, of, told=told: told.append((what, at, of)),
        )
        assert told[-1] == ("writing", JOBS, JOBS)
        assert [at for _, at, _ in told] == sorted(at for _, at, _ in told)
        made[processes] = tree(tmp_path / str(processes))
        assert done.files == len(made[processes]) - 1
        assert done.linked == (JOBS if form in ("imagefolder", "kohya") and processes != 5 else 0)
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
            library.export(own, tmp_path / "out", format=form, shard_count=90, processes=processes)
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
    done = library.export(own, tmp_path / "out", format=form, check=False, copy=True)
    assert done.images == {"train": JOBS}
    second.write_bytes(second.read_bytes() + b"more")
    with pytest.raises(DiskError, match=f"{second.name}.*not as long as when it was saved"):
        library.export(own, tmp_path / "other", format=form, check=False, copy=True)
