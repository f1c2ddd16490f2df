"""Images in the pages that pyarrow writes of empty ones: the file is the one that it writes of the images."""

from __future__ import annotations

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pa = pytest.importorskip("pyarrow", reason="pip install pyarrow (the test extra has it)")
pq = pytest.importorskip("pyarrow.parquet", reason="pip install pyarrow (the test extra has it)")

from zbatch.errors import SurroundingsError  # noqa: E402 - beside it
from zbatch.exports.arrays import arrow_table  # noqa: E402 - it needs pyarrow
from zbatch.exports.pages import Pages  # noqa: E402 - beside it

IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
NUMBERS = {f"n{number}": number for number in range(16)}
SCHEMA = pa.schema([("image", IMAGE), ("text", pa.string()), *((name, pa.int64()) for name in NUMBERS)])
HOW = {"compression": {"image.bytes": "none", "text": "snappy"}, "use_dictionary": ["text", "n3"]}
HOW |= {"write_statistics": ["text", "n5"]}


def filled(images, groups, **how):
    """Write rows of these images in so many groups, which pyarrow takes for empty."""
    sink = io.BytesIO()
    pages = Pages(sink, iter(images))
    with pq.ParquetWriter(pa.PythonFile(pages, mode="w"), SCHEMA, **{**HOW, **how}) as writer:
        for group in groups:
            pages.await_images(map(len, group))
            rows = [{"image": {"bytes": b"", "path": "a"}, "text": "t", **NUMBERS} for _ in group]
            writer.write_table(arrow_table(rows, SCHEMA))
            pages.check()
        pages.await_end()
    pages.end()
    return sink.getvalue()


def written(groups):
    """Write the same as pyarrow does by itself."""
    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(sink, SCHEMA, **HOW) as writer:
        for group in groups:
            rows = [{"image": {"bytes": data, "path": "a"}, "text": "t", **NUMBERS} for data in group]
            writer.write_table(pa.Table.from_pylist(rows, SCHEMA))
    return sink.getvalue().to_pybytes()


@settings(deadline=None)
@given(st.lists(st.lists(st.binary(max_size=300), min_size=1, max_size=5), max_size=20))
def test_a_file_is_the_one_that_pyarrow_writes(groups):
    assert filled([data for group in groups for data in group], groups) == written(groups)


@settings(deadline=None)
@given(st.lists(st.binary(max_size=60), min_size=1, max_size=5))
def test_images_that_pyarrow_is_given_make_the_same_file(group):
    sink = io.BytesIO()
    pages = Pages(sink)
    with pq.ParquetWriter(pa.PythonFile(pages, mode="w"), SCHEMA, **HOW) as writer:
        writer.write_table(
            arrow_table(
                [{"image": {"bytes": data, "path": "a"}, "text": "t", **NUMBERS} for data in group], SCHEMA
            )
        )
        pages.check()
        pages.await_end()
    pages.end()
    assert sink.getvalue() == written([group])


def test_a_group_of_many_megabytes_is_one_page_and_reads_back():
    groups = [[bytes([number % 251]) * 3_000 for number in range(5_000)], [b"x" * 5_000_000, b"y"], [b""]]
    images = [data for group in groups for data in group]
    file = pq.ParquetFile(io.BytesIO(filled(images, groups)))
    assert file.read()["image"].combine_chunks().field("bytes").to_pylist() == images
    assert file.metadata.num_row_groups == len(groups)
    for number, group in enumerate(groups):
        read = file.read_row_group(number)
        assert read["image"].combine_chunks().field("bytes").to_pylist() == group
        assert read["text"].to_pylist() == ["t"] * len(group)
        column = file.metadata.row_group(number).column(0)
        assert column.total_uncompressed_size == column.total_compressed_size > sum(map(len, group))


def test_pages_of_another_kind_are_refused():
    with pytest.raises(SurroundingsError, match="cannot fill"):
        filled([b"abc"], [[b"abc"]], compression="snappy")
