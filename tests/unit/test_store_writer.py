"""The group commit: everybody waits for the disk, one bad step undoes only itself, a sick disk fails all."""

import asyncio
import resource
import sqlite3
import subprocess
import sys
import textwrap
from contextlib import closing

import pytest
from support.store_rows import job, pending, store_of

from zbatch.errors import DiskError
from zbatch.model import JobState
from zbatch.state.advances import Submitted, Submitting, Succeeded
from zbatch.state.run import Run
from zbatch.state.writer import StateWriter


def with_writer(path, act, jobs=3):
    async def main(store):
        writer = StateWriter(store)
        try:
            return await act(writer, [found.id for found in pending(store).values()])
        finally:
            writer.close()

    with closing(store_of(path / "state.sqlite3", *(job(seed) for seed in range(jobs)))) as store:
        return asyncio.run(main(store))


def test_what_is_committed_can_be_read_by_others_when_the_caller_goes_on(tmp_path):
    async def act(writer, ids):
        await writer.commit(Submitting(ids[0]))
        with Run(tmp_path) as run:
            return run.counts()[JobState.SUBMITTING]

    assert with_writer(tmp_path, act) == 1


def gathered(writer, *steps):
    asked = (writer.commit(step) for step in steps)
    return asyncio.gather(*asked, return_exceptions=True)


def illegal(store):
    store.advance(Submitting(1))  # pending still: this is undone with the rest of the step
    store.advance(Submitted(3, "t"))


def foreign(store):
    # A step that breaks a rule of the schema; no move of the store's own does.
    store._db.execute("INSERT INTO attempts (job_id, number, intent_at) VALUES (99, 1, 'x')")  # noqa: SLF001 - no step does that


@pytest.mark.parametrize(
    ("bad", "kind"),
    [
        (illegal, AssertionError),
        (foreign, sqlite3.IntegrityError),
        (Submitted(1, "t"), AssertionError),  # among those that are taken together
        (Submitting(4711), AssertionError),
    ],
)
def test_one_step_that_fails_is_undone_alone(tmp_path, bad, kind):
    async def act(writer, ids):
        return await gathered(writer, Submitting(2), bad, Submitting(3))

    first, wrong, last = with_writer(tmp_path, act)
    assert (first, last) == (None, None)
    assert isinstance(wrong, kind)
    with Run(tmp_path) as run:
        counts = run.counts()
    assert (counts[JobState.SUBMITTING], counts[JobState.PENDING]) == (2, 1)


def test_a_step_alone_is_made_in_its_turn_and_undone_whole_where_it_fails(tmp_path):
    seen = []

    def look(store):
        seen.append(store.count(selected=False)[JobState.SUBMITTING])
        return "looked"

    async def act(writer, ids):
        return await asyncio.gather(
            writer.commit(Submitting(ids[0])),
            writer.commit_alone(look),
            writer.commit(Submitting(ids[1])),
            writer.commit_alone(illegal),
            writer.commit(look),
            return_exceptions=True,
        )

    first, looked, second, failed, again = with_writer(tmp_path, act)
    assert (first, looked, second, again) == (None, "looked", None, "looked")
    assert isinstance(failed, Exception)
    assert seen == [1, 2]


def test_steps_are_made_in_the_order_they_were_asked_for(tmp_path):
    order = []

    async def act(writer, ids):
        await gathered(writer, *(lambda store, n=n: order.append(n) for n in range(500)))

    with_writer(tmp_path, act)
    assert order == list(range(500))


def test_a_caller_that_is_cancelled_does_not_undo_its_step(tmp_path):
    async def act(writer, ids):
        waiting = asyncio.create_task(writer.commit(Submitting(ids[0])))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        return await writer.commit(lambda store: store.count(selected=False)[JobState.SUBMITTING])

    assert with_writer(tmp_path, act) == 1


def test_closing_finishes_what_was_asked(tmp_path):
    async def act(writer, ids):
        for id_ in ids:
            task = asyncio.create_task(writer.commit(Submitting(id_)))
        await asyncio.sleep(0)
        writer.close()
        await task

    with closing(store_of(tmp_path / "state.sqlite3", *(job(seed) for seed in range(3)))) as store:

        async def main():
            await act(StateWriter(store), [found.id for found in pending(store).values()])

        asyncio.run(main())
        assert store.count(selected=False)[JobState.SUBMITTING] == 3


FULL = """
import asyncio, resource, sys
from pathlib import Path
from zbatch.errors import DiskError
from zbatch.state.advances import Submitting
from zbatch.state.store import Store
from zbatch.state.writer import StateWriter

async def main():
    store = Store(Path(sys.argv[1]))
    writer = StateWriter(store)
    limit = Path(sys.argv[1]).stat().st_size + 60_000
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    big = lambda store: store.set_meta("description", "x" * 1_000_000)
    results = await asyncio.gather(
        writer.commit(Submitting(1)), writer.commit(big), return_exceptions=True
    )
    print([type(result).__name__ for result in results])
    print(results[0])
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    await writer.commit(Submitting(1))
    print(store.in_flight())
    writer.close()
    store.close()

asyncio.run(main())
"""


def test_a_disk_error_fails_the_whole_group_keeps_nothing_of_it_and_passes(tmp_path):
    store_of(tmp_path / "state.sqlite3", job(1)).close()
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[1] == resource.RLIM_INFINITY
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(FULL), tmp_path / "state.sqlite3"],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    lines = done.stdout.splitlines()
    assert lines[0] == "['DiskError', 'DiskError']", done.stdout + done.stderr
    assert "state.sqlite3" in lines[1]
    assert lines[-1] == "1"


def test_a_disk_error_of_a_step_itself_is_ours(tmp_path):
    async def act(writer, ids):
        # A disk that can no longer be written.
        await writer.commit(lambda store: store._db.execute("PRAGMA query_only = ON"))  # noqa: SLF001 - a disk gone bad
        return await gathered(writer, lambda store: store.advance(Submitting(ids[0])))

    (error,) = with_writer(tmp_path, act)
    assert isinstance(error, DiskError)


def test_steps_of_one_job_that_meet_in_a_group_are_taken_in_the_order_of_its_life(tmp_path):
    async def act(writer, ids):
        return await gathered(writer, Submitting(1), Submitting(2), Submitted(1, "task-1"), Succeeded(1))

    assert with_writer(tmp_path, act) == [None] * 4
    with Run(tmp_path) as run:
        assert [(record.state, record.task_ids) for record in run.jobs()] == [
            ("submitted", ("task-1",)), ("submitting", ()), ("pending", ()),
        ]  # fmt: skip


def test_a_task_id_that_the_state_cannot_hold_whole_is_refused_and_harms_no_other(tmp_path):
    async def act(writer, ids):
        await gathered(writer, Submitting(1), Submitting(2))
        return await gathered(writer, Submitted(1, "a\0b"), Submitted(2, "\"ü\\ 'x\n"))

    refused, taken = with_writer(tmp_path, act)
    assert isinstance(refused, AssertionError)
    assert taken is None
    with Run(tmp_path) as run:
        assert [record.task_ids for record in run.jobs()] == [(), ("\"ü\\ 'x\n",), ()]
