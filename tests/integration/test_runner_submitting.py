"""Runs against a server that spoils submits: what state jobs end in, what was paid, what may be repeated."""

from dataclasses import replace
from decimal import Decimal

import pytest
from support.misbehaving import MisbehavingServer
from support.runs import QUICK, finish, order_for, write_manifest

from zbatch.errors import AccountError, EndpointError
from zbatch.state.run import Run

NOT_ACCEPTED = ["429", "429-seconds", "429-garbage", "429-negative", "503", "503-html", "500-throttled"]
UNKNOWN_PAID = [
    "close-accepted", "reset-accepted", "cut-head", "cut", "garbage", "bad-chunks", "500-accepted",
    "502-accepted", "504-accepted", "html-200-accepted", "list", "null", "empty", "half-json", "no-task-id",
    "null-task-id", "huge-header",
]  # fmt: skip
UNKNOWN_UNPAID = ["close", "reset", "500", "500-billing", "408", "502-html", "504-html", "html-200"]
REJECTED = ["400-body", "400-prompt", "404-model"]
ACCOUNT = ["401", "403-balance"]  # the others: tests of the client


def test_all_goes_well(tmp_path):
    with MisbehavingServer() as server:
        done = finish(order_for(write_manifest(tmp_path, 12), server.url))
        assert (done.ending, done.states) == ("complete", {"done": 12})
        assert sorted(body["seed"] for body in server.ledger.bodies) == list(range(1, 13))
        assert server.ledger.not_fetched() == server.ledger.leaks() == []
        again = finish(order_for(write_manifest(tmp_path, 12), server.url))
        assert again.ending == "complete"
        assert len(server.ledger.accepted) == 12
    assert all(len(job.task_ids) == job.attempts == 1 for job in done.jobs.values())


@pytest.mark.parametrize("faults", [NOT_ACCEPTED[:4], NOT_ACCEPTED[4:], ["429-date"]])
def test_what_cannot_have_been_accepted_is_submitted_again_and_counts_as_no_attempt(tmp_path, faults):
    with MisbehavingServer({"submit": faults}) as server:
        done = finish(order_for(write_manifest(tmp_path), server.url))
        assert done.states == {"done": 4}
        assert server.ledger.accepted_twice() == server.ledger.not_fetched() == []
        assert len(server.ledger.accepted) == 4
    assert {job.attempts for job in done.jobs.values()} == {1}
    assert done.told.names().count("back") == len(faults)


def test_unknown_outcomes_are_held_told_and_never_repeated_by_themselves(tmp_path):
    faults = UNKNOWN_PAID + UNKNOWN_UNPAID
    manifest = write_manifest(tmp_path, len(faults) + 5)
    with MisbehavingServer({"submit": faults}) as server:
        first = finish(order_for(manifest, server.url))
        again = finish(order_for(manifest, server.url))
        assert first.ending == again.ending == "incomplete"
        assert first.states == again.states == {"done": 5, "unknown": len(faults)}
        assert server.ledger.accepted_twice() == []
        assert len(server.ledger.accepted) == 5 + len(UNKNOWN_PAID)
        held = [job for job in again.jobs.values() if job.state == "unknown"]
        assert all(job.reason and job.message and job.attempts == 1 for job in held)
        # Only a person's word repeats them, once each; the cost counts every attempt that may have been paid.
        last = finish(order_for(manifest, server.url, retry=("unknown",)))
        assert (last.ending, last.states) == ("complete", {"done": len(faults) + 5})
        assert len(server.ledger.accepted_twice()) == len(UNKNOWN_PAID)
    assert sum(job.attempts for job in last.jobs.values()) == 5 + 2 * len(faults)


def test_a_permission_to_pay_twice_that_was_not_used_is_gone_with_its_run(tmp_path):
    manifest = write_manifest(tmp_path, 6, "concurrency: 1", "price: 0.01")
    with MisbehavingServer({"submit": UNKNOWN_PAID[:1] * 6}) as server:
        held = finish(order_for(manifest, server.url))
        assert held.states == {"unknown": 6}
        said = {job.message for job in held.jobs.values()}
        # The cap stops it after one of the six.
        some = finish(order_for(manifest, server.url, retry=("unknown",), max_cost="0.07"))
        assert some.states == {"unknown": 5, "done": 1}
        before = len(server.ledger.bodies)
        plain = finish(order_for(manifest, server.url))
        assert (plain.states, len(server.ledger.bodies)) == (some.states, before)
        why = {job.message for job in plain.jobs.values() if job.state == "unknown"}
        assert why == said  # in the words that were said of it
        assert finish(order_for(manifest, server.url, retry=("unknown",))).states == {"done": 6}


