"""Jobs a second with many tasks in flight: `zbatch run`, whole and durable, beside a bare loop.

`python tests/benchmarks/bench_wire.py --jobs 6000 --in-flight 1000 --rounds 3`
`python tests/benchmarks/bench_wire.py --jobs 400 --in-flight 64 --rounds 3 --side 1024`

One lean server, a process of its own, answers for every way: a task is done `--latency` seconds after its
submit, its picture is one WebP of `--side` pixels, small, so that decoding is not what is measured. The bare
loop submits, polls every 200 ms, downloads and writes the file: asyncio and aiohttp, no state, no checks, no
fsync. `bare, uvloop` is the same on uvloop, its files written by another process. zbatch checks, hashes,
decodes and fsyncs. From 1024 pixels on, decoding is what is measured: then `two decoders`, two processes that
decode, hash and make a thumbnail of the same bytes and do nothing else, is what the machine can do at best.

Rates are jobs a second from the first submit that reached the server to the end: the last file written, or
zbatch's exit (without its sheet). The rounds take turns, the best of each way counts. CPU is of the way's
own processes, the server's apart.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import importlib.util
import io
import itertools
import json
import multiprocessing
import os
import resource
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

import aiohttp
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1]))

from support.lean_http import JSON, OK, WEBP, Answer, LeanServer, served, target_of

SUBMIT = "/v3/async/z-image-turbo-lora"
MANIFEST = """\
version: 1
name: wire
request: {{prompt: "a fox", size: {side}*{side}}}
matrix: {{seed: {{from: 1, count: {jobs}}}}}
limits: {{concurrency: {in_flight}, unchecked: [size]}}
"""


# ── the server ───────────────────────────────────────────────────────────────────────────────────────────


def picture(side: int) -> bytes:
    """Soft shapes with some grain: a small one has few bytes, a large one those of a photograph."""
    grain = Image.effect_noise((side, side), 24)
    image = Image.blend(Image.radial_gradient("L").resize((side, side)), grain, 0.3)
    buffer = io.BytesIO()
    image.convert("RGB").save(buffer, "WEBP", quality=80)
    return buffer.getvalue()


class _Api(LeanServer):
    def __init__(self, latency: float, side: int) -> None:
        self._latency = latency
        self._picture = picture(side)
        self._begun: list[float] = []
        self._first_at = 0.0

    def answer(self, head: bytes) -> Answer:
        target = target_of(head)
        if head.startswith(b"POST"):
            self._first_at = self._first_at or time.time()
            self._begun.append(time.monotonic())
            return OK, JSON, b'{"task_id":"%d"}' % (len(self._begun) - 1)
        if target.startswith(b"/v3/"):
            number = target.rsplit(b"=", 1)[1]
            return self.result(number, done=time.monotonic() >= self._begun[int(number)] + self._latency)
        if target == b"/first":
            return OK, JSON, b"%f" % self._first_at
        return OK, WEBP, self._picture


# ── the ways ─────────────────────────────────────────────────────────────────────────────────────────────


async def _bare(url: str, jobs: int, in_flight: int, keep: Callable[[str, bytes], None]) -> None:
    numbers = iter(range(jobs))

    async def worker(session: aiohttp.ClientSession) -> None:
        for seed in numbers:
            body = {"prompt": "a fox", "size": "256*256", "seed": seed, "output_format": "webp"}
            async with session.post(url + SUBMIT, json=body) as answer:
                task_id = (await answer.json())["task_id"]
            while True:
                await asyncio.sleep(0.2)
                async with session.get(url + "/v3/async/task-result", params={"task_id": task_id}) as answer:
                    result = await answer.json()
                if result["task"]["status"] == "TASK_STATUS_SUCCEED":
                    break
            async with session.get(result["images"][0]["image_url"]) as answer:
                keep(f"{seed}.webp", await answer.read())

    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session, asyncio.TaskGroup() as group:
        for _ in range(in_flight):
            group.create_task(worker(session))


def bare(url: str, jobs: int, in_flight: int, side: int, folder: Path) -> None:
    """Files written on the loop: what everybody writes first."""
    asyncio.run(_bare(url, jobs, in_flight, lambda name, data: _write(folder / name, data)))


def bare_uvloop(url: str, jobs: int, in_flight: int, side: int, folder: Path) -> None:
    """The same on uvloop, another process writing the files."""
    import uvloop

    mine, theirs = multiprocessing.Pipe()
    process = multiprocessing.Process(target=_write_all, args=(theirs, folder))
    process.start()
    uvloop.run(_bare(url, jobs, in_flight, lambda name, data: mine.send((name, data))))
    mine.send(None)
    process.join()


def _write(path: Path, data: bytes) -> None:
    with path.open("wb") as stream:
        stream.write(data)


def _write_all(pipe: Connection, folder: Path) -> None:
    while (item := pipe.recv()) is not None:
        _write(folder / item[0], item[1])


def zbatch(url: str, jobs: int, in_flight: int, side: int, folder: Path) -> None:
    """The real command, as a person starts it."""
    _command(["-m", "zbatch"], url, jobs, in_flight, side, folder)


def zbatch_plain(url: str, jobs: int, in_flight: int, side: int, folder: Path) -> None:
    """The same with the pictures left as they come, without what made them."""
    _command(["-m", "zbatch"], url, jobs, in_flight, side, folder, "output: {embed: false}\n")


def zbatch_asyncio(url: str, jobs: int, in_flight: int, side: int, folder: Path) -> None:
    """The same where uvloop is not installed."""
    without = "import sys; sys.modules['uvloop'] = None; from zbatch.cli import main; main()"
    _command(["-c", without], url, jobs, in_flight, side, folder)


def _command(
    words: list[str], url: str, jobs: int, in_flight: int, side: int, folder: Path, more: str = ""
) -> None:
    manifest = folder / "wire.yaml"
    manifest.write_text(MANIFEST.format(jobs=jobs, in_flight=in_flight, side=side) + more, "utf-8")
    command = [sys.executable, *words, "run", str(manifest), "-o", str(folder / "run")]
    command += ["--endpoint", url, "--progress", "none", "--no-report"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def two_decoders(url: str, jobs: int, in_flight: int, side: int, folder: Path) -> None:
    """What the machine itself can do: one decode for hash and thumbnail, nothing else, in two processes."""
    data = urllib.request.urlopen(url + "/i/0.webp").read()
    with multiprocessing.Pool(2) as pool:
        pool.map(_nothing, range(2))
        urllib.request.urlopen(url + SUBMIT, data=b"{}").read()  # the clock begins
        for _ in pool.imap_unordered(_decoded, itertools.repeat(data, jobs), chunksize=4):
            pass


def _nothing(_: int) -> None:
    """Wake a process up."""


def _decoded(data: bytes) -> tuple[str, int]:
    image = Image.open(io.BytesIO(data))
    image.load()
    small = image.convert("RGB").resize((384, 384), Image.Resampling.LANCZOS, reducing_gap=2.0)
    buffer = io.BytesIO()
    small.save(buffer, "WEBP", quality=82, method=2)
    return hashlib.sha256(data).hexdigest(), len(buffer.getvalue())


WAYS = {
    "two decoders": two_decoders,
    "bare loop": bare,
    "bare, uvloop": bare_uvloop,
    "zbatch run": zbatch,
    "zbatch, plain": zbatch_plain,
    "zbatch, asyncio": zbatch_asyncio,
}


def _measured(
    way: str, url: str, jobs: int, in_flight: int, side: int, folder: Path
) -> tuple[float, float, float]:
    """Give jobs a second, ms of CPU a job, and peak MiB of one process."""
    folder.mkdir()
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        WAYS[way](url, jobs, in_flight, side, folder)
        usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        cpu = sum(one.ru_utime + one.ru_stime for one in usage)
        peak = max(one.ru_maxrss for one in usage[way.startswith("zbatch") :])
        os.write(writing, json.dumps([time.time(), cpu, peak]).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as stream:
        ended, cpu, peak = json.loads(stream.read())
    os.waitpid(pid, 0)
    with urllib.request.urlopen(url + "/first") as answer:
        began = float(answer.read())
    return jobs / (ended - began), cpu / jobs * 1000, peak / 1024


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--jobs", type=int, default=6000)
    parser.add_argument("--in-flight", type=int, default=1000)
    parser.add_argument("--latency", type=float, default=0.2)
    parser.add_argument("--side", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=WAYS)
    options = parser.parse_args()
    ways = [options.only] if options.only else list(WAYS)[options.side < 1024 :]
    if not importlib.util.find_spec("uvloop"):
        ways = [way for way in ways if way != "bare, uvloop"]
    best: dict[str, tuple[float, float, float]] = {}
    # Nothing is deleted before the end: ext4 is slow to make files while it steps over those just deleted.
    with tempfile.TemporaryDirectory() as name:
        for turn in range(options.rounds):
            for way in ways:
                folder = Path(name, f"{turn} {way}")
                with served(_Api, options.latency, options.side) as url:
                    found = _measured(way, url, options.jobs, options.in_flight, options.side, folder)
                best[way] = max(best.get(way, (0.0, 0.0, 0.0)), found)
    print(
        f"{options.jobs} jobs, {options.in_flight} in flight, tasks of {options.latency * 1000:.0f} ms, "
        f"pictures of {options.side} pixels ({len(picture(options.side)):,} bytes)"
    )
    print(f"{'':<16}{'jobs/s':>9}{'CPU ms/job':>12}{'peak MiB':>10}")
    for way, (rate, cpu, peak) in best.items():
        ratio = f"{rate / best[ways[0]][0]:>8.2f}x" if way != ways[0] else ""
        print(f"{way:<16}{rate:>9,.0f}{cpu:>12.2f}{peak:>10.0f}{ratio}")


if __name__ == "__main__":
    main()
