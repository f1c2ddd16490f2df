"""Binding, keys and the end of a server, as `zbatch serve` uses them."""

import hashlib
import os
import signal
import socket
import subprocess
import sys

import httpx
import pytest
from support.server_http import finished, over_socket, submit

from zbatch.errors import DiskError, EndpointError, UsageError
from zbatch.server.home import Home
from zbatch.server.keys import read_keys
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


def test_a_key_file_may_hold_hashes(tmp_path):
    file = tmp_path / "keys"
    digest = hashlib.sha256("schlüssel".encode()).hexdigest()
    file.write_text(f"plain\nsha256:{digest}\n")
    ring = read_keys(file)
    assert len(ring) == 2
    assert ring.owner("plain")
    sent = "schlüssel".encode().decode("latin-1")  # as a header comes in
    assert ring.owner(sent)
    assert digest not in ring.owner(sent)
    for wrong in (digest, f"sha256:{digest}", "", "schlüssel"):
        assert ring.owner(wrong) is None
    file.write_text("ok\nsha256:12\n")
    with pytest.raises(UsageError, match="line 2 of the key file"):
        read_keys(file)


def test_keys_are_nowhere_on_disk(tmp_path):
    (tmp_path / "keys").write_text("sk-planted\n")
    home = Home(tmp_path / "home")
    with over_socket(serve_app(api_key_file=tmp_path / "keys", home=home)) as client:
        client.headers["Authorization"] = "Bearer sk-planted"
        finished(client, submit(client), headers={"Authorization": "sk-planted"})
        metrics = client.get("/metrics").text
    home.close()
    kept = b"".join(file.read_bytes() for file in (tmp_path / "home").rglob("*") if file.is_file())
    digest = hashlib.sha256(b"sk-planted")
    for secret in (b"sk-planted", digest.digest(), digest.hexdigest().encode()):
        assert secret not in kept
        assert secret not in metrics.encode()


def test_labels_of_the_metrics_are_bounded():
    with over_socket(serve_app()) as client:
        for number in range(50):
            client.request(f"M{number}", f"/path-{number}")
            client.get("/v3/async/task-result", params={"task_id": f"task-{number}"})
        page = client.get("/metrics").text
    assert len(page) < 20_000
    assert not [word for word in ("path-1", "M1", "task-1") if word in page]
    assert 'method="other",route="other"' in page


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