def test_unknown_outcomes_are_repeated_where_the_manifest_says_so_within_attempts(tmp_path):
    manifest = write_manifest(tmp_path, 1, "on_unknown: resubmit, attempts: 3, concurrency: 1")
    with MisbehavingServer({"submit": ["close-accepted"] * 5}) as server:
        held = finish(order_for(manifest, server.url))
        assert (held.states, held.jobs[1].attempts) == ({"unknown": 1}, 3)
        assert len(server.ledger.accepted) == 3
        assert finish(order_for(manifest, server.url)).jobs[1].attempts == 3
        # A person's word begins a new count.
        assert finish(order_for(manifest, server.url, retry=("unknown",))).states == {"done": 1}
        assert len(server.ledger.accepted) == 6


def test_rejected_jobs_fail_for_good_with_the_servers_words_and_cost_nothing(tmp_path):
    manifest = write_manifest(tmp_path, 6, "concurrency: 1", "price: 0.01")
    with MisbehavingServer({"submit": REJECTED}) as server:
        done = finish(order_for(manifest, server.url))
        assert (done.ending, done.states) == ("incomplete", {"rejected": 3, "done": 3})
        assert finish(order_for(manifest, server.url)).states == {"rejected": 3, "done": 3}
        assert server.ledger.count("submit") == 6
        assert finish(order_for(manifest, server.url, retry=("failed,rejected",))).ending == "complete"
    reasons = [done.jobs[seed].reason for seed in (1, 2, 3)]
    assert reasons == ["INVALID_REQUEST_BODY", "ILLEGAL_PROMPT", "MODEL_NOT_FOUND"]
    assert "said the server" in done.jobs[1].message
    assert [done.jobs[seed].attempts for seed in (1, 2, 3)] == [0, 0, 0]


@pytest.mark.parametrize("fault", ACCOUNT)
def test_an_account_error_stops_submitting_finishes_what_is_in_flight_and_marks_nothing(tmp_path, fault):
    manifest = write_manifest(tmp_path, 20, "concurrency: 3")
    with MisbehavingServer({"submit": [None] * 5 + [fault + "*"]}, latency=0.3) as server:
        done = finish(order_for(manifest, server.url))
        assert done.ending == "stopped"
        assert isinstance(done.outcome.error, AccountError)
        assert done.states == {"done": 5, "pending": 15}
        assert server.ledger.not_fetched() == []
        assert 6 <= server.ledger.count("submit") <= 8
        server.script = lambda incoming: None
        assert finish(order_for(manifest, server.url)).states == {"done": 20}
        assert server.ledger.accepted_twice() == []
    words = "top up" if "balance" in fault else "check the key"
    assert words in done.outcome.error.hint
    assert sum(job.attempts for job in done.jobs.values()) == 5


def test_a_balance_that_runs_out(tmp_path):
    with MisbehavingServer(account_error_after=7) as server:
        done = finish(order_for(write_manifest(tmp_path, 20), server.url))
        assert done.states == {"done": 7, "pending": 13}
        assert "your balance is not enough" in done.outcome.error.message


def test_nobody_listens(tmp_path):
    done = finish(order_for(write_manifest(tmp_path), "http://127.0.0.1:9"))
    assert done.ending == "stopped"
    assert isinstance(done.outcome.error, EndpointError)
    assert "cannot be reached" in done.outcome.error.message
    assert done.states == {"pending": 4}
    assert {job.attempts for job in done.jobs.values()} == {0}


def test_a_page_instead_of_the_api(tmp_path):
    with MisbehavingServer({"submit": ["404-html*"]}) as server:
        done = finish(order_for(write_manifest(tmp_path), server.url))
        assert isinstance(done.outcome.error, EndpointError)
        assert "base URL" in done.outcome.error.hint
        assert done.states == {"pending": 4}
        assert server.ledger.accepted == []
        assert {job.attempts for job in done.jobs.values()} == {0}


