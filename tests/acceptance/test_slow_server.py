"""A whole run with the time-outs that users have, against answers that come too late or one byte a second."""

from support.misbehaving import MisbehavingServer
from support.runs import finish, order_for, write_manifest


def test_answers_after_the_client_gave_up_and_at_a_byte_a_second_lose_and_repeat_nothing(tmp_path):
    faults = {"submit": ["late", "drip"], "result": ["late", "drip"]}
    with MisbehavingServer(faults) as server:
        server.late, server.drip = 63.0, 1.0  # `Timeouts.read` is 60 s
        manifest = write_manifest(tmp_path, 6)
        done = finish(order_for(manifest, server.url))
        assert (done.ending, done.states) == ("incomplete", {"done": 4, "unknown": 2})
        held = [job for job in done.jobs.values() if job.state == "unknown"]
        assert {job.reason for job in held} == {"TIMEOUT"}
        # Both were accepted all the same; the answers that came later changed nothing.
        assert len(server.ledger.accepted) == 6
        assert server.ledger.accepted_twice() == []
        again = finish(order_for(manifest, server.url))
        assert again.states == done.states
        assert len(server.ledger.bodies) == 6


def test_deadlines_end_a_run_whose_polls_trickle_for_ever(tmp_path):
    with MisbehavingServer({"result": ["drip*"]}) as server:
        server.drip = 1.0
        manifest = write_manifest(tmp_path, 2, "job_deadline: 5s, run_deadline: 8s")
        done = finish(order_for(manifest, server.url))
        assert (done.ending, done.states) == ("run_deadline", {"submitted": 2})
        assert {job.reason for job in done.jobs.values()} == {"job_deadline"}
        assert len(server.ledger.accepted) == 2
        server.change({"faults": {}})
        again = finish(order_for(manifest, server.url))
        assert (again.ending, again.states) == ("complete", {"done": 2})
        assert server.ledger.accepted_twice() == []
