"""Groups of files go to disk together, and each group is there whole or fails alone."""

import pytest

from zbatch.errors import DiskError
from zbatch.state.directory import RunDirectory
from zbatch.state.placing import place_all


@pytest.fixture
def directory(tmp_path):
    directory = RunDirectory(tmp_path / "run")
    directory.create()
    return directory


def test_what_is_placed_lies_under_its_name_and_nothing_is_left_aside(directory):
    groups = [[(f"thumbs/{n}.webp", b"t%d" % n), (f"images/{n % 3}/{n}.png", b"i%d" % n)] for n in range(40)]
    assert place_all(directory, groups) == [None] * 40
    for group in groups:
        for file, data in group:
            assert (directory.path / file).read_bytes() == data
    assert list(directory.parts.iterdir()) == []


def test_a_group_that_cannot_be_written_or_moved_fails_alone(directory):
    (directory.images / "file").write_bytes(b"")
    (directory.images / "taken.png" / "by").mkdir(parents=True)
    wrong = [[("images/file/a.png", b"1")], [("thumbs/t.webp", b"2"), ("images/taken.png", b"3")], []]
    right = [[("images/a.png", b"4")], [("images/new/b.png", b"5")]]
    first, second, empty, *others = place_all(directory, [*wrong, *right])
    assert isinstance(first, DiskError)
    assert "images/file is no directory" in first.message
    assert isinstance(second, DiskError)
    assert "images/taken.png" in second.message
    assert empty is None
    assert others == [None, None]
    assert (directory.images / "new" / "b.png").read_bytes() == b"5"
    assert list(directory.parts.iterdir()) == []
