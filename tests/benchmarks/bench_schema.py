"""Holding manifests of 10,000 lines against the schema: milliseconds, beside jsonschema on the same document.

`python tests/benchmarks/bench_schema.py [--lines N] [--rounds N]`

Each manifest is checked as it is and with one mistake in the middle, from data that is read already; the
fastest round counts. The straightforward way is `list(Draft202012Validator(schema).iter_errors(data))`.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

from jsonschema import Draft202012Validator

from zbatch.manifest.findings import Findings
from zbatch.manifest.schema import check_schema, definition

HEAD = {"version": 1, "name": "bench", "request": {"prompt": "{{ p }}"}}


def prompts(lines: int, mistake: Any) -> dict[str, Any]:
    values: list[Any] = [f"a prompt number {n}, with some words in it" for n in range(lines)]
    if mistake:
        values[lines // 2] = [1]
    return {**HEAD, "matrix": {"p": values}}


def rows(lines: int, mistake: Any) -> dict[str, Any]:
    rows: list[dict[str, Any]] = [
        {"label": f"r{n}", "p": f"prompt {n}", "request": {"seed": n, "size": "512*512"}}
        for n in range(lines // 5)
    ]
    if mistake:
        rows[len(rows) // 2]["request"] = {"sede": 1}
    return {**HEAD, "include": rows}


def fastest(action: Callable[[], Any], rounds: int) -> float:
    times = []
    for _ in range(rounds):
        begin = time.process_time()
        action()
        times.append(time.process_time() - begin)
    return min(times) * 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    plain = Draft202012Validator(definition("whole"))
    print(f"{asked.lines:,} lines                     jsonschema ms  check_schema ms")
    for name, make in (("values of an axis", prompts), ("rows of include", rows)):
        for mistake in (False, True):
            data = make(asked.lines, mistake)
            check_schema(data, Findings())  # compiles, once
            slow = fastest(lambda data=data: list(plain.iter_errors(data)), asked.rounds)
            fast = fastest(lambda data=data: check_schema(data, Findings()), asked.rounds)
            what = f"{name}, {'one mistake' if mistake else 'right'}"
            print(f"{what:32} {slow:12.1f} {fast:16.2f}  {slow / fast:5.0f}x")


if __name__ == "__main__":
    main()