def test_connections_that_break_before_anything_was_sent_cost_nothing(tmp_path):
    with MisbehavingServer({"connection": ["close", "reset", "close"]}) as server:
        done = finish(order_for(write_manifest(tmp_path, 6, "concurrency: 2"), server.url))
        # Whether a byte left before the close cannot always be known; then the job is held, never repeated.
        assert set(done.states) <= {"done", "unknown"}
        assert server.ledger.accepted_twice() == server.ledger.not_fetched() == []


def test_the_limits_of_a_server_are_kept_to_without_losing_anything(tmp_path):
    with MisbehavingServer(concurrency=3, latency=0.05, say_retry_after=False) as server:
        done = finish(order_for(write_manifest(tmp_path, 20, "concurrency: 16"), server.url))
        assert done.states == {"done": 20}
        assert server.ledger.accepted_twice() == []


@pytest.mark.parametrize("fault", [None, "429", "close-accepted"])
def test_never_one_submit_over_max_cost_and_all_that_it_allows(tmp_path, fault):
    limits = "concurrency: 8, max_cost: 0.07"
    manifest = write_manifest(tmp_path, 20, limits, "price: 0.01")
    with MisbehavingServer({"submit": [fault, None, fault]}) as server:
        done = finish(order_for(manifest, server.url))
        assert done.ending == "max_cost"
        paid = len(server.ledger.accepted)
        assert paid == 7
        assert sum(job.attempts for job in done.jobs.values()) == 7
        assert finish(order_for(manifest, server.url)).ending == "max_cost"
        assert len(server.ledger.accepted) == paid
        assert finish(order_for(manifest, server.url, max_cost="0.09")).ending == "max_cost"
        assert len(server.ledger.accepted) == 9


def test_max_cost_counts_each_attempt_at_the_price_it_was_made_at(tmp_path):
    with MisbehavingServer() as server:

        def accepted(price, cap):
            manifest = write_manifest(tmp_path, 40, more=f"price: {price}")
            done = finish(order_for(manifest, server.url, max_cost=cap))
            return len(server.ledger.accepted), done.told.snapshots[-1].cost

        assert accepted("0.01", "0.10") == (10, Decimal("0.10"))
        assert accepted("0.005", "0.15") == (20, Decimal("0.150"))
        assert accepted("0.02", "0.20") == (22, Decimal("0.190"))
        with Run(tmp_path / "run") as run:
            assert run.cost() == Decimal("0.190")


def test_max_cost_counts_failed_attempts_and_those_of_jobs_no_longer_shown(tmp_path):
    manifest = write_manifest(tmp_path, 3, "max_cost: 0.05, attempts: 2", "price: 0.01")
    with MisbehavingServer({"result": ["failed", "failed", "failed"]}) as server:
        done = finish(order_for(manifest, server.url))
        assert len(server.ledger.accepted) == 5
        assert done.ending == "max_cost"
        text = manifest.read_text().replace("from: 1, count: 3", "from: 50, count: 3")
        manifest.write_text(text)
        assert finish(order_for(manifest, server.url)).ending == "max_cost"
        assert len(server.ledger.accepted) == 5


def test_a_blip_in_the_middle_is_waited_out(tmp_path):
    """The server is gone for a moment, with many submits under way: that is no reason to end a run."""
    manifest = write_manifest(tmp_path, 6, "concurrency: 6, rate: 5/s")
    first = MisbehavingServer(latency=0).__enter__()
    second = MisbehavingServer(port=int(first.url.rpartition(":")[2]), latency=0)
    second.tasks = first.tasks

    def started(session, loop):
        if not first.ledger.accepted:
            loop.call_later(0.02, started, session, loop)
            return
        first.__exit__()
        loop.call_later(0.8, second.__enter__)

    done = finish(order_for(manifest, first.url, replace(QUICK, unreached=20)), started=started)
    accepted = [*first.ledger.accepted, *second.ledger.accepted]
    second.__exit__()
    assert done.ending in ("complete", "incomplete")  # a submit that broke under way is held
    assert set(done.states) <= {"done", "unknown"}
    assert first.ledger.accepted
    assert second.ledger.accepted
    assert len({entry.body["seed"] for entry in accepted}) == len(accepted)
