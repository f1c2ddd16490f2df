"""The whole path with the engine `diffusers` and a tiny model: `zbatch serve`, `zbatch run`, a sheet."""

import pytest

pytest.importorskip("torch", reason="the engine diffusers is not installed: pip install 'zbatch[gpu]'")
pytest.importorskip("diffusers", reason="the engine diffusers is not installed: pip install 'zbatch[gpu]'")

import contextlib
import signal
import socket

from PIL import Image
from support.command import counts, wait_until, zbatch, zbatch_started
from support.runs import check_files, write_manifest
from support.tiny_engine import write_lora
from support.tiny_zimage import build

from zbatch.state.run import Run

MANIFEST = """\
version: 1
name: trial
loras:
  style: {path: %s}
request: {prompt: "a red fox", size: 260*256, output_format: png}
matrix:
  lora: {name: [style], scale: [0, 0.5, 2]}
  seed: [1, 2]
limits: {concurrency: 6}
"""


@contextlib.contextmanager
def serving(folder, *flags, port=0, killed=False):
    """Serve the tiny model; gives its process and its URL."""
    common = {"XDG_STATE_HOME": str(folder / "state"), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    with zbatch_started(
        "serve", "--port", str(port), "--engine", "diffusers", "--model", "tiny", *flags, cwd=folder, **common
    ) as process:
        url = process.stdout.readline().strip()
        assert url.startswith("http://"), process.stderr.read()
        yield process, url
        if not killed:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=30)
            assert process.returncode == 0


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("served")
    build(folder / "tiny")
    write_lora(folder / "loras" / "ink.safetensors")
    return folder


def made(folder, name, lora, url):
    (folder / f"{name}.yaml").write_text(MANIFEST % lora)
    return zbatch("run", f"{name}.yaml", "-o", name, "--endpoint", url, cwd=folder)


def hashes(folder, name):
    with Run(folder / name) as run:
        check_files(run)
        artifacts = [(job.key, job.artifact) for job in run.jobs()]
    for _, artifact in artifacts:
        with Image.open(folder / name / artifact.file) as image:
            assert (image.format, image.size) == ("PNG", (260, 256))
    return {key: artifact.received_sha256 for key, artifact in artifacts}


def test_from_a_manifest_to_a_sheet_and_the_same_again(folder):
    with serving(folder, "--lora-dir", "loras") as (_, url):
        done = made(folder, "first", "ink", url)
        assert done.returncode == 0, done.stderr
    with serving(folder, "--lora-dir", "loras") as (_, url):
        assert made(folder, "second", "ink", url).returncode == 0
    assert counts(folder / "first") == {"done": 6}
    assert len(set(hashes(folder, "first").values())) == 6
    assert hashes(folder, "first") == hashes(folder, "second")
    assert "<title>trial" in (folder / "first" / "index.html").read_text()


def test_a_lora_that_is_missing_fails_its_jobs_with_the_reason_and_spares_the_others(folder):
    with serving(folder, "--lora-dir", "loras", "--batch", "4") as (_, url):
        done = made(folder, "missing", "owner/absent", url)
    assert done.returncode == 1
    assert counts(folder / "missing") == {"done": 2, "failed": 4}
    told = zbatch("status", "missing", cwd=folder).stdout
    assert "does not fetch LoRAs from huggingface.co (--allow-lora-hosts)" in told


def test_a_server_that_is_killed_under_load_goes_on_and_the_run_ends_complete(folder):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    flags = ("--lora-dir", "loras", "--latency", "300ms", "--batch", "2")
    write_manifest(folder, 40, "concurrency: 8")
    command = ("run", "trial.yaml", "-o", "killed", "--endpoint", f"http://127.0.0.1:{port}", "--no-report")
    with contextlib.ExitStack() as stack:
        server, _ = stack.enter_context(serving(folder, *flags, port=port, killed=True))
        run = stack.enter_context(zbatch_started(*command, "--progress", "none", cwd=folder))
        wait_until(lambda: counts(folder / "killed").get("done", 0) >= 4, run)
        server.kill()
        server.communicate()
        stack.enter_context(serving(folder, *flags, port=port))
        run.communicate(timeout=120)
        zbatch(*command, "--retry", "unknown", cwd=folder)
        assert counts(folder / "killed") == {"done": 40}
    with Run(folder / "killed") as opened:
        check_files(opened)
