"""Fetching pictures: whole or not at all, bounded, and without the key."""

import asyncio
import base64
import gzip

import httpx
import pytest
from support.misbehaving import MisbehavingServer

from zbatch.api.client import ApiClient
from zbatch.api.errors import ApiError, BadAnswerError, GoneError, NotAcceptedError, ThrottledError
from zbatch.api.timeouts import Timeouts
from zbatch.api.transport import AiohttpTransport

KEY = "sk-planted-key-0123456789"
QUICK = Timeouts(connect=2, read=0.4, write=2, pool=2, total=3)
BODY = {"prompt": "a red fox", "size": "256*256", "output_format": "png"}


async def fetched(client, **bound):
    result = await client.result(await client.submit(BODY))
    return await client.download(result.images[0].image_url, **bound)


def call(server_url, act, transport=None):
    async def main():
        over = transport or AiohttpTransport(timeouts=QUICK)
        client = ApiClient(transport=over, base_url=server_url, model="m", key=KEY, timeouts=QUICK)
        try:
            return await act(client)
        except ApiError as error:
            return error
        finally:
            await client.aclose()

    return asyncio.run(main())


@pytest.mark.parametrize(
    "faults", [{}, {"image": ["redirect"]}, {"image": ["redirect"] * 5}, {"image": ["drip"]}]
)
def test_a_whole_picture_arrives_by_url_without_the_key(faults):
    with MisbehavingServer(faults=faults, latency=0, key=KEY) as server:
        server.drip = 0
        assert call(server.url, fetched) == server.picture(BODY)
        assert server.ledger.leaks() == []
        assert not server.ledger.not_fetched()


@pytest.mark.parametrize("form", ["data-uri", "base64"])
def test_a_whole_picture_arrives_inside_the_answer(form):
    with MisbehavingServer(faults={"result": [form]}, latency=0) as server:
        assert call(server.url, fetched) == server.picture(BODY)
        assert server.ledger.count("image") == 0


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("403", GoneError),
        ("404", GoneError),
        ("410", GoneError),
        ("404-html", GoneError),
        ("429-seconds", ThrottledError),
        ("500", NotAcceptedError),
        ("502-html", NotAcceptedError),
        ("503", NotAcceptedError),
        ("late", NotAcceptedError),
        ("html-200", BadAnswerError),
        ("zero", BadAnswerError),
        ("half", BadAnswerError),
        ("cut", BadAnswerError),
        ("bad-chunks", BadAnswerError),
        ("garbage", BadAnswerError),
        ("huge", BadAnswerError),
        ("redirect-loop*", BadAnswerError),
    ],
)
def test_what_may_go_wrong(fault, expected):
    with MisbehavingServer(faults={"image": [fault]}, latency=0) as server:
        error = call(server.url, lambda client: fetched(client, max_bytes=100_000))
        assert type(error) is expected
        assert "signature" not in error.message
        assert server.ledger.leaks() == []


def test_a_url_that_expired_is_replaced_by_asking_again():
    async def act(client):
        task_id = await client.submit(BODY)
        old = (await client.result(task_id)).images[0].image_url
        with pytest.raises(GoneError):
            await client.download(old)
        with pytest.raises(GoneError, match="SignatureDoesNotMatch"):
            await client.download(old)
        return await client.download((await client.result(task_id)).images[0].image_url)

    with MisbehavingServer(faults={"image": ["403"]}, latency=0) as server:
        server.renews_urls = True
        assert call(server.url, act) == server.picture(BODY)


