"""A run as Python sees it: a collection of jobs with images and tables."""

import contextlib
import itertools
import shutil
import sqlite3
import sys

import orjson
import pytest
from support.sample_run import Sample, write_sample

import zbatch
from zbatch.errors import DiskError, UsageError
from zbatch.model import JobState
from zbatch.state.store import Store

pytest.importorskip("pandas", reason="pip install pandas (the test extra has it)")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return write_sample(tmp_path_factory.mktemp("collection") / "run")


@pytest.fixture
def run(made):
    with zbatch.Run.open(made) as run:
        yield run


def test_it_is_the_jobs_the_manifest_shows_in_grid_order(run):
    jobs = list(run)
    assert len(run) == len(jobs) == sum(run.counts().values())
    assert [job.key for job in jobs] == [job.key for job in run.jobs(shown_only=True)]
    firsts = {}
    for cell in run.cells():
        if cell.key is not None:
            firsts.setdefault(cell.key, cell.coordinates)
    assert {job.key: job.coordinates for job in jobs} == firsts
    assert run.axes() == ["subject", "lora.name", "lora.scale", "seed"]
    assert run.job(jobs[3].key) == jobs[3]


def test_pages_give_what_one_reading_gives(run, monkeypatch):
    whole = [job.key for job in run]
    cells = [(dict(at), job.key) for at, job in run.placed(every_cell=True)]
    monkeypatch.setattr("zbatch.state.run._PAGE", 3)
    assert [job.key for job in run] == whole
    assert [(dict(at), job.key) for at, job in run.placed(every_cell=True)] == cells
    assert cells == [(dict(cell.coordinates), cell.key) for cell in run.cells() if cell.key]


def test_it_is_indexed_by_number_slice_key_and_file(run):
    jobs = list(run)
    assert (run[0], run[-1], run[2:5], run[::-2]) == (jobs[0], jobs[-1], jobs[2:5], jobs[::-2])
    job = jobs[4]
    for name in (job.key, job.key[:12], job.file, job.file.removeprefix("images/"), str(run.path(4))):
        assert run[name] == job
    assert job.key in run
    assert "0" * 64 not in run
    assert 7 not in run
    for number in (len(jobs), -len(jobs) - 1):
        with pytest.raises(IndexError, match="there is no job"):
            run[number]
    with pytest.raises(LookupError, match="no job here is called 'nothing'"):
        run["nothing"]


def test_a_beginning_that_several_keys_have_is_refused(run):
    shared = next(
        (a[:n] for a, b in itertools.combinations(sorted(job.key for job in run), 2)
         for n in (4,) if a[:n] == b[:n]), None,
    )  # fmt: skip
    if shared is not None:
        with pytest.raises(zbatch.NoSuchJobError, match="means several jobs"):
            run[shared]


def test_expressions_take_those_that_they_hold_for(run):
    chosen = run.where("lora.scale > 0.4 and lora.name == 'ink'").where("state == 'done'")
    expected = [
        job.key
        for job in run
        if job.coordinates["lora.scale"] > 0.4 and job.coordinates["lora.name"] == "ink" and job.artifact
    ]
    assert [job.key for job in chosen] == expected != []
    assert (len(chosen), bool(chosen), chosen[0].key) == (len(expected), True, expected[0])
    assert chosen[expected[1]].key == expected[1]
    assert all(job.artifact for job in run.done())
    assert not run.where("seed > 1000000")
    assert bool(run)
    assert "where lora.scale > 0.4" in repr(chosen)
    flagged = run.where("nsfw")
    assert len(flagged) == 1 == len(run) - len(run.where("not nsfw"))
    outside = next(job for job in run if job.coordinates["lora.scale"] == 0)
    with pytest.raises(zbatch.NoSuchJobError):
        chosen[outside.key]


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("scal > 1", "uses 'scal', which no job has"),
        ("lora.scale >", "ends too early"),
        ("subject > 1", "fails for the job"),
        ("subject", "gives text, not true or false"),
        ("seed", "gives a number, not true or false"),
        ("{{ seed }}", "takes no braces"),
    ],
)
def test_an_expression_that_is_wrong_is_told_in_words(run, expression, words):
    with pytest.raises(UsageError, match=words):
        len(run.where(expression))


