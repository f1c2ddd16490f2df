"""Runs against a server that spoils results and pictures: nothing paid is lost, nothing is paid twice."""

import hashlib
import io
import json
import os
import random
import signal
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image
from support.misbehaving import MisbehavingServer
from support.runs import QUICK, finish, order_for, seed_of, write_manifest

from zbatch.errors import AccountError, DiskError, EndpointError, SurroundingsError

PASSING = [
    "429", "408", "503", "503-html", "502-html", "504-html", "500-result", "html-200", "404-html",
    "not-found",
    "close", "reset", "cut-head", "cut", "garbage", "huge-header", "bad-chunks", "list", "null", "empty",
    "half-json", "no-status", "task-is-text", "unknown-status", "backwards", "string-numbers", "drip",
]  # fmt: skip
PICTURES = [
    "half", "half-said-whole", "zero", "noise", "redirect-loop", "html-200", "500", "503", "cut", "cut-head",
    "close", "reset", "bad-chunks", "garbage", "bomb", "429", "403", "404", "410",
]  # fmt: skip


def by_seed(server, faults):
    """A script that spoils the pictures (or results) of some seeds in order."""
    left = {seed: list(names) for seed, names in faults.items()}

    def script(incoming):
        if incoming.call != "image":
            return None
        names = left.get(seed_of(server, incoming.target[8:].partition("%2F")[0]))
        if not names:
            return None
        return names[0].rstrip("*") if names[0].endswith("*") else names.pop(0)

    return script


def test_a_poll_that_goes_wrong_in_any_way_is_made_again(tmp_path):
    with MisbehavingServer({"result": PASSING}, latency=0) as server:
        server.drip = 0
        done = finish(order_for(write_manifest(tmp_path, 12, "concurrency: 12"), server.url))
        assert done.states == {"done": 12}
        assert len(server.ledger.accepted) == 12
        assert server.ledger.not_fetched() == []
    assert {job.attempts for job in done.jobs.values()} == {1}
    assert "strange_status" in done.told.names()


def test_a_picture_that_goes_wrong_is_fetched_again_and_its_task_never_repeated(tmp_path):
    with MisbehavingServer(latency=0) as server:
        server.script = by_seed(server, {seed: [name] * 2 for seed, name in enumerate(PICTURES, 1)})
        done = finish(order_for(write_manifest(tmp_path, len(PICTURES), "concurrency: 20"), server.url))
        assert done.states == {"done": len(PICTURES)}
        assert len(server.ledger.accepted) == len(PICTURES)
        assert server.ledger.not_fetched() == []


def test_a_picture_that_never_arrives_whole_leaves_its_job_submitted_for_the_next_run(tmp_path):
    names = ["half", "half-said-whole", "zero", "noise", "bomb", "403", "404", "html-200", "redirect-loop"]
    manifest = write_manifest(tmp_path, len(names) + 1, "concurrency: 20, on_unknown: resubmit, attempts: 5")
    with MisbehavingServer(latency=0) as server:
        server.script = by_seed(server, {seed: [name + "*"] for seed, name in enumerate(names, 1)})
        first = finish(order_for(manifest, server.url))
        assert first.states == {"submitted": len(names), "done": 1}
        assert first.ending == "incomplete"
        held = [first.jobs[seed] for seed in range(1, len(names) + 1)]
        assert all(job.reason and job.message for job in held)
        assert "gone" in first.jobs[6].message
        again = finish(order_for(manifest, server.url, retry=("failed", "unknown", "rejected")))
        assert again.states == first.states
        server.script = lambda incoming: None
        last = finish(order_for(manifest, server.url))
        assert last.states == {"done": len(names) + 1}
        assert len(server.ledger.accepted) == len(names) + 1
        assert server.ledger.not_fetched() == []
    assert {job.reason for job in last.jobs.values()} == {None}


