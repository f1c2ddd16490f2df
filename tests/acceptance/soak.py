"""The soak: thousands of jobs, every fault, ten kill -9s, and then the ledger is balanced. By hand.

`python tests/acceptance/soak.py --jobs 5000 --kills 10 --seeds 1-20`

For each seed a server that misbehaves at random (`support.misbehaving`, its faults drawn from the seed), and
a `zbatch run` that is killed at random moments and started again until nothing is open. Then the audit: the
server's own ledger against the state. It prints a line a seed, and exits 1 where one does not balance.
`tests/acceptance/test_kill.py` does the same with fewer jobs at every test run.
"""

from __future__ import annotations

import argparse
import json
import random
import sqlite3
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support.command import counts, zbatch, zbatch_started
from support.misbehaving_ledger import Ledger
from support.misbehaving_process import MisbehavingProcess
from support.runs import check_files, write_manifest

from zbatch.state.run import Run

OPEN = {"pending", "submitting", "submitted"}


def stubborn(ask: Callable[[], Any]) -> Any:
    """Ask until the server, which spoils its own connections too, lets it through."""
    for _ in range(200):
        try:
            return ask()
        except (OSError, urllib.error.URLError, ValueError):
            time.sleep(0.02)
    raise RuntimeError("the server never answered")


def fates_of(url: str) -> dict[str, str]:
    with urllib.request.urlopen(url + "/_fates", timeout=30) as answer:
        return json.load(answer)


def soak(seed: int, jobs: int, kills: int, share: float, folder: Path) -> dict[str, Any]:
    """Run one seed to its end and audit it; gives what was counted and everything that does not balance."""
    dice = random.Random(f"soak {seed}")
    manifest = write_manifest(folder, jobs, "concurrency: 64")
    run = folder / "run"
    arguments = ("--latency", "0.2", "--share", str(share), "--seed", str(seed))
    with MisbehavingProcess(*arguments) as server:
        command = ("run", manifest, "-o", run, "--endpoint", server.url, "--no-report", "--progress", "none")
        killed = 0
        for _ in range(kills):
            with zbatch_started(*command, cwd=folder) as process:
                time.sleep(dice.uniform(0.5, 6))
                killed += process.poll() is None
                process.kill()
                process.wait(10)
        for runs in range(1, 13):  # noqa: B007 - said below
            done = zbatch(*command, cwd=folder, seconds=1800)
            if done.returncode not in (0, 1) or not OPEN & set(counts(run)):
                break
        stubborn(lambda: server.set(share=0))
        ledger, fates = stubborn(lambda: server.ledger), stubborn(lambda: fates_of(server.url))
    wrong = audit(run, ledger, fates)
    if done.returncode not in (0, 1):
        wrong.append(f"the last run ended with {done.returncode}: {done.stderr[-500:]}")
    faults = Counter(f"{entry.call}:{entry.fault}" for entry in ledger.seen if entry.fault)
    return {
        "killed": killed, "runs": runs, "states": counts(run), "accepted": len(ledger.accepted),
        "requests": len(ledger.seen), "faults": sum(faults.values()), "kinds": len(faults), "wrong": wrong,
    }  # fmt: skip


def audit(run: Path, ledger: Ledger, fates: dict[str, str]) -> list[str]:
    """Hold the state against what the server knows for certain; gives what does not balance."""
    database = sqlite3.connect(f"file:{run / 'state.sqlite3'}?mode=ro", uri=True)
    states = {json.loads(request)["seed"]: state for request, state in database.execute(
        "SELECT request, state FROM jobs")}  # fmt: skip
    attempts: dict[int, list[tuple[str | None, str | None]]] = defaultdict(list)
    for request, task_id, outcome in database.execute(
        """SELECT j.request, a.task_id, a.outcome FROM attempts a JOIN jobs j ON j.id = a.job_id
           ORDER BY j.id, a.number"""
    ):
        attempts[json.loads(request)["seed"]].append((task_id, outcome))
    database.close()
    accepted: dict[int, list[str]] = defaultdict(list)
    for entry in ledger.accepted:
        accepted[entry.body["seed"]].append(entry.task_id)
    wrong = [
        f"seed {seed} ({state}): {problem}"
        for seed, state in states.items()
        for problem in problems(state, accepted[seed], attempts[seed], fates)
    ]
    if ledger.leaks():
        wrong.append(f"the key went to {ledger.leaks()[:3]}")
    with Run(run) as opened:
        check_files(opened)
    return wrong


def problems(
    state: str, tasks: list[str], attempts: list[tuple[str | None, str | None]], fates: dict[str, str]
) -> Iterator[str]:
    """Say what is wrong with one job: `tasks` are those the server took, `attempts` those the state knows."""
    known = {task_id for task_id, _ in attempts}
    lost = [task for task in tasks if task not in known]
    if len(lost) > sum(outcome == "unknown" or task_id is None for task_id, outcome in attempts):
        yield f"{len(lost)} tasks billed and nowhere told: {lost}"
    if len(tasks) > 1 and not all(fates[task].startswith("failed") for task in tasks[:-1]):
        yield f"paid twice, and the first had not failed: {tasks}"
    for task_id, outcome in attempts:
        if fates.get(task_id or "") == "" and outcome != "done" and state not in ("submitted", "unknown"):
            yield f"task {task_id} finished and is {outcome}"
    if state == "done" and not tasks:
        yield "done, and never accepted"


def seeds(text: str) -> range:
    first, _, last = text.partition("-")
    return range(int(first), int(last or first) + 1)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--jobs", type=int, default=5000)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seeds", type=seeds, default=seeds("1-20"))
    parser.add_argument("--share", type=float, default=0.03, help="of all requests that are spoilt")
    options = parser.parse_args()
    balanced = True
    for seed in options.seeds:
        began = time.monotonic()
        with tempfile.TemporaryDirectory() as name:
            found = soak(seed, options.jobs, options.kills, options.share, Path(name))
        wrong = found.pop("wrong")
        balanced = balanced and not wrong
        said = ", ".join(f"{name} {value}" for name, value in found.items())
        verdict = "NOT balanced" if wrong else "balanced"
        print(f"seed {seed}: {verdict} in {time.monotonic() - began:.0f} s; {said}")
        for line in wrong[:20]:
            print(f"    {line}")
        sys.stdout.flush()
    sys.exit(0 if balanced else 1)


if __name__ == "__main__":
    main()
