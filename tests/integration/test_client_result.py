"""Asking how a task is: may be repeated freely, and never loses one on a proxy's word."""

import asyncio

import pytest
from support.misbehaving import MisbehavingServer

from zbatch.api.client import ApiClient
from zbatch.api.errors import (
    AccountRefusedError,
    ApiError,
    BadAnswerError,
    NotAcceptedError,
    TaskLostError,
    ThrottledError,
)
from zbatch.api.timeouts import Timeouts
from zbatch.api.transport import AiohttpTransport

QUICK = Timeouts(connect=2, read=0.4, write=2, pool=2, total=3)
BODY = {"prompt": "a red fox", "size": "256*256"}


def asked(fault=None, *, latency=0.0, times=1, task_id=None):
    """Submit, ask `times` times; give the last answer or error, and the server."""

    async def main(server):
        transport = AiohttpTransport(timeouts=QUICK)
        client = ApiClient(transport=transport, base_url=server.url, model="m", timeouts=QUICK)
        try:
            task = task_id or await client.submit(BODY)
            for _ in range(times - 1):
                await client.result(task)
            return await client.result(task)
        except ApiError as error:
            return error
        finally:
            await client.aclose()

    with MisbehavingServer(faults={"result": [fault]}, latency=latency) as server:
        return asyncio.run(main(server)), server


def test_a_task_that_is_done():
    result, server = asked()
    assert result.status == "TASK_STATUS_SUCCEED"
    assert result.images[0].image_url.startswith(server.url + "/images/")


def test_a_task_that_runs():
    result, _ = asked(latency=60)
    assert (result.status, result.images) == ("TASK_STATUS_PROCESSING", ())


@pytest.mark.parametrize(
    ("fault", "status", "reason"),
    [
        ("failed", "TASK_STATUS_FAILED", "the model ran out of memory"),
        ("failed-no-reason", "TASK_STATUS_FAILED", ""),
        ("never", "TASK_STATUS_PROCESSING", ""),
        ("unknown-status", "TASK_STATUS_ZEN", ""),
        ("backwards", "TASK_STATUS_QUEUED", ""),
        ("string-numbers", "TASK_STATUS_SUCCEED", ""),
        ("null-fields", "TASK_STATUS_SUCCEED", ""),
        ("missing-fields", "TASK_STATUS_SUCCEED", ""),
        ("drip", "TASK_STATUS_SUCCEED", ""),
    ],
)
def test_what_a_task_may_say(fault, status, reason):
    result, _ = asked(fault)
    assert (result.status, result.reason) == (status, reason)


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("429-seconds", ThrottledError),
        ("401", AccountRefusedError),
        ("403-key", AccountRefusedError),
        ("not-found", TaskLostError),
        ("lost", TaskLostError),
        ("404-html", BadAnswerError),
        ("html-200", BadAnswerError),
        ("list", BadAnswerError),
        ("null", BadAnswerError),
        ("empty", BadAnswerError),
        ("half-json", BadAnswerError),
        ("no-status", BadAnswerError),
        ("task-is-text", BadAnswerError),
        ("cut", BadAnswerError),
        ("garbage", BadAnswerError),
        ("bad-chunks", BadAnswerError),
        ("408", NotAcceptedError),
        ("500-result", NotAcceptedError),
        ("502-html", NotAcceptedError),
        ("503", NotAcceptedError),
        ("504-html", NotAcceptedError),
        ("late", NotAcceptedError),
    ],
)
def test_what_may_go_wrong(fault, expected):
    error, _ = asked(fault)
    assert type(error) is expected
    assert error.reason


@pytest.mark.parametrize("fault", ["close", "reset", "cut-head"])
def test_a_broken_connection_passes(fault):
    """A GET on a kept-alive connection is repeated by itself; on a fresh one it is the caller's turn."""
    answer, server = asked(fault)
    assert isinstance(answer, NotAcceptedError) or answer.status == "TASK_STATUS_SUCCEED"
    assert len(server.ledger.accepted) == 1


def test_a_task_nobody_knows_is_lost():
    error, _ = asked(task_id="no/such?task&id=1#é")
    assert type(error) is TaskLostError
    assert error.reason == "TASK_NOT_FOUND"


def test_a_lost_task_stays_lost_but_an_ordinary_one_is_asked_for_again_and_again():
    result, server = asked(times=5)
    assert result.status == "TASK_STATUS_SUCCEED"
    assert server.ledger.count("result") == 5
    assert server.connections == 1
