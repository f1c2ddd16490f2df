"""Runs whose pictures go to an object store: nothing is lost or paid twice, whatever the store does."""

import json
import threading
from dataclasses import replace

import orjson
import pytest
from support.misbehaving import MisbehavingServer
from support.object_store import KEY_ID, SECRET, objects
from support.picked import write_picks
from support.runs import QUICK, Recorder, finish, order_for, write_manifest

from zbatch.errors import DiskError, StorageError, UsageError
from zbatch.exports.provenance import write_provenance
from zbatch.refining.choosing import Wishes
from zbatch.refining.naming import Request
from zbatch.refining.refinement import refine
from zbatch.state.pictures import CLAIM
from zbatch.state.run import Run
from zbatch.storage import Bucket, parse_location
from zbatch.workflow import perform


@pytest.fixture
def place(bucket):
    """A fresh place for a run's pictures; its state lies in `runs/trial` below the test's own folder."""
    return f"s3://{bucket}/all/trial"


@pytest.fixture
def server():
    with MisbehavingServer(latency=0.02) as server:
        yield server


def images(place):
    return {name: data for name, data in objects(place).items() if name.startswith("images/")}


def submits(server):
    return len(server.tasks)


def after(many, does):
    """Pass the first puts of pictures, and do that to all others."""
    lock, left = threading.Lock(), [many]

    def behave(method, path):
        if method != "PUT" or "/images/" not in path:
            return "pass"
        with lock:
            left[0] -= 1
            return "pass" if left[0] >= 0 else does

    return behave


def test_the_same_bytes_and_lines_as_a_run_in_a_directory(tmp_path, place):
    manifest = write_manifest(tmp_path, 5, more="output: {file: 'a {{ seed }}/é'}")
    here = finish(order_for(manifest, "preview"))
    there = finish(order_for(manifest, "preview", run_dir=place))
    assert (here.ending, there.ending) == ("complete", "complete")
    lines = []
    for finished in (here, there):
        with Run(finished.outcome.directory) as run:
            write_provenance(run)
            made = [orjson.loads(line) for line in run.directory.provenance.read_bytes().splitlines()]
        lines.append(
            [
                {
                    name: fact
                    for name, fact in line.items()
                    if name not in ("task_ids", "submitted_at", "done_at")
                }
                for line in made
            ]
        )
    assert lines[0] == lines[1]
    kept = tmp_path / "run" / "images"
    files = {
        f"images/{path.relative_to(kept)}": path.read_bytes() for path in kept.rglob("*") if path.is_file()
    }
    assert images(place) == files
    assert len(files) == 5


def test_the_folder_in_the_store_is_whole(tmp_path, place, server):
    order = order_for(write_manifest(tmp_path, 2), server.url, run_dir=place)
    assert perform(order, Recorder()).error is None
    names = set(objects(place))
    assert {"index.html", "data.js", "jobs.jsonl", CLAIM} <= names
    assert sum(name.startswith("thumbs/") for name in names) == 2
    local = (order.directory / "data.js").read_text()
    assert f'"images":"{place}"' in local.replace("\\", "")
    assert '"images":""' in objects(place)["data.js"].decode()
    assert list((order.directory / "images").iterdir()) == []
    assert len(list((order.directory / "thumbs").iterdir())) == 2


def test_nothing_of_the_keys_is_written(tmp_path, place, proxy, server):
    proxy.behave = after(1, "403")
    proxy.refusal = f"<Error><Code>AccessDenied</Code><Message>{KEY_ID} {SECRET}</Message></Error>".encode()
    finished = finish(order_for(write_manifest(tmp_path, 3), server.url, run_dir=place))
    assert "refused: 403 AccessDenied" in str(finished.outcome.error)
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert SECRET.encode() not in path.read_bytes(), path
            assert KEY_ID.encode() not in path.read_bytes(), path


@pytest.mark.parametrize("does", ["503", "reset", "unanswered"])
def test_a_store_with_bad_moments_costs_nothing(tmp_path, place, proxy, server, does):
    number = [0]

    def behave(method, _path):
        number[0] += method == "PUT"
        return does if method == "PUT" and number[0] % 4 == 2 else "pass"

    proxy.behave = behave
    order = order_for(write_manifest(tmp_path, 10), server.url, replace(QUICK, unstored=20), run_dir=place)
    assert finish(order).ending == "complete"
    assert submits(server) == 10
    assert len(images(place)) == 10


