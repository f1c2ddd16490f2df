"""Binding, keys and the end of a server, as `zbatch serve` uses them."""

import os
import signal
import socket
import subprocess
import sys

import httpx
import pytest
from support.server_http import over_socket

from zbatch.errors import DiskError, EndpointError, UsageError
from zbatch.server.serving import bind, serve_app


def test_nothing_but_loopback_without_keys(tmp_path):
    with pytest.raises(UsageError) as caught:
        bind(serve_app(), host="0.0.0.0", port=0)
    assert "--api-key-file" in caught.value.hint
    keys = tmp_path / "keys"
    keys.write_text("# ours\n\nalpha\n")
    serving = bind(serve_app(api_key_file=keys), host="0.0.0.0", port=0)
    assert serving.url.startswith("http://0.0.0.0:")
    serving.close()


def test_a_key_file_must_hold_a_key(tmp_path):
    for content in (b"", b"# only words\n", b"\xff\xfe"):
        file = tmp_path / "keys"
        file.write_bytes(content)
        with pytest.raises(UsageError, match="key file"):
            serve_app(api_key_file=file)
    with pytest.raises(DiskError, match="cannot read"):
        serve_app(api_key_file=tmp_path / "none")


def test_an_unknown_engine_and_a_taken_port():
    with pytest.raises(UsageError, match="no engine"):
        serve_app("midjourney")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(EndpointError, match="cannot listen"):
            bind(serve_app(), port=taken.getsockname()[1])
    with pytest.raises(UsageError, match="cannot bind"):
        bind(serve_app(), host="no such host", port=0)


def test_the_url_is_known_before_serving():
    with over_socket(serve_app()) as client:
        assert client.get("/healthz").json()["status"] == "ok"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_gracefully(number):
    program = (
        "from zbatch.server.serving import bind, serve_app\n"
        "serving = bind(serve_app(), port=0)\n"
        "print(serving.url, flush=True)\n"
        "serving.run()\n"
        "print('ended', flush=True)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
        url = process.stdout.readline().strip()
        with httpx.Client(trust_env=False, transport=httpx.HTTPTransport(retries=5)) as client:
            assert client.get(f"{url}/healthz").status_code == 200
        os.kill(process.pid, number)
        rest, _ = process.communicate(timeout=20)
    assert (process.returncode, rest) == (0, "ended\n")