def test_a_link_that_expired_is_asked_for_anew(tmp_path):
    with MisbehavingServer({"image": ["403", "410", "404"]}, latency=0) as server:
        server.renews_urls = True
        done = finish(order_for(write_manifest(tmp_path, 3), server.url))
        assert done.states == {"done": 3}
        assert len(server.ledger.accepted) == 3


def test_pictures_of_another_size_or_format_are_kept_and_marked(tmp_path):
    with MisbehavingServer({"image": ["wrong-size", "wrong-format"]}, latency=0) as server:
        done = finish(order_for(write_manifest(tmp_path, 2, "concurrency: 1"), server.url))
    assert done.states == {"done": 2}
    warnings = sorted(job.artifact.warnings for job in done.jobs.values())
    assert warnings == [
        ("output_format: asked for webp, got png",), ("size: asked for 256*256, got 300*260",)
    ]  # fmt: skip


def test_a_picture_larger_than_its_pixels_is_fetched_with_more_room(tmp_path):
    file = io.BytesIO()
    Image.frombytes("RGB", (640, 640), random.Random(1).randbytes(640 * 640 * 3)).save(file, "png")
    with MisbehavingServer(latency=0) as server:
        server.picture = lambda body: file.getvalue()
        done = finish(order_for(write_manifest(tmp_path, 1), server.url))
        assert server.ledger.count("image") == 2
    assert done.states == {"done": 1}
    assert done.jobs[1].artifact.received_sha256 == hashlib.sha256(file.getvalue()).hexdigest()
    assert "picture_problem" not in done.told.names()


def test_a_picture_larger_than_any_may_be_is_given_up_for_this_run(tmp_path):
    with MisbehavingServer({"image": ["huge*"]}, latency=0) as server:
        done = finish(order_for(write_manifest(tmp_path, 1), server.url))
    assert done.states == {"submitted": 1}
    assert done.jobs[1].reason == "TOO_LARGE"


def test_base64_in_every_form(tmp_path):
    manifest = write_manifest(tmp_path, 4, more="")
    manifest.write_text(manifest.read_text().replace("256*256}", "256*256, enable_base64_output: true}"))
    with MisbehavingServer({"result": ["data-uri", "base64"]}, latency=0) as server:
        done = finish(order_for(manifest, server.url))
        assert done.states == {"done": 4}
        assert server.ledger.count("image") == 0
        # How a picture travels is not what it is: the same jobs.
        assert finish(order_for(write_manifest(tmp_path, 4), server.url)).ending == "complete"
        assert len(server.ledger.accepted) == 4


def test_answers_without_images_at_first(tmp_path):
    with MisbehavingServer({"result": ["null-fields", "missing-fields"]}, latency=0) as server:
        done = finish(order_for(write_manifest(tmp_path, 3), server.url))
        assert done.states == {"done": 3}
        assert len(server.ledger.accepted) == 3


def test_a_failed_task_is_submitted_again_within_its_attempts_and_by_a_persons_word(tmp_path):
    manifest = write_manifest(tmp_path, 2, "attempts: 2, concurrency: 1")
    with MisbehavingServer({"result": ["failed", "failed-no-reason", "failed"]}, latency=0) as server:
        done = finish(order_for(manifest, server.url))
        assert done.states == {"failed": 1, "done": 1}
        assert len(server.ledger.accepted) == 4
        (failed,) = [job for job in done.jobs.values() if job.state == "failed"]
        assert (failed.attempts, len(failed.task_ids)) == (2, 2)
        assert failed.message in ("the model ran out of memory", "the server gave no reason")
        assert finish(order_for(manifest, server.url)).states == done.states
        assert len(server.ledger.accepted) == 4
        assert finish(order_for(manifest, server.url, retry=("failed",))).ending == "complete"
        assert len(server.ledger.accepted) == 5


