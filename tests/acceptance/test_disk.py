"""The disk goes bad under a run: read-only, taken away, not permitted. State and pictures stay consistent.

Permissions are really lost: where the tests run as root, zbatch is started without the capability that makes
root stand above them. A disk that fills up is in `test_cli_run`.
"""

import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from support.command import counts, wait_until, zbatch, zbatch_started
from support.disks import mounted
from support.misbehaving import MisbehavingServer
from support.runs import check_files, write_manifest

from zbatch.state.run import Run

BOUND = ["-dac_override", "-dac_read_search"]


@pytest.fixture
def server():
    with MisbehavingServer(latency=0.1) as server:
        yield server


@pytest.fixture
def bound():
    """What to put before a command for permissions to hold for it."""
    if os.geteuid() != 0:
        return []
    words = ["setpriv", f"--bounding-set={','.join(BOUND)}", f"--inh-caps={','.join(BOUND)}"]
    if shutil.which("setpriv") is None or subprocess.run([*words, "true"], check=False).returncode:
        pytest.skip("root cannot be bound to permissions here")
    return words


def words(folder, server, *more):
    return [
        "run", str(folder / "trial.yaml"), "-o", str(folder / "run"), "--endpoint", server.url,
        "--no-report", "--progress", "none", *more,
    ]  # fmt: skip


def started(folder, server, *before):
    return zbatch_started(*words(folder, server), cwd=folder, before=before)


def some_done(folder):
    return lambda: counts(folder / "run").get("done", 0) >= 3


def goes_on(folder, server, *retry):
    """The next run completes: every picture is there, and nothing was paid twice."""
    done = zbatch(*words(folder, server, *retry), cwd=folder)
    assert done.returncode == 0, done.stderr
    assert counts(folder / "run") == {"done": 20}
    with Run(folder / "run") as run:
        check_files(run)
    assert server.ledger.accepted_twice() == []


def balanced(folder, server):
    """Every task that was accepted is known, and every picture that is said to be there is."""
    with Run(folder / "run") as run:
        known = {task for record in run.jobs() for task in record.task_ids}
    assert {entry.task_id for entry in server.ledger.accepted} <= known


def test_the_pictures_may_not_be_written_any_more(tmp_path, server, bound):
    write_manifest(tmp_path, 20, "concurrency: 6")
    with started(tmp_path, server, *bound) as process:
        wait_until(some_done(tmp_path), process)
        (tmp_path / "run" / "images").chmod(0o555)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 4, err
    assert f"nothing may be written into {tmp_path}/run/images: no permission" in err
    assert "its task is recorded" in err
    balanced(tmp_path, server)
    with Run(tmp_path / "run") as run:
        check_files(run)
    (tmp_path / "run" / "images").chmod(0o755)
    goes_on(tmp_path, server)


def test_the_state_may_not_be_written(tmp_path, server, bound):
    write_manifest(tmp_path, 20, "concurrency: 6")
    assert zbatch(*words(tmp_path, server, "--first", "5"), cwd=tmp_path).returncode == 0
    state = tmp_path / "run" / "state.sqlite3"
    state.chmod(0o444)
    with started(tmp_path, server, *bound) as process:
        _, err = process.communicate(timeout=60)
    assert process.returncode == 4, err
    assert str(state) in err
    assert "everything committed before is safe" in err
    assert len(server.ledger.accepted) == 5
    state.chmod(0o644)
    goes_on(tmp_path, server)


def test_the_run_directory_may_not_be_written(tmp_path, server, bound):
    write_manifest(tmp_path, 20)
    assert zbatch(*words(tmp_path, server, "--first", "5"), cwd=tmp_path).returncode == 0
    (tmp_path / "run").chmod(0o555)
    with started(tmp_path, server, *bound) as process:
        _, err = process.communicate(timeout=60)
    (tmp_path / "run").chmod(0o755)
    assert process.returncode == 4, err
    assert str(tmp_path / "run") in err
    assert len(server.ledger.accepted) == 5
    goes_on(tmp_path, server)


def test_a_run_goes_below_a_directory_that_may_not_be_listed(tmp_path, server, bound):
    """As `/home` on machines that many people share."""
    mine = tmp_path / "home" / "mine"
    mine.mkdir(parents=True)
    write_manifest(mine, 2)
    (tmp_path / "home").chmod(0o111)
    with started(mine, server, *bound) as process:
        _, err = process.communicate(timeout=60)
    (tmp_path / "home").chmod(0o755)
    assert process.returncode == 0, err


