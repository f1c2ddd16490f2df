"""The client's edges: base URLs, the key, what is shown of a server's words, and an app in process."""

import asyncio

import httpx
import orjson
import pytest
from starlette.applications import Starlette
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route

from zbatch.api.answers import MAX_REASON, Answer, shown, words_of
from zbatch.api.client import ApiClient
from zbatch.api.errors import ApiError, NotAcceptedError, OutcomeUnknownError, RejectedError
from zbatch.api.timeouts import Timeouts
from zbatch.errors import EndpointError

KEY = "sk-planted-key-0123456789"


class Fixed(httpx.AsyncBaseTransport):
    """Gives one and the same answer, whatever the URL."""

    def __init__(self, status=200, content=b'{"task_id": "t"}', **headers):
        self.status, self.content, self.headers, self.requests = status, content, headers, []

    async def handle_async_request(self, request):
        self.requests.append(request)
        return httpx.Response(self.status, headers=self.headers, stream=httpx.ByteStream(self.content))


def client(base_url="https://api.example", transport=None, key=KEY, **arguments):
    return ApiClient(
        transport=transport or Fixed(), base_url=base_url, model="z-image-turbo", key=key, **arguments
    )


@pytest.mark.parametrize(
    ("base_url", "submit_url"),
    [
        ("https://api.example", "https://api.example/v3/async/z-image-turbo"),
        ("https://api.example/", "https://api.example/v3/async/z-image-turbo"),
        ("https://api.example:8443/proxy/x/", "https://api.example:8443/proxy/x/v3/async/z-image-turbo"),
        ("http://localhost:8788", "http://localhost:8788/v3/async/z-image-turbo"),
        ("http://[::1]:8788", "http://[::1]:8788/v3/async/z-image-turbo"),
    ],
)
def test_base_urls(base_url, submit_url):
    transport = Fixed()
    asyncio.run(client(base_url, transport).submit({"prompt": "x"}))
    assert str(transport.requests[0].url) == submit_url


@pytest.mark.parametrize(
    "base_url",
    [
        *("", "api.example", "ftp://api.example", "https://", "https://api.example:99999"),
        *("https://user:secret@api.example", "https://secret@api.example", "https://api.example/?secret=1"),
        *(
            "https://api.example/#secret",
            "https://api.example?",
            "https://api .example",
            "https://a\nb.example",
        ),
        *(
            "http://api.example",
            "http://192.168.0.1",
            "http://127.0.0.1.evil.example",
            "http://localhost.evil",
        ),
    ],
)
def test_base_urls_that_are_refused(base_url):
    with pytest.raises(EndpointError) as caught:
        client(base_url)
    assert "secret" not in str(caught.value)


def test_plain_http_without_a_key_is_allowed():
    client("http://api.example", key=None)


@pytest.mark.parametrize("key", ["", " ", "two\nlines", "schlüssel", "sk-\x00"])
def test_keys_that_cannot_be_sent(key):
    with pytest.raises(EndpointError) as caught:
        client(key=key)
    assert key.strip() == "" or key not in str(caught.value)


def test_neither_key_nor_signed_url_stands_in_a_message():
    words = (
        b'{"code": 400, "reason": "INVALID_REQUEST_BODY", "message": "key %s may not use '
        b'https://u:p@host/a/b.png?signature=planted#planted \\u001b[31m or data:image/png;base64,planted"}'
    )
    transport = Fixed(400, words % KEY.encode())
    with pytest.raises(RejectedError) as caught:
        asyncio.run(client(transport=transport).submit({"prompt": "x"}))
    message = caught.value.message
    assert KEY not in message
    assert "planted" not in message.replace("***", "")
    assert "https://host/a/b.png" in message
    assert "u:p" not in message
    assert message.isprintable()


def test_a_key_at_the_cut_of_a_long_message_is_not_cut_into_view():
    for length in range(270, 310):
        assert "sk-pl" not in shown("x" * length + KEY, KEY)
    for length in range(MAX_REASON - 30, MAX_REASON + 10):
        assert "sk-pl" not in shown("x" * length + KEY, KEY, MAX_REASON)


