"""An export where one lies already: the same does nothing, and nothing is called what it is not."""

from __future__ import annotations

import json
import os
import shutil
import signal

import pytest
from support.command import wait_until, zbatch, zbatch_started
from support.dataset_run import write_dataset

import zbatch as library
from zbatch.errors import DiskError, UsageError


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return write_dataset(tmp_path_factory.mktemp("made") / "animals", 60, side=64, length=2_000)


def test_links_are_not_called_copies(run, tmp_path):
    library.export(run, tmp_path / "out", format="imagefolder", split="test=0.2")
    with pytest.raises(UsageError, match="its images are hard links to the run's"):
        library.export(run, tmp_path / "out", format="imagefolder", split="test=0.2", copy=True)
    library.export(run, tmp_path / "own", format="imagefolder", split="test=0.2", copy=True)
    for copy in (True, False):
        assert not library.export(
            run, tmp_path / "own", format="imagefolder", split="test=0.2", copy=copy
        ).made


def test_an_export_that_lacks_files_is_not_called_complete(run, tmp_path):
    library.export(run, tmp_path / "out", format="imagefolder")
    (tmp_path / "out" / "train" / "metadata.jsonl").unlink()
    with pytest.raises(UsageError, match=r"is this export, but train/metadata\.jsonl is gone from it"):
        library.export(run, tmp_path / "out", format="imagefolder")
    (tmp_path / "out" / "checksums.sha256").unlink()
    with pytest.raises(UsageError, match=r"but checksums\.sha256 is gone"):
        library.export(run, tmp_path / "out", format="imagefolder")


@pytest.mark.parametrize("form", ["imagefolder", "webdataset", "parquet", "kohya", "csv"])
def test_an_export_with_files_of_another_length_is_not_called_complete(run, tmp_path, form):
    out = tmp_path / "out"
    library.export(run, out, format=form)
    lengths = [line.split("  ") for line in (out / "lengths.txt").read_text().splitlines()]
    assert {name: int(length) for length, name in lengths} == {
        path.relative_to(out).as_posix(): path.stat().st_size
        for path in out.rglob("*")
        if path.is_file() and path.name not in ("lengths.txt", "export.json", "checksums.sha256")
    }
    assert not library.export(run, out, format=form).made
    name = lengths[0][1]
    data = (out / name).read_bytes()
    (out / name).unlink()
    (out / name).write_bytes(data[:10])
    with pytest.raises(
        UsageError, match=rf"but {name} \(10 bytes, not {len(data):,}\) is not as long"
    ) as told:
        library.export(run, out, format=form)
    assert "`zbatch verify" in told.value.hint
    (out / "README.md").unlink()
    with pytest.raises(UsageError, match=rf"but README\.md is gone from it; {name} "):
        library.export(run, out, format=form)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("lengths.txt", r"lengths\.txt \(it does not name train/"),
        ("checksums.sha256", r"checksums\.sha256 \(it does not name export\.json\)"),
    ],
)
def test_an_export_whose_own_lists_were_cut_off_is_not_called_complete(run, tmp_path, name, said):
    library.export(run, tmp_path / "out", format="imagefolder")
    path = tmp_path / "out" / name
    path.write_bytes(path.read_bytes()[:600])
    with pytest.raises(UsageError, match=said):
        library.export(run, tmp_path / "out", format="imagefolder")


def test_a_place_within_the_run_is_refused_and_nothing_is_written_there(run):
    with pytest.raises(UsageError, match="lies within the run"):
        library.export(run, run / "exports" / "csv", format="csv")
    assert not (run / "exports").exists()


@pytest.mark.parametrize("left", ["export.json", "checksums.sha256"])
def test_a_place_within_another_export_is_refused_and_nothing_is_written_there(run, tmp_path, left):
    out = tmp_path / "out"
    library.export(run, out, format="csv")
    (out / ({"export.json", "checksums.sha256"} - {left}).pop()).unlink()
    (tmp_path / "link").symlink_to("out")
    for place in (out / "train" / "x", out / "x", tmp_path / "link" / "x"):
        with pytest.raises(UsageError, match=rf"x lies within the export {out}"):
            library.export(run, place, format="csv")
    assert {path.name for path in tmp_path.iterdir()} == {"out", "link"}
    assert not (out / "x").exists()
    assert not (out / "train").exists()
    beside = tmp_path / "other"
    beside.mkdir()
    (beside / "export.json").write_text('{"mine": 1}')
    (beside / "checksums.sha256").write_text("ab  mine\n")
    assert library.export(run, beside / "x", format="csv").made


def test_a_place_within_an_unfinished_export_is_refused(run, tmp_path):
    (tmp_path / ".out.partial").mkdir()
    (tmp_path / ".out.partial" / "plan.json").write_text('{"digest": "0"}')
    with pytest.raises(UsageError, match=r"lies within the export .*\.out\.partial"):
        library.export(run, tmp_path / ".out.partial" / "tree" / "x", format="csv")


