"""`zbatch export`: one small run in every format, loaded back by the tools people train with."""

from __future__ import annotations

import contextlib
import csv
import hashlib
import json
import shutil
import sqlite3
import subprocess
import sys
import tarfile
import tomllib
from pathlib import Path

import pytest
import yaml

import zbatch as library

MANIFEST = """\
version: 1
name: fox
description: Foxes and an owl.
vars: {light: "{{ mood }} light"}
loras:
  film: {path: org/film, trigger: filmgrain}
  ink: {path: org/ink}
request: {prompt: "{{ lora.trigger }} a {{ subject }}, {{ light }}", size: 256*256, output_format: jpeg}
matrix:
  subject: [red fox, {label: owl, value: barn owl}, "=2+3"]
  lora: {name: [film, ink], scale: [0, 0.6]}
  mood: [dawn]
  seed: {from: 1, count: 2}
include:
  - {subject: red fox, lora: [film@0.5, ink@0.2], mood: dusk, seed: 9}
output: {file: "{{ subject | slug }}/{{ key[:8] }}.{{ seed }}"}
export:
  caption: "{{ lora.trigger }} {{ subject }} in {{ light }}, {{ lora }}"
  split: {by: subject, test: [owl]}
"""
JOBS = 3 * 2 * 3 + 1
OWLS = "subject == 'owl' and seed > 0"
FORMATS = ("imagefolder", "webdataset", "parquet", "kohya", "csv", "jsonl", "card")
SMALL_SHARDS = dict.fromkeys(("webdataset", "parquet"), ("--shard-count", 4))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A run that is only read; tests that change it copy it."""
    folder = tmp_path_factory.mktemp("made")
    (folder / "fox.yaml").write_text(MANIFEST)
    library.run(folder / "fox.yaml", run_dir=folder / "fox-preview", report=False).close()
    return folder / "fox-preview"


@pytest.fixture
def own(made, tmp_path):
    """A copy of the run, to be changed."""
    shutil.copytree(made, tmp_path / "own")
    return tmp_path / "own"


def export(zbatch, run, form, *more, to="out"):
    code, out, err = zbatch("export", run, "--format", form, "-o", to, *more)
    assert code == 0, err
    assert out == f"{to}\n"
    return Path(to)


def tree(folder):
    """Every file of a folder, with its bytes."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.parametrize("form", FORMATS)
def test_the_same_run_gives_the_same_bytes(zbatch, made, form):
    shards = SMALL_SHARDS.get(form, ())
    first = export(zbatch, made, form, *shards)
    second = export(zbatch, made, form, *shards, *["--copy"] * (form in ("imagefolder", "kohya")), to="again")
    assert tree(first) == tree(second)
    sums = dict(reversed(line.split("  ")) for line in (first / "checksums.sha256").read_text().splitlines())
    assert sums == {
        name: hashlib.sha256(data).hexdigest()
        for name, data in tree(first).items()
        if name != "checksums.sha256"
    }
    assert zbatch("verify", first)[0] == 0


def test_an_imagefolder_has_a_folder_for_each_split(zbatch, made):
    folder = export(zbatch, made, "imagefolder")
    train, test = lines(folder / "train" / "metadata.jsonl"), lines(folder / "test" / "metadata.jsonl")
    assert (len(train), len(test)) == (JOBS - 6, 6)
    assert {row["subject"] for row in test} == {"owl"}
    assert {row["text"] for row in test} == {
        "barn owl in dawn light, film@0",
        "filmgrain barn owl in dawn light, film@0.6",
        "barn owl in dawn light, ink@0.6",
    }
    row = train[-1]
    assert row["text"] == "filmgrain red fox in dusk light, film@0.5+ink@0.2"
    assert (row["lora.name"], row["lora.scale"], row["seed"]) == ("film@0.5+ink@0.2", None, 9)
    assert row["file_name"] == f"red-fox__{row['key'][:8]}.9.jpg"
    shared = next(row for row in train if row["lora.scale"] == 0)
    assert [cell["lora.name"] for cell in json.loads(shared["cells"])] == ["film", "ink"]
    image = folder / "train" / row["file_name"]
    assert image.stat().st_ino == (made / "images" / "red-fox" / f"{row['key'][:8]}.9.jpg").stat().st_ino
    copied = export(zbatch, made, "imagefolder", "--copy", to="copied") / "train" / row["file_name"]
    assert copied.stat().st_nlink == 1


@pytest.fixture
def datasets(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    module = pytest.importorskip("datasets", reason="pip install datasets (the test extra has it)")
    monkeypatch.setattr(module.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    module.disable_progress_bars()
    return module


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("form", "more", "image"),
    [
        ("imagefolder", (), "image"),
        ("imagefolder", ("--metadata", "parquet"), "image"),
        ("parquet", ("--shard-count", 5), "image"),
        ("webdataset", ("--shard-count", 5), "jpg"),
    ],
)
def test_datasets_loads_it(zbatch, made, datasets, form, more, image):
    folder = export(zbatch, made, form, *more)
    for loaded in (datasets.load_dataset(form, data_dir=str(folder)), datasets.load_dataset(str(folder))):
        assert {name: split.num_rows for name, split in loaded.items()} == {"train": JOBS - 6, "test": 6}
        first = loaded["test"][0]
        assert first[image].size == (256, 256)
        assert first["txt" if form == "webdataset" else "text"] == "barn owl in dawn light, film@0"
        facts = first["json"] if form == "webdataset" else first
        assert (facts["seed"], facts["lora.scale"]) == (1, 0.0)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("form", "builder"), [("csv", "csv"), ("jsonl", "json")])
