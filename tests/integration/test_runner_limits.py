"""What a run learns of a server's limit is kept in the state for the next run, over real sockets."""

import asyncio
import re
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
from support.misbehaving import MisbehavingServer
from support.runs import Recorder, finish, order_for, write_manifest

from zbatch.runner.limiter import Learned, Limiter
from zbatch.runner.memory import Memory
from zbatch.state.database import Meta
from zbatch.state.directory import RunDirectory
from zbatch.state.store import Store
from zbatch.state.writer import StateWriter

AT_ONCE = "concurrency: 64"


def drain_after(server, accepted):
    """Ask a run to drain once the server has taken so many."""

    def started(session, loop):
        async def watch():
            while len(server.ledger.accepted) < accepted:  # noqa: ASYNC110 - another thread counts
                await asyncio.sleep(0.01)
            session.drain()

        session.watching = loop.create_task(watch())

    return started


class Leaving(Recorder):
    """A listener that drains its run once it is told of a long pause and has seen the snapshot after it."""

    def event(self, event):
        super().event(event)
        if event.reason == "paused":
            self.loop.call_soon(self.session.drain)

    def started(self, session, loop):
        self.session, self.loop = session, loop


@pytest.mark.parametrize("fault", ["429-absurd", "429-far"])
def test_a_long_pause_that_a_server_asks_for_is_told_once_and_shown_all_the_time(tmp_path, fault):
    told = Leaving()
    with MisbehavingServer({"submit": [None, fault, fault]}, latency=0) as server:
        order = order_for(write_manifest(tmp_path, 4, "concurrency: 3"), server.url)
        assert finish(order, started=told.started, told=told).ending == "interrupted"
        assert len(server.ledger.accepted) == 1
    (notice,) = [event.message for event in told.events if event.reason == "paused"]
    assert re.match(r"no submits until \d\d:\d\d:\d\d \(the server asked for it\); tasks in flight", notice)
    pauses = [progress for progress in told.snapshots if progress.paused_for is not None]
    assert all(3500 < progress.paused_for <= 3600 and progress.pause_asked for progress in pauses)
    assert pauses
    assert told.snapshots[-1].paused_for is None  # it ends, and nothing is to be submitted


def kept_limits(folder):
    with closing(Store(RunDirectory(folder / "run").state)) as store:
        return store.meta(Meta.LIMITS)


def keep(folder, value):
    with closing(Store(RunDirectory(folder / "run").state)) as store, store.transaction():
        store.set_meta(Meta.LIMITS, value)


def recalled(folder):
    """What a limiter of the next run would be told, as its window and rate."""

    async def main():
        limiter = Limiter(64, None)
        with closing(Store(RunDirectory(folder / "run").state)) as store:
            writer = StateWriter(store)
            try:
                await Memory(writer, limiter).recall()
            finally:
                writer.close()
        return limiter.window, limiter.learned

    return asyncio.run(main())


def test_a_run_that_goes_on_knows_the_limit_and_is_hardly_refused(tmp_path):
    manifest = write_manifest(tmp_path, 260, AT_ONCE)
    with MisbehavingServer(concurrency=5, latency=0.05) as server:
        first = finish(order_for(manifest, server.url), started=drain_after(server, 130))
        assert first.ending == "interrupted"
        cold = server.ledger.refused["concurrency"]
        kept = kept_limits(tmp_path)
        # Tasks that all take as long are limited by five in flight as by a rate.
        assert kept["rate"] or 3 <= kept["tasks"] <= 8
        second = finish(order_for(manifest, server.url))
        assert second.states == {"done": 260}
        assert server.ledger.accepted_twice() == []
    warm = server.ledger.refused["concurrency"] - cold
    assert cold >= 3
    assert warm <= max(13, cold), "of 130, on a busy machine, where what was known is held and tried"


def test_what_is_kept_is_three_plain_facts_and_goes_with_the_endpoint(tmp_path):
    manifest = write_manifest(tmp_path, 60, AT_ONCE)
    with MisbehavingServer(concurrency=5, latency=0.03) as server:
        finish(order_for(manifest, server.url))
    kept = kept_limits(tmp_path)
    assert sorted(kept) == ["at", "rate", "tasks"]
    assert kept["rate"] is None or kept["rate"] > 0
    manifest.write_text(manifest.read_text().replace("count: 60", "count: 61"))
    with MisbehavingServer() as another:
        finish(order_for(manifest, another.url))
    assert kept_limits(tmp_path) is None


@pytest.mark.parametrize(
    ("age", "window", "learned"),
    [
        (timedelta(minutes=1), 40, Learned(tasks=40)),
        (timedelta(hours=20), 20, Learned()),
        (timedelta(days=90), 8, Learned()),
        (timedelta(hours=-2), 20, Learned()),
    ],
    ids=["fresh", "yesterday", "long ago", "from the future"],
)
def test_the_older_it_is_the_less_it_is_believed(tmp_path, age, window, learned):
    with MisbehavingServer() as server:
        finish(order_for(write_manifest(tmp_path, 1), server.url))
    keep(tmp_path, {"tasks": 40, "rate": None, "at": (datetime.now(UTC) - age).isoformat()})
    assert recalled(tmp_path) == (window, learned)


@pytest.mark.parametrize("kept", [None, 7, "x", {}, {"tasks": [], "rate": None, "at": "now"}, {"tasks": 4}])
def test_what_cannot_be_read_is_as_good_as_nothing(tmp_path, kept):
    with MisbehavingServer() as server:
        finish(order_for(write_manifest(tmp_path, 1), server.url))
    keep(tmp_path, kept)
    assert recalled(tmp_path) == (8, Learned())
