"""A submit may be repeated only when it cannot have been accepted: what the transport calls never sent."""

import asyncio
import contextlib
import socket
import threading

import httpx
import pytest
from support.misbehaving import MisbehavingServer

from zbatch.api.failures import NEVER_SENT
from zbatch.api.timeouts import Timeouts
from zbatch.api.transport import AiohttpTransport

SUBMIT = "/v3/async/z-image-turbo-lora"
SOON = Timeouts(connect=2, read=0.3, write=0.3, pool=2, total=5)


def post(url, content=b'{"prompt": "a fox"}'):
    return httpx.Request("POST", url + SUBMIT, content=content)


async def outcome(transport, request):
    """Send a request and read its answer; give the exception, or the answer with its body read."""
    try:
        response = await transport.handle_async_request(request)
        body = b"".join([piece async for piece in response.stream])
    except Exception as error:  # noqa: BLE001 whatever it is, the test looks at it
        return error
    await response.aclose()
    return response.status_code, body


async def once(request, **arguments):
    transport = AiohttpTransport(timeouts=SOON, **arguments)
    try:
        return await outcome(transport, request)
    finally:
        await transport.aclose()


@pytest.fixture
def closed_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        yield sock.getsockname()[1]  # bound, and nobody listens


@contextlib.contextmanager
def raw_server(serve):
    """A listening socket and a thread that runs `serve(connection)` on each connection in turn."""
    with socket.create_server(("127.0.0.1", 0), backlog=16) as listener:

        def loop():
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    with connection, contextlib.suppress(OSError):
                        serve(connection)

        thread = threading.Thread(target=loop, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(5)


def test_a_refused_connection_was_never_sent(closed_port):
    error = asyncio.run(once(post(f"http://127.0.0.1:{closed_port}")))
    assert isinstance(error, httpx.ConnectError)
    assert str(error) == f"cannot connect to 127.0.0.1:{closed_port}: Connection refused"


def test_a_name_that_does_not_exist_was_never_sent():
    error = asyncio.run(once(post("http://no-such-host.invalid")))
    assert isinstance(error, httpx.ConnectError)


def test_a_failed_tls_handshake_was_never_sent():
    def serve(connection):
        connection.recv(1000)
        connection.sendall(b"HTTP/1.1 400 This is not TLS\r\n\r\n")

    with raw_server(serve) as url:
        error = asyncio.run(once(post(url.replace("http:", "https:"))))
        assert isinstance(error, httpx.ConnectError)


def test_a_tls_handshake_that_never_ends_is_a_connect_timeout():
    done = threading.Event()
    with raw_server(lambda connection: done.wait(5)) as url:
        transport = AiohttpTransport(timeouts=Timeouts(connect=0.3, pool=0.3, total=5))

        async def main():
            try:
                return await outcome(transport, post(url.replace("http:", "https:")))
            finally:
                await transport.aclose()

        assert isinstance(asyncio.run(main()), httpx.ConnectTimeout)
        done.set()


def test_no_free_connection_in_time_was_never_sent():
    with MisbehavingServer(faults={"submit": ["late"]}) as server:

        async def main():
            transport = AiohttpTransport(
                timeouts=Timeouts(connect=0.1, pool=0.1, read=5, total=5), max_connections=1
            )
            first = asyncio.create_task(outcome(transport, post(server.url)))
            await asyncio.sleep(0.05)
            second = await outcome(transport, post(server.url))
            first.cancel()
            await asyncio.gather(first, return_exceptions=True)
            await transport.aclose()
            return second

        assert isinstance(asyncio.run(main()), NEVER_SENT)
        assert len(server.ledger.accepted) == 1


def test_a_closed_transport_sends_nothing():
    async def main():
        transport = AiohttpTransport()
        await transport.aclose()
        return await outcome(transport, post("http://127.0.0.1:9"))

    assert isinstance(asyncio.run(main()), httpx.ConnectError)


def test_a_url_of_another_scheme_sends_nothing():
    error = asyncio.run(once(httpx.Request("POST", "ftp://example.org/x", content=b"{}")))
    assert isinstance(error, httpx.UnsupportedProtocol)


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("close", httpx.ReadError),
        ("reset", httpx.ReadError),
        ("close-unread", httpx.ReadError),
        ("reset-unread", httpx.ReadError),
        ("close-accepted", httpx.ReadError),
        ("reset-accepted", httpx.ReadError),
        ("cut-head", httpx.ReadError),
        ("cut", httpx.RemoteProtocolError),
        ("late", httpx.ReadTimeout),
        ("garbage", httpx.RemoteProtocolError),
        ("huge-header", httpx.RemoteProtocolError),
        ("bad-chunks", httpx.RemoteProtocolError),
    ],
)
@pytest.mark.parametrize("reused", [False, True], ids=["fresh", "kept-alive"])
def test_whatever_happens_after_sending_is_never_called_unsent(fault, expected, reused):
    with MisbehavingServer(faults={"submit": [None] * reused + [fault]}) as server:

        async def main():
            transport = AiohttpTransport(timeouts=SOON)
            if reused:
                await outcome(transport, post(server.url))
            try:
                return await outcome(transport, post(server.url))
            finally:
                await transport.aclose()

        error = asyncio.run(main())
        assert type(error) is expected
        assert server.ledger.count("submit") == 1 + reused, "a POST is never sent twice"
        assert server.connections == 1
        assert server.url not in str(error)


