"""Pictures into an object store: images a second by zbatch's savers beside bare puts by obstore, same bytes.

`python tests/benchmarks/bench_stores.py --pictures 2000 --delay 0.05`

Each way puts as many objects: a picture and its thumbnail. The store is moto's server, which is slow itself,
and a sink that answers every put after a delay, as a store across a network does.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import io
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import obstore
from aiohttp import web
from obstore.store import S3Store
from PIL import Image
from support.object_store import ObjectStore, object_store

import zbatch
from zbatch.exports.exporting import export
from zbatch.model import JobState
from zbatch.runner.savers import SaverPool
from zbatch.state.artifacts import Asked
from zbatch.state.directory import RunDirectory
from zbatch.storage import Location

MANIFEST = """\
version: 1
name: bench
request: {prompt: "a {{ subject }} in a misty forest", size: 512*512, output_format: webp}
matrix: {subject: [red fox, barn owl, grey wolf, mountain hare], seed: {from: 1, count: 8}}
"""
THUMB = os.urandom(7_000)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=2000)
    parser.add_argument("--delay", type=float, default=0.05, help="seconds the sink takes for a put")
    parser.add_argument(
        "--side", type=int, default=512, help="pixels; the smaller, the less there is to decode"
    )
    parser.add_argument("--sink", type=float, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.sink is not None:
        asyncio.run(_sink(options.sink))
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "bench.yaml").write_text(MANIFEST)
        run = zbatch.run(folder / "bench.yaml", run_dir=folder / "run", report=False)
        made = [
            _shrunk(run.path(job).read_bytes(), options.side) for job in run if job.state is JobState.DONE
        ]
        pictures = [made[number % len(made)] for number in range(options.pictures)]
        size = sum(map(len, pictures)) / len(pictures)
        print(
            f"{len(pictures)} pictures of {options.side} pixels, {size / 1000:.1f} kB, each with a thumbnail"
        )
        _told("savers, into a directory", len(pictures), *_saving(folder / "disk", pictures, None))
        with object_store() as moto:
            _both("moto", moto, moto.new_bucket(), folder / "moto", pictures)
        with _sinking(options.delay) as url:
            what = f"a sink that takes {options.delay * 1000:.0f} ms"
            _both(what, ObjectStore(url), "bucket", folder / "sink", pictures)
        with object_store() as moto:
            _exported(moto, run)


def _shrunk(data: bytes, side: int) -> bytes:
    buffer = io.BytesIO()
    Image.open(io.BytesIO(data)).resize((side, side)).save(buffer, "WEBP", quality=80)
    return buffer.getvalue()


def _both(what: str, store: ObjectStore, bucket: str, folder: Path, pictures: list[bytes]) -> None:
    os.environ.update(store.variables)
    for at_once in (16, 64, 128):
        before = _cpu(resource.RUSAGE_SELF)
        seconds = asyncio.run(_put(bucket, pictures, at_once))
        cpu = _cpu(resource.RUSAGE_SELF) - before
        _told(f"bare puts to {what}, {at_once} at once", len(pictures), seconds, cpu)
    _told(f"savers to {what}", len(pictures), *_saving(folder, pictures, Location("s3", bucket, "run")))


def _saving(folder: Path, pictures: list[bytes], location: Location | None) -> tuple[float, float]:
    before = _cpu(resource.RUSAGE_SELF) + _cpu(resource.RUSAGE_CHILDREN)
    seconds = asyncio.run(_saved(folder, pictures, location))
    return seconds, _cpu(resource.RUSAGE_SELF) + _cpu(resource.RUSAGE_CHILDREN) - before


def _cpu(who: int) -> float:
    usage = resource.getrusage(who)
    return usage.ru_utime + usage.ru_stime


async def _put(bucket: str, pictures: list[bytes], at_once: int) -> float:
    store = S3Store(bucket, prefix="bare", client_options={"allow_http": True})
    room = asyncio.Semaphore(at_once)

    async def put(number: int, data: bytes) -> None:
        async with room:
            await obstore.put_async(store, f"thumbs/{number}.jpg", THUMB)
            await obstore.put_async(store, f"images/{number}.webp", data)

    began = time.monotonic()
    await asyncio.gather(*(put(number, data) for number, data in enumerate(pictures)))
    return time.monotonic() - began


async def _saved(folder: Path, pictures: list[bytes], location: Location | None) -> float:
    directory = RunDirectory(folder)
    directory.create()
    async with SaverPool(directory, to=None if location is None else (location, 30.0)) as pool:
        first = Asked(f"{0:064}", "images/first.webp", "webp", 512, 512)
        await pool.save(first, pictures[0])  # the helpers are up
        began = time.monotonic()
        await asyncio.gather(
            *(
                pool.save(
                    Asked(hashlib.sha256(b"%d" % n).hexdigest(), f"images/{n}.webp", "webp", 512, 512), data
                )
                for n, data in enumerate(pictures)
            )
        )
        return time.monotonic() - began


def _exported(store: ObjectStore, run: zbatch.Run) -> None:
    os.environ.update(store.variables)
    for form in ("imagefolder", "webdataset"):
        began = time.monotonic()
        done = export(run, f"s3://{store.new_bucket()}/set", format=form)
        print(f"export, {form}, {done.files} files to moto: {time.monotonic() - began:.2f} s")


def _told(what: str, many: int, seconds: float, cpu: float) -> None:
    print(f"{what:<56} {many / seconds:>6.0f} images/s {cpu / many * 1000:>7.2f} ms of CPU an image")


class _sinking:  # noqa: N801 - a context manager
    def __init__(self, delay: float) -> None:
        self._delay = delay

    def __enter__(self) -> str:
        self._process = subprocess.Popen(
            [sys.executable, __file__, "--sink", str(self._delay)], stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        return f"http://127.0.0.1:{int(self._process.stdout.readline())}"

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()


async def _sink(delay: float) -> None:
    async def answer(request: web.Request) -> web.Response:
        tag = hashlib.md5(await request.read(), usedforsecurity=False).hexdigest()
        await asyncio.sleep(delay)
        return web.Response(headers={"ETag": f'"{tag}"'})

    app = web.Application(client_max_size=2**30)
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(site._server.sockets[0].getsockname()[1], flush=True)  # noqa: SLF001 - who else would know
    await asyncio.Event().wait()


if __name__ == "__main__":
    main()