@pytest.mark.parametrize("more", [(), ("--split", "none"), ("--split", "validation=0.4")])
def test_datasets_loads_a_table(zbatch, made, datasets, form, builder, more):
    folder = export(zbatch, made, form, *more)
    images = json.loads((folder / "export.json").read_text())["images"]
    for loaded in (datasets.load_dataset(builder, data_dir=str(folder)), datasets.load_dataset(str(folder))):
        assert {name: split.num_rows for name, split in loaded.items()} == images
        first = loaded["train"][0]
        assert (first["text"], first["split"]) == ("red fox in dawn light, film@0", "train")
        assert (first["seed"], first["lora.scale"], first["width"]) == (1, 0.0, 256)
        assert {"file", "key", "sha256", "cells"} <= set(loaded["train"].column_names)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_datasets_loads_tables_whose_splits_look_different(zbatch, datasets, form):
    for name, axes in (
        ("plain", "thing: [1, two, 3.5]"),
        ("odd", "thing: [two]\n  odd: [wow, 7]\n  n: [1, 2]"),
    ):
        prompt = " ".join(f"{{{{ {line.split(':')[0].strip()} }}}}" for line in axes.splitlines())
        text = (
            f'version: 1\nname: {name}\nrequest: {{prompt: "{prompt}", size: 256*256}}\nmatrix:\n  {axes}\n'
        )
        Path(f"{name}.yaml").write_text(text)
        library.run(f"{name}.yaml", run_dir=name, report=False).close()
    folder = export(zbatch, "plain", form, "odd", "--split", "test=two", "--split-by", "thing")
    loaded = datasets.load_dataset(str(folder))
    assert {name: split.num_rows for name, split in loaded.items()} == {"train": 2, "test": 5}
    assert loaded["train"].features == loaded["test"].features
    assert {row["odd"] for row in loaded["train"]} == {None}
    assert {(row["odd"], row["n"]) for row in loaded["test"]} == {
        (None, None), ("wow", 1), ("wow", 2), ("7", 1), ("7", 2),
    }  # fmt: skip
    assert set(loaded["train"]["thing"]) == {"1", "3.5"}


def test_parquet_streams_and_says_what_it_is(zbatch, made):
    parquet = pytest.importorskip("pyarrow.parquet", reason="pip install pyarrow (the test extra has it)")
    folder = export(zbatch, made, "parquet", "--shard-size", "50kB")
    files = sorted(folder.glob("data/train-*.parquet"))
    assert [file.name for file in files] == [
        f"train-{n:05}-of-{len(files):05}.parquet" for n in range(len(files))
    ]
    assert len(files) > 1
    schema = parquet.read_schema(files[0])
    features = json.loads(schema.metadata[b"huggingface"])["info"]["features"]
    assert features["image"] == {"_type": "Image"}
    assert list(features) == schema.names
    assert sum(parquet.ParquetFile(file).metadata.num_rows for file in files) == JOBS - 6
    row = parquet.read_table(files[0]).to_pylist()[0]
    assert hashlib.sha256(row["image"]["bytes"]).hexdigest() == row["sha256"]
    group = parquet.ParquetFile(files[0]).metadata.row_group(0)
    columns = {one.path_in_schema: one for one in (group.column(n) for n in range(group.num_columns))}
    image = columns["image.bytes"]
    assert (image.compression, image.is_stats_set) == ("UNCOMPRESSED", False)
    assert columns["seed"].statistics.min is not None  # who looks for a seed need not read the images


@pytest.mark.parametrize("form", ["webdataset", "parquet"])
def test_no_shard_is_larger_than_asked_for_whatever_images_are_called(zbatch, tmp_path, form):
    if form == "parquet":
        pytest.importorskip("pyarrow", reason="pip install pyarrow (the test extra has it)")
    (tmp_path / "fox.yaml").write_text(
        "version: 1\nname: fox\nloras: {film: org/film}\n"
        "request: {loras: [film], prompt: fox, size: 256*256}\n"
        "matrix: {seed: {from: 1, count: 40}}\noutput: {file: 'été-🦊-{{ seed }}'}\n",
        "utf-8",
    )
    library.run(tmp_path / "fox.yaml", run_dir=tmp_path / "run", report=False).close()
    for most in (200_000, 400_000):
        folder = export(zbatch, tmp_path / "run", form, "--shard-size", most, to=str(most))
        shards = [*folder.glob("*.tar"), *folder.glob("data/*.parquet")]
        assert len(shards) > 1
        assert max(shard.stat().st_size for shard in shards) <= most


def test_parquet_is_written_without_loading_pandas(made, tmp_path):
    pytest.importorskip("pandas", reason="pip install pandas (datasets, of the test extra, brings it)")
    code = "zbatch.export(sys.argv[1], 'out', format='parquet'); print('pandas' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", f"import sys, zbatch; {code}", made],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "False\n"


@pytest.mark.filterwarnings("ignore")
def test_webdataset_loads_it(zbatch, made):
    webdataset = pytest.importorskip("webdataset", reason="pip install webdataset (the test extra has it)")
    folder = export(zbatch, made, "webdataset", "--shard-count", 5)
    index = json.loads((folder / "index.json").read_text())["shardlist"]
    assert [(shard["url"], shard["nsamples"]) for shard in index] == [
        ("train-000000.tar", 5), ("train-000001.tar", 5), ("train-000002.tar", 3),
        ("test-000000.tar", 5), ("test-000001.tar", 1),
    ]  # fmt: skip
    assert all((folder / shard["url"]).stat().st_size == shard["filesize"] for shard in index)
    urls = [str(folder / shard["url"]) for shard in index if shard["split"] == "train"]
    loaded = list(webdataset.WebDataset(urls, shardshuffle=False).decode("pil"))
    assert len(loaded) == JOBS - 6
    assert loaded[0]["jpg"].size == (256, 256)
    assert loaded[0]["txt"] == loaded[0]["json"]["text"]
    assert loaded[0]["__key__"].rpartition("/")[2] == f"red-fox__{loaded[0]['json']['key'][:8]}_1"
    with tarfile.open(folder / "train-000000.tar") as tar:
        assert {(member.mtime, member.uid, member.uname) for member in tar} == {(0, 0, "")}


