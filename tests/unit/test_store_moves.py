"""Every move of a job that the state machine has, and the refusal of every other."""

import sqlite3
from contextlib import closing

import pytest
from support.store_rows import artifact, bring_to, job, look, pending, store_of

from zbatch.errors import DiskError, StateError
from zbatch.model import TRANSITIONS, JobState, fold
from zbatch.state.advances import Done, Submitted, Submitting, Succeeded
from zbatch.state.database import open_connection
from zbatch.state.migrations import MIGRATIONS
from zbatch.state.run import Run
from zbatch.state.store import Store

MOVES = {
    "submitting": (lambda store, id_: store.advance(Submitting(id_)), {"pending"}),
    "back": (lambda store, id_: store.set_back(id_, "r", "m"), {"submitting"}),
    "rejected": (lambda store, id_: store.set_rejected(id_, "r", "m"), {"submitting"}),
    "submitted": (lambda store, id_: store.advance(Submitted(id_, "t")), {"submitting"}),
    "unknown": (lambda store, id_: store.set_unknown(id_, "r", "m"), {"submitting", "submitted"}),
    "failed": (lambda store, id_: store.set_failed(id_, "r", "m"), {"submitted"}),
    "done": (lambda store, id_: store.advance(Done(id_, artifact("images/x.webp"), None)), {"submitted"}),
}


@pytest.fixture
def one(tmp_path):
    with closing(store_of(tmp_path / "state.sqlite3", job(1))) as store:
        yield store, pending(store)[1].id


def state_of(store, job_id=1):
    return look(store, "SELECT state FROM jobs WHERE id = ?", job_id)[0][0]


def attempts_of(store):
    return look(
        store, "SELECT number, task_id, succeeded_at IS NOT NULL, ended_at IS NOT NULL, outcome FROM attempts"
    )


@pytest.mark.parametrize("state", list(JobState))
@pytest.mark.parametrize("name", MOVES)
def test_a_move_is_made_from_its_own_states_and_refused_from_all_others(one, state, name):
    store, job_id = one
    move, sources = MOVES[name]
    bring_to(store, job_id, state)
    before = attempts_of(store)
    if state in sources:
        move(store, job_id)
        assert state_of(store) == {"back": "pending"}.get(name, name)
        return
    with pytest.raises(AssertionError), store.transaction():
        move(store, job_id)
    assert state_of(store) == state
    assert attempts_of(store) == before


def test_the_moves_are_those_of_the_machine():
    made = {
        (source, {"back": "pending"}.get(name, name)) for name, (_, ways) in MOVES.items() for source in ways
    }
    retried = {(state, "pending") for state in ("failed", "rejected", "unknown")}
    asked_again = {("done", "submitted")}  # its file is gone
    held_again = {("pending", "unknown")}  # its resubmit was allowed, and not made
    taken_over = {(state, "done") for state in ("pending", "failed", "rejected", "unknown")}
    lost_again = {("done", "unknown")}  # it was taken over, and its file is gone
    assert made | retried | asked_again | held_again | taken_over | lost_again == {
        (old, new) for old, ways in TRANSITIONS.items() for new in ways
    }


def test_a_job_that_does_not_exist_is_refused(one):
    store, _ = one
    for move, _ in MOVES.values():
        with pytest.raises(AssertionError), store.transaction():
            move(store, 4711)


def test_an_attempt_is_counted_from_the_intent_until_it_cannot_have_been_accepted(one):
    store, job_id = one
    store.advance(Submitting(job_id))
    assert (store.attempts_made(), store.in_flight()) == (1, 1)
    store.set_back(job_id, "RATE_LIMIT_EXCEEDED", "slow down")
    assert (store.attempts_made(), store.in_flight()) == (0, 0)
    store.advance(Submitting(job_id))
    store.set_unknown(job_id, "TIMEOUT", "no answer")
    assert attempts_of(store) == [(1, None, 0, 1, "unknown")]


def test_the_task_id_is_kept_with_its_attempt_and_reasons_go_when_things_go_on(one):
    store, job_id = one
    store.advance(Submitting(job_id))
    store.advance(Submitted(job_id, "task-1"))
    store.note(job_id, "bad_image", "half a picture")
    store.advance(Succeeded(job_id))
    (task,) = store.open_tasks()
    assert (task.task_id, task.succeeded) == ("task-1", True)
    assert 0 <= task.age < 60
    store.advance(Done(job_id, artifact("images/other.webp"), {"nsfw": False}))
    with Run(store.path.parent) as run:
        (record,) = run.jobs()
    assert (record.state, record.reason, record.file) == ("done", None, "images/other.webp")
    assert (record.task_ids, record.nsfw, record.attempts) == (("task-1",), {"nsfw": False}, 1)


def test_a_failed_job_that_is_tried_again_keeps_both_task_ids(one):
    store, job_id = one
    bring_to(store, job_id, "failed")
    assert store.try_again(job_id, 2, JobState.FAILED)
    store.advance(Submitting(job_id))
    store.advance(Submitted(job_id, "second"))
    with Run(store.path.parent) as run:
        (record,) = run.jobs()
    assert record.task_ids == ("task-1", "second")


