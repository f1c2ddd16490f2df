"""Bytes sent to a server as they are, and what comes back: for what no HTTP client would send."""

import contextlib
import json
import socket
from urllib.parse import urlsplit


def dial(client, timeout=20):
    """Connect to the server that an httpx client has as its base URL, or that a URL names."""
    url = urlsplit(str(getattr(client, "base_url", client)))
    return socket.create_connection((url.hostname, url.port), timeout)


def read_all(sock):
    """Read until the other side closes, in whatever way; bounded by the socket's time-out."""
    found = bytearray()
    with contextlib.suppress(ConnectionError):
        while chunk := sock.recv(65536):
            found += chunk
    return bytes(found)


def exchange(client, data, timeout=20):
    """Send bytes on a connection of their own, close our half, and give all that comes back."""
    with dial(client, timeout) as sock:
        with contextlib.suppress(ConnectionError):
            sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)
        return read_all(sock)


def parts(answer):
    """Take the first answer apart: status, headers (small letters), body."""
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    return int(first.split(" ")[1]), headers, body


def envelope(answer):
    """Give the status and the reason of a refusal, checked to be in the API's envelope."""
    status, headers, body = parts(answer)
    told = json.loads(body[: int(headers["content-length"])])
    assert set(told) == {"code", "reason", "message", "metadata"}
    assert told["code"] == status
    assert headers["content-type"] == "application/json"
    return status, told["reason"]
