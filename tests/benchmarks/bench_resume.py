"""Going on with a run of a million jobs, most of them done: the time to the first poll, and memory.

`python tests/benchmarks/bench_resume.py --jobs 1000000 --submitted 5000`

The state is real: `zbatch run` commits the grid of a real manifest and is killed at its first submit; then
all but the last hundredth of the jobs get their picture (a small file each, in a flat directory) and are
marked done, some thousand get a task id. What is measured is the process `zbatch run`: the time from starting
it to the first poll and to the first submit that reach a server on loopback, and its peak memory (VmHWM) at
the poll and ten seconds after the submit; then `zbatch status --json` and `zbatch plan --json`. `--changed`
also measures a run of the manifest with one more seed, whose grid has to be expanded anew.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

PICTURE = b"small file"
MANIFEST = """\
version: 1
name: bench
request: {{prompt: "a photo of a {{{{ subject }}}} in {{{{ place }}}}, natural light", size: 512*512}}
matrix:
  subject: [{subjects}]
  place: [{places}]
  size: [512*512, 640*512, 512*640, 768*512, 512*768]
  seed: {{from: 1, count: {seeds}}}
limits: {{concurrency: 64, attempts: 1, max_jobs: 2000000}}
"""
FAILED = b"""{"task": {"task_id": "t", "status": "TASK_STATUS_FAILED", "reason": "bench"}, "images": []}"""
ACCEPTED = b"""{"task_id": "%d"}"""


class Server:
    """Takes every submit, says of every task that it failed, for slots to get free; notes the first."""

    def __init__(self) -> None:
        self.first: dict[str, float] = {}
        self.url = ""
        self._ready = threading.Event()
        self._number = 0
        threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True).start()
        self._ready.wait(10)

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._talk, "127.0.0.1", 0, backlog=1024)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        self._ready.set()
        await server.serve_forever()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                length = head.partition(b"content-length:")[2].partition(b"\r\n")[0].strip()
                await reader.readexactly(int(length or 0))
                submit = head.startswith(b"post")
                self.first.setdefault("submit" if submit else "poll", time.monotonic())
                self._number += 1
                body = ACCEPTED % self._number if submit else FAILED
                writer.write(
                    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
                    % (len(body), body)
                )
        writer.close()


def zbatch(*words: object) -> list[str]:
    return [sys.executable, "-m", "zbatch", *map(str, words)]


def peak(process: subprocess.Popen[bytes]) -> float:
    """Peak resident memory of a process so far, in MiB."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def write_manifest(folder: Path, jobs: int, more: int = 0) -> Path:
    places, sizes, seeds = 50, 5, 20
    subjects = ", ".join(f"animal {n}" for n in range(jobs // (places * sizes * seeds)))
    path = folder / "bench.yaml"
    named = ", ".join(f"place {n}" for n in range(places))
    path.write_text(MANIFEST.format(subjects=subjects, places=named, seeds=seeds + more), "utf-8")
    return path


def build(folder: Path, server: Server, jobs: int, submitted: int) -> None:
    """Make the state, in `folder/run`."""
    manifest = write_manifest(folder, jobs)
    began = time.monotonic()
    with started(folder, server, manifest) as process:
        while "submit" not in server.first:
            if process.poll() is not None:
                raise SystemExit("the run ended before its first submit")
            time.sleep(0.05)
        print(f"a fresh run of {jobs:,} jobs: first submit after {server.first['submit'] - began:.1f} s")
    mark(folder / "run", jobs, submitted)
    print(f"the state was made in {time.monotonic() - began:.0f} s")


def mark(run: Path, jobs: int, submitted: int) -> None:
    """Give all but the last hundredth a picture, and some of the rest a task."""
    done = jobs - jobs // 100
    now = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())
    with contextlib.closing(sqlite3.connect(run / "state.sqlite3", isolation_level=None)) as db:
        for (file,) in db.execute("SELECT file FROM jobs WHERE position < ?", (done,)):
            descriptor = os.open(run / file, os.O_WRONLY | os.O_CREAT)
            os.write(descriptor, PICTURE)
            os.close(descriptor)
        db.execute("BEGIN")
        db.execute("DELETE FROM attempts")
        db.execute("UPDATE jobs SET state = 'pending', attempts = 0 WHERE state <> 'pending'")
        db.execute(
            """INSERT INTO attempts (job_id, number, intent_at, task_id, accepted_at, succeeded_at, ended_at,
                   outcome)
               SELECT id, 1, ?1, 'task-' || id, ?1, CASE WHEN position < ?2 THEN ?1 END,
                   CASE WHEN position < ?2 THEN ?1 END, CASE WHEN position < ?2 THEN 'done' END
               FROM jobs WHERE position < ?2 + ?3""",
            (now, done, submitted),
        )
        db.execute(
            """UPDATE jobs SET state = 'done', attempts = 1, submitted_at = ?1, done_at = ?1, sha256 = key,
                   received_sha256 = key, bytes = ?2, width = 512, height = 512, media_type = 'image/webp',
                   thumb = 'thumbs/' || substr(key, 1, 16) || '.jpg', thumb_width = 384, thumb_height = 384
               WHERE position < ?3""",
            (now, len(PICTURE), done),
        )
        db.execute(
            """UPDATE jobs SET state = 'submitted', attempts = 1, submitted_at = ?
               WHERE position >= ? AND position < ?""",
            (now, done, done + submitted),
        )
        db.execute("COMMIT")


def as_left(run: Path, server: Server, jobs: int, submitted: int) -> None:
    """Put the tasks back in flight, at this server, whatever a run before made of them."""
    done = jobs - jobs // 100
    with contextlib.closing(sqlite3.connect(run / "state.sqlite3", isolation_level=None)) as db:
        db.execute("UPDATE meta SET value = ? WHERE name = 'endpoint'", (f'"{server.url}"',))
        db.execute("BEGIN")
        db.execute(
            "UPDATE jobs SET state = 'pending', attempts = 0 WHERE position IS NULL AND state <> 'done'"
        )
        db.execute(
            "UPDATE jobs SET state = iif(position < ?, 'submitted', 'pending'), attempts = position < ?, "
            "reason = NULL, message = NULL WHERE position >= ?",
            (done + submitted, done + submitted, done),
        )
        db.execute("DELETE FROM attempts WHERE job_id IN (SELECT id FROM jobs WHERE state <> 'done')")
        now = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())
        db.execute(
            """INSERT INTO attempts (job_id, number, intent_at, task_id, accepted_at)
               SELECT id, 1, ?1, 'task-' || id, ?1 FROM jobs WHERE state = 'submitted'""",
            (now,),
        )
        db.execute("COMMIT")