def test_more_attempts_in_the_manifest_let_a_failed_job_go_on(tmp_path):
    with MisbehavingServer({"result": ["failed"]}, latency=0) as server:
        assert finish(order_for(write_manifest(tmp_path, 1, "attempts: 1"), server.url)).states == {
            "failed": 1
        }
        assert finish(order_for(write_manifest(tmp_path, 1, "attempts: 2"), server.url)).states == {"done": 1}


@pytest.mark.parametrize(
    ("limits", "accepted", "states"), [("", 1, "unknown"), ("on_unknown: resubmit", 2, "done")]
)
def test_a_task_the_server_lost_is_held_or_submitted_again_as_the_manifest_says(
    tmp_path, limits, accepted, states
):
    with MisbehavingServer({"result": ["lost"]}, latency=0) as server:
        done = finish(order_for(write_manifest(tmp_path, 1, limits), server.url))
        assert done.states == {states: 1}
        assert len(server.ledger.accepted) == accepted
    assert done.jobs[1].attempts == accepted


def test_a_succeeded_task_that_is_lost_is_never_submitted_again_by_itself(tmp_path):
    manifest = write_manifest(tmp_path, 1, "on_unknown: resubmit, attempts: 9")
    with MisbehavingServer({"image": ["404*"], "result": [None, "lost"]}, latency=0) as server:
        first = finish(order_for(manifest, server.url))
        assert first.states == {"unknown": 1}
        assert first.jobs[1].reason == "image_lost"
        assert finish(order_for(manifest, server.url)).states == {"unknown": 1}
        assert len(server.ledger.accepted) == 1
        server.script = lambda incoming: None
        assert finish(order_for(manifest, server.url, retry=("unknown",))).states == {"done": 1}
        assert len(server.ledger.accepted) == 2


def test_a_task_not_found_right_after_a_restart_is_not_lost_yet(tmp_path):
    manifest = write_manifest(tmp_path, 3, "job_deadline: 500ms")
    with MisbehavingServer(latency=30) as server:
        assert finish(order_for(manifest, server.url)).states == {"submitted": 3}
        for task in server.tasks.values():
            task.done_at = 0
        server.script = lambda incoming: (
            "not-found" if incoming.call == "result" and incoming.number % 2 else None
        )
        manifest = write_manifest(tmp_path, 3)
        done = finish(order_for(manifest, server.url, replace(QUICK, lost_after=60)))
        assert done.states == {"done": 3}


def test_a_task_that_never_ends_is_left_known_at_its_deadline(tmp_path):
    manifest = write_manifest(tmp_path, 3, "job_deadline: 400ms")
    with MisbehavingServer({"result": ["never"]}, latency=0) as server:
        done = finish(order_for(manifest, server.url))
        assert (done.ending, done.states) == ("incomplete", {"submitted": 1, "done": 2})
        (waiting,) = [job for job in done.jobs.values() if job.state == "submitted"]
        assert (waiting.reason, waiting.message) == ("job_deadline", "not finished after 0 s")
        server.tasks[waiting.task_ids[0]].fate = ""
        assert finish(order_for(manifest, server.url)).states == {"done": 3}
        assert len(server.ledger.accepted) == 3


def test_a_run_deadline_drains(tmp_path):
    manifest = write_manifest(tmp_path, 50, "run_deadline: 600ms, concurrency: 2")
    with MisbehavingServer(latency=0.2) as server:
        done = finish(order_for(manifest, server.url))
        assert done.ending == "run_deadline"
        assert set(done.states) == {"done", "pending"}
        assert len(server.ledger.accepted) == done.states["done"]
    assert "draining" in done.told.names()


def test_an_endpoint_that_goes_away_for_good_ends_the_run_with_every_task_known(tmp_path):
    manifest = write_manifest(tmp_path, 6, "concurrency: 3")
    server = MisbehavingServer(latency=60).__enter__()

    def started(session, loop):
        known = len(server.ledger.accepted) == 3
        loop.call_later(0.5, server.__exit__) if known else loop.call_later(0.02, started, session, loop)

    done = finish(order_for(manifest, server.url), started=started)
    assert isinstance(done.outcome.error, EndpointError)
    assert done.states == {"submitted": 3, "pending": 3}
    # Nothing pending: the polls alone have to find out, and not after half an hour.
    again = finish(order_for(manifest, server.url, only=("seed=1",)))
    assert isinstance(again.outcome.error, EndpointError)
    assert again.states == done.states


