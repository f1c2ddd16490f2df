"""`zbatch serve` as a person uses it: killed under load and started again, rehearsed, logged, refused."""

import contextlib
import json
import os
import signal
import socket
import time

import httpx
import pytest
from PIL import Image
from support.command import counts, wait_until, zbatch, zbatch_started
from support.runs import check_files, write_manifest

from zbatch.state.run import Run


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


@contextlib.contextmanager
def serving(folder, *flags, port=0):
    """Run `zbatch serve`, ended with SIGTERM; gives its process and its URL."""
    with zbatch_started(
        "serve", "--port", str(port), *flags, cwd=folder, XDG_STATE_HOME=str(folder / "state")
    ) as process:
        url = process.stdout.readline().strip()
        assert url.startswith("http://"), process.stderr.read()
        try:
            yield process, url
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                process.communicate(timeout=30)


def test_a_server_that_is_killed_under_load_goes_on_and_the_run_ends_complete(tmp_path):
    port, jobs = free_port(), 60
    manifest = write_manifest(tmp_path, jobs, "concurrency: 20")
    command = ("run", str(manifest), "-o", "run", "--endpoint", f"http://127.0.0.1:{port}", "--no-report")
    with contextlib.ExitStack() as stack:
        server, _ = stack.enter_context(serving(tmp_path, "--latency", "300ms", port=port))
        run = stack.enter_context(zbatch_started(*command, "--progress", "none", cwd=tmp_path))
        wait_until(lambda: counts(tmp_path / "run").get("done", 0) >= 5, run)
        server.kill()
        server.communicate()
        time.sleep(0.5)
        again, _ = stack.enter_context(serving(tmp_path, "--latency", "300ms", port=port))
        run.communicate(timeout=120)
        zbatch(*command, "--retry", "unknown", cwd=tmp_path)
        assert counts(tmp_path / "run") == {"done": jobs}
        again.send_signal(signal.SIGTERM)
        again.communicate(timeout=30)
        assert again.returncode == 0
    with Run(tmp_path / "run") as opened:
        check_files(opened)


def test_what_a_rehearsal_does_to_a_run(tmp_path):
    manifest = write_manifest(tmp_path, 40, "concurrency: 40, attempts: 1")
    with serving(tmp_path, "--fail", "30%", "--latency", "uniform:100ms,300ms") as (_, url):
        done = zbatch("run", str(manifest), "-o", "run", "--endpoint", url, "--no-report", cwd=tmp_path)
    found = counts(tmp_path / "run")
    assert done.returncode == 1
    assert found["done"] + found["failed"] == 40
    assert 2 <= found["failed"] <= 25
    assert "rehearsed failure (--fail)" in zbatch("status", "run", cwd=tmp_path).stdout


def test_the_access_log_has_every_call_and_neither_key_nor_signature(tmp_path):
    (tmp_path / "keys").write_text("sk-planted-secret\n")
    flags = ("--api-key-file", "keys", "--access-log", "calls.jsonl")
    with serving(tmp_path, *flags) as (_, url), httpx.Client(base_url=url, trust_env=False) as client:
        key = {"Authorization": "Bearer sk-planted-secret"}
        task = client.post(
            "/v3/async/z-image-turbo", json={"prompt": "fox", "size": "256*256"}, headers=key
        ).json()["task_id"]
        images = []
        while not images:
            images = client.get("/v3/async/task-result", params={"task_id": task}, headers=key).json()[
                "images"
            ]
            time.sleep(0.02)
        assert client.get(images[0]["image_url"]).status_code == 200
        assert client.get("/v3/async/task-result", params={"task_id": task}).status_code == 401
    text = (tmp_path / "calls.jsonl").read_text()
    calls = [json.loads(line) for line in text.splitlines()]
    assert [(call["method"], call["status"]) for call in (calls[0], calls[-2], calls[-1])] == [
        ("POST", 200), ("GET", 200), ("GET", 401),
    ]  # fmt: skip
    assert calls[0]["task_id"] == task
    assert "sk-planted" not in text
    assert "signature" not in text
    assert "expires" not in text


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--latency", "soon"), "a time is written as"),
        (("--fail", "some"), "a share is written as 2%"),
        (("--rate-limit", "many"), "a rate is written as 60/min"),
        (("--keep", "long"), "a time is written as"),
        (("--access-log", "no/such/folder/log"), "cannot write the access log"),
        (("--data-dir", "file/below"), "cannot use the directory file/below"),
        (("--host", "0.0.0.0"), "is not served without keys"),
        (("--public-url", "images.example.org"), "must be `preview` or a base URL"),
        (("--public-url", "preview"), "--public-url takes a base URL"),
    ],
)
def test_wrong_flags_are_told_in_words(tmp_path, flags, said):
    (tmp_path / "file").write_text("")
    done = zbatch("serve", "--port", "0", *flags, cwd=tmp_path)
    assert done.returncode in (2, 4)
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_directory_that_another_server_has(tmp_path):
    with serving(tmp_path, "--data-dir", "tasks"):
        done = zbatch("serve", "--port", "0", "--data-dir", "tasks", cwd=tmp_path)
    assert done.returncode == 4
    assert "another server uses tasks" in done.stderr
    assert os.listdir(tmp_path / "tasks")  # noqa: PTH208 - it is there, and that is all


STUDY = """
version: 1
name: study
loras: {film: org/film-grain, ink: {path: org/ink, trigger: inkwash}}
request: {prompt: "red fox, {{ place }} {{ lora.trigger }}", size: 320*256}
matrix:
  place: [snow, desert]
  lora: {name: [film, ink], scale: [0, 0.6, 1.2]}
  seed: {from: 7, count: 2}
"""


def test_the_images_are_those_of_the_built_in_endpoint(tmp_path):
    (tmp_path / "study.yaml").write_text(STUDY)
    assert (
        zbatch("run", "study.yaml", "-o", "built-in", "--endpoint", "preview", cwd=tmp_path).returncode == 0
    )
    with serving(tmp_path) as (_, url):
        assert zbatch("run", "study.yaml", "-o", "served", "--endpoint", url, cwd=tmp_path).returncode == 0
    # The bytes as they came: what lies there tells of its own endpoint.
    one, other = (
        {job["key"]: job["received_sha256"] for job in map(json.loads, lines.splitlines())}
        for lines in ((tmp_path / name / "jobs.jsonl").read_text() for name in ("built-in", "served"))
    )
    assert len(one) == 20  # the baseline of both LoRAs is one job
    assert one == other
    for file in (tmp_path / "built-in" / "images").iterdir():
        with Image.open(file) as first, Image.open(tmp_path / "served" / "images" / file.name) as second:
            assert first.tobytes() == second.tobytes()