@contextlib.contextmanager
def started(folder: Path, server: Server, manifest: Path) -> Iterator[subprocess.Popen[bytes]]:
    words = zbatch("run", manifest, "-o", folder / "run", "--endpoint", server.url, "--no-report")
    log = (folder / "stderr.txt").open("wb")
    process = subprocess.Popen([*words, "--progress", "none"], stderr=log, stdout=log)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        log.close()


def resume(label: str, folder: Path, server: Server, manifest: Path, seconds: float) -> None:
    server.first.clear()
    began = time.monotonic()
    with started(folder, server, manifest) as process:
        while "poll" not in server.first:
            if process.poll() is not None:
                raise SystemExit(f"the run ended: {(folder / 'stderr.txt').read_text()}")
            time.sleep(0.01)
        at_poll = peak(process)
        end, at_end = began + seconds, at_poll
        while time.monotonic() < end and process.poll() is None:
            end = min(end, server.first.get("submit", end) + 10)
            at_end = peak(process)
            time.sleep(0.05)
    poll, submit = (
        f"{server.first[name] - began:8.2f}" if name in server.first else f"> {seconds:6.0f}"
        for name in ("poll", "submit")
    )
    print(f"{label:<28}{poll}{submit:>14}{at_poll:>14.0f}{at_end:>12.0f}")


def command(folder: Path, *words: object) -> None:
    began = time.monotonic()
    with (folder / "stdout.txt").open("wb") as out:
        process = subprocess.Popen(zbatch(*words), stdout=out)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.monotonic() - began
    name = f"{words[0]} --json" if "--json" in words else words[0]
    print(f"zbatch {name:<21}{seconds:8.2f} s{usage.ru_maxrss / 1024:>38.0f}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--jobs", type=int, default=1_000_000)
    parser.add_argument("--submitted", type=int, default=5_000)
    parser.add_argument("--seconds", type=float, default=100.0, help="how long each run goes on at most")
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--changed", action="store_true", help="and with a manifest that was changed")
    parser.add_argument("--state", type=Path, help="where to keep the state, or where one was kept")
    options = parser.parse_args()
    folder = options.state or Path(tempfile.mkdtemp(prefix="zbatch-resume-"))
    server = Server()
    try:
        if not (folder / "run" / "state.sqlite3").exists():
            folder.mkdir(exist_ok=True)
            build(folder, server, options.jobs, options.submitted)
        manifest = write_manifest(folder, options.jobs)
        print(f"\n{'':<28}{'poll, s':>8}{'submit, s':>14}{'MiB at poll':>14}{'MiB':>12}")
        for number in range(1, options.times + 1):
            as_left(folder / "run", server, options.jobs, options.submitted)
            resume(f"zbatch run, time {number}", folder, server, manifest, options.seconds)
        command(folder, "status", folder / "run", "--json")
        command(folder, "status", folder / "run")
        command(folder, "plan", manifest, "--json", "--run-dir", folder / "run", "--endpoint", server.url)
        if options.changed:
            manifest = write_manifest(folder, options.jobs, more=1)
            as_left(folder / "run", server, options.jobs, options.submitted)
            resume("with 50,000 cells more", folder, server, manifest, options.seconds * 2)
    finally:
        if options.state is None:
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