def test_what_a_server_says_of_a_request_is_kept_to_two_thousand_characters():
    answer = Answer(400, {}, orjson.dumps({"reason": "BAD", "message": "word " * 390}))
    assert words_of(answer, KEY).message == ("word " * 390).strip()
    answer = Answer(400, {}, orjson.dumps({"reason": "BAD", "message": f"word {KEY} " * 390}))
    assert len(words_of(answer, KEY).message) == MAX_REASON
    assert "sk-pl" not in words_of(answer, KEY).message


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (
            b"<html><head><title>t</title><style>p{}</style></head><body><h1>502</h1> &amp; so</body>",
            "502 & so",
        ),
        (b'{"error": {"message": "from openai", "type": "bad"}}', "bad from openai"),
        (b'{"error": "just text"}', "just text"),
        (b'{"detail": "from fastapi"}', "from fastapi"),
        (b'{"message": {"not": "text"}}', "no reason given"),
        (b"\xff\xfe\x00\x01", "no reason given"),
        (b"", "no reason given"),
        (b"[" * 10_000, "…"),
        (b"<" * 60_000, "…"),
        (b"<head" * 12_000, "no reason given"),
        (b"a://" * 15_000, "…"),
        (b"a.b:" * 15_000, "…"),
        (b"<h1>Too many words</h1>" + b" and more" * 7_000, "Too many words and more"),
    ],
)
def test_the_servers_own_words(content, expected):
    with pytest.raises(OutcomeUnknownError) as caught:
        asyncio.run(client(transport=Fixed(502, content)).submit({"prompt": "x"}))
    assert caught.value.message.startswith(f"HTTP 502: {expected}")
    assert len(caught.value.message) < 400


@pytest.mark.parametrize(
    ("value", "date", "expected"),
    [
        ("0", "", 0),
        ("7.5", "", 7.5),
        ("3601", "", 3600),
        ("9" * 400, "", None),
        ("nan", "", None),
        ("-1", "", None),
        ("1e9", "", None),
        ("Tue, 24 Nov 2026 10:00:30 GMT", "Tue, 24 Nov 2026 10:00:00 GMT", 30),
        ("Tue, 24 Nov 2026 09:00:00 GMT", "Tue, 24 Nov 2026 10:00:00 GMT", 0),
        ("Tue, 24 Nov 9999 09:00:00 GMT", "Tue, 24 Nov 2026 10:00:00 GMT", 3600),
        ("Tue, 99 Nov 2026 99:00:00 GMT", "", None),
        ("soon", "", None),
    ],
)
def test_retry_after_forms(value, date, expected):
    transport = Fixed(429, b"", **{"Retry-After": value}, **({"Date": date} if date else {}))
    with pytest.raises(ApiError) as caught:
        asyncio.run(client(transport=transport).submit({"prompt": "x"}))
    assert caught.value.retry_after == expected


def test_an_app_in_process_is_an_endpoint_like_any_other():
    async def submit(request):
        return JSONResponse({"task_id": (await request.json())["prompt"]})

    async def result(request):
        images = [{"image_url": "http://preview/images/a%2Fb?x=%2B"}]
        return JSONResponse({"task": {"status": request.query_params["task_id"]}, "images": images})

    async def image(request):
        assert "authorization" not in request.headers
        return PlainTextResponse(request.scope["raw_path"])

    app = Starlette(
        routes=[
            Route("/v3/async/task-result", result),
            Route("/v3/async/z-image-turbo", submit, methods=["POST"]),
            Route("/images/{name:path}", image),
        ]
    )

    async def main():
        api = client("http://preview", httpx.ASGITransport(app), key=None)
        task_id = await api.submit({"prompt": "a & b/c"})
        result = await api.result(task_id)
        picture = await api.download(result.images[0].image_url)
        await api.aclose()
        return task_id, result.status, picture

    assert asyncio.run(main()) == ("a & b/c", "a & b/c", b"/images/a%2Fb")


def test_an_app_in_process_that_breaks_may_have_taken_the_submit():
    async def broken(scope, receive, send):
        raise KeyError(f"planted {KEY}")

    async def act(call):
        with pytest.raises(ApiError) as caught:
            await call
        assert KEY not in caught.value.message
        return type(caught.value)

    async def main():
        api = client(transport=httpx.ASGITransport(broken))
        return await act(api.submit({"prompt": "x"})), await act(api.result("t"))

    assert asyncio.run(main()) == (OutcomeUnknownError, NotAcceptedError)


def test_an_app_in_process_that_hangs_comes_to_an_end(monkeypatch):
    async def hangs(scope, receive, send):
        await asyncio.Event().wait()

    monkeypatch.setattr("zbatch.api.client._GRACE", 0.1)
    api = client(transport=httpx.ASGITransport(hangs), timeouts=Timeouts(total=0.1))
    with pytest.raises(OutcomeUnknownError) as caught:
        asyncio.run(api.submit({"prompt": "x"}))
    assert caught.value.reason == "TIMEOUT"