def test_nothing_of_a_transaction_that_fails_is_kept(one):
    store, job_id = one

    def two_moves_and_the_second_is_wrong():
        with store.transaction():
            store.advance(Submitting(job_id))
            store.set_failed(job_id, "r", "not submitted yet")

    with pytest.raises(AssertionError):
        two_moves_and_the_second_is_wrong()
    assert state_of(store) == "pending"
    assert store.attempts_made() == 0


@pytest.mark.parametrize(
    ("file", "form"),
    [
        ("images/Fox.webp", "images/fox"),
        ("images/fox.jpg", "images/fox"),
        ("images/fox.webp.jpg", "images/fox.webp"),
        ("images/fox.webp.webp", "images/fox.webp"),
        ("images/e\u0301.png", "images/\u00e9"),
        ("images/STRASSE.png", "images/strasse"),
        ("images/stra\u00dfe.png", "images/strasse"),
    ],
)
def test_names_that_are_one_to_some_file_system_fold_alike(file, form):
    assert fold(file) == form


# ── the file itself ────────────────────────────────────────────────────────────────────────────────────────


def test_a_newer_file_is_refused_with_both_numbers_by_writer_and_reader(tmp_path):
    path = tmp_path / "state.sqlite3"
    store_of(path, job(1)).close()
    with closing(sqlite3.connect(path)) as raw:
        raw.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 41}")
    for opening in (lambda: Store(path), lambda: Run(tmp_path)):
        with pytest.raises(StateError) as caught:
            opening()
        assert f"state version {len(MIGRATIONS) + 41}" in caught.value.message
        assert f"knows {len(MIGRATIONS)}" in caught.value.message
        assert "upgrade" in caught.value.hint


def test_a_migration_that_breaks_off_leaves_the_old_schema(tmp_path, monkeypatch):
    path = tmp_path / "state.sqlite3"
    store_of(path, job(1)).close()
    broken = "CREATE TABLE extra (x); INSERT INTO nowhere VALUES (1);"
    monkeypatch.setattr("zbatch.state.migrations.MIGRATIONS", (*MIGRATIONS, broken))
    with pytest.raises(StateError):
        Store(path)
    monkeypatch.setattr("zbatch.state.migrations.MIGRATIONS", (*MIGRATIONS, "CREATE TABLE extra (x);"))
    with closing(Store(path)) as store:
        assert look(store, "PRAGMA user_version") == [(len(MIGRATIONS) + 1,)]
        assert store.count(selected=False)[JobState.PENDING] == 1


def test_an_older_file_is_for_run_to_bring_up_to_date(tmp_path, monkeypatch):
    store_of(tmp_path / "state.sqlite3", job(1)).close()
    monkeypatch.setattr("zbatch.state.migrations.MIGRATIONS", (*MIGRATIONS, "CREATE TABLE extra (x);"))
    with pytest.raises(StateError, match="older zbatch"):
        Run(tmp_path)


@pytest.mark.parametrize(
    "content", [b"<html>not a database</html>" * 300, b"SQLite format 3\0" + b"\xff" * 4096]
)
def test_a_damaged_file_is_told_with_its_name(tmp_path, content):
    path = tmp_path / "state.sqlite3"
    path.write_bytes(content)
    with pytest.raises((StateError, DiskError), match=r"state\.sqlite3"):
        Store(path)


def test_a_database_of_somebody_else_is_no_run(tmp_path):
    path = tmp_path / "state.sqlite3"
    with closing(sqlite3.connect(path)) as raw:
        raw.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
        raw.execute("CREATE TABLE songs (title)")
    with pytest.raises(StateError, match="not the state of a run"):
        Run(tmp_path)


def test_a_state_that_cannot_be_opened_is_a_disk_error(tmp_path):
    (tmp_path / "state.sqlite3").mkdir()
    with pytest.raises(DiskError, match=r"state\.sqlite3"):
        Store(tmp_path / "state.sqlite3")


def test_durability_is_switched_on(tmp_path):
    with closing(open_connection(tmp_path / "state.sqlite3")) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)


def test_a_reader_is_not_blocked_by_an_open_transaction_and_sees_only_what_is_committed(one):
    store, job_id = one
    with store.transaction():
        store.advance(Submitting(job_id))
        with Run(store.path.parent) as run:
            assert run.counts()[JobState.PENDING] == 1
    with Run(store.path.parent) as run:
        assert run.counts()[JobState.SUBMITTING] == 1


def test_a_program_that_holds_the_state_is_told_so(one):
    store, job_id = one
    store._db.execute("PRAGMA busy_timeout = 50")  # noqa: SLF001 - half a minute would be long
    with closing(sqlite3.connect(store.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StateError, match="another program holds"), store.transaction():
            store.advance(Submitting(job_id))
        other.execute("ROLLBACK")
    assert state_of(store) == "pending"