def test_done_pictures_that_cannot_be_looked_at_are_not_taken_for_gone(tmp_path, server, bound):
    write_manifest(tmp_path, 20)
    assert zbatch(*words(tmp_path, server), cwd=tmp_path).returncode == 0
    (tmp_path / "run" / "images").chmod(0o000)
    polls = server.ledger.count("result")
    with started(tmp_path, server, *bound) as process:
        process.communicate(timeout=60)
    (tmp_path / "run" / "images").chmod(0o755)
    assert server.ledger.count("result") == polls
    assert counts(tmp_path / "run") == {"done": 20}
    assert "cannot look at" in (tmp_path / "run" / "run.log.jsonl").read_text()


def test_the_pictures_are_taken_away_while_it_runs(tmp_path, server):
    """What comes later is written all the same; what was there is asked for again before it ends."""
    write_manifest(tmp_path, 20, "concurrency: 4")
    with started(tmp_path, server) as process:
        wait_until(some_done(tmp_path), process)
        (tmp_path / "run" / "images").rename(tmp_path / "taken")
        _, err = process.communicate(timeout=60)
    balanced(tmp_path, server)
    gone = sum(1 for _ in (tmp_path / "taken").iterdir())
    assert gone >= 3
    assert process.returncode == 0, err
    assert "pictures that were done are gone from images/; their tasks are asked for them again" in err
    assert counts(tmp_path / "run") == {"done": 20}
    with Run(tmp_path / "run") as run:
        check_files(run)
    assert len(server.ledger.accepted) == 20


def test_the_whole_run_is_taken_away_while_it_runs(tmp_path, server):
    """Nothing more is paid for that could not be kept, and putting it back goes on."""
    write_manifest(tmp_path, 20, "concurrency: 2")
    with started(tmp_path, server) as process:
        wait_until(some_done(tmp_path), process)
        (tmp_path / "run").rename(tmp_path / "taken")
        _, err = process.communicate(timeout=60)
    assert process.returncode == 4, err
    assert f"{tmp_path}/run" in err
    assert len(server.ledger.accepted) < 20
    shutil.rmtree(tmp_path / "run", ignore_errors=True)
    (tmp_path / "taken").rename(tmp_path / "run")
    balanced(tmp_path, server)
    goes_on(tmp_path, server)


def test_a_run_that_is_deleted_while_it_runs_submits_no_more(tmp_path, server):
    server.latency = 60
    write_manifest(tmp_path, 20, "concurrency: 40, rate: 4/s")
    with started(tmp_path, server) as process:
        wait_until(lambda: server.ledger.accepted, process)
        shutil.rmtree(tmp_path / "run")
        _, err = process.communicate(timeout=60)
    assert process.returncode == 4, err
    assert f"the state {tmp_path}/run/state.sqlite3 was taken away" in err
    assert len(server.ledger.accepted) < 20


def test_a_run_in_whose_place_another_lies_is_told_and_goes_on_where_it_lies(tmp_path, server):
    write_manifest(tmp_path, 20, "concurrency: 4")

    def command(place):  # relative
        return (
            "run",
            "trial.yaml",
            "-o",
            place,
            "--endpoint",
            server.url,
            "--no-report",
            "--progress",
            "none",
        )

    assert zbatch(*command("other"), "--first", "2", cwd=tmp_path).returncode == 0
    server.latency = 3
    with zbatch_started(*command("run"), cwd=tmp_path) as process:
        wait_until(lambda: len(server.ledger.accepted) >= 6, process)
        (tmp_path / "run").rename(tmp_path / "old")
        (tmp_path / "other").rename(tmp_path / "run")
        _, err = process.communicate(timeout=60)
    assert process.returncode == 4, err
    assert "the state run/state.sqlite3 was taken away while the run went on" in err
    assert "another run lies there now" in err
    assert len(server.ledger.accepted) <= 10
    server.latency = 0
    assert zbatch(*command("old"), cwd=tmp_path).returncode == 0
    assert len(server.ledger.accepted) == 22
    assert server.ledger.not_fetched() == []


