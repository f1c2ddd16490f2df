"""`--reuse`: what another run made is taken over by key, told truthfully, never submitted or paid again."""

import errno
import os
import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace

import orjson
import pytest
from support.misbehaving import MisbehavingServer
from support.runs import finish, order_for, write_manifest

from zbatch.errors import StateError, UsageError
from zbatch.exports.provenance import write_provenance
from zbatch.exports.run_check import verify_run
from zbatch.model import JobState
from zbatch.runner.events import EventName
from zbatch.runner.plan import make_plan
from zbatch.state.run import Run


@pytest.fixture
def server():
    with MisbehavingServer(latency=0) as server:
        yield server


@pytest.fixture
def old(tmp_path, server):
    """A run of seeds 1 to 4, done."""
    return made(tmp_path / "old", server.url, 4)


def made(folder, url, jobs, *reuse, **more):
    folder.mkdir(exist_ok=True)
    done = finish(order_for(write_manifest(folder, jobs, **more), url, reuse=tuple(reuse)))
    return folder / "run", done


def order(folder, url, jobs, *reuse, **more):
    folder.mkdir(exist_ok=True)
    return order_for(write_manifest(folder, jobs, **more), url, reuse=tuple(reuse))


def seeds(server):
    return sorted(entry.body["seed"] for entry in server.ledger.accepted)


def notices(done):
    return [event.message for event in done.told.events if event.name is EventName.NOTICE]


def test_only_what_is_new_is_submitted_and_all_of_it_is_told(tmp_path, server, old):
    run, before = old
    plan = make_plan(order(tmp_path / "new", server.url, 6, run, more="price: 0.5"))
    assert (plan.jobs, plan.done, plan.reused, plan.to_submit, plan.dropped) == (6, 0, 4, 2, 0)
    assert plan.cost == 1
    new, done = made(tmp_path / "new", server.url, 6, run, more="price: 0.5")
    assert (done.ending, done.states) == ("complete", {"done": 6})
    assert seeds(server) == [1, 2, 3, 4, 5, 6]
    assert any(f"4 pictures taken over from {run}: not submitted" in word for word in notices(done))
    assert [done.jobs[seed].attempts for seed in (1, 4, 5)] == [0, 0, 1]
    there, here = before.jobs[1], done.jobs[1]
    assert here.artifact == there.artifact
    assert (new / here.artifact.file).samefile(run / there.artifact.file)
    assert (here.task_ids, here.submitted_at) == ((), None)
    assert here.reused_from["run"] == "../../old/run"
    assert here.reused_from["made"] == {
        "run": "../../old/run", "endpoint": server.url, "attempts": 1, "task_ids": list(there.task_ids),
        "submitted_at": there.submitted_at, "done_at": there.done_at,
    }  # fmt: skip
    assert done.jobs[5].reused_from is None
    with Run(new) as opened:
        assert list(opened.taken_over().values()) == [4]
        assert opened.cost() == 1
        lines = [orjson.loads(line) for line in write_provenance(opened).read_bytes().splitlines()]
    assert [line["reused_from"] is None for line in lines] == [False] * 4 + [True] * 2
    assert not verify_run(new).differences
    # Again, with and without: nothing is left to do.
    assert made(tmp_path / "new", server.url, 6, run, more="price: 0.5")[1].ending == "complete"
    assert made(tmp_path / "new", server.url, 6, more="price: 0.5")[1].ending == "complete"
    assert len(server.ledger.accepted) == 6


def test_the_old_run_is_not_touched_and_may_go(tmp_path, server, old):
    run, _ = old
    before = {
        path: path.read_bytes() for path in run.rglob("*") if path.is_file() and "state" not in path.name
    }
    new, _ = made(tmp_path / "new", server.url, 4, run)
    assert {path: path.read_bytes() for path in before} == before
    shutil.rmtree(run)
    assert not verify_run(new).differences
    assert made(tmp_path / "new", server.url, 4)[1].states == {"done": 4}
    assert len(server.ledger.accepted) == 4


