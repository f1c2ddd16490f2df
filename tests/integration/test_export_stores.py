"""Exports into an object store, and of runs whose images lie in one: the same bytes, whole or marked."""

import hashlib
import json
import os
import threading

import pytest
from support.object_store import objects

import zbatch as library
from zbatch.cli import run_command_line
from zbatch.errors import DiskError, StorageError, UsageError
from zbatch.exports.bucket_destination import UNFINISHED, BucketDestination
from zbatch.exports.export_check import is_export, verify_export
from zbatch.exports.exporting import export
from zbatch.exports.verification import Problem
from zbatch.storage import Bucket, parse_location

MANIFEST = """\
version: 1
name: fox
request: {prompt: "a {{ subject }}", size: 256*256}
matrix: {subject: [red fox, Füchsin, owl], seed: {from: 1, count: 4}}
output: {file: "{{ subject }}/{{ seed }}"}
export: {caption: "{{ subject }}!", split: {by: subject, test: [owl]}}
"""
FORMATS = ("imagefolder", "webdataset", "parquet", "kohya", "csv", "jsonl", "card")


@pytest.fixture(scope="module")
def runs(s3, tmp_path_factory):
    """One run in a directory, and the same with its images in a store."""
    folder, bucket = tmp_path_factory.mktemp("made"), s3.new_bucket()
    (folder / "fox.yaml").write_text(MANIFEST)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name, value in s3.variables.items():
            patch.setenv(name, value)
        library.run(folder / "fox.yaml", run_dir=folder / "fox-preview", report=False).close()
        library.run(folder / "fox.yaml", run_dir=f"s3://{bucket}/fox-preview", report=False).close()
    return folder / "fox-preview", folder / "runs" / "fox-preview"


@pytest.fixture
def place(bucket):
    return f"s3://{bucket}/sets/fox"