def test_a_lock_file_that_is_removed_lets_no_second_run_in(tmp_path, server):
    server.latency = 1
    write_manifest(tmp_path, 8, "concurrency: 4")
    with started(tmp_path, server) as process:
        wait_until(lambda: server.ledger.accepted, process)
        (tmp_path / "run" / ".lock").unlink()
        process.send_signal(signal.SIGSTOP)  # it owns the run however long the other one takes to start
        other = zbatch(*words(tmp_path, server), cwd=tmp_path)
        process.send_signal(signal.SIGCONT)
        _, err = process.communicate(timeout=60)
    assert other.returncode == 4
    assert "another process owns the run" in other.stderr
    assert process.returncode == 0, err
    assert server.ledger.accepted_twice() == []
    assert counts(tmp_path / "run") == {"done": 8}


def deleted_while_it_runs(folder, server):
    """What a run of 20 jobs says whose directory was deleted once some were done."""
    write_manifest(folder, 20, "concurrency: 4")
    with started(folder, server) as process:
        wait_until(some_done(folder), process)
        shutil.rmtree(folder / "run", ignore_errors=True)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 4, err
    return err


def rescued(err):
    """The copy that the hint names."""
    return Path(re.search(r"what it held is saved in (\S+\.sqlite3): put that at ", err)[1])


def test_a_run_that_is_deleted_while_it_runs_goes_on_with_the_copy_of_its_state(tmp_path, server):
    """Whatever is met first, pictures that cannot be written among it, is not what it is told as."""
    err = deleted_while_it_runs(tmp_path, server)
    assert f"the state {tmp_path}/run/state.sqlite3 was taken away while the run went on" in err
    assert "cannot write" not in err
    copy = rescued(err)
    assert copy.parent == tmp_path
    (tmp_path / "run").mkdir(exist_ok=True)
    copy.rename(tmp_path / "run" / "state.sqlite3")
    balanced(tmp_path, server)
    goes_on(tmp_path, server)
    assert len(server.ledger.accepted) == 20
    assert server.ledger.not_fetched() == []


@pytest.fixture
def read_only(tmp_path):
    """A file system that can be made read-only by calling what is given; only where mounting is permitted."""
    with mounted(tmp_path / "disk", megabytes=32) as place:

        def remount(mode):
            subprocess.run(["mount", "-o", f"remount,{mode}", str(place)], check=True)

        yield place, remount


@pytest.mark.parametrize("name", ["images", "thumbs", ".parts"])
def test_a_room_on_another_file_system_is_refused_before_anything_is_submitted(
    tmp_path, read_only, server, name
):
    place, _ = read_only
    write_manifest(tmp_path, 3)
    (tmp_path / "run" / name).mkdir(parents=True)
    subprocess.run(["mount", "--bind", str(place), str(tmp_path / "run" / name)], check=True)
    try:
        done = zbatch(*words(tmp_path, server), cwd=tmp_path)
    finally:
        subprocess.run(["umount", "-l", str(tmp_path / "run" / name)], check=True)
    assert done.returncode == 4, done.stderr
    assert "lies on another file system than" in done.stderr
    assert "nothing was submitted" in done.stderr
    assert server.ledger.accepted == []


@pytest.mark.parametrize("name", ["images", "thumbs", ".parts"])
@pytest.mark.parametrize("exists", [True, False])
def test_a_room_that_is_a_link_to_elsewhere_is_refused_before_anything_is_submitted(
    tmp_path, server, name, exists
):
    write_manifest(tmp_path, 3)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / name).symlink_to(tmp_path / "big")
    if exists:
        (tmp_path / "big").mkdir()
    done = zbatch(*words(tmp_path, server), cwd=tmp_path)
    assert done.returncode == 4, done.stderr
    assert f"{tmp_path}/run/{name} leads out of the run directory by a symbolic link" in done.stderr
    assert "have the whole run directory there" in done.stderr
    assert server.ledger.accepted == []
    (tmp_path / "run" / name).unlink()
    (tmp_path / "run").rename(tmp_path / "other")
    (tmp_path / "run").symlink_to(tmp_path / "other")
    assert zbatch(*words(tmp_path, server), cwd=tmp_path).returncode == 0


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (
            lambda place: place.symlink_to(place.parents[2]),
            "leads out of the run directory by a symbolic link",
        ),
        (lambda place: place.write_text("mine"), "is no directory"),
        (lambda place: place.symlink_to("nowhere"), "is no directory"),
    ],
)
def test_a_folder_that_takes_no_pictures_is_told_before_one_is_paid_for(tmp_path, server, make, said):
    write_manifest(tmp_path, 3, more="output: {file: \"{{ 'flat' if seed == 1 else 'deep' }}/{{ seed }}\"}")
    assert zbatch(*words(tmp_path, server, "--first", "1"), cwd=tmp_path).returncode == 0
    place = tmp_path / "run" / "images" / "deep"
    make(place)
    done = zbatch(*words(tmp_path, server), cwd=tmp_path)
    assert done.returncode == 4, done.stderr
    assert f"{place} {said}" in done.stderr
    assert "mend that and run again" in done.stderr
    assert len(server.ledger.accepted) == 1
    place.unlink()
    assert zbatch(*words(tmp_path, server), cwd=tmp_path).returncode == 0
    assert len(server.ledger.accepted) == 3