def test_what_is_gone_or_changed_there_is_told_and_made_anew(tmp_path, server, old):
    run, before = old
    (run / before.jobs[1].artifact.file).unlink()
    changed = run / before.jobs[2].artifact.file
    changed.write_bytes(changed.read_bytes()[:-1] + b"x")
    shorter = run / before.jobs[3].artifact.file
    shorter.write_bytes(shorter.read_bytes()[:-5])
    plan = make_plan(order(tmp_path / "new", server.url, 4, run))
    assert plan.reused == 2  # of what was changed and is as long, only reading it can tell
    _, done = made(tmp_path / "new", server.url, 4, run)
    assert done.states == {"done": 4}
    assert seeds(server) == [1, 1, 2, 2, 3, 3, 4]
    (word,) = [word for word in notices(done) if "not taken over" in word]
    assert "3 pictures are not taken over, and are made anew" in word
    assert f"{run / before.jobs[1].artifact.file} is gone" in word
    assert f"{changed} was changed" in word


@pytest.mark.parametrize("spoil", ["gone", "half", "empty"])
def test_a_thumbnail_that_is_not_there_is_made_anew(tmp_path, server, spoil):
    run, before = made(tmp_path / "old", server.url, 1, size="1024*640")
    thumb = run / before.jobs[1].artifact.thumb
    whole = thumb.read_bytes()
    thumb.unlink()
    if spoil != "gone":
        thumb.write_bytes(whole[:40] if spoil == "half" else b"")
    new, done = made(tmp_path / "new", server.url, 1, run, size="1024*640")
    assert done.jobs[1].artifact.thumb != done.jobs[1].artifact.file
    assert (new / done.jobs[1].artifact.thumb).read_bytes() == whole
    assert len(server.ledger.accepted) == 1


def test_where_no_links_can_be_made_they_are_copied(tmp_path, server, old, monkeypatch):
    def refused(*_arguments, **_more):
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))

    monkeypatch.setattr(os, "link", refused)
    new, done = made(tmp_path / "new", server.url, 4, old[0])
    assert done.states == {"done": 4}
    assert len(server.ledger.accepted) == 4
    assert (new / done.jobs[1].artifact.file).stat().st_nlink == 1
    assert not list((new / ".parts").iterdir())


def test_kinds_of_endpoints_are_never_mixed_and_nothing_is_made(tmp_path, server, old):
    preview, _ = made(tmp_path / "preview", "preview", 2)
    for url, other in ((server.url, preview), ("preview", old[0])):
        new = order(tmp_path / "new", url, 2, other)
        for act in (make_plan, finish):
            with pytest.raises(UsageError, match="never mixed"):
                act(new)
        assert not (tmp_path / "new" / "run").exists()
    with MisbehavingServer(latency=0) as another:
        _, done = made(tmp_path / "new", another.url, 4, old[0])
        assert not another.ledger.accepted
    assert f"the pictures of {old[0]} were made by {server.url}" in notices(done)


def test_other_things_than_another_run_are_refused(tmp_path, server, old):
    run, _ = old
    with pytest.raises(UsageError, match="that is the run itself"):
        finish(order(tmp_path / "old", server.url, 4, run))
    with pytest.raises(UsageError, match="is not a run directory"):
        finish(order(tmp_path / "new", server.url, 4, tmp_path))
    (run / "state.sqlite3").write_bytes(b"no state" * 1000)
    with pytest.raises(StateError, match="damaged"):
        finish(order(tmp_path / "new", server.url, 4, run))
    assert not (tmp_path / "new" / "run").exists()


def test_a_run_of_an_earlier_version_gives_too(tmp_path, server, old):
    run, _ = old
    with closing(sqlite3.connect(run / "state.sqlite3")) as state:
        state.executescript("DROP TABLE taken_over; PRAGMA user_version = 1")
    _, done = made(tmp_path / "new", server.url, 4, run)
    assert done.states == {"done": 4}
    with Run(run) as opened:
        assert opened.taken_over() == {}
        assert [job.reused_from for job in opened.jobs()] == [None] * 4
    with closing(sqlite3.connect(run / "state.sqlite3")) as state:
        assert state.execute("PRAGMA user_version").fetchone() == (1,)
    assert len(server.ledger.accepted) == 4


