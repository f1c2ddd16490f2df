"""Which samples of a shard are not whole."""

import os

import pytest
from support.sample_run import Sample, write_sample

from zbatch import export, verify_export
from zbatch.exports.shards import bad_samples


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return write_sample(
        tmp_path_factory.mktemp("shards") / "run", Sample(troubles=False, excluded=False, seeds=1)
    )


@pytest.fixture(params=["webdataset", "parquet"])
def shard(request, run, tmp_path):
    if request.param == "parquet":
        pytest.importorskip("pyarrow", reason="pip install pyarrow (the test extra has it)")
    export(run, tmp_path / "out", format=request.param)
    (found,) = [*(tmp_path / "out").glob("*.tar"), *(tmp_path / "out").glob("data/*.parquet")]
    return found


def place_of(data, run, number):
    """Give where, within a shard, the middle of an image lies."""
    image = sorted((run / "images").iterdir())[number].read_bytes()
    return data.index(image) + len(image) // 2


def test_the_sample_whose_image_changed_is_named(shard, run, tmp_path):
    data = bytearray(shard.read_bytes())
    name = sorted((run / "images").iterdir())[3].name
    data[place_of(data, run, 3)] ^= 1
    shard.write_bytes(data)
    assert name.partition(".")[0] in bad_samples(shard)
    (difference,) = verify_export(tmp_path / "out").differences
    assert difference.found == bad_samples(shard)
    assert difference.found.startswith("not whole in it: ")
    assert "," not in difference.found


def test_one_that_is_cut_off_says_where_or_that_it_cannot_be_read(shard, run):
    os.truncate(shard, place_of(shard.read_bytes(), run, 5))
    words = bad_samples(shard)
    if shard.suffix == ".tar":
        assert words.endswith("(it is cut off there)")
    else:
        assert words.startswith("it cannot be read (")
    os.truncate(shard, 10)
    assert bad_samples(shard).startswith("it cannot be read (")


def test_a_tar_with_a_damaged_header_says_behind_what(run, tmp_path):
    export(run, tmp_path / "out", format="webdataset")
    (tar,) = (tmp_path / "out").glob("*.tar")
    data = bytearray(tar.read_bytes())
    whole = bytes(data)
    second = data.index(b".webp", data.index(b".json\0") + 600)
    data[second - 3] ^= 1
    tar.write_bytes(data)
    assert "all behind " in bad_samples(tar)
    at = whole.index(b"a photo") if b"a photo" in whole else whole.index(b".txt\0") + 512
    data = bytearray(whole)
    data[at] ^= 1
    tar.write_bytes(data)
    assert bad_samples(tar) == "its images are whole: something beside them is not"


def test_nothing_is_said_of_other_files(run):
    assert not bad_samples(run / "state.sqlite3")