def tree(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_has_the_bytes_that_it_has_on_disk(runs, place, tmp_path, form):
    here, there = runs
    export(here, tmp_path / "disk", format=form)
    done = export(here, place, format=form)
    assert (str(done.path), done.made, sum(done.images.values())) == (place, True, 12)
    assert not any("copies" in note for note in done.notes)
    assert objects(place) == tree(tmp_path / "disk")
    export(there, tmp_path / "from-store", format=form)
    assert tree(tmp_path / "from-store") == tree(tmp_path / "disk")
    before = objects(place)
    again = export(there, place, format=form)  # the very same, though its images come from elsewhere
    assert not again.made
    assert objects(place) == before


def test_an_export_in_a_store_is_not_asked_again_but_the_run_it_came_from(runs, place, capsys):
    export(runs[0], place, format="jsonl")
    assert run_command_line(["verify", place, "--reproduce", "1"]) == 2
    said = capsys.readouterr().err
    assert f"{place} is an export, which cannot be made again by itself" in said
    assert "zbatch verify RUN --reproduce 1, with RUN the run directory: export.json names it" in said


def test_an_export_whose_objects_are_not_as_long_is_not_called_complete(runs, place):
    here, _ = runs
    export(here, place, format="parquet")
    assert not export(here, place, format="parquet").made
    bucket = Bucket(parse_location(place))
    length = bucket.length("data/train-00000-of-00001.parquet")
    bucket.put("data/train-00000-of-00001.parquet", b"short")
    bucket.delete("README.md")
    with pytest.raises(
        UsageError, match=rf"README\.md is gone from it; data/train\S+ \(5 bytes, not {length:,}\)"
    ):
        export(here, place, format="parquet")


def test_a_place_within_a_run_or_an_export_in_the_store_is_refused(runs, place):
    here, there = runs
    with library.Run.open(there) as run:
        location = str(run.location)
    for inside in (f"{location}/x", f"{location}/images/x"):
        for run in runs:  # of its own, and of another one
            with pytest.raises(UsageError, match=f"{inside} lies within the run {location}"):
                export(run, inside, format="csv")
    assert export(here, f"{location}-sets", format="csv").made
    export(here, place, format="card")
    with pytest.raises(UsageError, match=f"train/x lies within the export {place}: card, 12 images"):
        export(here, f"{place}/train/x", format="csv")
    assert verify_export(place).left_over_count == 0


def test_an_export_of_another_kind_or_anything_else_is_not_written_over(runs, place):
    export(runs[0], place, format="jsonl")
    before = objects(place)
    with pytest.raises(UsageError, match="holds another export: jsonl, 12 images"):
        export(runs[0], place, format="csv")
    assert objects(place) == before
    Bucket(parse_location(place)).put("else/x.txt", b"mine")
    with pytest.raises(UsageError, match=r"is not empty: it holds x\.txt"):
        export(runs[0], f"{place}/else", format="csv")


def stopping(after, does="503"):
    """Pass so many puts of images and shards, then nothing more of any kind."""
    lock, left = threading.Lock(), [after]

    def behave(method, path):
        if method not in ("PUT", "POST") or UNFINISHED in path:
            return "pass"
        with lock:
            left[0] -= 1
            return "pass" if left[0] >= 0 else does

    return behave


@pytest.mark.parametrize("form", ["imagefolder", "webdataset"])
def test_a_store_that_goes_down_leaves_nothing_half_and_the_same_command_goes_on(
    runs, place, proxy, tmp_path, form, monkeypatch
):
    monkeypatch.setattr("zbatch.exports.bucket_destination.PATIENCE", 0.3)
    proxy.behave = stopping(5)
    options = {"format": form, **({"shard_count": 2} if form == "webdataset" else {})}
    with pytest.raises(StorageError, match="503 SlowDown") as caught:
        export(runs[0], place, **options)
    assert "the same command goes on" in caught.value.hint
    proxy.behave = lambda method, path: "pass"
    left = objects(place)
    assert "export.json" not in left
    assert f"{UNFINISHED}/plan.json" in left
    export(runs[0], tmp_path / "disk", **options)
    whole = tree(tmp_path / "disk")
    kept = {name: data for name, data in left.items() if not name.startswith(UNFINISHED)}
    assert kept
    assert kept.items() <= whole.items()
    with pytest.raises(UsageError, match="is an export that was not finished"):
        is_export(place)
    with pytest.raises(UsageError, match="holds another export, unfinished"):
        export(runs[0], place, format="csv")
    proxy.seen.clear()
    done = export(runs[0], place, **options)
    assert done.made
    assert "an interrupted export was gone on with" in done.notes
    assert objects(place) == whole
    made_again = [name for name in kept if any(path.endswith(f"/{name}") for path in proxy.puts(".tar"))]
    assert made_again == []


def test_what_passes_costs_nothing(runs, place, proxy, tmp_path):
    number = [0]

    def behave(method, _path):
        number[0] += method == "PUT"
        return (
            ("503", "reset", "unanswered")[number[0] % 3]
            if method == "PUT" and number[0] % 5 == 0
            else "pass"
        )

    proxy.behave = behave
    export(runs[0], place, format="kohya")
    export(runs[0], tmp_path / "disk", format="kohya")
    assert objects(place) == tree(tmp_path / "disk")


def breaking_off(destination, name, data):
    with destination.stream(name) as stream:
        stream.write(data)
        raise ZeroDivisionError


def test_a_file_larger_than_a_part_is_streamed_and_hashed(place, proxy):
    data = os.urandom(20 * 2**20)
    with BucketDestination(parse_location(place), "digest", {}) as destination:
        with destination.stream("train-000000.tar") as stream:
            for start in range(0, len(data), 300_000):
                stream.write(data[start : start + 300_000])
        with pytest.raises(ZeroDivisionError):
            breaking_off(destination, "train-000001.tar", data)
        destination.put("export.json", b"{}")
        destination.finish()
    assert any(method == "POST" and "uploads" in path for method, path, _ in proxy.seen)
    there = objects(place)
    assert set(there) == {"train-000000.tar", "checksums.sha256", "export.json"}
    assert there["train-000000.tar"] == data
    assert there["checksums.sha256"].startswith(hashlib.sha256(data).hexdigest().encode())


def test_images_that_are_gone_or_changed_in_the_store_are_named(s3, place, tmp_path):
    (tmp_path / "fox.yaml").write_text(MANIFEST)
    bucket = f"s3://{s3.new_bucket()}/own"
    with library.run(tmp_path / "fox.yaml", run_dir=bucket, report=False) as run:
        job = run[0]
        data = run.pictures.read(job.file)
        store = Bucket(parse_location(bucket))
        store.put(job.file, bytes(len(data)))
        with pytest.raises(DiskError, match=f"the image {bucket}/{job.file} is not what it was"):
            export(run, tmp_path / "out", format="imagefolder")
        with pytest.raises(DiskError) as told:
            export(run, place, format="csv")
        assert UNFINISHED not in str(told.value)
        assert objects(place) == {}
        store.put(job.file, data)
        last = run[len(run) - 1]
        store.put(last.file, bytes(store.length(last.file)))
        with pytest.raises(DiskError, match=f"{UNFINISHED}/: the same command goes on with it"):
            export(run, place, format="webdataset", shard_count=4)
        assert f"{UNFINISHED}/plan.json" in objects(place)
        store.move(job.file, "aside")
        with pytest.raises(DiskError, match=f"{job.file}: gone"):
            export(run, tmp_path / "out", format="imagefolder")


def test_from_the_command_line(runs, place, tmp_path, capfd):
    code = run_command_line(["export", str(runs[1]), "--format", "imagefolder", "-o", place])
    out, err = capfd.readouterr()
    assert (int(code), out) == (0, f"{place}\n"), err
    there = objects(place)
    about = json.loads(there["export.json"])
    assert about["images"] == {"train": 8, "test": 4}
    for line in there["checksums.sha256"].decode().splitlines():
        sha256, name = line.split("  ", 1)
        assert hashlib.sha256(there[name]).hexdigest() == sha256


def test_an_export_in_a_store_is_verified_there(runs, place):
    export(runs[0], place, format="webdataset", shard_count=4)
    result = verify_export(place)
    assert (result.kind, str(result.path), result.differs, result.left_over_count) == (
        "export",
        place,
        False,
        0,
    )
    assert (result.files, result.whole) == (7, 7)
    bucket = Bucket(parse_location(place))
    shard = bucket.get("train-000000.tar")
    bucket.put("train-000000.tar", shard[:-1])
    bucket.delete("train-000001.tar")
    bucket.put("notes.txt", b"mine")
    result = verify_export(place)
    assert {one.file: one.problem for one in result.differences} == {
        "train-000000.tar": Problem.CHANGED,
        "train-000001.tar": Problem.MISSING,
    }
    assert [one.file for one in result.left_over] == ["notes.txt"]
    with pytest.raises(StorageError, match=r"has no checksums\.sha256"):
        verify_export(f"{place}/nothing")


def test_verified_from_the_command_line(runs, place, capfd):
    export(runs[0], place, format="kohya")
    assert int(run_command_line(["verify", place])) == 0
    out, _ = capfd.readouterr()
    assert out.startswith(f"{place}: 28 files are as they were written down")
    Bucket(parse_location(place)).put("dataset.toml", b"")
    assert int(run_command_line(["verify", place, "--json"])) == 1
    out, _ = capfd.readouterr()
    assert json.loads(out)["differences"][0]["file"] == "dataset.toml"
