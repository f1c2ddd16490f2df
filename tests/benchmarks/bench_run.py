"""A whole run of many preview jobs: jobs a second, CPU a job, peak memory, and what the sheet weighs.

`python tests/benchmarks/bench_run.py --jobs 2000 --side 1024`
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

MANIFEST = """\
version: 1
name: bench
request: {{prompt: "a {{{{ subject }}}} in {{{{ place }}}}", size: {side}*{side}}}
matrix:
  subject: [red fox, barn owl, grey wolf, mountain hare]
  place: [a misty forest, the tundra, the desert at dusk, a river bank, a meadow]
  seed: {{from: 1, count: {seeds}}}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=2000)
    parser.add_argument("--side", type=int, default=1024)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        manifest = directory / "bench.yaml"
        manifest.write_text(MANIFEST.format(side=options.side, seeds=options.jobs // 20), "utf-8")
        began = time.monotonic()
        subprocess.run(
            [
                sys.executable,
                "-m",
                "zbatch",
                "run",
                str(manifest),
                "-o",
                str(directory / "run"),
                "--progress",
                "plain",
            ],
            check=True,
        )
        seconds = time.monotonic() - began
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = usage.ru_utime + usage.ru_stime
        sheet = (directory / "run" / "data.js").stat().st_size
        jobs = options.jobs // 20 * 20
        print(f"{jobs} jobs of {options.side} pixels in {seconds:.1f} s: {jobs / seconds:.1f} jobs/s")
        print(f"CPU {cpu / jobs * 1000:.1f} ms a job, rendering in process included")
        print(f"peak memory of any process {usage.ru_maxrss / 1024:.0f} MiB, data.js {sheet / 1024:.0f} kB")


if __name__ == "__main__":
    main()
