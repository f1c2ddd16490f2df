"""A state whose file is deleted while it is open is saved whole, and nothing that lies there is touched."""

import contextlib
import shutil

import pytest
from support.store_rows import bring_to, job, store_of

from zbatch.model import JobState
from zbatch.state.directory import RunDirectory
from zbatch.state.rescue import rescue
from zbatch.state.store import Store


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


@pytest.fixture
def directory(tmp_path):
    directory = RunDirectory(tmp_path / "runs" / "fox")
    directory.create()
    return directory


def open_state(directory):
    return contextlib.closing(store_of(directory.state, job(1), job(2)))


def holds_what_was_committed(copy):
    with contextlib.closing(Store(copy)) as store:
        counts = store.count(selected=False)
        return counts[JobState.SUBMITTED] == counts[JobState.PENDING] == 1


def test_all_that_is_committed_after_the_deletion_too_is_in_the_copy_beside_it(directory, temporary):
    with open_state(directory) as store:
        shutil.rmtree(directory.path)
        with store.transaction():
            bring_to(store, 1, "submitted")
        error = rescue(store, directory)
    (copy,) = directory.path.parent.iterdir()
    assert copy.name.startswith("fox-rescued-")
    assert str(copy) in error.hint
    assert str(directory.state) in error.hint
    assert holds_what_was_committed(copy)
    assert not list(temporary.iterdir())


def test_where_the_folder_above_is_gone_it_lies_with_temporary_files(directory, temporary):
    with open_state(directory) as store:
        with store.transaction():
            bring_to(store, 1, "submitted")
        shutil.rmtree(directory.path.parent)
        error = rescue(store, directory)
    (copy,) = temporary.iterdir()
    assert str(copy) in error.hint
    assert holds_what_was_committed(copy)


def test_where_no_copy_can_be_saved_it_says_why_and_leaves_nothing(directory, temporary):
    temporary.rmdir()
    with open_state(directory) as store:
        shutil.rmtree(directory.path.parent)
        error = rescue(store, directory)
    assert "was taken away while the run went on" in error.message
    assert "A copy could not be saved" in error.hint
    assert "No such file or directory" in error.hint
