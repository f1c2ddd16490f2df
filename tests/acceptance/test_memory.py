"""A process that may not have enough memory says so, and with more the same command goes on."""

from __future__ import annotations

import resource
import subprocess
import sys

import pytest
from support.command import environment, zbatch
from support.dataset_run import write_dataset

JOBS = 700


def limited(*arguments, megabytes, cwd):
    def limit():
        resource.setrlimit(resource.RLIMIT_AS, (megabytes << 20, megabytes << 20))

    return subprocess.run(
        [sys.executable, "-m", "zbatch", *map(str, arguments)],
        cwd=cwd, env=environment(OPENBLAS_NUM_THREADS="1"), capture_output=True, text=True, check=False,
        stdin=subprocess.DEVNULL, preexec_fn=limit, timeout=60,
    )  # fmt: skip


@pytest.mark.skipif(sys.platform != "linux", reason="address space is limited on Linux alone")
@pytest.mark.parametrize("command", ["export", "report"])
def test_whatever_the_limit_it_is_no_bug(tmp_path, command):
    """From where nothing but Python fits up to where the command succeeds."""
    run = write_dataset(tmp_path / "animals", JOBS, side=64, length=4_000)
    words = {
        "export": ["export", run, "--format", "webdataset", "-o", "out"],
        "report": ["report", run],
    }[command]
    told, megabytes, loaded = 0, 24, False
    while (done := limited(*words, megabytes=megabytes, cwd=tmp_path)).returncode != 0:
        # With less than its modules need, Python now and then says that their source is wrong, or worse.
        loaded = loaded or limited(command, "--help", megabytes=megabytes, cwd=tmp_path).returncode == 0
        assert not (loaded and "a bug in zbatch" in done.stderr), done.stderr
        if "memory ran out" in done.stderr:
            told += 1
            assert (done.returncode, "Traceback" in done.stderr) == (4, False), done.stderr
            assert "nothing that was written is lost: give the same command again" in done.stderr
        megabytes += max(4, megabytes // 5)
        assert megabytes < 4_000
    assert told
    assert zbatch(*words, cwd=tmp_path).returncode == 0
