"""TLS, with a certificate that is trusted only where a test says so."""

import asyncio
import socket
import ssl
import threading
from pathlib import Path

import httpx
import pytest

from zbatch.api.transport import AiohttpTransport

CERTIFICATE = Path(__file__).parent.parent / "support" / "loopback.pem"


@pytest.fixture
def tls_server():
    """Answers requests over TLS, two on each connection, then closes without a word; counts both."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    counts = {"connections": 0, "requests": 0}
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        try:
            while True:
                plain, _ = listener.accept()
                try:
                    with context.wrap_socket(plain, server_side=True) as connection:
                        counts["connections"] += 1
                        for _ in range(2):
                            if not connection.recv(65536):
                                break
                            counts["requests"] += 1
                            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                except OSError:
                    plain.close()
        except OSError:
            pass

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield f"https://127.0.0.1:{listener.getsockname()[1]}/", counts
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(5)


async def posts(url, times):
    transport = AiohttpTransport()
    try:
        statuses = []
        for _ in range(times):
            response = await transport.handle_async_request(httpx.Request("POST", url, content=b"{}"))
            assert b"".join([piece async for piece in response.stream]) == b"ok"
            statuses.append(response.status_code)
            await asyncio.to_thread(threading.Event().wait, 0.05)
        return statuses
    finally:
        await transport.aclose()


def test_a_certificate_that_nobody_trusts_means_never_sent(tls_server, monkeypatch):
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    url, counts = tls_server
    with pytest.raises(httpx.ConnectError, match="certificate verify failed"):
        asyncio.run(posts(url, 1))
    assert counts["requests"] == 0


def test_a_kept_alive_connection_over_tls_is_used_until_it_is_closed(tls_server, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    url, counts = tls_server
    assert asyncio.run(posts(url, 5)) == [200] * 5
    assert counts == {"connections": 3, "requests": 5}
