"""Deadlines over several runs and over time asleep: each task is asked before it is given up."""

import asyncio
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from support.misbehaving import MisbehavingServer
from support.runs import finish, order_for, write_manifest

from zbatch.api.transport import AiohttpTransport


def accepted(run, delta):
    """Say in the state that the tasks were accepted at another time by the wall clock."""
    at = (datetime.now(UTC) + delta).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    with closing(sqlite3.connect(run / "state.sqlite3")) as raw, raw:
        raw.execute("UPDATE attempts SET accepted_at = ?", (at,))


@pytest.fixture
def left(tmp_path):
    """Three tasks in flight that an earlier run left; the server has them still."""
    with MisbehavingServer(latency=30) as server:
        assert finish(
            order_for(write_manifest(tmp_path, 3, "job_deadline: 200ms"), server.url)
        ).states == {"submitted": 3}  # fmt: skip
        yield server, write_manifest(tmp_path, 3, "job_deadline: 10s"), tmp_path / "run"


def ready(server):
    for task in server.tasks.values():
        task.done_at = 0


def test_a_task_past_its_deadline_is_asked_and_fetched_where_it_is_finished(left):
    server, manifest, run = left
    accepted(run, timedelta(days=-1))
    ready(server)
    server.change({"faults": {"result": ["502-html", "504-html", "503"]}})
    assert finish(order_for(manifest, server.url)).states == {"done": 3}
    assert len(server.ledger.accepted) == 3


def test_one_that_is_not_finished_is_given_up_after_being_asked_once(left):
    server, manifest, run = left
    accepted(run, timedelta(days=-1))
    before = server.ledger.count("result")
    done = finish(order_for(manifest, server.url))
    assert done.states == {"submitted": 3}
    assert server.ledger.count("result") - before == 3
    assert {job.reason for job in done.jobs.values()} == {"job_deadline"}
    ready(server)
    assert finish(order_for(manifest, server.url)).states == {"done": 3}


def test_a_wall_clock_that_was_set_back_makes_tasks_young_not_old(left):
    server, manifest, run = left
    accepted(run, timedelta(hours=5))
    server.change({"faults": {"result": ["502-html", "500-result", "503"]}})
    ready(server)
    assert finish(order_for(manifest, server.url)).states == {"done": 3}


def test_no_connection_of_before_a_sleep_is_used_after_it():
    asleep = 0.0

    async def main(server):
        nonlocal asleep
        transport = AiohttpTransport(suspended=lambda: asleep)
        async with httpx.AsyncClient(transport=transport, base_url=server.url) as client:
            counts = []
            for more in (0.0, 0.0, 3600.0, 0.0):
                asleep += more
                await client.get("/v3/async/task-result", params={"task_id": "none"})
                counts.append(server.connections)
        return counts

    with MisbehavingServer() as server:
        assert asyncio.run(main(server)) == [1, 1, 2, 2]
