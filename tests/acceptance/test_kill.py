"""The promise of the product: kill -9 at any moment loses no paid image and pays none twice.

`ZBATCH_TEST_SEED` draws other moments, `ZBATCH_TEST_KILLS` more of them.
"""

import os
import random
import time

import httpx
import pytest
from support.command import counts, wait_until, zbatch, zbatch_started
from support.misbehaving_process import MisbehavingProcess
from support.runs import check_files, write_manifest

from zbatch.model import JobState
from zbatch.state.run import Run

SEED = os.environ.get("ZBATCH_TEST_SEED", "1")
KILLS = int(os.environ.get("ZBATCH_TEST_KILLS", "10"))
JOBS = 200
LEFT_OUT = ",".join(
    [
        *("connection:close", "connection:reset"),  # would hit the calls for the ledger as well
        *("late", "drip", "huge", "bomb"),  # slow
        *("failed", "failed-no-reason", "lost"),  # another attempt is right
        *("400-body", "400-prompt", "404-model"),  # the job is refused for good
    ]
)


def seeds(ledger):
    return [entry.body["seed"] for entry in ledger.accepted]


@pytest.mark.parametrize(
    "arguments",
    [
        ("--latency", "0.15"),
        ("--latency", "0.1", "--share", "0.1", "--seed", SEED, "--leave-out", LEFT_OUT),
    ],
    ids=["well", "with-faults"],
)  # fmt: skip
def test_killed_at_random_moments(tmp_path, arguments):
    dice = random.Random(f"{SEED} {arguments}")
    manifest = write_manifest(tmp_path, JOBS, "concurrency: 8")
    run = tmp_path / "run"
    with MisbehavingProcess(*arguments) as server:
        command = ("run", manifest, "-o", run, "--endpoint", server.url, "--no-report", "--progress", "none")
        killed = 0
        for _ in range(KILLS):
            with zbatch_started(*command, cwd=tmp_path) as process:
                before = len(server.ledger.seen)
                wait_until(lambda began=before: len(server.ledger.seen) > began, process)
                time.sleep(dice.uniform(0, 0.45))
                killed += process.poll() is None
                process.kill()
                process.wait(10)
        done = zbatch(*command, cwd=tmp_path)
        for _ in range(3):  # what a fault left submitted, the next run asks for again
            if set(counts(run)) <= {"done", "unknown", "rejected"}:
                break
            done = zbatch(*command, cwd=tmp_path)
        assert done.returncode in (0, 1), done.stderr
        ledger = server.ledger
        assert killed >= KILLS // 2
        assert ledger.accepted_twice() == []
        with Run(run) as opened:
            records = {record.request.seed: record for record in opened.jobs()}
            check_files(opened)
        states = {state: sum(record.state == state for record in records.values()) for state in JobState}
        assert states[JobState.DONE] + states[JobState.UNKNOWN] == JOBS, states
        # Every submit is accounted for: done with its own task, or held and told.
        held = {seed for seed, record in records.items() if record.state == JobState.UNKNOWN}
        for entry in ledger.accepted:
            record = records[entry.body["seed"]]
            assert entry.body["seed"] in held or record.task_ids == (entry.task_id,)
        for seed, record in records.items():
            assert record.state == JobState.UNKNOWN or seed in set(seeds(ledger))
            assert record.attempts == 1

        for _ in range(5):
            last = zbatch(*command, "--retry", "unknown", cwd=tmp_path)
            if last.returncode == 0:
                break
        assert last.returncode == 0, last.stderr
        with Run(run) as opened:
            assert opened.counts()[JobState.DONE] == JOBS
            check_files(opened)
        twice = [seed for seed in set(seeds(server.ledger)) if seeds(server.ledger).count(seed) > 1]
        assert set(twice) <= held


def test_killed_against_zbatch_serve(tmp_path):
    """The same over our own server, which counts the tasks it took: never more than there were submits."""
    dice = random.Random(f"{SEED} serve")
    manifest = write_manifest(tmp_path, 80, "concurrency: 8")
    run = tmp_path / "run"
    with zbatch_started("serve", "--port", 0, cwd=tmp_path) as server:
        url = server.stdout.readline().strip()
        command = ("run", manifest, "-o", run, "--endpoint", url, "--no-report", "--progress", "none")
        for _ in range(4):
            with zbatch_started(*command, cwd=tmp_path) as process:
                wait_until((run / "state.sqlite3").exists, process)
                time.sleep(dice.uniform(0.1, 0.5))
                process.kill()
                process.wait(10)
        done = zbatch(*command, cwd=tmp_path)
        assert done.returncode in (0, 1), done.stderr
        taken = httpx.get(f"{url}/healthz").json()["tasks"]["finished"]
        with Run(run) as opened:
            records = list(opened.jobs())
            check_files(opened)
        assert {record.state for record in records} <= {JobState.DONE, JobState.UNKNOWN}
        assert {record.attempts for record in records} == {1}
        assert sum(record.state is JobState.DONE for record in records) <= taken <= len(records)
        assert zbatch(*command, "--retry", "unknown", cwd=tmp_path).returncode == 0
        with Run(run) as opened:
            assert opened.counts()[JobState.DONE] == 80
            check_files(opened)
