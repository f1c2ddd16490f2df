"""Taking over, cut off before any one call on files: what is noted as done lies there whole."""

import hashlib
import io
import shutil
import sys
import threading
from contextlib import closing, contextmanager

import pytest
from PIL import Image
from support.store_rows import grid, job, look, pending, store_of

from zbatch.clock import now_iso
from zbatch.errors import DiskError
from zbatch.state.advances import Done, Submitted, Submitting
from zbatch.state.artifacts import Asked, save_artifact
from zbatch.state.directory import RunDirectory
from zbatch.state.donor import Donor, UnfitError
from zbatch.state.placing import Lying, mark_of, place_all
from zbatch.state.run import Run
from zbatch.state.store import Store

JOBS = [job(seed) for seed in range(3)]
CALLS = ("open", "os.rename", "os.link", "os.mkdir", "os.remove")


class DiedError(BaseException):
    """The process ends here."""


class Mortal:
    left = None
    thread = 0

    def hook(self, event, _arguments):
        if self.left is None or event not in CALLS or threading.get_ident() != self.thread:
            return
        if self.left <= 0:
            raise DiedError
        self.left -= 1

    @contextmanager
    def after(self, calls):
        self.thread, self.left = threading.get_ident(), calls
        try:
            yield
        except DiedError:
            pass
        finally:
            self.left = None


MORTAL = Mortal()
sys.addaudithook(MORTAL.hook)


@pytest.fixture(scope="module")
def old(tmp_path_factory):
    """A run whose pictures have thumbnails of their own."""
    directory = RunDirectory(tmp_path_factory.mktemp("runs") / "old")
    directory.create()
    with closing(store_of(directory.state, *JOBS)) as store:
        for seed, waiting in pending(store).items():
            file = io.BytesIO()
            Image.new("RGB", (500, 400), (seed * 70, 9, 9)).save(file, "webp")
            asked = Asked(waiting.key, waiting.file, "webp", 500, 400)
            with store.transaction():
                store.advance(Submitting(waiting.id), Submitted(waiting.id, f"task-{seed}"))
                store.advance(Done(waiting.id, save_artifact(directory, asked, file.getvalue()), {"n": seed}))
    return directory


def take_over(store, directory, old):
    with Donor(old.path, directory.path) as donor:
        wanted = store.takeable(-1, 100)
        offers = donor.offers([one.key for one in wanted])
        picked = [donor.pick(one, offers[one.key]) for one in wanted]
        for error in place_all(directory, [one.files for one in picked]):
            if error is not None:
                raise error
        with store.transaction():
            return store.take_over([one.note for one in picked])


def test_dead_before_any_call_the_next_one_goes_on(tmp_path, old):
    directory = RunDirectory(tmp_path / "new")
    directory.create()
    with closing(store_of(directory.state, *JOBS)):
        pass
    calls, taken = 0, 0
    while not taken:
        with closing(Store(directory.state)) as store:
            with MORTAL.after(calls):
                taken = take_over(store, directory, old)
            check(directory)
        directory.clear_parts()
        calls += 1
    assert taken == len(JOBS)
    assert calls > 20
    assert not list(directory.parts.iterdir())
    with Run(directory.path) as run:
        assert [record.nsfw for record in run.jobs()] == [{"n": seed} for seed in range(3)]
        assert {record.attempts for record in run.jobs()} == {0}


def check(directory):
    with Run(directory.path) as run:
        for record in run.jobs():
            if record.artifact is not None:
                data = (directory.path / record.artifact.file).read_bytes()
                assert hashlib.sha256(data).hexdigest() == record.artifact.sha256
                assert (directory.path / record.artifact.thumb).stat().st_size > 0


def test_a_job_that_has_come_to_something_else_is_left_as_it_is(tmp_path, old):
    directory = RunDirectory(tmp_path / "new")
    directory.create()
    with closing(store_of(directory.state, *JOBS)) as store, Donor(old.path, directory.path) as donor:
        wanted = store.takeable(-1, 100)
        offers = donor.offers([one.key for one in wanted])
        notes = [donor.pick(one, offers[one.key]).note for one in wanted]
        with store.transaction():
            store.advance(Submitting(wanted[0].id))
        with store.transaction():
            assert store.take_over(notes) == 2
        assert look(store, "SELECT state FROM jobs ORDER BY id") == [("submitting",), ("done",), ("done",)]
        assert look(store, "SELECT count(*) FROM taken_over") == [(2,)]


def test_jobs_that_the_manifest_no_longer_shows_are_not_wanted(tmp_path):
    with closing(store_of(tmp_path / "state.sqlite3", *JOBS)) as store:
        with store.transaction():
            store.replace_grid(grid(JOBS[1:]), "m")
        assert [one.key for one in store.takeable(-1, 100)] == [one.key for one in JOBS[1:]]


def test_a_file_that_changes_after_it_was_looked_at_is_not_put_in_place(tmp_path):
    directory = RunDirectory(tmp_path / "new")
    directory.create()
    source = tmp_path / "a.webp"
    source.write_bytes(b"as it was")
    lying = Lying(str(source), mark_of(source.stat()))
    source.write_bytes(b"as it is now")
    (error,) = place_all(directory, [[("images/a.webp", lying)]])
    assert isinstance(error, DiskError)
    assert "was changed meanwhile" in error.message or "Stale" in error.message
    assert not list(directory.images.iterdir())
    assert not list(directory.parts.iterdir())


def test_a_link_that_is_there_already_leaves_nothing_aside(tmp_path):
    directory = RunDirectory(tmp_path / "new")
    directory.create()
    source = tmp_path / "a.webp"
    source.write_bytes(b"bytes")
    for _ in range(2):
        lying = Lying(str(source), mark_of(source.stat()))
        assert place_all(directory, [[("images/a.webp", lying)]]) == [None]
    assert (directory.images / "a.webp").samefile(source)
    assert not list(directory.parts.iterdir())


def test_what_is_no_file_is_no_picture(tmp_path, old):
    copy = RunDirectory(tmp_path / "copy")
    shutil.copytree(old.path, copy.path)
    with closing(store_of(tmp_path / "state.sqlite3", *JOBS)) as store:
        one = store.takeable(-1, 1)[0]
    with Donor(copy.path, tmp_path) as donor:
        offer = donor.offers([one.key])[one.key]
        path = copy.path / offer.artifact.file
        path.unlink()
        path.mkdir()
        with pytest.raises(UnfitError, match=r"is no file|cannot be read"):
            donor.pick(one, offer)
        assert len(list(donor.made())) == len(JOBS) - 1
    assert now_iso() > offer.making["done_at"]