def test_a_disk_that_became_read_only(read_only, server):
    place, remount = read_only
    write_manifest(place, 20)
    assert zbatch(*words(place, server, "--first", "5"), cwd=place).returncode == 0
    remount("ro")
    done = zbatch(*words(place, server), cwd=place)
    assert done.returncode == 4, done.stderr
    assert "Read-only file system" in done.stderr or "readonly" in done.stderr
    assert str(place / "run") in done.stderr
    assert zbatch("status", place / "run", cwd=place).returncode == 0
    assert len(server.ledger.accepted) == 5
    remount("rw")
    goes_on(place, server)


def test_a_process_that_was_stopped_for_longer_than_its_deadlines(tmp_path, server):
    """As by Ctrl-Z or a hypervisor: every task is asked for afterwards, none is given up unasked."""
    server.idle = 0.3
    server.latency = 0.4
    write_manifest(tmp_path, 20, "concurrency: 8, job_deadline: 1s")
    with started(tmp_path, server) as process:
        wait_until(some_done(tmp_path), process)
        process.send_signal(19)
        time.sleep(1.5)
        process.send_signal(18)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert counts(tmp_path / "run") == {"done": 20}
    assert server.ledger.accepted_twice() == []


def test_while_a_rescued_copy_lies_beside_it_a_run_does_not_begin_anew(tmp_path, server):
    err = deleted_while_it_runs(tmp_path, server)
    copy, accepted = rescued(err), len(server.ledger.accepted)
    shutil.rmtree(tmp_path / "run", ignore_errors=True)
    for command in (words(tmp_path, server), ["plan", str(tmp_path / "trial.yaml"), "--run-dir"], ["status"]):
        done = zbatch(*command, *([] if command[0] == "run" else [str(tmp_path / "run")]), cwd=tmp_path)
        assert done.returncode == 4, done.stderr
        assert f"beside it lies what an earlier run there saved of its own, {copy}" in done.stderr
        assert f"put that at {tmp_path}/run/state.sqlite3 and run again" in done.stderr
    assert len(server.ledger.accepted) == accepted


def test_pictures_without_a_state_are_not_paid_for_again(tmp_path, server):
    write_manifest(tmp_path, 3)
    assert zbatch(*words(tmp_path, server), cwd=tmp_path).returncode == 0
    for path in (tmp_path / "run").iterdir():
        if path.is_file():
            path.unlink()
    for command in (words(tmp_path, server), ["plan", str(tmp_path / "trial.yaml"), "--run-dir"], ["status"]):
        done = zbatch(*command, *([] if command[0] == "run" else [str(tmp_path / "run")]), cwd=tmp_path)
        assert done.returncode == 4, done.stderr
        assert "has pictures, but the state" in done.stderr
    assert len(server.ledger.accepted) == 3


def test_a_run_directory_that_cannot_be_looked_into_is_said_and_nothing_is_submitted(tmp_path, server, bound):
    write_manifest(tmp_path, 3)
    place = tmp_path / "runs" / "trial-local"
    place.mkdir(parents=True)
    place.chmod(0o000)
    for command in ("run", "plan"):
        asked = [command, "trial.yaml", "--endpoint", server.url]
        with zbatch_started(*asked, cwd=tmp_path, before=bound) as process:
            _, err = process.communicate(timeout=60)
        assert process.returncode == 4, err
        assert "cannot look into the run directory runs/trial-local/" in err
    place.chmod(0o755)
    assert server.ledger.accepted == []