def test_images_are_read_whole_and_their_files_closed(run):
    job = run.done()[0]
    image = run.image(job)
    assert image.size == (job.artifact.width, job.artifact.height)
    assert image.getpixel((0, 0)) is not None
    assert getattr(image, "fp", None) is None
    assert run.image(job.key, thumbnail=True).size == (job.artifact.thumb_width, job.artifact.thumb_height)
    pictures = run.where("seed == 1001").images()
    first, opened = next(pictures)
    assert first.coordinates["seed"] == 1001
    assert opened.size == (first.artifact.width, first.artifact.height)


def test_an_image_that_is_not_there_is_told(tmp_path):
    path = write_sample(tmp_path / "run", Sample(subjects=("fox",), seeds=1))
    with zbatch.Run.open(path) as run:
        waiting = next(job for job in run if job.artifact is None)
        with pytest.raises(UsageError, match=f"has no image: it is {waiting.state}"):
            run.image(waiting)
        one, other = run.done()[:2]
        run.path(one).unlink()
        with pytest.raises(DiskError, match="No such file"):
            run.image(one)
        run.path(other).write_bytes(b"RIFF")
        with pytest.raises(DiskError, match="zbatch verify"):
            run.image(other)


def test_a_data_frame_has_a_row_a_cell_and_types_to_reckon_with(run):
    frame = run.to_pandas()
    cells = [cell for cell in run.cells() if cell.key is not None]
    assert frame["key"].tolist() == [cell.key for cell in cells]
    assert frame["lora.scale"].tolist() == [cell.coordinates["lora.scale"] for cell in cells]
    types = {name: str(of) for name, of in frame.dtypes.items()}
    assert (types["lora.scale"], types["seed"], types["attempts"]) == ("float64", "int64", "int64")
    assert (types["width"], types["state"], types["nsfw"]) == ("Int64", "category", "boolean")
    assert types["done_at"].startswith("datetime64")
    done = run.to_pandas(done_only=True)
    assert set(done["state"]) == {"done"}
    assert (str(done.dtypes["width"]), str(done.dtypes["nsfw"])) == ("int64", "boolean")
    assert done["file"].notna().all()
    assert frame["file"].isna().sum() == len(frame) - len(done)
    some = run.where("lora.name == 'ink'").to_pandas()
    assert set(some["lora.name"]) == {"ink"}
    assert len(some) == sum(cell.coordinates["lora.name"] == "ink" for cell in cells)
    assert len(run.where("seed < 0").to_pandas()) == 0


def test_a_data_frame_names_coordinates_that_are_called_like_columns(tmp_path):
    path = write_sample(tmp_path / "run", Sample(subjects=("fox",), seeds=1, hostile=True))
    store = Store(path / "state.sqlite3")
    with store.transaction():
        store._db.execute(  # noqa: SLF001 - as a manifest with an axis of that name would
            "UPDATE cells SET coordinates = json_set(coordinates, '$.prompt', 'short', '$.mixed', "
            "CASE position % 2 WHEN 0 THEN 1 ELSE 'one' END)"
        )
    store.close()
    with zbatch.Run.open(path) as run:
        frame = run.to_pandas()
        assert set(frame["axis.prompt"]) == {"short"}
        assert (frame["prompt"].str.len() > 5).all()
        assert set(frame["mixed"]) == {"1", "one"}
        assert [name for name in frame if name.startswith("axis.")] == ["axis.prompt"]


