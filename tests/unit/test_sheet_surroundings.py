"""What stands round a sheet: a run that says what it is, and files that cannot be written."""

from __future__ import annotations

import os

import pytest
from support.sample_run import Sample, write_sample

from zbatch.errors import DiskError
from zbatch.exports.provenance import write_provenance
from zbatch.sheet import write_sheet
from zbatch.state.run import Run


def test_a_run_says_its_counts_open_or_closed(tmp_path):
    path = write_sample(tmp_path / "run", Sample(subjects=("red fox",), loras=("film",), troubles=False))
    with Run(path) as run:
        assert repr(run) == f"<Run 'fox-lora-scales' at {path}: 12 done>"
    assert repr(run) == f"<Run 'fox-lora-scales' at {path}: closed or unreadable>"
    empty = write_sample(tmp_path / "empty", Sample(subjects=()))
    with Run(empty) as run:
        assert repr(run).endswith(": no jobs>")


@pytest.mark.parametrize(
    ("name", "write"),
    [("jobs.jsonl", write_provenance), ("data.js", write_sheet), ("index.html", write_sheet)],
)
def test_a_file_that_cannot_be_written_is_told_as_one_even_if_its_part_cannot_be_removed(
    tmp_path, name, write
):
    path = write_sample(tmp_path / "run")
    (path / name).write_text("as before")
    # In the way of the part: neither opened for writing nor unlinked, as on a read-only disk.
    (path / f".{name}.{os.getpid()}.part").mkdir()
    with Run(path) as run, pytest.raises(DiskError, match=f"cannot write .*{name}"):
        write(run)
    assert (path / name).read_text() == "as before"
