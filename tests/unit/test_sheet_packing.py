from __future__ import annotations

import base64
import sys
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.sample_run import Sample, write_sample

from zbatch.sheet import write_sheet
from zbatch.sheet.data import SheetData
from zbatch.sheet.packing import packed_hashes, packed_numbers, packed_texts
from zbatch.state.run import Run

CODES = {1: "B", 2: "H", 4: "I"}


def numbers_of(packed):
    """Unpack as the page does."""
    if isinstance(packed, list):
        return packed
    if packed["bytes"] == 0:
        codes = [0] * packed["count"]
    else:
        read = array(CODES[packed["bytes"]], base64.b64decode(packed["data"]))
        if sys.byteorder == "big":
            read.byteswap()
        codes = list(read)
    assert len(codes) == packed["count"]
    if packed["gaps"]:
        return [None if code == 0 else packed["from"] + code for code in codes]
    return [packed["from"] + code for code in codes]


whole = st.integers(-5, 2**64) | st.integers(-1, 300)


@given(st.lists(whole) | st.lists(st.none() | st.integers(-3, 70_000)))
def test_numbers_come_back(column):
    assert numbers_of(packed_numbers(column)) == column


@pytest.mark.parametrize(
    ("column", "width"),
    [([7] * 4, 0), ([-1, 254], 1), ([0, 256], 2), ([-1, 65_534], 2), ([0, 2**32 - 1], 4), ([None, 5], 1)],
)
def test_numbers_take_as_few_bytes_as_they_need(column, width):
    assert packed_numbers(column)["bytes"] == width
    assert numbers_of(packed_numbers(column)) == column


def test_numbers_that_a_browser_would_round_stay_a_list():
    assert packed_numbers([2**53 + 1, 2**53 + 3]) == [2**53 + 1, 2**53 + 3]
    assert packed_numbers([0, 2**40]) == [0, 2**40]


def test_hashes_come_back_and_other_texts_stay():
    digest = "0123456789abcdef" * 4
    packed = packed_hashes([digest, "", digest])
    assert packed["count"] == 3
    assert base64.b64decode(packed["data"]).hex() == digest + "0" * 64 + digest
    for odd in ([digest[:-2]], [digest[:-2], digest + "ab"], ["x" * 64]):
        assert packed_hashes(odd) == odd


@given(st.lists(st.text()))
def test_texts_come_back(column):
    packed = packed_texts(column)
    if isinstance(packed, dict):
        texts = [packed["same"]] * packed["count"] if "same" in packed else packed["lines"].split("\n")
        assert texts == column
    else:
        assert packed == column


def test_files_and_tasks_are_short_where_they_are_usual(tmp_path):
    with Run(write_sample(tmp_path / "run", Sample())) as run:
        packed = SheetData.of(run).jobs.packed()
        assert packed["file"] == {"count": len(list(run.jobs())), "same": ".webp"}
        assert packed["task_ids"]["lines"].count("\n") == packed["state"]["count"] - 1


def test_a_sheet_written_anew_leaves_every_picture_alone(tmp_path):
    run = write_sample(tmp_path / "run", Sample())
    write_sheet(run)

    def stamps():
        return {
            path: (path.stat().st_mtime_ns, path.stat().st_ino)
            for folder in ("images", "thumbs")
            for path in (run / folder).iterdir()
        }

    before = stamps()
    write_sheet(run)
    assert stamps() == before
    assert len(before) > 30