def test_kohya_has_captions_of_one_line_and_a_config(zbatch, made):
    folder = export(zbatch, made, "kohya", "--caption", "{{ subject }}\nby {{ mood }}")
    config = tomllib.loads((folder / "dataset.toml").read_text())
    (dataset,) = config["datasets"]
    assert dataset["resolution"] == [256, 256]
    assert dataset["subsets"] == [{"image_dir": "train", "num_repeats": 1}]
    assert config["general"]["caption_extension"] == ".txt"
    images = sorted((folder / "train").glob("*.jpg"))
    assert len(images) == JOBS - 6
    captions = {image.with_suffix(".txt").read_text() for image in images}
    assert captions == {"red fox by dawn\n", "red fox by dusk\n", "=2+3 by dawn\n"}


def test_tables_are_exact_and_harmless(zbatch, made):
    folder = export(zbatch, made, "jsonl", "--caption", '{{ subject }}\n"{{ mood }}"')
    rows = lines(folder / "train.jsonl")
    assert {row["split"] for row in rows} == {"train"}
    assert {(row["split"], row["subject"]) for row in lines(folder / "test.jsonl")} == {("test", "owl")}
    assert {row["text"] for row in rows if row["subject"] == "=2+3"} == {'=2+3\n"dawn"'}
    assert rows[0]["request"]["prompt"] == rows[0]["prompt"]
    assert len(rows[0]["cells"]) == 2
    table = export(zbatch, made, "csv", "--caption", '{{ subject }}\n"{{ mood }}"', to="csv") / "train.csv"
    with table.open(newline="") as stream:
        read = list(csv.DictReader(stream))
    assert {row["text"] for row in read if row["subject"] == "'=2+3"} == {'\'=2+3\n"dawn"'}
    assert [row["file"] for row in read] == [row["file"] for row in rows]
    assert {row["nsfw"] for row in read} == {""}  # the preview does not say


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_from_a_table_and_its_card_the_images_are_found(zbatch, made, own, form):
    folder = export(zbatch, made, form, "--split", "none")
    other = export(zbatch, own, form, "--split", "none", to="elsewhere/out")
    assert "| `file` | the image, from the directory of its run" in (folder / "README.md").read_text()
    for of, table in ((made, folder / f"train.{form}"), (own, other / f"train.{form}")):
        with table.open(newline="") as stream:
            rows = list(csv.DictReader(stream)) if form == "csv" else lines(table)
        for row in rows:
            image = Path(of.parent, row["run"], row["file"])
            assert hashlib.sha256(image.read_bytes()).hexdigest() == row["sha256"]


def test_the_card_says_what_it_is_and_how_to_make_it_again(zbatch, made):
    folder = export(zbatch, made, "card", "--license", "cc-by-4.0", "--where", "mood == 'dawn'")
    text = (folder / "README.md").read_text()
    header = yaml.safe_load(text.split("---\n")[1])
    assert (header["license"], header["size_categories"]) == ("cc-by-4.0", ["n<1K"])
    about = json.loads((folder / "export.json").read_text())
    (run,) = about["runs"]
    assert f"manifest `fox.yaml`, SHA-256 `{run['manifest_sha256']}`" in text
    for said in (
        "# fox\n\nFoxes and an owl.\n",
        "LoRA `film`: `org/film`, trigger `filmgrain`",
        "There is nothing to load here: this is the card alone",
        "- `train`: 12 images\n- `test`: 6 images\n",
        "- Left out: 1 (--where mood == 'dawn')",
        "zbatch export fox.yaml --format card --where 'mood == '\"'\"'dawn'\"'\"'' --license cc-by-4.0",
    ):
        assert said in text
    assert str(made.parent) not in text + json.dumps(about)


@pytest.mark.parametrize(
    ("where", "images"),
    [
        ("lora.scale > 0.4", 12),
        ("lora.scale is not none and lora.scale < 0.5 and not nsfw", 6),
        ("subject == 'owl' and seed == 2", 3),
        ("width == 256 and not warnings and 'fox' in prompt and run == 'fox-preview'", 7),
        ("caption.endswith('ink@0.2')", 1),
        ("lora.name in ['ink']", 12),
        ("lora.name == 'ink' and lora.scale == 0", 6),
        ("lora.name == 'film' and lora.scale == 0 and caption.endswith('film@0')", 6),
        ("lora.name != 'film' and lora.name != 'ink'", 1),
        ("state == 'done' and attempts == 1 and file.startswith('images/barn-owl/') and reason is none", 6),
        ("sha256 | length == 64 and request.size == '256*256' and seed == 9", 1),
    ],
)
def test_where_takes_what_it_is_true_for(zbatch, made, where, images):
    if where == "lora.scale > 0.4":
        where = "lora.scale is not none and lora.scale > 0.4"
    folder = export(zbatch, made, "jsonl", "--where", where, "--split", "none")
    assert len(lines(folder / "train.jsonl")) == images