@pytest.mark.parametrize("does", ["503", "reset"])
def test_a_store_that_goes_down_in_the_middle(tmp_path, place, proxy, server, does):
    proxy.behave = after(3, does)
    order = order_for(write_manifest(tmp_path, 8, "concurrency: 4"), server.url, run_dir=place)
    finished = finish(order)
    assert finished.ending == "stopped"
    assert isinstance(finished.outcome.error, StorageError)
    assert f"cannot write {place}/images/" in str(finished.outcome.error)
    assert "nothing is lost" in str(finished.outcome.error)
    assert finished.states["done"] == 3
    waiting = [job for job in finished.jobs.values() if job.reason == "not_saved"]
    assert waiting
    assert all(job.state == "submitted" and "cannot write s3://" in job.message for job in waiting)
    paid = submits(server)
    proxy.behave = lambda method, path: "pass"
    again = finish(order)
    assert again.ending == "complete"
    assert submits(server) == 8 >= paid
    assert all(job.attempts == 1 for job in again.jobs.values())
    assert len(images(place)) == 8


def test_a_place_that_cannot_be_used_is_told_before_anything_is_paid(tmp_path, place, server):
    manifest = write_manifest(tmp_path, 2)
    with pytest.raises(StorageError, match="there is no bucket never-made"):
        finish(order_for(manifest, server.url, run_dir="s3://never-made/trial"))
    assert submits(server) == 0
    finished = finish(order_for(manifest, server.url, run_dir=place))  # free to choose: nothing was submitted
    assert finished.ending == "complete"


def test_pictures_do_not_move_to_another_place(tmp_path, place, server):
    manifest = write_manifest(tmp_path, 2)
    finish(order_for(manifest, server.url, run_dir=place))
    for other in (f"{place[:-6]}/more/trial", "runs/trial"):
        with pytest.raises(UsageError, match=f"lie in {place} and cannot go to") as caught:
            finish(order_for(manifest, server.url, run_dir=other))
        assert f"give {place} with -o" in caught.value.hint
    assert submits(server) == 2


def test_two_runs_do_not_share_a_place(tmp_path, place, server, monkeypatch):
    manifest = write_manifest(tmp_path, 2)
    finish(order_for(manifest, server.url, run_dir=place))
    before = objects(place)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    with pytest.raises(UsageError, match=r"holds the pictures of another run \(trial\)"):
        finish(order_for(manifest, server.url, run_dir=place))
    assert submits(server) == 2
    assert objects(place) == before


def test_a_place_where_something_else_lies_is_not_taken(tmp_path, place, server):
    bucket = Bucket(parse_location(place))
    bucket.put("images/mine.webp", b"mine")
    order = order_for(write_manifest(tmp_path, 1), server.url, run_dir=place)
    with pytest.raises(UsageError, match=r"is not empty: it holds images/mine\.webp"):
        finish(order)
    assert submits(server) == 0
    bucket.delete("images/mine.webp")
    assert finish(order).ending == "complete"
    bucket.delete(CLAIM)  # by a slip: the run goes on, as it has begun there
    assert finish(order).ending == "complete"
    assert CLAIM in objects(place)


def test_a_picture_that_is_gone_or_cut_short_is_asked_for_again(tmp_path, place, server):
    order = order_for(write_manifest(tmp_path, 4), server.url, run_dir=place)
    first = finish(order)
    bucket = Bucket(parse_location(place))
    files = [job.file for job in first.jobs.values()]
    bucket.move(files[0], "aside/0")
    bucket.put(files[1], b"short")
    with Run(order.directory) as run:
        assert run.gone() == 1
    again = finish(order)
    assert again.ending == "complete"
    assert submits(server) == 4
    assert {name: len(data) for name, data in images(place).items()} == {
        job.file: job.artifact.bytes for job in again.jobs.values()
    }


