"""Bytes that no client would send, at a real server in a process of its own: it lives, and says nothing odd.

As long as it is asked to: `ZBATCH_FUZZ=20000 pytest -s tests/acceptance/test_server_fuzz.py`.
"""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections import Counter
from pathlib import Path

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.command import environment
from support.wire import dial, read_all

EXAMPLES = int(os.environ.get("ZBATCH_FUZZ", "250"))
MOST_MEMORY = 400 * 2**20

HEAD = b"POST /v3/async/z-image-turbo-lora HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
BODY = b'{"prompt": "fox", "size": "256*256", "seed": 7, "loras": [{"path": "a/b", "scale": 0.5}]}'
VALID = [
    HEAD + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY,
    HEAD + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY),
    b"GET /v3/async/task-result?task_id=a HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer k\r\n\r\n",
    b"GET /v3/files/a/0.webp?expires=1&signature=0 HTTP/1.1\r\nHost: localhost\r\nRange: bytes=0-1\r\n\r\n",
    b"GET /metrics HTTP/1.0\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"HEAD /openapi.json HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n",
]
ODD = [
    b"\r\n", b"\n", b"\r", b"\0", b" ", b"\t", b":", b"%", b"%00", b"%2e%2e%2f", b"\xff\xfe",
    b"\xf0\x9f\xa6\x8a",
    b"-1", b"99999999999999999999", b"0x10", b"+5", b"1e9",
    b"Content-Length: 5\r\n", b"Content-Length: 0\r\n",
    b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding: identity\r\n", b"Expect: 100-continue\r\n",
    b"Upgrade: websocket\r\nConnection: Upgrade\r\n", b"Upgrade: h2c\r\n", b"Connection: close\r\n",
    b"Host: evil.example.org\r\n", b"Host: [::\r\n", b"0\r\n\r\n", b"5;a=b\r\n", b"ffffffffffffffff\r\n",
    b'{"a":', b"[" * 3000, b'"\\ud800"', b"NaN", b'"prompt"', b"data:image/png;base64,",
    b"X: " + b"a" * 9000 + b"\r\n",
    b"HTTP/9.9", b"//", b"?", b"#", b"\\", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
]  # fmt: skip


@st.composite
def mutated(draw):
    """A request in order, with pieces cut out, put in, doubled, changed or left off at the end."""
    data = bytearray(draw(st.sampled_from(VALID)))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(data)))
        end = draw(st.integers(start, min(len(data), start + 40)))
        piece = draw(st.one_of(st.sampled_from(ODD), st.binary(max_size=20), st.just(bytes(data[start:end]))))
        data[start : end if draw(st.booleans()) else start] = piece
    if draw(st.integers(0, 3)) == 0:
        del data[draw(st.integers(0, len(data))) :]
    return bytes(data)


@st.composite
def lying(draw):
    """A body that is shorter or longer than told, or in chunks that do not add up."""
    body = draw(st.one_of(st.just(BODY), st.binary(max_size=300)))
    length = draw(st.integers(-5, 400).map(str) | st.sampled_from(["", "1 2", "0x5", "٣", str(10**30)]))
    if draw(st.booleans()):
        return HEAD + f"Content-Length: {length}\r\n\r\n".encode() + body
    chunks = draw(st.lists(st.tuples(st.integers(0, 400), st.binary(max_size=40)), max_size=5))
    coded = b"".join(b"%x\r\n%s\r\n" % chunk for chunk in chunks)
    return HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + coded


@st.composite
def large(draw):
    """A head or a line of it that is larger than anything has a right to be."""
    size = draw(st.integers(1, 200_000))
    kind = draw(st.sampled_from(["target", "value", "name", "many", "method"]))
    if kind == "many":
        return b"GET /healthz HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * (size // 6) + b"\r\n"
    pad = b"a" * size
    return {
        "target": b"GET /" + pad + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        "value": b"GET / HTTP/1.1\r\nHost: x\r\nA: " + pad + b"\r\n\r\n",
        "name": b"GET / HTTP/1.1\r\nHost: x\r\n" + pad + b": a\r\n\r\n",
        "method": pad + b" / HTTP/1.1\r\nHost: x\r\n\r\n",
    }[kind]


ONE = st.one_of(
    st.binary(max_size=600), st.sampled_from(VALID), mutated(), mutated(), mutated(), lying(), large()
)
CALLS = st.lists(ONE, min_size=1, max_size=4)  # more than one: sent at once, one behind the other


@contextlib.contextmanager
def server(folder):
    with (folder / "log").open("wb") as log, subprocess.Popen(
        [sys.executable, "-m", "zbatch", "serve", "--port", "0", "--data-dir", "data",
         "--access-log", "calls"],
        cwd=folder, env=environment(), stdout=subprocess.PIPE, stderr=log, text=True,
    ) as process:  # fmt: skip
        try:
            yield process, process.stdout.readline().strip()
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                raise


def peak_memory(process):
    text = Path(f"/proc/{process.pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", text)[1]) * 1024


@pytest.mark.skipif(sys.platform != "linux", reason="reads the memory of a process from /proc")
@pytest.mark.timeout(200 + EXAMPLES)
def test_nothing_that_is_sent_breaks_it(tmp_path, capsys):
    statuses, sent = Counter(), Counter()
    with server(tmp_path) as (process, url):

        @settings(
            max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck)
        )
        @given(CALLS, st.booleans(), st.integers(0, 2**16))
        def fuzz(calls, half_close, cut):
            data = b"".join(calls)
            sent["connections"] += 1
            sent["requests"] += len(calls)
            sent["bytes"] += len(data)
            with dial(url, 30) as sock:
                with contextlib.suppress(ConnectionError):
                    sock.sendall(data[:cut])
                    sock.sendall(data[cut:])
                if half_close:  # else: gone, with whatever was on its way
                    with contextlib.suppress(OSError):
                        sock.shutdown(socket.SHUT_WR)
                    answer = read_all(sock)
                    statuses.update(one.decode() for one in re.findall(rb"HTTP/1\.1 (\d{3}) ", answer))
                    check(answer)
            assert process.poll() is None

        fuzz()
        with httpx.Client(base_url=url, trust_env=False, timeout=30) as client:
            assert client.get("/healthz").json()["status"] == "ok"
            assert client.get("/readyz").status_code == 200
            metrics = client.get("/metrics").text
        memory = peak_memory(process)
    assert process.returncode == 0
    log = (tmp_path / "log").read_text(errors="replace")
    assert "Traceback" not in log, log[-3000:]
    assert "bug in the server" not in log, log[-3000:]
    assert not {status for status in statuses if status.startswith("5")} - {"503", "501"}, statuses
    assert memory < MOST_MEMORY
    assert len(metrics) < 60_000
    lines = (tmp_path / "calls").read_text().splitlines()
    assert all(isinstance(json.loads(line), dict) for line in lines)
    with capsys.disabled():
        print(f"\nfuzz: {dict(sent)}, {dict(statuses)}, {memory // 2**20} MiB, {len(lines)} calls")


def check(answer):
    """What is refused is refused in the envelope; nothing of the inside is told."""
    assert b"Traceback" not in answer
    assert b".py" not in answer
    assert b"site-packages" not in answer