def test_true_and_null_are_told_as_they_are_written(zbatch, tmp_path):
    (tmp_path / "night.yaml").write_text(
        "version: 1\nname: night\nrequest: {prompt: a fox, size: 256*256}\n"
        "matrix: {night: [true, false], mood: [null, calm], seed: [1, 2]}\n"
    )
    library.run(tmp_path / "night.yaml", run_dir=tmp_path / "night", report=False).close()
    at = "(night=true, mood=null, seed=1)"
    for more, said in (
        (
            ("--where", "night + mood"),
            f"{at}: the expression fails: + does not go with true",
        ),
        (("--where", "night + 1"), f"{at}: the expression gives a number, not true or false"),
        (("--where", "request[night]"), f"{at}: the expression asks for 'true', which is not there"),
        (("--caption", "{{ night.moon }}"), f"{at} fails: the template asks true or false for 'moon'"),
        (("--split-by", "night", "--split", "test=1|"), "value of night: 1\n  hint: there are: false, true"),
        (("--split-by", "mood", "--split", "test=x|"), "value of mood: x\n  hint: there are: calm, null"),
        (("--split-by", "night", "--split", "test=true,validation=true"), "names true for test and for"),
    ):
        code, _, err = zbatch("export", "night", "--format", "jsonl", "-o", "out", *more)
        assert (code, said in err) == (2, True), err
        assert not {"True", "False", "None"} & set(err.replace("=", " ").replace(",", " ").split()), err


