"""A power cut at any instant: what was written without fsync may vanish, and the run is right all the same.

`ZBATCH_TEST_SEED` draws other instants and other losses, `ZBATCH_TEST_CUTS` more of them.
"""

import os
import random
import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.command import environment
from support.misbehaving import MisbehavingServer
from support.power import Call, Disk, calls_of, reason_not_to, recorded
from support.runs import check_files, finish, order_for, write_manifest

from zbatch.errors import DiskError, StateError
from zbatch.model import JobState
from zbatch.state.directory import RunDirectory
from zbatch.state.run import Run

SEED = os.environ.get("ZBATCH_TEST_SEED", "1")
CUTS = int(os.environ.get("ZBATCH_TEST_CUTS", "60"))
JOBS = 16
SIZE = "448*320"
"""Larger than a thumbnail: two files a picture."""

pytestmark = pytest.mark.skipif(bool(reason_not_to()), reason=reason_not_to())


@dataclass
class Traced:
    """A whole run and its system calls. `posts` are the numbers at which the body of each seed left."""

    folder: Path
    manifest: Path
    calls: list[Call]
    server: MisbehavingServer
    posts: dict[int, int]
    polls: dict[str, int]


@pytest.fixture(scope="module")
def traced(tmp_path_factory):
    folder = tmp_path_factory.mktemp("power")
    manifest = write_manifest(folder, JOBS, "concurrency: 4", size=SIZE)
    disk = folder / "disk"
    disk.mkdir()
    with MisbehavingServer({"image": ["half", None, "404"]}, latency=0.05) as server:
        words = ["run", manifest, "-o", disk / "run", "--endpoint", server.url, "--no-report", "-j", "4"]
        command = [sys.executable, "-m", "zbatch", *map(str, words)]
        done = recorded(command, folder / "calls", cwd=folder, env=environment(), timeout=200)
        assert done.returncode == 0, done.stderr
        calls = calls_of(folder / "calls")
        posts: dict[int, int] = {}
        polls: dict[str, int] = {}
        for call in calls:
            if call.name not in ("sendto", "sendmsg", "write"):
                continue
            data = b"".join(call.strings())
            for seed in re.findall(rb'"seed": ?(\d+)', data) if not call.path().startswith("/") else ():
                posts.setdefault(int(seed), call.began)
            for task in re.findall(rb"GET \S*task-result\?task_id=(\S+)", data):
                polls.setdefault(task.decode(), call.began)
        yield Traced(folder, manifest, calls, server, posts, polls)


def test_the_log_replayed_to_its_end_is_the_directory_as_it_lies(traced, tmp_path):
    disk = Disk(traced.folder / "disk")
    for call in traced.calls:
        disk.play(call)
    disk.image(tmp_path / "image", lambda: True)
    real = files_of(traced.folder / "disk" / "run")
    assert files_of(tmp_path / "image" / "run") == real
    assert len(real) > 2 * JOBS
    assert sorted(traced.posts) == list(range(1, JOBS + 1))
    assert len(traced.polls) == JOBS


PLACES = """
import os, sys
from pathlib import Path
from zbatch.state.directory import RunDirectory
from zbatch.state.placing import place_all

directory = RunDirectory(Path(sys.argv[1]))
os.mkdir(directory.path)
os.mkdir(directory.images)
directory.create()
os.makedirs(directory.images / "a" / "b")
assert place_all(directory, [[("images/a/b/c.png", b"whole")]]) == [None]
"""


def test_directories_that_somebody_else_has_just_made_are_made_sure_of(tmp_path):
    """A process that was killed before its fsync, or another saver that has not come to it yet."""
    (tmp_path / "disk").mkdir()
    command = [sys.executable, "-c", PLACES, str(tmp_path / "disk" / "run")]
    done = recorded(command, tmp_path / "calls", cwd=tmp_path, env=environment(), timeout=60)
    assert done.returncode == 0, done.stderr
    disk = Disk(tmp_path / "disk")
    for call in calls_of(tmp_path / "calls"):
        disk.play(call)
    disk.image(tmp_path / "image", lambda: False)
    assert (tmp_path / "image" / "run" / "images" / "a" / "b" / "c.png").read_bytes() == b"whole"
    assert (tmp_path / "image" / "run" / "thumbs").is_dir()


