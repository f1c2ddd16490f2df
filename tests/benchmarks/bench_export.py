"""Exports beside `tar` and `cp` of the same images, in turns, in one run; and the search for near duplicates.

`python tests/benchmarks/bench_export.py --small 100000 --real 10000 --looks 100000`

Two runs are made: very many small images (256 pixels, some 10 kB), where files are what costs, and fewer of
some 150 kB, as they come from the API, where bytes do; every image has its own bytes. Each program is a
process of its own, timed from its start to its end, with what it wrote on disk: an export waits for the disk
itself, after `tar` and `cp` comes `sync` of what they wrote. Before each the images are read once, so that
all find them in memory; what was written is taken away after each, of many files at the end. Besides the
images an export reads the state and writes captions and facts, and it holds every image against its SHA-256;
`tar` and `cp` do not.

- rate: images a second, the median of the rounds; beside it, in per cent, that rate against the program that
  does most nearly the same: `tar` for shards, `cp` for folders. Those have the images alone. Of what is made
  of many more files than there are images, a line below says what the program takes for the very same files:
  for the members of the shards, or for the images and captions of a folder. Parquet, which has the captions
  and facts of all images too, stands beside the members of the shards.
- CPU: user and system of the process, median.
- memory: the most that an export's process, the largest of several, held (its resident set), of all rounds.

For the near duplicates two more runs are looked at: of JPEGs of 256 pixels, which are their own thumbnails,
and of thumbnails as zbatch makes them, which carry their hashes. Each look is there five times.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from multiprocessing import get_context
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from support.dataset_run import write_dataset

FORMATS = {
    "tar": None,
    "cp -r": None,
    "webdataset": "tar",
    "webdataset --no-check": "tar",
    "parquet": "tar",
    "imagefolder": "cp -r",
    "imagefolder --copy": "cp -r",
    "kohya": "cp -r",
}

SAME = {"webdataset": "tar", "kohya": "cp -r"}
"""Exports that write more files than images, and what takes the same files along."""

ROWS = {"parquet": "webdataset"}
"""Exports whose rows say what the files of another one say, which was made before."""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--small", type=int, default=100_000)
    parser.add_argument("--real", type=int, default=10_000)
    parser.add_argument("--looks", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="*", choices=FORMATS, default=[*FORMATS], help="leave out the others")
    parser.add_argument("--alone", action="store_true", help="not beside `tar` or `cp` of the same files")
    parser.add_argument("--place", type=Path, help="a directory on the disk to be measured")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=asked.place) as folder:
        os.chdir(folder)
        print(f"load of the machine: {os.getloadavg()[0]:.1f}, {os.cpu_count()} processors")
        if asked.small:
            compare("small", asked.small, 256, 10_000, asked)
        if asked.real:
            compare("real", asked.real, 1024, 150_000, asked)
        if asked.looks:
            look("JPEGs of 256 pixels", asked.looks, thumbs=False)
            look("thumbnails of zbatch", asked.looks, thumbs=True)
        print(f"load of the machine: {os.getloadavg()[0]:.1f}")


def compare(name: str, images: int, side: int, length: int, asked: argparse.Namespace) -> None:
    make(name, images, side=side, length=length)
    size = sum(entry.stat().st_size for entry in os.scandir(Path(name, "images")))
    print(f"{images:,} images of {side} pixels, {size / 1e6:,.0f} MB")
    formats = {form: like for form, like in FORMATS.items() if form in asked.only}
    times: dict[str, list[float]] = {form: [] for form in formats}
    spent: dict[str, list[float]] = {form: [] for form in formats}
    memory = dict.fromkeys(formats, 0)
    alike = [form for form in formats if form in SAME or ROWS.get(form) in formats]
    same: dict[str, list[float]] = {form: [] for form in alike if not asked.alone}
    for _ in range(asked.rounds):
        for form in formats:
            read_all(Path(name, "images"))
            wall, cpu, most = measured(command(form, name))
            times[form].append(wall)
            spent[form].append(cpu)
            memory[form] = max(memory[form], most)
            if form in same:
                same[form].append(taken_along(form) if form in SAME else same[ROWS[form]][-1])
            clear("written", "written.tar", many=FORMATS[form] != "tar")
            os.sync()
    rates = {form: images / statistics.median(seconds) for form, seconds in times.items()}
    for form, like in formats.items():
        beside = "" if like not in rates else f"{rates[form] / rates[like]:7.0%} of {like}"
        held = "" if like is None else f"{memory[form] / 1e3:5,.0f} MB"
        print(
            f"  {form:20} {rates[form]:8,.0f}/s  {rates[form] * size / images / 1e6:7,.0f} MB/s  "
            f"CPU {statistics.median(spent[form]):6.1f} s  {held}  {beside}"
        )
        if form in same:
            rate = images / statistics.median(same[form])
            words = f"{SAME[form]} of the same files" if form in SAME else "tar of the same as files"
            print(f"    {words} {rate:8,.0f}/s {rates[form] / rate:48.0%} of it")
    shutil.rmtree(name)
    shutil.rmtree("aside")


def make(name: str, images: int, **how: int) -> None:
    """Make a run, in a process of its own: what this one has held would count as held by those it starts."""
    process = get_context("spawn").Process(target=write_dataset, args=(Path(name), images), kwargs=how)
    process.start()
    process.join()


def command(form: str, name: str) -> list[str]:
    if form == "tar":
        return ["sh", "-c", f"tar cf written.tar {name}/images && sync written.tar"]
    if form == "cp -r":
        return ["sh", "-c", f"mkdir written && cp -r {name}/images written && sync -f written"]
    return [sys.executable, "-m", "zbatch", "export", name, "-o", "written", "--format", *form.split()]


def taken_along(form: str) -> float:
    """Seconds that `tar` or `cp` takes for the files that an export wrote, the members of shards as files."""
    files = Path("written")
    if SAME[form] == "tar":
        files = Path("members")
        files.mkdir()
        for shard in sorted(Path("written").rglob("*.tar")):
            subprocess.run(["tar", "xf", shard, "-C", files], check=True)
        words = f"tar cf again.tar {files} && sync again.tar"
    else:
        words = f"cp -r {files} again && sync -f again"
    os.sync()
    # By another process: what this one holds counts as held by those it starts.
    subprocess.run(
        ["find", files, "-type", "f", "-exec", "cat", "{}", "+"], check=True, stdout=subprocess.DEVNULL
    )
    wall, _, _ = measured(["sh", "-c", words])
    clear("members", "again", "again.tar", many=True)
    return wall


def clear(*names: str, many: bool) -> None:
    """Take away what was written; folders of many files only when all is done.

    For minutes ext4 looks past each file number that was freed, one by one: whoever makes files would pay for
    those that were removed before.
    """
    Path("aside").mkdir(exist_ok=True)
    for path in map(Path, names):
        if path.is_dir() and many:
            path.rename(Path("aside", str(sum(1 for _ in os.scandir("aside")))))
        elif path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def measured(words: Sequence[str]) -> tuple[float, float, int]:
    """Seconds from start to end, seconds of processors, and kilobytes of the largest process."""
    start = time.perf_counter()
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    said = process.stderr.read() if process.stderr else b""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{words}: {said.decode()}")
    return time.perf_counter() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss


def read_all(folder: Path) -> None:
    for entry in os.scandir(folder):
        Path(entry.path).read_bytes()


def look(what: str, images: int, *, thumbs: bool) -> None:
    make("looks", images, side=256, length=10_000, distinct=max(1, images // 5), thumbs=thumbs)
    wall, cpu, most = measured(
        [sys.executable, "-m", "zbatch", "export", "looks", "--format", "card", "-o", "written",
         "--near-duplicates", "4"]
    )  # fmt: skip
    with Path("written/near-duplicates.jsonl").open("rb") as found:
        pairs = sum(1 for _ in found)
    print(
        f"near duplicates of {images:,}, {what}: {wall:.1f} s, CPU {cpu:.1f} s, {most / 1e3:,.0f} MB, "
        f"{pairs:,} found"
    )
    shutil.rmtree("written")
    shutil.rmtree("looks")


if __name__ == "__main__":
    main()