def test_a_dataset_has_a_row_an_image_and_opens_them_when_asked(run):
    pytest.importorskip("datasets", reason="pip install datasets (the test extra has it)")
    dataset = run.where("lora.name == 'film'").to_datasets()
    jobs = [job for job in run.where("lora.name == 'film'") if job.state is JobState.DONE]
    assert dataset["key"][:] == [job.key for job in jobs]
    assert dataset["lora.scale"][:] == [job.coordinates["lora.scale"] for job in jobs]
    assert type(dataset.features["image"]).__name__ == "Image"
    row = dataset[1]
    assert row["image"].size == (row["width"], row["height"])
    with pytest.raises(UsageError, match="no job is done here"):
        run.where("seed < 0").to_datasets()


def test_a_dataset_has_the_columns_of_an_export(made, tmp_path):
    pytest.importorskip("datasets", reason="pip install datasets (the test extra has it)")
    path = shutil.copytree(made, tmp_path / "run")
    facts = orjson.dumps({"caption": "{{ seed }}: {{ subject }}"}).decode()
    with contextlib.closing(sqlite3.connect(path / "state.sqlite3")) as connection, connection:
        connection.execute("INSERT OR REPLACE INTO meta (name, value) VALUES ('export', ?)", (facts,))
        connection.execute("UPDATE cells SET coordinates = json_set(coordinates, '$.file', 'x', '$.text', 1)")
    with zbatch.Run.open(path) as run:
        dataset = run.to_datasets().remove_columns("image")
        zbatch.export(run, tmp_path / "out", format="imagefolder")
    rows = [orjson.loads(line) for line in (tmp_path / "out/train/metadata.jsonl").read_bytes().splitlines()]
    assert set(dataset.column_names) == {*rows[0], "model"} - {"file_name"}
    assert {"cells", "axis.file", "axis.text", "run", "text"} <= set(rows[0])
    for mine, theirs in zip(dataset, rows, strict=True):
        assert mine["text"] == f"{mine['seed']}: {mine['subject']}"
        for name in set(mine) - {"model", "cells"}:
            assert (mine[name] or "") == (theirs[name] or ""), name
        assert orjson.loads(mine["cells"]) == orjson.loads(theirs["cells"])


def test_a_dataset_is_not_made_of_pictures_that_are_gone(made, tmp_path):
    pytest.importorskip("datasets", reason="pip install datasets (the test extra has it)")
    path = shutil.copytree(made, tmp_path / "run")
    with zbatch.Run.open(path) as run:
        jobs = list(run.done())
        (path / jobs[1].file).unlink()
        with pytest.raises(DiskError, match=r"\.webp is gone\n") as caught:
            run.to_datasets()
        assert "zbatch verify" in caught.value.hint
        (path / jobs[0].file).unlink()
        (path / jobs[0].file).write_bytes(b"short")
        with pytest.raises(DiskError, match=r"has 5 bytes, and had .* \(2 pictures are not"):
            run.to_datasets()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"split": {"test": 0.1}}, "split is text, and this is dict"),
        ({"split": 0.1, "split_by": "subject"}, "split is text, and this is float"),
        ({"split_by": "subject"}, "split_by names the axis of a split"),
        ({"where": 5}, "where is text, and this is int"),
        ({"caption": ["a"]}, "caption is text, and this is list"),
        ({"alike": "4"}, "alike is a whole number, and this is str"),
        ({"shard_bytes": 1e6, "format": "parquet"}, "shard_bytes is a whole number, and this is float"),
        ({"drop": "blank"}, "drop is several words"),
        ({"shards": 5}, "there is no such option"),
    ],
)
def test_an_option_of_another_type_is_refused_in_words(run, tmp_path, options, words):
    with pytest.raises(UsageError, match=words):
        zbatch.export(run, tmp_path / "out", **options)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("library", ["pandas", "datasets"])
def test_a_library_that_is_missing_is_named_with_what_installs_it(run, monkeypatch, library):
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(UsageError, match="pip install") as caught:
        getattr(run, f"to_{library}")()
    assert library in caught.value.hint


def test_what_is_public_is_there():
    for name in zbatch.__all__:
        assert getattr(zbatch, name) is not None