@pytest.mark.parametrize("fault", ["half-said-whole", "wrong-format", "wrong-size", "noise", "bomb"])
def test_what_only_decoding_finds_out_is_handed_over(fault):
    with MisbehavingServer(faults={"image": [fault]}, latency=0) as server:
        assert call(server.url, fetched) not in (b"", server.picture(BODY))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("data:image/png;base64," + base64.b64encode(b"pic").decode(), b"pic"),
        ("DATA:image/png;charset=x;BASE64," + base64.b64encode(b"pic").decode(), b"pic"),
        ("data:image/png;base64,cGlj%0A", b"pic"),
        ("data:,abc", b"abc"),
        (base64.b64encode(b"picture!").decode(), b"picture!"),
        (base64.b64encode(b"picture!").decode().rstrip("="), b"picture!"),
        ("cGlj\r\ndHVy\n", b"pictur"),
        (base64.urlsafe_b64encode(b"\xff\xfe\xfd\xfb\xff").decode(), b"\xff\xfe\xfd\xfb\xff"),
        ("", BadAnswerError),
        ("data:image/png;base64,", BadAnswerError),
        ("not base64 at all!", BadAnswerError),
        ("AAAAA", BadAnswerError),
        ("ftp://example.org/x.png", BadAnswerError),
        ("file:///etc/passwd", BadAnswerError),
        ("/etc/passwd\x00", BadAnswerError),
        ("A" * 200_000, BadAnswerError),
        ("http://", BadAnswerError),
        ("http://[::1", BadAnswerError),
    ],
)
def test_pictures_that_are_text(text, expected):
    answer = call("http://127.0.0.1:9", lambda client: client.download(text, max_bytes=100_000))
    assert answer == expected if isinstance(expected, bytes) else type(answer) is expected


class Scripted(httpx.AsyncBaseTransport):
    """A transport whose answers are written down by URL: hosts and schemes loopback cannot have."""

    def __init__(self, answers):
        self.answers, self.requests = answers, []

    async def handle_async_request(self, request):
        self.requests.append(request)
        answer = self.answers[str(request.url)]
        if isinstance(answer, str):
            return httpx.Response(302, headers={"Location": answer}, stream=httpx.ByteStream(b""))
        return httpx.Response(200, stream=httpx.ByteStream(answer))


@pytest.mark.parametrize(
    ("location", "followed"),
    [
        ("https://cdn.example/b", True),
        ("//cdn.example/b", True),
        ("/b", True),
        ("http://cdn.example/b", False),
        ("http://127.0.0.1:1/b", True),
        ("http://127.0.0.1.evil.example/b", False),
        ("file:///etc/passwd", False),
        ("ftp://cdn.example/b", False),
        ("data:image/png;base64,cGlj", False),
        ("", False),
        ("http://", False),
    ],
)
def test_where_a_redirect_may_lead(location, followed):
    start = "https://img.example/a?sig=1"
    targets = ("https://cdn.example/b", "https://img.example/b", "http://127.0.0.1:1/b")
    transport = Scripted({start: location, **dict.fromkeys(targets, b"pic")})
    answer = call("https://api.example", lambda client: client.download(start), transport)
    assert answer == b"pic" if followed else answer.reason == "BAD_REDIRECT"
    assert all("authorization" not in request.headers for request in transport.requests)
    assert len(transport.requests) == 1 + followed


@pytest.mark.parametrize(
    ("content", "headers", "expected"),
    [
        (gzip.compress(b"pic"), {"Content-Encoding": "gzip"}, b"pic"),
        (gzip.compress(b"0" * 10_000_000), {"Content-Encoding": "gzip"}, "TOO_LARGE"),
        (gzip.compress(b"pic")[:-3], {"Content-Encoding": "gzip"}, "NOT_HTTP"),
        (b"pic", {"Content-Encoding": "br"}, "NOT_HTTP"),
        (b"pic", {"Content-Length": "4"}, "NOT_HTTP"),
    ],
    ids=["gzip", "bomb", "cut", "brotli", "short"],
)
def test_packed_bodies_are_bounded_and_lengths_are_held(content, headers, expected):
    class Packed(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request):
            return httpx.Response(200, headers=headers, stream=httpx.ByteStream(content))

    answer = call(
        "https://api.example",
        lambda client: client.download("https://i.example/", max_bytes=9999),
        Packed(),
    )
    assert (answer if isinstance(answer, bytes) else answer.reason) == expected
