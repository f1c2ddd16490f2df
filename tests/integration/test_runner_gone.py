"""Pictures that go away while a run goes on: a run counts as complete only where they lie."""

import pytest
from support.misbehaving import MisbehavingServer
from support.runs import Recorder, finish, order_for, write_manifest

from zbatch.runner.events import EventName
from zbatch.state.directory import RunDirectory
from zbatch.state.missing import missing_names


class Thief(Recorder):
    """A listener that takes pictures away as they are done, so many times."""

    def __init__(self, folder, times):
        super().__init__()
        self.images, self.times, self.taken = folder / "run" / "images", times, 0

    def event(self, event):
        super().event(event)
        if event.name is EventName.DONE and self.taken < self.times:
            for path in self.images.iterdir():
                path.unlink()
                self.taken += 1


def notices(done):
    return [event.message for event in done.told.events if event.name is EventName.NOTICE]


@pytest.mark.parametrize("times", [1, 3])
def test_they_are_asked_for_again_in_the_same_run(tmp_path, times):
    thief = Thief(tmp_path, times)
    with MisbehavingServer(latency=0) as server:
        done = finish(order_for(write_manifest(tmp_path, 6, "concurrency: 1"), server.url), told=thief)
        assert (done.ending, done.states) == ("complete", {"done": 6})
        assert len(server.ledger.accepted) == 6
    assert thief.taken
    assert any("gone from images/; their tasks are asked for them again" in word for word in notices(done))


def test_the_built_in_endpoint_makes_them_again(tmp_path):
    thief = Thief(tmp_path, 1)
    done = finish(order_for(write_manifest(tmp_path, 4), "preview"), told=thief)
    assert (done.ending, done.states) == ("complete", {"done": 4})
    assert thief.taken


def test_what_goes_away_every_time_ends_as_incomplete_and_costs_nothing(tmp_path):
    manifest = write_manifest(tmp_path, 3)
    thief = Thief(tmp_path, 1_000)
    with MisbehavingServer(latency=0) as server:
        done = finish(order_for(manifest, server.url), told=thief)
        assert (done.ending, done.states) == ("incomplete", {"submitted": 3})
        assert (
            "3 pictures that were done are gone from images/: run again, their tasks are asked for them, "
            "nothing is paid"
        ) in notices(done)
        assert {job.reason for job in done.jobs.values()} == {"file_missing"}
        assert finish(order_for(manifest, server.url)).states == {"done": 3}
        assert len(server.ledger.accepted) == 3


def test_names_are_found_in_every_folder_and_a_folder_that_is_a_file_has_none(tmp_path):
    more = 'output: {file: "{{ seed }}/fox"}'
    with MisbehavingServer(latency=0) as server:
        finish(order_for(write_manifest(tmp_path, 3, more=more), server.url))
    directory = RunDirectory(tmp_path / "run")
    assert list(missing_names(directory)) == [[]]
    (directory.images / "2").rename(directory.images / "two")
    (directory.images / "3" / "fox.webp").unlink()
    assert list(missing_names(directory)) == [[2, 3]]
    (directory.images / "2").touch()
    assert list(missing_names(directory)) == [[2, 3]]
