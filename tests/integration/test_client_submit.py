"""A submit: what its answer means for money, over real sockets, against the server's own ledger."""

import asyncio

import pytest
from support.misbehaving import MisbehavingServer

from zbatch.api.client import ApiClient
from zbatch.api.errors import (
    AccountRefusedError,
    ApiError,
    NotAcceptedError,
    OutcomeUnknownError,
    RejectedError,
    ThrottledError,
    WrongAddressError,
)
from zbatch.api.timeouts import Timeouts
from zbatch.api.transport import AiohttpTransport

KEY = "sk-planted-key-0123456789"
QUICK = Timeouts(connect=2, read=0.4, write=2, pool=2, total=3)
BODY = {"prompt": "a red fox", "seed": 7, "size": "256*256"}


def call(url, act, *, key=KEY, timeouts=QUICK, **arguments):
    """Make a client, let `act` use it, and close it."""

    async def main():
        client = ApiClient(
            transport=AiohttpTransport(timeouts=timeouts),
            base_url=url,
            model="z-image-turbo-lora",
            key=key,
            timeouts=timeouts,
            **arguments,
        )
        try:
            return await act(client)
        finally:
            await client.aclose()

    return asyncio.run(main())


def submitted(fault):
    """Submit against a fault; give the error (or the task id) and the ledger."""
    with MisbehavingServer(faults={"submit": [fault]}) as server:
        try:
            return call(server.url, lambda client: client.submit(BODY)), server.ledger
        except ApiError as error:
            return error, server.ledger


def test_a_good_submit():
    with MisbehavingServer(key=KEY) as server:
        task_id = call(server.url + "/", lambda client: client.submit(BODY))
        (entry,) = server.ledger.accepted
        assert (entry.task_id, entry.body) == (task_id, BODY)
        (seen,) = server.ledger.seen
        assert seen.target == "/v3/async/z-image-turbo-lora"
        assert seen.authorization == f"Bearer {KEY}"
        assert seen.headers["content-type"] == "application/json"


def test_without_a_key_no_key_is_sent():
    with MisbehavingServer() as server:
        call(server.url, lambda client: client.submit(BODY), key=None)
        assert server.ledger.seen[0].authorization == ""


@pytest.mark.parametrize(
    ("fault", "expected", "status", "reason"),
    [
        ("429", ThrottledError, 429, "RATE_LIMIT_EXCEEDED"),
        ("500-throttled", ThrottledError, 500, "RATE_LIMIT_EXCEEDED"),
        ("503", NotAcceptedError, 503, "SERVICE_NOT_AVAILABLE"),
        ("503-html", NotAcceptedError, 503, "HTTP_503"),
        ("400-body", RejectedError, 400, "INVALID_REQUEST_BODY"),
        ("400-prompt", RejectedError, 400, "ILLEGAL_PROMPT"),
        ("404-model", RejectedError, 404, "MODEL_NOT_FOUND"),
        ("401", AccountRefusedError, 401, "FAILED_TO_AUTH"),
        ("402", AccountRefusedError, 402, "PAYMENT_REQUIRED"),
        ("403-key", AccountRefusedError, 403, "INVALID_API_KEY"),
        ("403-balance", AccountRefusedError, 403, "NOT_ENOUGH_BALANCE"),
        ("400-balance", AccountRefusedError, 400, "BILLING_BALANCE_NOT_ENOUGH"),
    ],
)
def test_a_clear_no_is_taken_as_one(fault, expected, status, reason):
    error, ledger = submitted(fault)
    assert (type(error), error.status, error.reason) == (expected, status, reason)
    assert not ledger.accepted
    assert "said the server" in error.message or "Bad gateway" in error.message


def test_a_page_that_says_404_is_no_api_and_took_nothing():
    error, ledger = submitted("404-html")
    assert type(error) is WrongAddressError
    assert not ledger.accepted


@pytest.mark.parametrize(
    "fault",
    [
        *("408", "500", "500-billing", "502-html", "504-html", "html-200", "close", "reset"),
        *("close-unread", "reset-unread"),
    ],
)
def test_doubt_is_unknown_even_where_nothing_was_accepted(fault):
    error, ledger = submitted(fault)
    assert type(error) is OutcomeUnknownError
    assert not ledger.accepted


