"""What one client may hold of a server: slow ones, silent ones, many ones, and those who never read."""

import asyncio
import contextlib
import errno
import socket
import threading
import time

import pytest
import uvicorn
from support.server_http import MODEL, finished, over_socket, submit
from support.wire import dial, envelope, exchange, parts, read_all
from uvicorn.server import ServerState

from zbatch.server.app import create_app
from zbatch.server.connections import Bounds, connection_class
from zbatch.server.terms import Terms

QUICK = Bounds(head=0.3, body=0.3, body_rate=2000, write=0.3, write_rate=2**20, linger=0.3, tick=0.05)
REQUEST = b"POST /v3/async/z-image-turbo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


def bounded(bounds=QUICK):
    return over_socket(create_app(terms=Terms(workers=1)), bounds=bounds)


def trickle(sock, data, pause=0.05):
    """Send a byte at a time until all is sent or nobody takes it any more."""
    with contextlib.suppress(ConnectionError):
        for byte in data:
            sock.sendall(bytes([byte]))
            time.sleep(pause)


@pytest.mark.parametrize(
    ("first", "slow"),
    [
        (b"", REQUEST),  # slowloris: a head, a byte at a time
        (b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", REQUEST),  # the same, after a request that was in order
        (REQUEST + b"Content-Length: 400\r\n\r\n", b" " * 400),
        (REQUEST + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n" * 100),
    ],
)
def test_a_request_a_byte_at_a_time_is_answered_408(first, slow):
    with bounded() as client, dial(client) as sock:
        sock.sendall(first)
        sender = threading.Thread(target=trickle, args=(sock, slow), daemon=True)
        sender.start()
        answer = read_all(sock)
        sender.join()
        assert envelope(b"HTTP/1.1 " + answer.split(b"HTTP/1.1 ")[-1]) == (408, "REQUEST_TIMEOUT")
        assert client.get("/healthz").status_code == 200


def test_a_connection_that_says_nothing_is_closed():
    with bounded() as client, dial(client) as sock:
        assert envelope(read_all(sock))[0] == 408


def test_a_body_that_keeps_coming_is_waited_for():
    with bounded(Bounds(body=0.2, body_rate=200, tick=0.05)) as client, dial(client) as sock:
        body = b'{"prompt": "fox", "size": "256*256"}'.ljust(400)
        sock.sendall(REQUEST + b"Connection: close\r\nContent-Length: 400\r\n\r\n")
        for start in range(0, 400, 40):
            sock.sendall(body[start : start + 40])
            time.sleep(0.05)
        assert parts(read_all(sock))[0] == 200


def test_a_client_that_does_not_read_is_cut_off():
    """A megabyte a second is asked for, and nothing is taken: the kernels' buffers are full after a while."""
    with bounded() as client:
        url = finished(client, submit(client, size="1536*1536", output_format="png"))["images"][0]
        path = url["image_url"].removeprefix(str(client.base_url).rstrip("/"))
        with socket.socket() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sock.settimeout(20)
            sock.connect((client.base_url.host, client.base_url.port))
            request = f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
            cut = False
            for _ in range(400):
                try:
                    sock.sendall(request * 20)
                except ConnectionError:
                    cut = True
                    break
                time.sleep(0.02)
            assert cut
        assert client.get("/healthz").status_code == 200


@pytest.mark.parametrize("pieces", [1, 40])
def test_a_head_that_is_too_large_is_answered_431(pieces):
    with bounded(Bounds()) as client:
        head = b"GET /healthz HTTP/1.1\r\nHost: x\r\n" + b"X-Much: " + b"a" * 40_000 + b"\r\n\r\n"
        with dial(client) as sock:
            with contextlib.suppress(ConnectionError):
                for start in range(0, len(head), -(-len(head) // pieces)):
                    sock.sendall(head[start : start + -(-len(head) // pieces)])
            assert envelope(read_all(sock)) == (431, "INVALID_REQUEST")


def test_more_connections_than_there_may_be_are_told_so():
    with bounded(Bounds(connections=8)) as client, contextlib.ExitStack() as held:
        socks = [held.enter_context(dial(client)) for _ in range(12)]
        refused = []
        for sock in socks:
            sock.settimeout(0.5)
            with contextlib.suppress(TimeoutError):
                refused.append(sock.recv(65536))
        assert len(refused) == 4
        assert {envelope(one) for one in refused} == {(503, "SERVICE_NOT_AVAILABLE")}
        assert b"Retry-After: 1" in refused[0]
        held.close()
        with contextlib.suppress(Exception):
            client.get("/healthz")
        assert client.get("/healthz").status_code == 200


@pytest.mark.parametrize(
    "raw",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # TLS
        b"GET / HTTP/1.1\r\n\r\n",  # no Host
        b"GET /\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost : x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n\r\n".replace(b"A: b", b"A: \0"),
        REQUEST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)
def test_what_is_no_request_is_answered_in_the_envelope(raw):
    with bounded(Bounds()) as client:
        status, reason = envelope(exchange(client, raw))
        assert (status // 100, reason) == (4, "INVALID_REQUEST")


def test_nonsense_behind_a_request_breaks_neither_its_answer_nor_the_server(caplog):
    with bounded() as client:
        for _ in range(5):
            answer = exchange(client, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n\x00\x01nonsense\r\n\r\n")
            assert parts(answer)[0] in (200, 400)
        exchange(client, REQUEST + b"Content-Length: 100\r\n\r\n{")  # gone in the middle of a body
        assert client.get("/healthz").status_code == 200
    assert not [record for record in caplog.records if record.exc_info]


class Gone(asyncio.Transport):
    """A connection whose other side resets it between the refusal and its end: a few microseconds."""

    aborted = False

    def get_extra_info(self, name, default=None):
        return default

    def is_closing(self):
        return self.aborted

    def write(self, data):
        pass

    def write_eof(self):
        raise OSError(errno.ENOTCONN, "Transport endpoint is not connected")

    def abort(self):
        self.aborted = True


def test_a_client_that_is_gone_before_it_is_refused():
    async def main():
        config = uvicorn.Config(create_app(), log_config=None)
        connection = connection_class(QUICK)(config, ServerState(), {})
        transport = Gone()
        connection.connection_made(transport)
        connection.data_received(b"nonsense\r\n\r\n")
        assert transport.aborted
        connection.connection_lost(ConnectionResetError())

    asyncio.run(main())


def test_an_upgrade_is_passed_over():
    with bounded(Bounds()) as client:
        headers = {"Connection": "Upgrade", "Upgrade": "websocket"}
        assert client.get("/healthz", headers=headers).status_code == 200


def test_the_answer_to_a_body_nobody_wants_is_read_before_the_end():
    with bounded() as client:
        answer = client.post("/nowhere", content=(b" " * 2**16 for _ in range(200)))
        assert answer.status_code == 404
        assert client.post(MODEL, json={}).status_code == 400
