"""What a run begins with: trust, other addresses, early signals, pictures that are gone, tasks let go of."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support.misbehaving import MisbehavingServer
from support.runs import QUICK, Recorder, finish, order_for, write_manifest

from zbatch.api.endpoint import parse_endpoint
from zbatch.errors import EndpointError, StateError
from zbatch.runner.preparation import InterruptedEarlyError
from zbatch.runner.trust import is_trusted, trust
from zbatch.state.run import Run
from zbatch.workflow import perform

HOSTED = parse_endpoint("https://images.example.org")


def test_an_endpoint_is_trusted_once_a_person_named_it_and_only_that_one(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert not is_trusted(HOSTED)
    trust(HOSTED)
    trust(HOSTED)
    assert is_trusted(HOSTED)
    assert not is_trusted(parse_endpoint("https://images.example.org/v2"))
    assert (tmp_path / "zbatch" / "endpoints").read_text().splitlines() == [HOSTED.url]


def test_trust_that_cannot_be_kept_stops_nothing(tmp_path, monkeypatch):
    (tmp_path / "zbatch").write_text("in the way")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    trust(HOSTED)
    assert not is_trusted(HOSTED)


def test_a_missing_key_leaves_no_directory_behind(tmp_path):
    order = order_for(write_manifest(tmp_path), "https://api.highwayapi.ai")
    with pytest.raises(EndpointError, match="no API key"):
        perform(order, Recorder(), report=False)
    assert not order.directory.exists()


def test_tasks_at_an_address_that_is_gone_are_let_go_only_where_that_is_said(tmp_path):
    manifest = write_manifest(tmp_path, jobs=2, limits="job_deadline: 300ms")
    with MisbehavingServer(latency=30) as server:
        first = finish(order_for(manifest, server.url))
        assert first.states == {"submitted": 2}
    with MisbehavingServer() as server:
        with pytest.raises(EndpointError, match="tasks in flight") as caught:
            perform(order_for(manifest, server.url), Recorder(), report=False)
        assert "--retry unknown" in caught.value.hint
        assert len(server.ledger.accepted) == 0
        second = finish(order_for(manifest, server.url, retry=("unknown",)))
        assert second.states == {"done": 2}
        assert {record.attempts for record in second.jobs.values()} == {2}


def test_a_signal_before_the_first_submit_changes_nothing(tmp_path):
    manifest = write_manifest(tmp_path, jobs=3)
    with MisbehavingServer() as server:
        with pytest.raises(InterruptedEarlyError):
            perform(
                order_for(manifest, server.url, QUICK),
                Recorder(),
                report=False,
                started=lambda session, _loop: session.drain(),
            )
        assert len(server.ledger.accepted) == 0
    assert not (tmp_path / "run").exists()


class _Broken:
    def event(self, event):
        raise RuntimeError("of the listener's own making")

    def progress(self, progress):
        raise RuntimeError("of the listener's own making")


def test_a_listener_that_fails_does_not_end_the_run(tmp_path):
    manifest = write_manifest(tmp_path, jobs=3)
    with MisbehavingServer() as server:
        outcome = perform(order_for(manifest, server.url), _Broken(), report=False)
    assert outcome.ending == "complete"


def test_the_command_that_goes_on_is_kept_with_the_run(tmp_path):
    manifest = write_manifest(tmp_path, jobs=1)
    with MisbehavingServer() as server:
        order = order_for(manifest, server.url)
        finish(order)
        with Run(order.directory) as run:
            again = run.about("again")
    assert again == f"zbatch run {manifest} --endpoint {server.url} -o {order.directory}"


def test_a_picture_that_is_gone_or_was_changed_is_fetched_again_and_never_submitted_again(tmp_path):
    manifest = write_manifest(tmp_path, jobs=3)
    with MisbehavingServer() as server:
        first = finish(order_for(manifest, server.url))
        files = [tmp_path / "run" / record.file for record in first.jobs.values()]
        files[0].unlink()
        files[1].write_bytes(b"something else")
        second = finish(order_for(manifest, server.url))
        assert second.states == {"done": 3}
        assert len(server.ledger.accepted) == 3
    assert any("gone or changed" in event.message for event in second.told.events)


def test_a_picture_that_is_gone_with_its_task_is_held(tmp_path):
    manifest = write_manifest(tmp_path, jobs=1)
    with MisbehavingServer() as server:
        first = finish(order_for(manifest, server.url))
    (tmp_path / "run" / first.jobs[1].file).unlink()
    with MisbehavingServer() as server:  # another server: it knows no such task
        second = finish(order_for(manifest, server.url))
        assert second.states == {"unknown": 1}
        assert len(server.ledger.accepted) == 0
        third = finish(order_for(manifest, server.url, retry=("unknown",)))
    assert third.states == {"done": 1}


@pytest.mark.parametrize(("limits", "state"), [("", "unknown"), ("job_deadline: 100ms", "submitted")])
def test_a_young_task_that_is_gone_with_its_picture_is_told_as_that_and_not_as_unfinished(
    tmp_path, limits, state
):
    with MisbehavingServer(latency=0) as server:
        first = finish(order_for(write_manifest(tmp_path, 1), server.url))
    (tmp_path / "run" / first.jobs[1].file).unlink()
    with MisbehavingServer() as server:
        patience = replace(QUICK, lost_after=60)
        second = finish(order_for(write_manifest(tmp_path, 1, limits), server.url, patience))
        assert second.states == {state: 1}
        assert server.ledger.accepted == []
    assert second.jobs[1].reason == "image_lost"
    assert second.jobs[1].message.startswith(
        "the task succeeded, but its picture is gone and the task is not known any more ("
    )


def test_a_task_whose_picture_never_comes_is_let_go_of_only_where_that_is_said(tmp_path):
    manifest = write_manifest(tmp_path, jobs=1)
    with MisbehavingServer({"image": ["html-200"] * 4}) as server:
        assert finish(order_for(manifest, server.url)).states == {"submitted": 1}
        done = finish(order_for(manifest, server.url, retry=("submitted",)))
        assert done.states == {"done": 1}
        assert len(server.ledger.accepted) == 2


def test_an_empty_state_beside_pictures_is_not_begun_anew(tmp_path):
    manifest = write_manifest(tmp_path, jobs=1)
    with MisbehavingServer() as server:
        order = order_for(manifest, server.url)
        finish(order)
        (order.directory / "state.sqlite3").write_bytes(b"")
        with pytest.raises(StateError, match="is empty"):
            perform(order, Recorder(), report=False)
        with pytest.raises(StateError, match="is empty"):
            Run(order.directory)
        assert len(server.ledger.accepted) == 1


def test_another_manifest_of_the_same_name_is_told_of(tmp_path):
    manifest = write_manifest(tmp_path, jobs=1)
    other = manifest.rename(tmp_path / "other.yaml")
    write_manifest(tmp_path, jobs=1)
    with MisbehavingServer() as server:
        finish(order_for(manifest, server.url))
        told = finish(order_for(other, server.url)).told
    assert any("was made from" in event.message for event in told.events)