def files_of(folder):
    return {
        path.relative_to(folder): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.endswith("-shm")
    }


def cuts(traced):
    """Instants, spread over the whole run, most of them just after a byte left or something became sure."""
    dice = random.Random(f"{SEED} cuts")
    telling = [
        number for number, call in enumerate(traced.calls, 1) if call.name in ("fsync", "fdatasync", "sendto")
    ]
    return sorted(
        dice.choice(telling) if dice.random() < 0.7 else dice.randrange(len(traced.calls))
        for _ in range(CUTS)
    )


def losses(dice):
    """What is kept of what is not sure: nothing, everything, or each piece by the toss of a coin."""
    return [lambda: False, lambda: True, lambda: dice.random() < 0.5, lambda: dice.random() < 0.9]


def test_at_every_instant_the_state_tells_of_every_submit_and_every_done_picture_is_whole(traced, tmp_path):
    dice = random.Random(f"{SEED} losses")
    disk, played, seen = Disk(traced.folder / "disk"), 0, set()
    for number, cut in enumerate(cuts(traced)):
        for call in traced.calls[played:cut]:
            disk.play(call)
        played = max(played, cut)
        instant = traced.calls[cut - 1].ended if cut else -1
        for way, keeps in enumerate(losses(dice)):
            image = tmp_path / f"{number}-{way}"
            disk.image(image, keeps, dice)
            seen |= judge(traced, image / "run", instant)
            shutil.rmtree(image)
    assert seen == {"pending", "submitting", "submitted", "done"}


def judge(traced, run, instant):
    """Hold what is left against what had left the process at that instant; give the states there are."""
    posted = {seed for seed, at in traced.posts.items() if at <= instant}
    polled = {task for task, at in traced.polls.items() if at <= instant}
    directory = RunDirectory(run)
    if not directory.exists() or directory.state.stat().st_size == 0 or not jobs_in(run):
        assert posted == set()
        return set()
    with Run(run) as opened:
        records = {record.request.seed: record for record in opened.jobs()}
        check_files(opened)
    assert len(records) == JOBS
    assert posted <= {seed for seed, record in records.items() if record.state is not JobState.PENDING}
    assert polled <= {task for record in records.values() for task in record.task_ids}
    for record in records.values():
        for task in record.task_ids:
            assert traced.server.tasks[task].body["seed"] == record.request.seed
    return {record.state.value for record in records.values()}


def jobs_in(run):
    """Tell whether the grid was committed; before that, no run can be read."""
    try:
        with Run(run) as opened:
            return sum(opened.counts().values())
    except (StateError, DiskError):
        return 0


@pytest.mark.parametrize("share", [0.35, 0.5, 0.65, 0.8, 0.95])
def test_the_run_goes_on_from_what_is_left_and_pays_nothing_twice(traced, tmp_path, share):
    dice = random.Random(f"{SEED} {share}")
    first = min(traced.posts.values())
    last = traced.calls[-1].ended
    instant = first + share * (last - first)
    disk = Disk(traced.folder / "disk")
    played = [call for call in traced.calls if call.ended <= instant]
    for call in played:
        disk.play(call)
    disk.image(tmp_path / "image", dice.choice(losses(dice)), dice)
    manifest = write_manifest(tmp_path, JOBS, "concurrency: 4", size=SIZE)
    (tmp_path / "image" / "run").rename(tmp_path / "run")
    posted = {seed for seed, at in traced.posts.items() if at <= instant}
    before = len(traced.server.ledger.accepted)
    done = finish(order_for(manifest, traced.server.url))
    again = {entry.body["seed"] for entry in traced.server.ledger.accepted[before:]}
    assert not again & posted
    assert set(done.states) <= {"done", "unknown"}
    assert again | {seed for seed, job in done.jobs.items() if job.attempts} == set(done.jobs)
    with Run(tmp_path / "run") as opened:
        check_files(opened)
