"""An export where one lies already: the same does nothing, and nothing is called what it is not."""

from __future__ import annotations

import signal

import pytest
from support.command import wait_until, zbatch_started
from support.dataset_run import write_dataset

import zbatch as library
from zbatch.errors import UsageError


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


def test_a_place_within_the_run_is_refused_and_nothing_is_written_there(run):
    with pytest.raises(UsageError, match="lies within the run"):
        library.export(run, run / "exports" / "csv", format="csv")
    assert not (run / "exports").exists()


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
