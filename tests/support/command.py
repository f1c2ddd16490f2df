"""The command line as a process: `zbatch ...` in a folder, with an environment of its own."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from zbatch.state.directory import RunDirectory
from zbatch.state.run import Run


def environment(**more: str) -> dict[str, str]:
    """This environment without what zbatch reads, so that nothing of the outside decides a test."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("ZBATCH_")}
    return {**clean, "NO_COLOR": "1", **more}


def zbatch(
    *arguments: object, cwd: Path, seconds: float = 120, **more: str
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, which comes within `seconds`."""
    return subprocess.run(
        [sys.executable, "-m", "zbatch", *map(str, arguments)],
        cwd=cwd, env=environment(**more), capture_output=True, text=True, check=False, timeout=seconds,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip


@contextlib.contextmanager
def zbatch_started(
    *arguments: object, cwd: Path, before: Sequence[str] = (), **more: str
) -> Iterator[subprocess.Popen[str]]:
    """Start a command, with words `before` it; whatever becomes of the test, it does not outlive it."""
    process = subprocess.Popen(
        [*before, sys.executable, "-m", "zbatch", *map(str, arguments)],
        cwd=cwd, env=environment(**more), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        stdin=subprocess.DEVNULL, start_new_session=True, preexec_fn=ordinary_signals,  # noqa: PLW1509 - no lock is held
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def ordinary_signals() -> None:
    """Answer signals in the ordinary way: in the background of a shell SIGINT is inherited as ignored."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def wait_until(condition: Any, process: subprocess.Popen[str], seconds: float = 30.0) -> None:
    """Wait for something to become true while a process runs, asking often; give up loudly."""
    end = time.monotonic() + seconds
    while not condition():
        if process.poll() is not None:
            raise AssertionError(
                f"it ended with {process.returncode}: {process.stderr and process.stderr.read()}"
            )
        if time.monotonic() > end:
            raise AssertionError("it never came true")
        time.sleep(0.01)


def counts(run: Path) -> dict[str, int]:
    """The states of a run's jobs, without those nobody is in; empty where there is no run yet."""
    if not RunDirectory(run).exists():
        return {}
    with contextlib.suppress(Exception), Run(run) as opened:
        return {state.value: number for state, number in opened.counts().items() if number}
    return {}