def test_an_image_of_several_cells_is_what_it_was_taken_for(zbatch, made):
    ink = "lora.name == 'ink' and lora.scale == 0"
    for name in ("out", "again"):
        export(
            zbatch, made, "jsonl", "--where", ink, "--split", "test=red fox", "--split-by", "subject", to=name
        )
    assert tree(Path("out")) == tree(Path("again"))
    rows = [row for side in ("train", "test") for row in lines(Path("out", f"{side}.jsonl"))]
    assert {(row["lora.name"], row["lora.scale"]) for row in rows} == {("ink", 0)}
    assert [[cell["lora.name"] for cell in row["cells"]] for row in rows] == [["ink", "film"]] * 6
    assert all(row["text"].endswith(", ink@0") for row in rows)
    with library.Run(made) as run:
        jobs = run.where(ink)
        assert sorted(job.key for job in jobs) == sorted(row["key"] for row in rows)
        assert {job.coordinates["lora.name"] for job in jobs} == {"ink"}
        assert jobs[rows[0]["key"]].coordinates["lora.name"] == "ink"
        assert len(jobs) == len(jobs.to_pandas()) == 6
        assert len(run.where("lora.name == 'ink'").where("lora.name == 'film'")) == 0


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--where", "lora.scal > 1"), "fails for the image"),
        (("--where", "subjct == 'a'"), "uses 'subjct', which no image has\n  hint: did you mean subject?"),
        (("--where", "lora.scale > 0.4"), "(subject=red fox, lora.name=film@0.5+ink@0.2, lora.scale=null, "),
        (("--where", "lora.scale > 0.4"), "hint: lora.scale is null for it: write lora.scale is not none"),
        (("--where", "subject +"), "does not parse"),
        (("--where", "subject"), "text, not true or false\n  hint: compare it, as in subject == 'red fox'"),
        (("--where", "seed"), "a number, not true or false\n  hint: compare it, as in seed == 1\n"),
        (("--where", "seed % 2"), "a number, not true or false\n  hint: compare it with something, as in"),
        (("--where", "warnings"), "a list, not true or false\n  hint: write warnings | length > 0"),
        (("--where", "lora"), "a map, not true or false\n  hint: ask for one of its parts: lora.name =="),
        (("--where", "not nsfw and seed"), "gives a number, not true or false"),
        (("--where", "seed == 100"), "no image is left to export, of 19 jobs: 19 --where seed == 100"),
        (("--drop", "blank", "--where", "seed == 100"), "no image is left"),
        (("--caption", "{{ nothing }}"), "fails: the template needs 'nothing', which is not defined"),
        (("--caption", "{{ 1 / (lora.scale or 0) }}"), "the caption of the image"),
        (("--caption", "{{ subject"), "does not parse"),
        (("--caption", ""), "--caption is empty, and so would be every caption\n  hint: leave it out"),
        (("--caption", " \n"), "--caption is empty"),
        (("--caption-column", "prompt"), "is another column's name"),
        (("--caption-column", ""), "--caption-column is empty"),
        (("--caption-column", " "), "--caption-column is empty"),
        (("--split", "test"), "is no split"),
        (("--split", "test=0.7,validation=0.6"), "all together too"),
        (("--split", "test=owl"), "add --split-by AXIS"),
        (("--split", "test=0.1", "--split-by", "colour"), "no image has that coordinate"),
        (("--split", "test=1e-9"), "the split test (1e-09) gets no image: a hash decides"),
        (("--split", "test=wolf", "--split-by", "subject"), "names what is no value of subject: wolf"),
        (("--split", "test=owl|red foxx", "--split-by", "subject"),
         "no value of subject: red foxx\n  hint: did you mean red fox?"),
        (("--split", "test=owl|dog", "--split-by", "subject"), "hint: there are: =2+3, owl, red fox"),
        (("--split", "test=owl|", "--split-by", "subject", "--where", "subject != 'owl'"),
         "none of those that are left has such a value of subject (taken out of owl (6 --where subject !="),
        (("--split", "test=7|1", "--split-by", "seed"), "no value of seed: 7\n  hint: there are: 1, 2, 9"),
        (("--split", "test=7", "--split-by", "seed"), "lie between 0 and 1, and 7 is no value of seed"),
        (("--split", "validation=.6", "--split-by", "lora.scale"),
         "lora.scale, too\n  hint: write validation=60% for the share, or validation='.6|' for the value"),
        (("--split", "test=2"), "lie between 0 and 1, all together too\n  hint: write test=0.1"),
        (("--split", "test=9,validation=2|9.0", "--split-by", "seed"),
         "names 9 for test and for validation\n  hint: name each value of seed for one of them"),
        (("--split", "test=|", "--split-by", "subject"), "is no split"),
        (("--split", "test=ink", "--split-by", "lora.name"), "cannot be parted"),
        (("--split-by", "subject"), "says by what, not how much"),
        (("--shard-size", "big"), "a size is written as 500MB"),
        (("--format", "parquet", "--shard-size", "999999999999GB"), "less than nine exabytes"),
        (("--format", "parquet", "--shard-count", "99999999999999999999"), "less than nine exabytes"),
        (("--license", " "), "the license is empty"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_told_and_leaves_nothing(zbatch, made, more, said):
    code, out, err = zbatch("export", made, "--format", "webdataset", "-o", "out", *more)
    assert (code, out) == (2, ""), err
    assert said in err
    assert list(Path.cwd().iterdir()) == []


@pytest.mark.parametrize(
    ("form", "more", "said"),
    [
        ("csv", ("--shard-size", "500MB"), "--shard-size means nothing for the format csv\n  hint: leave it"),
        ("imagefolder", ("--shard-count", 5), "leave it out: it is for webdataset and parquet"),
        ("parquet", ("--copy",), "it is for imagefolder, kohya and pairs"),
        ("card", ("--no-check",), "--no-check means nothing for the format card"),
        ("webdataset", ("--metadata", "jsonl"), "leave it out: it is for imagefolder"),
        ("kohya", ("--caption-column", "caption"), "--caption-column means nothing for the format kohya"),
        ("csv", ("--picks", "there-is-none.json"), "leave it out: it is for pairs"),
    ],
)  # fmt: skip
def test_a_flag_that_means_nothing_for_the_format_is_refused(zbatch, made, form, more, said):
    code, out, err = zbatch("export", made, "--format", form, "-o", "out", *more)
    assert (code, out) == (2, ""), err
    assert said in err
    assert list(Path.cwd().iterdir()) == []


def test_an_option_that_means_nothing_for_the_format_is_refused_in_python(made):
    with pytest.raises(library.UsageError, match="--copy means nothing for the format csv"):
        library.export(made, "out", format="csv", copy=True)


def test_an_export_is_not_written_over(zbatch, made, own):
    folder = export(zbatch, made, "imagefolder")
    before = tree(folder)
    code, _, err = zbatch("export", made, "--format", "imagefolder", "-o", "out")
    assert (code, tree(folder)) == (0, before)
    assert "is this export already, complete: 19 images; nothing was done" in err
    for run, more in ((made, ("--where", "seed == 1")), (own, ())):
        code, _, err = zbatch("export", run, "--format", "imagefolder", "-o", "out", *more)
        assert (code, tree(folder)) == (2, before)
        assert (
            "error: out holds another export: imagefolder, 19 images\n  hint: give another directory" in err
        )
    Path(".out.partial").mkdir()  # as after a kill between the last two steps
    Path(".out.partial/plan.json").write_text("{}")
    assert zbatch("export", made, "--format", "imagefolder", "-o", "out")[0] == 0
    assert not Path(".out.partial").exists()
    code, _, err = zbatch("export", own, "--format", "imagefolder", "-o", own)
    assert code == 2
    assert "own is not empty" in err
    assert "remove" not in err
    Path("full").mkdir()
    Path("full/mine").write_text("mine")
    code, _, err = zbatch("export", made, "--format", "jsonl", "-o", "full")
    assert code == 2
    assert "error: full is not empty" in err
    code, _, err = zbatch("export", made, "--format", "jsonl", "-o", "full/mine")
    assert code == 2
    assert "full/mine is no directory" in err
    Path("empty").mkdir()
    export(zbatch, made, "jsonl", to="empty")


def test_a_place_may_be_here_or_behind_a_link(zbatch, made, tmp_path, monkeypatch):
    Path("real").mkdir()
    Path("link").symlink_to("real")
    export(zbatch, made, "jsonl", to="link")
    assert Path("real/train.jsonl").exists()
    Path("here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    code, _, err = zbatch("export", made, "--format", "jsonl", "-o", ".")
    assert code == 0, err
    assert (tmp_path / "here" / "train.jsonl").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["here", "link", "real"]


def test_a_share_that_comes_out_far_from_what_was_asked_is_told(zbatch, made):
    code, _, err = zbatch("export", made, "--format", "jsonl", "-o", "out", "--split", "test=0.5",
                          "--split-by", "seed")  # fmt: skip
    assert code == 0, err
    images = json.loads(Path("out/export.json").read_text())["images"]
    share = images["test"] / JOBS
    assert (f"test has {share:.1%} of the images (asked for: 50.0%)" in err) == (abs(share - 0.5) > 0.15)


@pytest.mark.parametrize("form", FORMATS)
def test_a_split_that_leaves_nothing_to_train_on_is_an_error(zbatch, made, form):
    everything = "test=red fox|owl|=2+3"
    for more, said in (
        (
            ("test=1",),
            "the shares of the other sides take them all\n  hint: take a smaller share; or make none",
        ),
        ((everything, "--split-by", "subject"), "values of subject that are named for the other sides"),
    ):
        code, out, err = zbatch("export", made, "--format", form, "-o", "out", "--split", *more)
        assert (code, out) == (2, ""), err
        assert "the split leaves no image for train: " in err
        assert said in err
        assert list(Path.cwd().iterdir()) == []


def test_hints_of_splits_do_not_lead_into_the_next_error(zbatch, made):
    for more in (("test=1e-9",), ("test=film",)):
        code, _, err = zbatch(
            "export", made, "--format", "jsonl", "-o", "out", "--split", *more, "--split-by", "lora.name",
            "--where", "mood == 'dawn'",
        )  # fmt: skip
        assert code == 2
        assert "hint: split by another axis" in err
        assert "name the" not in err
        assert "name them" not in err
    code, _, err = zbatch("export", made, "--format", "jsonl", "-o", "out", "--split", "test=1e-9",
                          "--split-by", "subject")  # fmt: skip
    assert (code, "--split-by subject --split 'test==2+3'" in err) == (2, True)
    assert zbatch("export", made, "--format", "jsonl", "-o", "out", "--split", "test==2+3",
                  "--split-by", "subject")[0] == 0  # fmt: skip
    code, _, err = zbatch("export", made, "--format", "jsonl", "-o", "next", "--split", "test=1e-9",
                          "--split-by", "seed")  # fmt: skip
    assert (code, "--split-by seed --split 'test=1|'" in err) == (2, True)
    assert zbatch("export", made, "--format", "jsonl", "-o", "next", "--split", "test=1|",
                  "--split-by", "seed")[0] == 0  # fmt: skip


@pytest.mark.parametrize(
    ("split", "by", "values"),
    [
        ("test=9", "seed", {9}),
        ("test=1", "seed", {1}),
        ("test=9.0", "seed", {9}),
        ("test=2.0|9e0", "seed", {2, 9}),
        ("test=null|", "lora.scale", {None}),
    ],
)
def test_a_number_is_a_value_where_the_axis_has_it(zbatch, made, split, by, values):
    folder = export(zbatch, made, "jsonl", "--split", split, "--split-by", by, to="by value")
    assert {row[by] for row in lines(folder / "test.jsonl")} == values
    assert not {row[by] for row in lines(folder / "train.jsonl")} & values


def test_a_percentage_is_a_share(zbatch, made):
    by_hash = [
        export(zbatch, made, "jsonl", "--split", f"test={share}", to=share) for share in ("40%", "0.4")
    ]
    assert len({(folder / "test.jsonl").read_bytes() for folder in by_hash}) == 1
    folder = export(
        zbatch, made, "jsonl", "--split", "validation=90%", "--split-by", "subject", to="by subject"
    )
    assert json.loads((folder / "export.json").read_text())["split"]["validation"] == 0.9


def test_a_value_whose_images_were_taken_out_is_told(zbatch, made):
    code, _, err = zbatch("export", made, "--format", "jsonl", "-o", "out", "--split", "test=owl|=2+3",
                          "--split-by", "subject", "--where", "subject != 'owl'")  # fmt: skip
    assert code == 0
    assert (
        "test names values of subject that no image has which was taken: owl (6 --where subject != 'owl')\n"
        in err
    )


def test_a_value_that_a_sample_left_without_cells_is_told_of_the_sample(zbatch, tmp_path):
    (tmp_path / "few.yaml").write_text(
        "version: 1\nname: few\nrequest: {prompt: 'a {{ animal }}', size: 256*256}\n"
        "matrix: {animal: [fox, owl, crane, wolf]}\nsample: {method: random, n: 2}\n"
    )
    library.run(tmp_path / "few.yaml", run_dir=tmp_path / "few", report=False).close()
    with library.Run(tmp_path / "few") as run:
        there = {job.coordinates["animal"] for job in run}
    gone = next(name for name in ("fox", "owl", "crane", "wolf") if name not in there)
    code, _, err = zbatch("export", "few", "--format", "jsonl", "-o", "out", "--split-by", "animal",
                          "--split", f"test={gone}")  # fmt: skip
    assert (code, f"no cell of the run has for animal: {gone}\n" in err) == (2, True), err
    assert "left out by the manifest's sample of 2 cells" in err


def test_empty_captions_are_counted_and_the_first_is_named(zbatch, made):
    ink = ("--caption", "{{ lora.trigger }} ")  # it has no trigger, and at scale 0 none has one
    code, _, err = zbatch("export", made, "--format", "jsonl", "-o", "out", "--split", "none", *ink)
    rows = lines(Path("out/train.jsonl"))
    empty = [row for row in rows if not row["text"]]
    assert (code, 0 < len(empty) < len(rows)) == (0, True)
    told = (
        f"{len(empty)} images got an empty caption, the first of them the image {empty[0]['key'][:12]} (subj"
    )
    assert told in err
    assert told in zbatch("export", made, "--format", "jsonl", "-o", "out", "--split", "none", *ink)[2]
    code, _, err = zbatch("export", made, "--format", "kohya", "-o", "ink", "--split", "none", *ink,
                          "--where", "lora.name == 'ink' and seed == 1 and subject == 'owl'")  # fmt: skip
    assert (code, "2 images (all of them) got an empty caption" in err) == (0, True)


def test_the_names_that_a_caption_may_use_are_told_once(zbatch, tmp_path):
    (tmp_path / "two.yaml").write_text(
        "version: 1\nname: two\nreplicas: 2\nrequest: {prompt: a fox, size: 256*256}\n"
    )
    library.run(tmp_path / "two.yaml", run_dir=tmp_path / "two", report=False).close()
    code, _, err = zbatch("export", "two", "--format", "jsonl", "-o", "out", "--caption", "{{ lora }}")
    assert (code, "hint: this image has: replica, request, key, name; a name" in err) == (2, True)


def test_kohya_says_what_it_does_not_train_on_and_which_lines_it_joined(zbatch, made):
    code, _, err = zbatch("export", made, "--format", "kohya", "-o", "out", "--caption",
                          "a\n{{ subject }}{{ ' in\ntwo' if seed == 1 else '' }}")  # fmt: skip
    assert code == 0
    assert "dataset.toml lists train alone, as sd-scripts trains on all that it lists: test lie" in err
    assert f"captions of several lines became one line ({JOBS})" in err
    code, _, err = zbatch("export", made, "--format", "kohya", "-o", "plain", "--split", "none")
    assert (code, "dataset.toml" in err, "several lines" in err) == (0, False, False)


@pytest.fixture
def judged(own):
    """The run with verdicts of all kinds: of foxes nothing is known, an owl was flagged, others were not."""
    with contextlib.closing(sqlite3.connect(own / "state.sqlite3")) as state, state:
        state.execute("""UPDATE jobs SET nsfw = CASE
            WHEN file LIKE 'images/barn-owl/%.1.jpg' THEN '{"has_nsfw_contents": [true]}'
            WHEN file LIKE 'images/barn-owl/%' THEN 'false'
            WHEN file LIKE 'images/red-fox/%' THEN NULL
            ELSE '{"enable_nsfw_detection": false}' END""")
    return own


def test_what_is_not_known_to_be_nsfw_is_told_from_what_is_known_not_to_be(zbatch, judged):
    for number, (where, images) in enumerate(
        {"nsfw": 3, "nsfw == false": 3, "nsfw is none": 13, "not nsfw": 16, "nsfw is not none": 6}.items()
    ):
        folder = export(zbatch, judged, "csv", "--where", where, "--split", "none", to=str(number))
        assert len((folder / "train.csv").read_text().splitlines()) == images + 1
        with library.Run(judged) as run:
            assert len(run.where(where)) == images
    folder = export(zbatch, judged, "webdataset", "--split", "none", "--drop", "flagged", to="shards")
    with tarfile.open(folder / "train-000000.tar") as shard:
        rows = [json.load(shard.extractfile(name)) for name in shard.getnames() if name.endswith(".json")]
    assert [row["nsfw"] for row in rows].count(None) == 13
    assert "did not say" in (folder / "README.md").read_text()
    with library.Run(judged) as run:
        frame = run.to_pandas(done_only=True).drop_duplicates("key")
        assert (str(frame["nsfw"].dtype), frame["nsfw"].isna().sum(), frame["nsfw"].sum()) == (
            "boolean",
            13,
            3,
        )


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("form", "builder", "more"),
    [
        ("imagefolder", "imagefolder", ()),
        ("imagefolder", "imagefolder", ("--metadata", "parquet")),
        ("parquet", "parquet", ()),
        ("csv", None, ()),
        ("jsonl", None, ()),
    ],
)
@pytest.mark.parametrize("split", ["none", "test=owl", "test=red fox"])
def test_datasets_loads_unknown_verdicts_as_null(zbatch, judged, datasets, form, builder, more, split):
    by = () if split == "none" else ("--split-by", "subject")
    code, _, err = zbatch("export", judged, "--format", form, "-o", "out", "--split", split, *by, *more)
    assert code == 0, err
    folder = Path("out")
    refused = form == "imagefolder" and not more and split != "none"
    assert ("all of nsfw is null in one split and not in another" in err) == refused
    if refused:
        folder = export(zbatch, judged, form, "--split", split, *by, "--metadata", "parquet", to="told")
    where = {"data_dir": str(folder)} if builder else {}
    loaded = datasets.load_dataset(builder or str(folder.absolute()), **where)
    got = [
        {"true": True, "false": False}.get(row["nsfw"], row["nsfw"])
        for side in loaded.values()
        for row in (side.remove_columns("image") if "image" in side.column_names else side)
    ]
    assert (got.count(None), got.count(True), got.count(False)) == (13, 3, 3)


def test_images_that_are_gone_or_not_as_long_are_told_at_once(zbatch, own):
    images = sorted((own / "images" / "red-fox").iterdir())
    for image in images[:5]:
        image.unlink()
    code, _, err = zbatch("export", own, "--format", "imagefolder", "-o", "out")
    assert code == 4
    assert f"5 images cannot be exported: {images[0]}" in err or "5 images cannot be exported" in err
    assert " and 2 more: gone" in err
    shutil.rmtree(own / "images" / "red-fox")
    code, _, err = zbatch(
        "export", own, "--format", "imagefolder", "-o", "out", "--where", "subject != 'red fox'"
    )
    assert code == 0, err
    next((own / "images" / "barn-owl").iterdir()).write_bytes(b"short")
    code, _, err = zbatch("export", own, "--format", "jsonl", "-o", "next", "--where", OWLS)
    assert code == 4
    assert "not as long as when it was saved" in err


@pytest.mark.parametrize("form", ["imagefolder", "webdataset", "parquet", "kohya"])
def test_an_image_that_was_changed_is_told_and_what_is_done_is_kept(zbatch, own, made, form):
    shards = SMALL_SHARDS.get(form, ())
    image = max((own / "images" / "barn-owl").iterdir())
    good = image.read_bytes()
    image.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
    code, _, err = zbatch("export", own, "--format", form, "-o", "out", *shards)
    assert code == 4
    assert f"error: the image {image} is not what it was when it was saved (its SHA-256 differs)" in err
    assert not Path("out").exists()
    image.write_bytes(good)
    code, _, err = zbatch("export", own, "--format", form, "-o", "out", *shards)
    assert code == 0
    assert "an interrupted export was gone on with" in err
    assert tree(Path("out")) == tree(export(zbatch, own, form, *shards, to="whole"))
    assert sorted(path.name for path in Path.cwd().iterdir()) == ["out", "own", "whole"]


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_a_table_says_no_hash_that_its_image_has_not(zbatch, own, form):
    image = max((own / "images" / "barn-owl").iterdir())
    good = image.read_bytes()
    image.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
    code, _, err = zbatch("export", own, "--format", form, "-o", "out")
    assert (code, Path("out").exists()) == (4, False)
    assert f"{image} is not what it was when it was saved (its SHA-256 differs)" in err
    export(zbatch, own, "card", to="card")
    unread = tree(export(zbatch, own, form, "--no-check"))
    image.write_bytes(good)
    assert tree(export(zbatch, own, form, to="whole")) == unread


@pytest.mark.parametrize(
    ("form", "names"), [("webdataset", "train-*.tar"), ("parquet", "data/train-*.parquet")]
)
def test_a_shard_that_was_changed_while_it_lay_aside_is_made_again(zbatch, own, form, names):
    shards = SMALL_SHARDS[form]
    image = max((own / "images" / "barn-owl").iterdir())  # on the side that is written last
    good = image.read_bytes()
    image.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
    assert zbatch("export", own, "--format", form, "-o", "out", *shards)[0] == 4
    aside = sorted(Path(".out.partial/tree").glob(names))
    assert len(aside) > 2
    data = bytearray(aside[0].read_bytes())
    data[len(data) // 2] ^= 1
    aside[0].write_bytes(data)
    aside[1].unlink()
    kept = aside[2].stat().st_mtime_ns
    image.write_bytes(good)
    code, _, err = zbatch("export", own, "--format", form, "-o", "out", *shards)
    assert code == 0, err
    assert tree(Path("out")) == tree(export(zbatch, own, form, *shards, to="whole"))
    assert sorted(Path("out").glob(names))[2].stat().st_mtime_ns == kept
    assert zbatch("verify", "out")[0] == 0


def test_two_runs_give_each_job_once_and_say_where_images_differ(zbatch, made, own, tmp_path):
    state = own / "state.sqlite3"
    assert zbatch("export", made, own, "--format", "jsonl", "-o", "same")[0] == 0
    rows = lines(Path("same/train.jsonl")) + lines(Path("same/test.jsonl"))
    assert (len(rows), {row["run"] for row in rows}) == (JOBS, {"fox-preview"})
    import sqlite3

    for column in ("sha256", "received_sha256"):  # what is written into a file makes it no other image
        code, _, err = zbatch("export", made, own, "--format", "jsonl", "-o", f"before-{column}")
        assert (code, "other images" in err) == (0, False)
        assert json.loads(Path(f"before-{column}/export.json").read_text())["differing"] == []
        with sqlite3.connect(state) as database:
            database.execute(f"UPDATE jobs SET {column} = ? WHERE position = 0", ("0" * 64,))
        database.close()
    code, _, err = zbatch("export", made, own, "--format", "jsonl", "-o", "other")
    assert code == 0
    assert "1 jobs of later runs have other images than in an earlier one" in err
    assert "left out: 19 in an earlier run" in err
    assert len(json.loads(Path("other/export.json").read_text())["differing"]) == 1
    code, _, err = zbatch("export", made, made, "--format", "jsonl", "-o", "twice")
    assert code == 2
    assert "is given twice" in err


def test_an_edited_caption_takes_effect_with_the_next_run(zbatch, made, own):
    path = made.parent / "fox.yaml"
    before = path.read_text()
    path.write_text(before.replace("in {{ light }}", "at {{ mood }}"))
    try:
        library.run(path, run_dir=own, report=False).close()
    finally:
        path.write_text(before)
    row = lines(export(zbatch, own, "jsonl") / "train.jsonl")[0]
    assert row["text"] == "red fox at dawn, film@0"


def test_captions_may_be_long_and_in_any_script(zbatch, own, tmp_path):
    caption = "\u732b\U0001f98a e\u0301 " + "\u00e4" * 2000
    for form in ("webdataset", "kohya", "imagefolder", "parquet"):
        export(zbatch, own, form, "--caption", caption, "--split", "none", to=form)
    assert next(Path("kohya/train").glob("*.txt")).read_text("utf-8") == caption + "\n"
    assert lines(Path("imagefolder/train/metadata.jsonl"))[0]["text"] == caption
    with tarfile.open("webdataset/train-000000.tar") as tar:
        member = next(member for member in tar if member.name.endswith(".txt"))
        assert tar.extractfile(member).read().decode() == caption


def test_it_is_one_call_in_python(made, tmp_path):
    foxes = {"where": "subject == 'red fox'", "split": "test=0.5", "split_by": "seed"}
    done = library.export(made, tmp_path / "out", format="imagefolder", drop=("blank",), **foxes)
    assert isinstance(done, library.Exported)
    assert sum(done.images.values()) == 7
    assert set(done.images) == {"train", "test"}
    with pytest.raises(library.UsageError, match="no such option"):
        library.export(made, tmp_path / "out", fromat="imagefolder")
    with pytest.raises(library.UsageError, match="no run to export"):
        library.export([], tmp_path / "out")


def test_jobs_that_where_gave_are_exported_under_their_condition(made, own, tmp_path):
    with library.Run(made) as run, library.Run(own) as other:
        foxes = run.where("subject == 'red fox' or subject == 'owl'")
        done = library.export(foxes.where("seed == 1").done(), tmp_path / "out", format="jsonl", split="none")
        assert done.images == {"train": len(foxes.where("seed == 1"))} == {"train": 6}
        less = library.export(foxes, tmp_path / "less", format="jsonl", split="none", where="seed == 9")
        assert less.images == {"train": 1}
        about = json.loads((tmp_path / "less" / "export.json").read_text())
        assert about["where"] == "(subject == 'red fox' or subject == 'owl') and (seed == 9)"
        both = [one.where("seed == 9") for one in (run, other)]
        assert library.export(both, tmp_path / "both", format="jsonl", split="none").images == {"train": 1}
        with pytest.raises(library.UsageError, match="one condition") as caught:
            library.export([foxes, other], tmp_path / "none", format="jsonl")
        assert "where=" in caught.value.hint
        assert len(library.export(run.done(), tmp_path / "all", format="card").images) == 2
