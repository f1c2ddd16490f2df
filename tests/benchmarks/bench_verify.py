"""A run of many pictures held against its state, beside hashing the same files with nothing else.

`python tests/benchmarks/bench_verify.py --jobs 20000 --side-by-side 3`

Each picture has bytes of its own, of 60 to 180 kB. What it is compared with: one loop of hashlib, the same in
two processes, and `sha256sum` in two processes at a time. First with the files in the page cache, then (with
`--cold`) after the cache let go of them, beside `cat` of the same files: at the disk's own speed. Peak memory
is of this process after the verification. Each line is the best of several rounds, which take turns.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from support.large_run import write_large

CORES = os.cpu_count() or 1


def fill(run: Path, jobs: int) -> list[str]:
    """Give each done job a file of its own; gives their paths."""
    import sqlite3

    write_large(run, jobs, linked=False)
    noise, paths = os.urandom(200_000), []
    thumb = run / "thumbs" / "one.jpg"
    thumb.write_bytes(b"\xff\xd8\xff" + noise[:4_000] + b"\xff\xd9")
    with closing(sqlite3.connect(run / "state.sqlite3")) as db, db:
        rows = db.execute("SELECT id, file FROM jobs WHERE state = 'done'").fetchall()
        for number, (job_id, file) in enumerate(rows):
            data = number.to_bytes(8, "big") + noise[: 60_000 + number * 7919 % 120_000]
            path = run / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            paths.append(str(path))
            db.execute(
                "UPDATE jobs SET sha256 = ?, bytes = ?, thumb = 'thumbs/one.jpg' WHERE id = ?",
                (hashlib.sha256(data).hexdigest(), len(data), job_id),
            )
    from zbatch.exports.provenance import write_provenance
    from zbatch.state.run import Run

    with closing(Run(run)) as opened:
        write_provenance(opened)
    os.sync()
    return paths


def forget(paths: list[str]) -> None:
    """Have the page cache let go of files."""
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)


def loop(paths: list[str]) -> int:
    for path in paths:
        with Path(path).open("rb") as stream:
            hashlib.file_digest(stream, "sha256").hexdigest()
    return len(paths)


def in_processes(paths: list[str]) -> int:
    with ProcessPoolExecutor(CORES) as pool:
        return sum(pool.map(loop, (paths[at::CORES] for at in range(CORES))))


def piped(command: list[str]) -> Callable[[list[str]], int]:
    def work(paths: list[str]) -> int:
        subprocess.run(
            ["xargs", "-0", f"-P{CORES}", "-n500", *command],
            input="\0".join(paths).encode(), stdout=subprocess.DEVNULL, check=True,
        )  # fmt: skip
        return len(paths)

    return work


def ways(run: Path, *, cold: bool) -> Iterator[tuple[str, Callable[[list[str]], int]]]:
    from zbatch.exports.run_check import verify_run

    def verified(_paths: list[str]) -> int:
        result = verify_run(run)
        assert not result.differs, result.counts
        return result.whole

    yield "hashlib, one loop", loop
    yield f"hashlib, {CORES} processes", in_processes
    yield f"sha256sum, {CORES} processes", piped(["sha256sum"])
    if cold:
        yield f"cat, {CORES} processes", piped(["cat"])
    yield "zbatch verify", verified


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--jobs", type=int, default=20_000)
    parser.add_argument("--side-by-side", type=int, default=3, metavar="ROUNDS")
    parser.add_argument("--cold", action="store_true")
    parser.add_argument("--dir", type=Path, help="where to put the files, for a while")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.dir) as name:
        run = Path(name) / "run"
        paths = fill(run, options.jobs)
        length = sum(Path(path).stat().st_size for path in paths)
        print(f"{len(paths):,} pictures, {length / 1e9:.2f} GB")
        for cold in (False, True) if options.cold else (False,):
            best: dict[str, float] = {}
            for _ in range(options.side_by_side):
                for label, work in ways(run, cold=cold):
                    if cold:
                        forget(paths)
                    begun = time.monotonic()
                    assert work(paths) == len(paths)
                    best[label] = min(best.get(label, 1e9), time.monotonic() - begun)
            print(f"{'cold' if cold else 'cached':26}{'GB/s':>8}{'images/s':>11}{'s':>8}")
            for label, seconds in best.items():
                print(
                    f"{label:26}{length / seconds / 1e9:>8.2f}{len(paths) / seconds:>11,.0f}{seconds:>8.2f}"
                )
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"peak memory of this process {peak:.0f} MiB, {options.jobs:,} jobs")


if __name__ == "__main__":
    main()
