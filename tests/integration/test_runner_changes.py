"""What changes under a run: the manifest it was started with, and what the server allows."""

from support.misbehaving import MisbehavingServer
from support.runs import finish, order_for, write_manifest


def test_a_manifest_edited_while_it_runs_counts_from_the_next_run_on(tmp_path):
    manifest = write_manifest(tmp_path, 12, "concurrency: 2")
    text = manifest.read_text()
    edited = text.replace("from: 1, count: 12", "from: 7, count: 12")
    with MisbehavingServer(latency=0.1) as server:

        def started(session, loop):
            if len(server.ledger.accepted) < 3:
                loop.call_later(0.01, started, session, loop)
                return
            manifest.write_text(edited)

        first = finish(order_for(manifest, server.url), started=started)
        assert manifest.read_text() == edited
        assert first.states == {"done": 12}
        assert {body["seed"] for body in server.ledger.bodies} == set(range(1, 13))
        second = finish(order_for(manifest, server.url))
        assert second.states == {"done": 12}
        assert sorted(body["seed"] for body in server.ledger.bodies) == list(range(1, 19))
        assert server.ledger.accepted_twice() == server.ledger.not_fetched() == []


def test_a_manifest_that_is_broken_while_it_runs_changes_nothing(tmp_path):
    manifest = write_manifest(tmp_path, 6, "concurrency: 2")
    with MisbehavingServer(latency=0.1) as server:
        done = finish(
            order_for(manifest, server.url),
            started=lambda _, loop: loop.call_later(0.1, manifest.write_text, "version: [1"),
        )
        assert done.states == {"done": 6}
    assert manifest.read_text() == "version: [1"


def test_limits_that_change_while_it_runs_lose_nothing_and_pay_nothing_twice(tmp_path):
    """Tighter, then loose again, each in the middle of submits under way."""
    with MisbehavingServer(concurrency=8, latency=0.05) as server:

        def started(session, loop):
            taken = len(server.ledger.accepted)
            server.concurrency = 8 if taken < 10 else 1 if taken < 20 else 4
            loop.call_later(0.01, started, session, loop)

        done = finish(order_for(write_manifest(tmp_path, 40, "concurrency: 8"), server.url), started=started)
        assert done.states == {"done": 40}
        assert server.ledger.refused["concurrency"] > 0
        assert server.ledger.accepted_twice() == server.ledger.not_fetched() == []
    assert {job.attempts for job in done.jobs.values()} == {1}