def test_an_account_that_may_not_even_ask_leaves_every_task_known(tmp_path):
    manifest = write_manifest(tmp_path, 4, "concurrency: 4")
    with MisbehavingServer({"result": ["403-key*"]}, latency=0) as server:
        done = finish(order_for(manifest, server.url))
        assert isinstance(done.outcome.error, AccountError)
        assert done.states == {"submitted": 4}
        server.script = lambda incoming: None
        assert finish(order_for(manifest, server.url)).states == {"done": 4}
        assert len(server.ledger.accepted) == 4


def test_a_disk_that_refuses_pictures_stops_the_run_names_the_file_and_loses_nothing(tmp_path):
    manifest = write_manifest(tmp_path, 12, "concurrency: 4")
    images = tmp_path / "run" / "images"
    with MisbehavingServer(latency=0.3) as server:

        def started(session, loop):
            if server.ledger.accepted:
                images.rename(tmp_path / "images-away")
                images.write_text("a file in the way")
            else:
                loop.call_later(0.02, started, session, loop)

        done = finish(order_for(manifest, server.url), started=started)
        assert isinstance(done.outcome.error, DiskError)
        assert "run/images" in done.outcome.error.message
        assert done.ending == "stopped"
        stuck = {job.reason for job in done.jobs.values() if job.state == "submitted"}
        assert "not_saved" in stuck
        images.unlink()
        (tmp_path / "images-away").rename(images)
        assert finish(order_for(manifest, server.url)).states == {"done": 12}
        assert server.ledger.accepted_twice() == server.ledger.not_fetched() == []


def test_helpers_that_are_killed_end_the_run_clearly_and_nothing_is_lost(tmp_path):
    manifest = write_manifest(tmp_path, 30, "concurrency: 8")
    with MisbehavingServer(latency=0.3) as server:

        def kill(loop):
            if not kill_children():  # they may take a while to start
                loop.call_later(0.05, kill, loop)

        def started(_session, loop):
            loop.call_later(0.5, kill, loop)

        done = finish(order_for(manifest, server.url), started=started)
        assert isinstance(done.outcome.error, SurroundingsError)
        assert "helper process" in done.outcome.error.message
        assert finish(order_for(manifest, server.url)).states == {"done": 30}
        assert server.ledger.accepted_twice() == server.ledger.not_fetched() == []


def kill_children():
    """Kill the savers of this process, and nobody else; tell how many there were."""
    killed = 0
    for children in Path("/proc/self/task").glob("*/children"):
        for pid in children.read_text().split():
            if b"zbatch.state.saver" in Path(f"/proc/{pid}/cmdline").read_bytes():
                os.kill(int(pid), signal.SIGKILL)
                killed += 1
    return killed


def test_events_and_records_hold_neither_key_nor_signed_links(tmp_path):
    key = "sk-planted-key-0123456789"
    with MisbehavingServer({"image": ["403", "html-200", "404*"]}, latency=0, key=key) as server:
        done = finish(order_for(write_manifest(tmp_path, 3), server.url, api_key=key))
        assert server.ledger.leaks() == []
    told = repr(done.told.events) + repr(done.jobs)
    written = b"".join(path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file())
    for secret in (key, "signature=", "expires=1999999999"):
        assert secret not in told
        assert secret.encode() not in written
    log = [json.loads(line) for line in (tmp_path / "run" / "run.log.jsonl").read_text().splitlines()]
    assert {"submitting", "submitted", "succeeded", "picture_problem", "given_up"} <= {
        line["name"] for line in log
    }
