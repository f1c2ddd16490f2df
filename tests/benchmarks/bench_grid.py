"""A grid of a million rows taken over by the state: a new one, the same again, one that was edited.

`python tests/benchmarks/bench_grid.py --jobs 1000000`

The manifest is that of `bench_expand.py`. CPU is of the whole process, user and system, the expansion of the
manifest included (told apart in the first line). `--beside DIR` runs the zbatch of another checkout first.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

from bench_expand import SEEDS, manifest


def cpu() -> float:
    times = os.times()
    return times.user + times.system


def measured(label: str, path: Path, jobs: int, *, state: Path | None) -> None:
    from zbatch.manifest.jobs import Expansion
    from zbatch.manifest.loader import load_manifest
    from zbatch.state.store import Store

    loaded = load_manifest(path)
    wall, used = time.monotonic(), cpu()
    if state is None:
        for _ in Expansion(loaded).rows():
            pass
    else:
        with closing(Store(state)) as store, store.transaction():
            store.replace_grid(Expansion(loaded).rows(), loaded.model)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    each = (cpu() - used) / jobs * 1e6
    print(f"{label:32}{each:>14.1f}{time.monotonic() - wall:>10.1f}{peak:>10.0f}", flush=True)


def settle(state: Path) -> None:
    import sqlite3

    with closing(sqlite3.connect(state)) as connection, connection:
        connection.execute("UPDATE jobs SET state = 'done', attempts = 1 WHERE id % 2")


def run_all(jobs: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        path, state = Path(name) / "bench.yaml", Path(name) / "state.sqlite3"
        text = manifest(jobs)
        path.write_text(text, "utf-8")
        print(f"{'':32}{'us CPU a row':>14}{'wall s':>10}{'peak MiB':>10}")
        measured("expansion alone", path, jobs, state=None)
        measured("a new state", path, jobs, state=state)
        measured("the same grid again", path, jobs, state=state)
        settle(state)
        measured("again, half of it done", path, jobs, state=state)
        path.write_text(text.replace(f"count: {SEEDS}", f"count: {SEEDS + 1}"), "utf-8")
        measured("one seed more", path, jobs // SEEDS * (SEEDS + 1), state=state)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=1_000_000)
    parser.add_argument("--beside", help="a checkout of zbatch to run first")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.here:
        run_all(options.jobs)
        return
    for label, folder in (("before", options.beside), ("now", None)):
        if label == "now" or folder:
            print(label, flush=True)
            environment = {**os.environ, **({"PYTHONPATH": folder} if folder else {})}
            command = [sys.executable, __file__, "--here", "--jobs", str(options.jobs)]
            subprocess.run(command, check=True, env=environment)


if __name__ == "__main__":
    main()
