"""Verifying a run whose pictures lie in an object store."""

import pytest
from support.object_store import objects
from support.runs import Recorder, write_manifest

from zbatch.exports.mending import mend_run
from zbatch.exports.run_check import verify_run
from zbatch.exports.verification import Problem
from zbatch.manifest.loader import load_manifest
from zbatch.settings import Settings, resolve
from zbatch.state.run import Run
from zbatch.storage import Bucket, parse_location
from zbatch.workflow import perform


@pytest.fixture
def place(s3, monkeypatch):
    for name, value in s3.variables.items():
        monkeypatch.setenv(name, value)
    return f"s3://{s3.new_bucket()}/trial"


def test_objects_are_held_against_their_hashes_set_aside_and_made_again(tmp_path, place, monkeypatch):
    monkeypatch.chdir(tmp_path)
    order = resolve(load_manifest(write_manifest(tmp_path, 4)), Settings(run_dir=place))
    directory = perform(order, Recorder(), report=False).directory
    assert verify_run(directory).whole == 4
    with Run(directory) as run:
        files = [job.file for job in run]
    bucket = Bucket(parse_location(place))
    bucket.put(files[0], b"x" * len(bucket.get(files[0]) or b""))
    bucket.delete(files[1])
    bucket.put("images/mine.txt", b"note")
    result = verify_run(directory)
    assert {one.file: one.problem for one in result.differences} == {
        files[0]: Problem.CHANGED,
        files[1]: Problem.MISSING,
    }
    assert [one.file for one in result.left_over] == ["images/mine.txt"]
    mended = mend_run(result)
    assert (mended.set_aside, mended.failed) == ([files[0]], [])
    assert any(name.startswith("set-aside/") for name in objects(place))
    perform(order, Recorder(), report=False)
    assert verify_run(directory).whole == 4


def test_a_store_that_cannot_be_read_leaves_it_unknown(tmp_path, place, monkeypatch):
    monkeypatch.chdir(tmp_path)
    order = resolve(load_manifest(write_manifest(tmp_path, 2)), Settings(run_dir=place))
    directory = perform(order, Recorder(), report=False).directory
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setattr("zbatch.state.pictures.Pictures.__init__.__kwdefaults__", {"patience": 0.1})
    result = verify_run(directory)
    assert (result.differs, result.unreadable) == (False, 2)
    assert result.notes