def test_many_puts_are_on_their_way_at_once(tmp_path, place, proxy, server):
    """A put takes a third of a second here: one by one, eighty would take half a minute."""
    most, now, lock = [0], [0], threading.Lock()

    def behave(method, _path):
        if method != "PUT":
            return "pass"
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        threading.Event().wait(0.3)
        with lock:
            now[0] -= 1
        return "pass"

    proxy.behave = behave
    finished = finish(order_for(write_manifest(tmp_path, 40, "concurrency: 40"), server.url, run_dir=place))
    assert finished.ending == "complete"
    assert most[0] >= 16


def test_a_store_that_takes_long_is_told_of(tmp_path, place, proxy, server, monkeypatch):
    monkeypatch.setattr("zbatch.runner.fetching._LONG_PUT", 0.1)
    proxy.behave = lambda method, path: "0.3" if "/images/" in path else "pass"
    finished = finish(order_for(write_manifest(tmp_path, 3), server.url, run_dir=place))
    assert finished.ending == "complete"
    assert any(f"{place} takes long over pictures" in event.message for event in finished.told.events)


def test_the_manifest_names_the_place(tmp_path, place, server):
    bucket = place.split("/")[2]
    manifest = write_manifest(tmp_path, 1, more=f'output: {{dir: "s3://{bucket}/{{{{ name }}}}"}}')
    order = order_for(manifest, server.url, run_dir=None)
    assert (str(order.location), str(order.directory)) == (f"s3://{bucket}/trial-local", "runs/trial-local")
    assert finish(order).ending == "complete"
    assert json.loads(objects(str(order.location))[CLAIM])["name"] == "trial"


def test_a_program_reads_them_from_the_store(tmp_path, place, server):
    order = order_for(write_manifest(tmp_path, 2), server.url, run_dir=place)
    finish(order)
    with Run.open(order.directory) as run:
        for job, image in run.images():
            assert image.size == (job.artifact.width, job.artifact.height)
        assert run.image(0, thumbnail=True).size == (256, 256)
        assert sorted(run.to_pandas()["file"]) == sorted(f"{place}/{job.file}" for job in run)
        with pytest.raises(UsageError, match="has no path"):
            run.path(0)
        with pytest.raises(UsageError, match="zbatch export"):
            run.to_datasets()
        Bucket(parse_location(place)).move(run[0].file, "aside")
        with pytest.raises(DiskError, match="there is no such object"):
            run.image(0)


def test_pictures_in_a_store_are_taken_over_into_a_directory_and_not_the_other_way(tmp_path, place, server):
    manifest = write_manifest(tmp_path, 2)
    there = finish(order_for(manifest, server.url, run_dir=place)).outcome.directory
    here = finish(order_for(manifest, server.url, reuse=(there,)))
    assert (here.ending, submits(server)) == ("complete", 2)
    with Run(here.outcome.directory) as run:
        assert sum(run.taken_over().values()) == 2
    with pytest.raises(UsageError, match="into the run's own directory"):
        finish(order_for(manifest, server.url, run_dir=f"{place}-2", reuse=(here.outcome.directory,)))
    assert not (tmp_path / "runs" / "trial-2").exists()
    assert submits(server) == 2


def test_a_name_that_is_too_long_for_a_store_is_told_before_it_is_paid(tmp_path, place, server):
    long = "/".join(["d" * 150] * 5)
    manifest = write_manifest(tmp_path, 1, more=f'output: {{file: "{long}/{{{{ seed }}}}"}}')
    finished = finish(order_for(manifest, server.url, run_dir=f"{place}/{'p' * 250}"))
    assert "is longer than object stores take" in str(finished.outcome.error)
    assert submits(server) == 0


def test_a_run_in_a_store_is_refined_in_itself(tmp_path, place):
    manifest = write_manifest(tmp_path, 4)
    there = finish(order_for(manifest, "preview", run_dir=place)).outcome.directory
    picks = write_picks(tmp_path / "picks.json", there, lambda at: 5 if at["seed"] in {1, 2} else 1)
    asked = Request((picks,), Wishes({}, {}, votes=1), same_run=True)
    with Run(there) as run:
        refined = refine(run, asked)
    assert (refined.plan.jobs, refined.plan.done, refined.plan.to_submit) == (2, 2, 0)
