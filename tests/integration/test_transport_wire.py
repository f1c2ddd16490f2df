"""What the transport puts on the wire and takes from it, with every wait bounded."""

import asyncio
import gzip
import logging
import socket
import threading
import time

import httpx
import pytest
from support.misbehaving import MisbehavingServer

from zbatch.api.timeouts import Timeouts
from zbatch.api.transport import AiohttpTransport

QUICK = Timeouts(connect=2, read=2, write=2, pool=2, total=0.5)


class Echo:
    """Answers every request with the same bytes and keeps what it was sent."""

    def __init__(self, answer=b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"):
        self.answer, self.heads = answer, []

    def __enter__(self):
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        return self

    def _serve(self):
        try:
            while True:
                connection, _ = self._listener.accept()
                with connection:
                    while head := connection.recv(1_000_000):
                        self.heads.append(head)
                        connection.sendall(self.answer)
        except OSError:
            pass

    def __exit__(self, *_):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)


def get(*requests, transport=None, **arguments):
    """Send requests one after another over one transport; give status, headers and body of each."""

    async def main():
        over = transport or AiohttpTransport(**arguments)
        try:
            answers = []
            for request in requests:
                response = await over.handle_async_request(request)
                body = b"".join([piece async for piece in response.stream])
                await response.aclose()
                answers.append((response.status_code, response.headers, body))
            return answers
        finally:
            await over.aclose()

    return asyncio.run(main())


@pytest.mark.parametrize(
    "target",
    [
        "/images/a%2Fb%2f0.webp?signature=x%2B%2F%3D&b=1+2&a=",
        "/a//b/c%20d?q=%E2%82%AC&q=%e2%82%ac",
        "/x?url=https%3A%2F%2Fh%2Fp%3Fq&empty",
        "/semi;colon=1,2/@:!$&'()*+?~-._",
    ],
)
def test_a_signed_url_arrives_unchanged(target):
    with Echo() as server:
        get(httpx.Request("GET", server.url + target))
        assert server.heads[0].split(b" ")[1] == target.encode()


def test_only_the_headers_of_the_request_are_sent():
    with Echo() as server:
        request = httpx.Request(
            "POST", server.url + "/x", headers={"Authorization": "Bearer k"}, content=b"{}"
        )
        get(request)
        head, _, body = server.heads[0].partition(b"\r\n\r\n")
        names = {line.split(b":")[0].lower() for line in head.split(b"\r\n")[1:]}
        assert names == {b"host", b"authorization", b"content-length"}
        assert body in (b"", b"{}")


def test_a_user_in_a_url_goes_into_a_header_and_not_into_the_address():
    with Echo() as server:
        get(httpx.Request("GET", server.url.replace("//", "//fox:s%40t@") + "/x#part"))
        line, *headers = server.heads[0].split(b"\r\n")
        assert line == b"GET /x HTTP/1.1"
        assert b"Authorization: Basic Zm94OnNAdA==" in headers
        assert f"Host: {server.url[7:]}".encode() in headers


def test_a_header_cannot_smuggle_another_one_in():
    with Echo() as server:
        request = httpx.Request("GET", server.url, headers={"X-Fox": "a\r\nX-Other: b"})
        with pytest.raises(httpx.UnsupportedProtocol, match="a header holds characters"):
            get(request)
        assert server.heads == []