def test_through_a_chain_of_runs_the_making_is_told(tmp_path, server, old):
    run, before = old
    second, _ = made(tmp_path / "second", server.url, 5, run)
    _, done = made(tmp_path / "third", server.url, 6, second, run)
    assert len(server.ledger.accepted) == 6
    assert done.jobs[1].reused_from["run"] == "../../second/run"
    assert done.jobs[1].reused_from["made"]["run"] == "../../old/run"
    assert done.jobs[1].reused_from["made"]["task_ids"] == list(before.jobs[1].task_ids)
    assert done.jobs[5].reused_from["made"]["run"] == "../../second/run"


def test_what_is_held_or_failed_here_is_taken_over_and_its_attempts_stay(tmp_path, old):
    run, _ = old
    with MisbehavingServer({"submit": ["close-accepted", None]}, latency=0) as server:
        # Of the first nobody knows what came of it.
        new = replace(order(tmp_path / "new", server.url, 2), concurrency=1)
        assert finish(new).states == {"done": 1, "unknown": 1}
        accepted = len(server.ledger.accepted)
        done = finish(order(tmp_path / "new", server.url, 2, run))
        assert done.states == {"done": 2}
        assert len(server.ledger.accepted) == accepted
    (held,) = [job for job in done.jobs.values() if job.reused_from]
    assert (held.attempts, held.task_ids) == (1, ())


def test_what_was_taken_over_and_is_lost_is_held_then_taken_again(tmp_path, server, old):
    run, _ = old
    new, done = made(tmp_path / "new", server.url, 4, run)
    (new / done.jobs[2].artifact.file).unlink()
    _, again = made(tmp_path / "new", server.url, 4)
    assert (again.ending, again.states) == ("incomplete", {"done": 3, "unknown": 1})
    assert again.jobs[2].reused_from is None
    assert any("1 pictures that were taken over from another run are gone" in word for word in notices(again))
    _, again = made(tmp_path / "new", server.url, 4, run)
    assert again.states == {"done": 4}
    # Where the run is named at once, nothing is held between.
    (new / done.jobs[3].artifact.file).unlink()
    _, again = made(tmp_path / "new", server.url, 4, run)
    assert (again.ending, again.states) == ("complete", {"done": 4})
    assert len(server.ledger.accepted) == 4


def test_a_selection_bounds_submits_and_not_what_is_taken_over(tmp_path, server, old):
    run, _ = old
    limited = replace(order(tmp_path / "new", server.url, 8, run), only=("seed=1,7",))
    plan = make_plan(limited)
    assert (plan.selected, plan.reused, plan.to_submit) == (2, 4, 1)
    done = finish(limited)
    assert done.ending == "complete"
    assert done.states == {"done": 5, "pending": 3}


def test_a_task_in_flight_is_finished_and_not_taken_over(tmp_path, old):
    run, _ = old
    with MisbehavingServer({"image": ["404*"]}, latency=0) as server:
        _, done = made(tmp_path / "new", server.url, 1)
        assert done.states == {"submitted": 1}
        server.script = MisbehavingServer().script
        _, done = made(tmp_path / "new", server.url, 1, run)
        assert done.states == {"done": 1}
        assert done.jobs[1].reused_from is None
        assert len(server.ledger.accepted) == 1
    assert done.jobs[1].state is JobState.DONE


def test_a_state_that_names_files_outside_of_its_run_gives_nothing(tmp_path, server, old):
    run, before = old
    secret = tmp_path / "secret.webp"
    shutil.move(run / before.jobs[1].artifact.file, secret)
    with closing(sqlite3.connect(run / "state.sqlite3")) as state, state:
        state.execute(
            "UPDATE jobs SET file = 'images/../../../secret.webp' WHERE key = ?", (before.jobs[1].key,)
        )
    _, done = made(tmp_path / "new", server.url, 1, run)
    assert done.jobs[1].reused_from is None
    assert any("is not where a picture lies" in word for word in notices(done))