def test_what_somebody_put_into_the_place_aside_does_not_come_into_the_dataset(tmp_path):
    run = write_dataset(tmp_path / "large", 4_000, side=64, length=4_000)
    aside = tmp_path / ".out.partial" / "tree"
    with zbatch_started("export", run, "--format", "kohya", "-o", "out", cwd=tmp_path) as process:
        wait_until(lambda: len(list(aside.rglob("*.*"))) > 20, process)
        process.send_signal(signal.SIGKILL)
        process.wait()
    (aside / "train" / "EXTRA.txt").write_text("mine")
    with pytest.raises(UsageError, match=r"holds what is no part of the export \(train/EXTRA\.txt\)"):
        library.export(run, tmp_path / "out", format="kohya")
    (aside / "train" / "EXTRA.txt").unlink()
    assert library.export(run, tmp_path / "out", format="kohya").made


def test_a_caption_has_no_blank_at_its_edges(run, tmp_path):
    caption = "{{ '' }} {{ request.prompt }} "
    library.export(run, tmp_path / "out", format="kohya", caption=caption)
    texts = [path.read_text() for path in (tmp_path / "out" / "train").glob("*.txt")]
    assert len(texts) == 60
    assert all(text == text.strip() + "\n" for text in texts)


@pytest.fixture
def own(run, tmp_path):
    shutil.copytree(run, tmp_path / "own")
    return tmp_path / "own"


def flip(path):
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))


def test_what_is_gone_and_what_is_not_as_long_is_told_in_one_round(own, tmp_path):
    images = sorted((own / "images").iterdir())
    for image in images[:5]:
        image.unlink()
    for image in images[7:9]:
        image.write_bytes(b"short")
    with pytest.raises(
        DiskError, match=r"^7 images cannot be exported: \S+, \S+, \S+ and 2 more: gone; "
    ) as told:
        library.export(own, tmp_path / "out", format="csv")
    last = str(told.value).split("; ")[1]
    assert str(images[7]) in last
    assert str(images[8]) in last
    assert ": not as long as when it was saved\n  hint: restore what is not as long, or delete it: " in last
    assert [path.name for path in tmp_path.iterdir()] == ["own"]


@pytest.mark.parametrize("form", ["imagefolder", "webdataset", "csv"])
def test_all_images_with_another_hash_are_told_in_one_round(own, tmp_path, form):
    images = sorted((own / "images").iterdir())
    for image in images[-5:]:
        flip(image)
    told = []
    with pytest.raises(DiskError) as caught:
        library.export(own, tmp_path / "out", format=form, progress=lambda *words: told.append(words))
    assert "5 images are not what they were when they were saved (the SHA-256 of each differs): " in str(
        caught.value
    )
    assert " and 2 more\n" in str(caught.value)
    assert sum(str(image) in str(caught.value) for image in images[-5:]) == 3
    assert told[-1] == ("checking", 60, 60)


def test_a_failed_export_names_what_it_leaves_or_leaves_nothing(own, tmp_path):
    images = sorted((own / "images").iterdir())
    flip(images[-1])
    aside = tmp_path / ".out.partial"
    for form in ("csv", "webdataset"):
        with pytest.raises(DiskError) as caught:
            library.export(own, tmp_path / "out", format=form)
        assert "kept" not in str(caught.value)
        assert [path.name for path in tmp_path.iterdir()] == ["own"]
    for form, more in (("webdataset", {"shard_count": 20}), ("imagefolder", {})):
        for _ in range(2):
            with pytest.raises(DiskError) as caught:
                library.export(own, tmp_path / "out", format=form, **more)
            assert str(caught.value).endswith(
                f"again; what is done is kept in {aside}, and the same command goes on with it"
            )
            assert aside.is_dir()
    flip(images[-1])
    done = library.export(own, tmp_path / "out", format="imagefolder")
    assert "an interrupted export was gone on with" in done.notes
    assert not aside.exists()


def test_all_that_cannot_be_read_as_an_image_are_told_in_one_round(own, tmp_path):
    images = sorted((own / "images").iterdir())
    for image in images[3:7]:
        image.write_bytes(bytes(len(image.read_bytes())))
    with pytest.raises(DiskError, match=r"4 images cannot be read as an image: \S+, \S+, \S+ and 1 more\n"):
        library.export(own, tmp_path / "out", format="csv", alike=2)


def test_where_file_names_are_no_utf_8_a_command_says_so(run, tmp_path):
    for command in (("export", run, "--format", "csv", "-o", "out"), ("status", run)):
        done = zbatch(*command, cwd=tmp_path, LC_ALL="C", PYTHONUTF8="0")
        assert (done.returncode, done.stdout) == (4, "")
        assert "file names are ascii in this environment" in done.stderr
        assert "hint: set PYTHONUTF8=1" in done.stderr
    assert zbatch("--help", cwd=tmp_path, LC_ALL="C", PYTHONUTF8="0").returncode == 0
    done = zbatch("status", run, cwd=tmp_path, LC_ALL="C", PYTHONUTF8="1")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("form", ["csv", "imagefolder", "webdataset"])
def test_a_run_whose_directory_is_named_in_another_encoding_is_exported(run, tmp_path, form):
    place = tmp_path / os.fsdecode(b"f\xfcchse")
    shutil.copytree(run, place)
    done = library.export(place, tmp_path / "out", format=form, alike=0)
    assert sum(done.images.values()) == 60 - done.left_out.get("near duplicates", 0)
    assert json.loads((tmp_path / "out" / "export.json").read_text())["runs"][0]["run"] == "f\\xfcchse"