@pytest.mark.parametrize(
    "fault",
    [
        *("500-accepted", "502-accepted", "504-accepted", "html-200-accepted", "close-accepted"),
        *("reset-accepted", "cut", "cut-head", "late", "garbage", "huge-header", "bad-chunks"),
        *("list", "null", "empty", "half-json", "no-task-id", "null-task-id"),
    ],
)
def test_a_submit_that_was_accepted_unheard_is_unknown(fault):
    error, ledger = submitted(fault)
    assert type(error) is OutcomeUnknownError
    assert error.reason
    assert len(ledger.accepted) == 1, "accepted once, and not sent again"


@pytest.mark.parametrize("fault", [None, "drip", "number-task-id", "then-close"])
def test_odd_but_good_answers_are_taken(fault):
    task_id, ledger = submitted(fault)
    assert [entry.task_id for entry in ledger.accepted] == [task_id]


@pytest.mark.parametrize(
    ("fault", "low", "high"),
    [
        ("429", None, None),
        ("429-seconds", 1, 1),
        ("429-date", 0, 3),
        ("429-absurd", 3600, 3600),
        ("429-negative", None, None),
        ("429-garbage", None, None),
    ],
)
def test_retry_after(fault, low, high):
    error, _ = submitted(fault)
    assert error.retry_after is None if low is None else low <= error.retry_after <= high


def test_nobody_there_was_not_accepted():
    with MisbehavingServer() as server:
        url = server.url
    with pytest.raises(NotAcceptedError) as caught:
        call(url, lambda client: client.submit(BODY))
    assert caught.value.reason == "NO_CONNECTION"
    assert "Connection refused" in caught.value.message


def test_an_endless_trickle_ends_with_the_total_time_and_is_unknown():
    with MisbehavingServer(faults={"submit": ["drip"]}) as server:
        server.drip = 0.1
        quick = Timeouts(read=1, total=0.5)
        with pytest.raises(OutcomeUnknownError) as caught:
            call(server.url, lambda client: client.submit(BODY), timeouts=quick)
        assert caught.value.reason == "TIMEOUT"


def test_a_body_that_cannot_be_json_is_rejected_unsent():
    with MisbehavingServer() as server:
        with pytest.raises(RejectedError):
            call(server.url, lambda client: client.submit({"prompt": "lone \ud800 surrogate"}))
        assert not server.ledger.seen


def test_a_large_body_arrives_whole():
    body = {**BODY, "image_url": "data:image/png;base64," + "A" * 3_000_000}
    with MisbehavingServer() as server:
        call(server.url, lambda client: client.submit(body))
        assert server.ledger.bodies == [body]


def test_the_servers_limits_and_its_account():
    with MisbehavingServer(concurrency=2, latency=60, say_retry_after=True) as server:

        async def act(client):
            return await asyncio.gather(*(client.submit(BODY) for _ in range(5)), return_exceptions=True)

        answers = call(server.url, act)
        assert sum(isinstance(answer, str) for answer in answers) == 2
        assert sum(isinstance(answer, ThrottledError) and answer.retry_after == 1 for answer in answers) == 3
        server.change({"concurrency": None, "account_error_after": 2})
        with pytest.raises(AccountRefusedError, match="balance is not enough"):
            call(server.url, lambda client: client.submit(BODY))
        assert len(server.ledger.accepted) == 2


def test_two_hundred_submits_with_all_faults_mixed_balance_with_the_ledger():
    """Every submit is known, known to be refused, or unknown; and only refused ones were not accepted."""
    from support.misbehaving_scripts import mixed

    with MisbehavingServer(mixed(seed=11, share=0.5, leave_out=["late"])) as server:

        async def one(client, number):
            try:
                return number, await client.submit({**BODY, "seed": number})
            except ApiError as error:
                return number, error

        async def act(client):
            limit = asyncio.Semaphore(20)

            async def bounded(number):
                async with limit:
                    return await one(client, number)

            return await asyncio.gather(*(bounded(number) for number in range(200)))

        answers = call(server.url, act)
        accepted = {entry.body["seed"] for entry in server.ledger.accepted}
        for number, answer in answers:
            if isinstance(answer, str):
                assert number in accepted
            elif not isinstance(answer, OutcomeUnknownError):
                assert number not in accepted, repr(answer)
        assert not server.ledger.accepted_twice()
        assert sum(isinstance(answer, OutcomeUnknownError) for _, answer in answers) > 10