def test_words_on_the_way_are_passed_over_until_the_answer():
    early = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
    with Echo(early + early + b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nfox") as server:
        ((status, _, body),) = get(httpx.Request("GET", server.url))
        assert (status, body) == (200, b"fox")


def test_a_connection_is_free_once_its_answer_is_there_read_or_not():
    async def main(url):
        transport = AiohttpTransport(max_connections=1)
        for _ in range(3):
            response = await transport.handle_async_request(httpx.Request("GET", url))
            assert response.status_code == 200
        await transport.aclose()

    with Echo(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nfox") as server:
        asyncio.run(main(server.url))
        assert len(server.heads) == 3


def test_cookies_are_never_sent_back():
    with Echo(b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n") as server:
        get(*(httpx.Request("GET", server.url) for _ in range(2)))
        assert b"ookie" not in server.heads[1]


def test_redirects_are_the_callers_business():
    with Echo(b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n") as server:
        ((status, headers, _),) = get(httpx.Request("GET", server.url))
        assert (status, headers["location"]) == (302, "/elsewhere")
        assert len(server.heads) == 1


def test_bodies_are_not_unpacked():
    packed = gzip.compress(b"x" * 1000)
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(packed)}\r\n\r\n".encode()
    with Echo(head + packed) as server:
        assert get(httpx.Request("GET", server.url))[0][2] == packed


def test_a_connection_is_used_again():
    with MisbehavingServer() as server:
        get(*(httpx.Request("GET", server.url + "/v3/async/task-result?task_id=x") for _ in range(5)))
        assert server.connections == 1


def test_a_get_on_a_stale_connection_is_simply_repeated():
    with MisbehavingServer(faults={"image": [None, "close"]}) as server:
        answers = get(*(httpx.Request("GET", server.url + "/images/x") for _ in range(2)))
        assert [status for status, _, _ in answers] == [403, 403]
        assert server.connections == 2


@pytest.mark.parametrize("where", ["record", "extension"])
def test_the_total_time_ends_a_body_that_drips(where):
    with MisbehavingServer(faults={"image": ["drip*"]}) as server:
        server.drip = 0.05
        request = httpx.Request("GET", server.url + "/images/x")
        if where == "extension":
            request.extensions["timeout"] = QUICK.extension()
        transport = AiohttpTransport(timeouts=QUICK if where == "record" else Timeouts())
        started = time.monotonic()
        with pytest.raises(httpx.ReadTimeout):
            get(request, transport=transport)
        assert time.monotonic() - started < 30, "bounded at all"


def test_the_total_time_holds_where_the_extension_does_not_know_it():
    with MisbehavingServer(faults={"image": ["late*"]}) as server:
        request = httpx.Request("GET", server.url + "/images/x")
        request.extensions["timeout"] = {"connect": None, "read": None, "write": None, "pool": None}
        with pytest.raises(httpx.ReadTimeout):
            get(request, timeouts=QUICK)


def test_silence_in_the_middle_of_a_body_is_a_read_timeout():
    with (
        Echo(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf") as server,
        pytest.raises(httpx.ReadTimeout),
    ):
        get(httpx.Request("GET", server.url), timeouts=Timeouts(read=0.2, total=5))


@pytest.mark.parametrize(
    "answer",
    [
        b"not http at all\r\n\r\n",
        b"HTTP/1.1 banana\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon here\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: five\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n12345",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03",
        b"\x00" * 64,
    ],
    ids=range(10),
)
def test_what_is_not_http_comes_out_as_a_protocol_error(answer):
    with Echo(answer) as server, pytest.raises(httpx.TransportError) as caught:
        get(httpx.Request("GET", server.url + "/p?signature=secret"), timeouts=Timeouts(read=0.3, total=2))
    assert not isinstance(caught.value, httpx.ConnectError | httpx.ConnectTimeout)
    assert "secret" not in f"{caught.value!r} {caught.value.__cause__!r}"


def test_five_hundred_requests_at_once():
    with MisbehavingServer(latency=0) as server:

        async def one(transport, number):
            request = httpx.Request("POST", f"{server.url}/v3/async/m", json={"prompt": str(number)})
            response = await transport.handle_async_request(request)
            await response.aread()
            return response.status_code, response.json()["task_id"]

        async def main():
            transport = AiohttpTransport()
            try:
                return await asyncio.gather(*(one(transport, number) for number in range(500)))
            finally:
                await transport.aclose()

        answers = asyncio.run(main())
        assert {status for status, _ in answers} == {200}
        assert len({task_id for _, task_id in answers}) == 500
        assert not server.ledger.accepted_twice()


def test_the_number_of_connections_is_bounded():
    with MisbehavingServer(faults={"image": ["late"] * 20}) as server:
        server.late = 0.05

        async def one(transport):
            response = await transport.handle_async_request(httpx.Request("GET", server.url + "/images/x"))
            await response.aread()
            await response.aclose()

        async def main():
            transport = AiohttpTransport(max_connections=3)
            await asyncio.gather(*(one(transport) for _ in range(20)))
            await transport.aclose()

        asyncio.run(main())
        assert server.connections <= 3


def test_it_serves_an_ordinary_async_client_too():
    with Echo() as server:

        async def main():
            async with httpx.AsyncClient(transport=AiohttpTransport()) as client:
                return (await client.get(server.url)).text

        assert asyncio.run(main()) == "ok"


def test_a_proxy_of_the_environment_is_used_but_not_for_loopback(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    with Echo() as proxy, Echo() as server:
        monkeypatch.setenv("http_proxy", f"http://user:pass@127.0.0.1:{proxy.port}")
        monkeypatch.setenv("no_proxy", "direct.example")
        get(httpx.Request("GET", "http://far.example/a%2Fb"), httpx.Request("GET", server.url))
        assert proxy.heads[0].startswith(b"GET http://far.example/a%2Fb HTTP/1.1\r\n")
        assert b"Proxy-Authorization: Basic " in proxy.heads[0]
        assert (len(proxy.heads), len(server.heads)) == (1, 1)


def test_a_proxy_that_refuses_a_tunnel_means_never_sent(monkeypatch):
    with Echo(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n") as proxy:
        monkeypatch.setenv("https_proxy", proxy.url)
        with pytest.raises(httpx.ConnectError, match="403"):
            get(httpx.Request("POST", "https://far.example/", content=b"{}"))


def test_a_proxy_of_another_kind_is_refused_in_words(monkeypatch):
    monkeypatch.setenv("all_proxy", "socks5://127.0.0.1:1")
    with pytest.raises(httpx.UnsupportedProtocol, match="proxy"):
        get(httpx.Request("GET", "http://far.example/"))


def test_nothing_is_logged_with_a_url_or_a_key(caplog):
    caplog.set_level(logging.DEBUG)
    with MisbehavingServer(faults={"image": ["garbage", "reset", None]}) as server:
        for _ in range(3):
            request = httpx.Request(
                "GET", server.url + "/images/x?signature=planted", headers={"Authorization": "planted"}
            )
            try:
                get(request)
            except httpx.TransportError:
                logging.getLogger("test").exception("a traceback, as a log would keep it")
    assert "planted" not in caplog.text


def test_time_outs_cannot_be_left_out():
    for bad in (0, -1, float("inf"), float("nan")):
        with pytest.raises(ValueError, match="total"):
            Timeouts(total=bad)