@pytest.mark.parametrize("fault", ["close", "reset"])
def test_a_connection_closed_at_once_never_makes_two_submits_of_one(fault):
    """Seen in time, it is passed over for a fresh one; else the outcome is unknown."""
    with MisbehavingServer(faults={"connection": [fault]}) as server:
        answer = asyncio.run(once(post(server.url)))
        assert isinstance(answer, httpx.TransportError) or answer[0] == 200
        assert len(server.ledger.accepted) == (0 if isinstance(answer, httpx.TransportError) else 1)


def test_a_large_body_that_nobody_reads_is_a_write_timeout():
    done = threading.Event()
    with raw_server(lambda connection: done.wait(5)) as url:
        error = asyncio.run(once(post(url, b"x" * 30_000_000)))
        assert type(error) is httpx.WriteTimeout
        done.set()


def test_a_large_body_dropped_half_way_may_have_been_taken():
    with raw_server(lambda connection: connection.recv(100_000)) as url:
        error = asyncio.run(once(post(url, b"x" * 30_000_000)))
        assert isinstance(error, (httpx.ReadError, httpx.WriteError))


@pytest.mark.parametrize("pause", [0.0, 0.05], ids=["at-once", "after-a-pause"])
def test_an_idle_connection_that_the_server_closed_is_not_used_for_a_submit(pause):
    """The close is in the kernel, whether the loop has noticed or not: the submit goes out on a fresh one."""
    with MisbehavingServer(faults={"submit": ["then-close"]}) as server:

        async def main():
            transport = AiohttpTransport(timeouts=SOON)
            first = await outcome(transport, post(server.url))
            threading.Event().wait(0.1)  # the loop is kept from seeing the close
            if pause:
                await asyncio.sleep(pause)
            second = await outcome(transport, post(server.url))
            await transport.aclose()
            return first, second

        first, second = asyncio.run(main())
        assert (first[0], second[0]) == (200, 200)
        assert server.connections == 2
        assert len(server.ledger.accepted) == 2


def test_many_idle_connections_closed_by_the_server_are_all_passed_over():
    with MisbehavingServer(faults={"submit": ["then-close"] * 6}) as server:

        async def main():
            transport = AiohttpTransport(timeouts=SOON)
            await asyncio.gather(*(outcome(transport, post(server.url)) for _ in range(6)))
            threading.Event().wait(0.1)
            last = await outcome(transport, post(server.url))
            await transport.aclose()
            return last

        assert asyncio.run(main())[0] == 200
        assert len(server.ledger.accepted) == 7


@pytest.mark.parametrize("pause", [0.0, 0.05], ids=["along", "later"])
def test_a_second_answer_nobody_asked_for_is_not_taken_for_the_next(pause):
    bodies = iter([b"one", b"two"])

    def serve(connection):
        while connection.recv(65536):
            body = next(bodies)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n" + body)
            if body == b"one":
                threading.Event().wait(pause)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nold")

    with raw_server(serve) as url:

        async def main():
            transport = AiohttpTransport(timeouts=SOON)
            first = await outcome(transport, post(url))
            await asyncio.sleep(pause + 0.1)
            second = await outcome(transport, post(url))
            await transport.aclose()
            return first, second

        assert asyncio.run(main()) == ((200, b"one"), (200, b"two"))


def test_an_early_refusal_of_a_large_body_is_an_answer_or_unknown_but_never_unsent():
    def serve(connection):
        connection.recv(1000)
        connection.sendall(b"HTTP/1.1 429 Too Many\r\nContent-Length: 0\r\n\r\n")

    with raw_server(serve) as url:
        answer = asyncio.run(once(post(url, b"x" * 30_000_000)))
        assert answer == (429, b"") or isinstance(answer, httpx.TransportError)
        assert not isinstance(answer, NEVER_SENT)


def test_a_cancelled_request_closes_its_connection():
    closed = threading.Event()

    def serve(connection):
        while connection.recv(65536):
            pass
        closed.set()

    with raw_server(serve) as url:

        async def main():
            transport = AiohttpTransport(timeouts=Timeouts())
            request = asyncio.create_task(transport.handle_async_request(post(url)))
            await asyncio.sleep(0.1)
            request.cancel()
            with pytest.raises(asyncio.CancelledError):
                await request
            seen = await asyncio.to_thread(closed.wait, 5)
            await transport.aclose()
            return seen

        assert asyncio.run(main())
