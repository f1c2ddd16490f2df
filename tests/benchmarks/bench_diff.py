"""Two runs against each other: reading and pairing them, measuring, the page, and the page in a browser.

    python tests/benchmarks/bench_diff.py [--pairs 10000] [--measured 400]

Every fourth pair has the same bytes; the others have made-up numbers, but for those that are measured here.
Beside it: a bare loop that measures the same pairs in one process, and a bare page with every pair in it.
"""

from __future__ import annotations

import argparse
import hashlib
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

PEER = """<!doctype html><meta charset="utf-8"><title>pairs</title><style>
main {{ display: flex; flex-wrap: wrap; gap: 8px; }} img {{ width: 184px; height: 184px; }}
</style><main>{pairs}</main>"""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pairs", type=int, default=10_000)
    parser.add_argument("--measured", type=int, default=400)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        before, after = write_runs(Path(folder), options.pairs, options.measured)
        print(f"{options.pairs:,} pairs")
        page = measure(before, after)
        peer = Path(folder) / "peer.html"
        peer.write_text(bare_page(before, after))
        for name, path in (("zbatch diff", page), ("bare page", peer)):
            opened(name, path)


def write_runs(folder: Path, pairs: int, measured: int) -> tuple[Path, Path]:
    """Write a run, and beside it another of the same requests whose answers came in other bytes."""
    from support.large_run import write_large

    from zbatch.difference import MEASURE
    from zbatch.sheet.known import pair_name

    before, after = write_large(folder / "before", pairs), folder / "after"
    after.mkdir()
    (after / "images").symlink_to(before / "images")
    (after / "thumbs").symlink_to(before / "thumbs")
    (after / "state.sqlite3").write_bytes((before / "state.sqlite3").read_bytes())
    known = {}
    with sqlite3.connect(after / "state.sqlite3") as db:
        rows = db.execute(
            "SELECT id, sha256, thumb FROM jobs WHERE state = 'done' ORDER BY position"
        ).fetchall()
        for number, (row, sha256, _) in enumerate(rows):
            if number % 4 == 0:
                continue
            other = hashlib.sha256(sha256.encode()).hexdigest()
            thumb = rows[(number + 5) % len(rows)][2]
            db.execute(
                "UPDATE jobs SET sha256 = ?, received_sha256 = ?, thumb = ? WHERE id = ?",
                (other, other, thumb, row),
            )
            if number > measured * 4 // 3:
                known[pair_name(sha256, other)] = number % 997 / 1000
    (after / "thumbs" / "pairs.json").write_bytes(orjson.dumps({"measure": MEASURE, "changes": known}))
    return before, after


def measure(before: Path, after: Path) -> Path:
    from zbatch.sheet.diff.apart import thumbnail, with_changes
    from zbatch.sheet.diff.page import page_path, write_pairs
    from zbatch.sheet.diff.reading import read_pairs
    from zbatch.sheet.known import known_numbers
    from zbatch.sheet.measuring import Group, _numbers
    from zbatch.state.run import Run

    with Run(before) as first, Run(after) as second:
        pairs = timed("read and paired", lambda: read_pairs(first, second))
    known = known_numbers(after / "thumbs" / "pairs.json")
    groups = [
        Group(str(thumbnail(pairs, one)), (str(thumbnail(pairs, other)),))
        for one, other in map(pairs.jobs, pairs.cells)
        if thumbnail(pairs, one) and pairs.received[one] != pairs.received[other]
    ][: (len(pairs.cells) * 3 // 4) - len(known)]
    timed(f"a bare loop measures {len(groups):,}", lambda: list(map(_numbers, groups)))
    full = timed("measured, kept", lambda: with_changes(pairs))
    timed("known already", lambda: with_changes(pairs))
    page = page_path(pairs)
    timed("page written", lambda: write_pairs(full, page))
    print(f"  {'page':<28} {page.stat().st_size / 1e6:7.2f} MB")
    return page


def timed(name: str, act: Callable[[], Any]) -> Any:
    start, cpu = time.perf_counter(), time.process_time()
    result = act()
    spent = time.perf_counter() - start
    print(f"  {name:<28} {spent:7.2f} s, CPU of this process {time.process_time() - cpu:6.2f} s")
    return result


def bare_page(before: Path, after: Path) -> str:
    files = sorted(path.name for path in (before / "thumbs").iterdir() if path.suffix == ".jpg")
    pairs = "".join(
        f'<figure><img src="{before / "thumbs" / name}" loading="lazy"><img src="{after / "thumbs" / name}" '
        f'loading="lazy"></figure>'
        for name in files
    )
    return PEER.format(pairs=pairs)


def opened(name: str, path: Path) -> None:
    """Tell how long it takes until pictures stand there: at first, and after a leap to the middle."""
    from support.browser import address, chromium

    shown = """[...document.images].filter((one) => {
        const { top, bottom } = one.getBoundingClientRect();
        return one.complete && one.naturalWidth && top < innerHeight && bottom > 0;
    }).length > 5"""
    with chromium() as browser:
        times = []
        for _ in range(3):
            page = browser.new_page(viewport={"width": 1400, "height": 900})
            start = time.perf_counter()
            page.goto(address(path), wait_until="commit")
            times.append([time.perf_counter() - start + until(page, shown)])
            page.evaluate(
                "(() => { const own = document.getElementById('scroller') ?? document.scrollingElement; "
                "own.scrollTop = own.scrollHeight / 2; })()"
            )
            times[-1].append(until(page, shown))
            page.close()
    first, leap = (sorted(column)[1] for column in zip(*times, strict=True))
    print(f"  {name:<28} {first:7.2f} s to the first pictures, {leap:6.2f} s after a leap to the middle")


def until(page: Any, expression: str) -> float:
    start = time.perf_counter()
    while not page.evaluate(expression):
        if time.perf_counter() - start > 60:
            raise SystemExit("it never came")
        page.wait_for_timeout(10)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
