"""Loading large manifests, with positions: milliseconds by phase, and peak memory.

`python tests/benchmarks/bench_load.py [--only NAME] [--validate]`

Each manifest is loaded in a process of its own, `--rounds` times; the fastest counts, in CPU time. `read` is
from the bytes to plain data with positions (`extends` and secrets included), `schema` the check against the
JSON Schema, `rest` everything else that `load_manifest` does. `--validate` runs `zbatch validate` as well:
the whole command with its expansion, from start to exit, in seconds of CPU.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

HEAD = "version: 1\nname: bench\n"
LORAS = "loras:\n  film: {path: org/film-grain-v2, trigger: filmgrain}\n  ink: {path: org/ink}\n"
WORDS = "fox owl hare stag wren crow moth pike toad newt".split()


def sentence(number: int) -> str:
    animal = WORDS[number % 10]
    return f"a {animal} number {number} in the fen, natural light, 50mm: no 'haze'"


def prompts(directory: Path) -> str:
    del directory
    lines = [f'    - "{sentence(n)}"' for n in range(9_900)]
    return HEAD + LORAS + "matrix:\n  prompt:\n" + "\n".join(lines) + "\n  seed: [1, 2]\n"


def include(directory: Path) -> str:
    del directory
    rows = [
        f"  - label: row-{n}\n    prompt: {sentence(n).partition(':')[0]}\n    seed: {n}\n    size: 832*1216"
        for n in range(2_500)
    ]
    return HEAD + "include:\n" + "\n".join(rows) + "\n"


def variables(directory: Path) -> str:
    del directory
    lines = [f'  var_{n}: "{sentence(n)}"' for n in range(10_000)]
    body = 'request: {prompt: "{{ subject }} {{ var_7 }} {{ var_9999 }}"}\nmatrix: {subject: [fox, owl]}\n'
    return HEAD + body + "vars:\n" + "\n".join(lines) + "\n"


def labelled(directory: Path) -> str:
    del directory
    values = [
        f"    - label: look {n}\n      value:\n        light: {WORDS[n % 10]}\n        lens: {n % 90 + 10}"
        for n in range(2_500)
    ]
    body = 'request: {prompt: "a fox, {{ look.light }}, {{ look.lens }}mm"}\nmatrix:\n  look:\n'
    return HEAD + body + "\n".join(values) + "\n"


def zip_rows(directory: Path) -> str:
    del directory
    rows = [f"  - {{subject: {WORDS[n % 10]} {n}, mood: calm, seed: {n}}}" for n in range(10_000)]
    return HEAD + 'request: {prompt: "{{ subject }}, {{ mood }}"}\nzip:\n' + "\n".join(rows) + "\n"


def extends(directory: Path) -> str:
    lines = [f'  var_{n}: "{sentence(n)}"' for n in range(5_000)]
    (directory / "base.yaml").write_text("vars:\n" + "\n".join(lines) + "\n", "utf-8")
    values = [f'    - "{sentence(n)}"' for n in range(5_000)]
    body = 'extends: base.yaml\nrequest: {prompt: "{{ subject }}, {{ var_77 }}"}\nmatrix:\n  subject:\n'
    return HEAD + body + "\n".join(values) + "\n"


def flow_list(directory: Path) -> str:
    del directory
    values = ", ".join(f"value {n}" for n in range(150_000))
    return HEAD + 'request: {prompt: "{{ subject }}"}\nmatrix:\n  subject: [' + values + "]\n"


def _csv(directory: Path) -> None:
    lines = [
        f"{sentence(n).replace(',', ';')},{n},832*1216,{WORDS[n % 10]},calm {n},dawn {n % 7},x,{n * 3}"
        for n in range(100_000)
    ]
    header = "text,seed,size,animal,mood,time,note,number\n"
    (directory / "rows.csv").write_text(header + "\n".join(lines) + "\n", "utf-8")


def csv_zip(directory: Path) -> str:
    _csv(directory)
    return HEAD + 'request: {prompt: "{{ text }}, {{ mood }}, {{ time }}"}\nzip: {file: rows.csv}\n'


def csv_axis(directory: Path) -> str:
    _csv(directory)
    return HEAD + 'request: {prompt: "{{ text }}"}\nmatrix: {text: {file: rows.csv}}\n'


def jsonl_zip(directory: Path) -> str:
    rows = [
        json.dumps({"text": sentence(n), "seed": n, "size": "832*1216", "mood": f"calm {n}"})
        for n in range(100_000)
    ]
    (directory / "rows.jsonl").write_text("\n".join(rows) + "\n", "utf-8")
    return HEAD + 'request: {prompt: "{{ text }}, {{ mood }}"}\nzip: {file: rows.jsonl}\n'


SHAPES: dict[str, Callable[[Path], str]] = {
    "9,900 quoted prompts": prompts,
    "2,500 include rows of 4 lines": include,
    "10,000 vars": variables,
    "2,500 labelled maps of 4 lines": labelled,
    "10,000 zip rows": zip_rows,
    "extends: two halves": extends,
    "inline list of 150,000": flow_list,
    "CSV of 100,000 x 8 as zip": csv_zip,
    "CSV of 100,000 x 8 as an axis": csv_axis,
    "JSON Lines of 100,000 as zip": jsonl_zip,
}


def measure(path: Path, rounds: int) -> dict[str, float]:
    """Load a manifest in this process; give milliseconds by phase and the peak in MiB."""
    from zbatch.manifest import loader, parser

    spent = {"read": 0.0, "schema": 0.0}

    def timed(name: str, function: Callable[..., object]) -> Callable[..., object]:
        def call(*args: object) -> object:
            began = time.process_time()
            try:
                return function(*args)
            finally:
                spent[name] = (time.process_time() - began) * 1000

        return call

    parser.read_with_bases = timed("read", parser.read_with_bases)
    parser.check_schema = timed("schema", parser.check_schema)
    small = path.with_name("small.yaml")
    small.write_text(HEAD + "request: {prompt: p}\n", "utf-8")
    loader.load_manifest(small)  # reading the schema, once, is not what is measured
    best: dict[str, float] = {}
    for _ in range(rounds):
        began = time.process_time()
        manifest = loader.load_manifest(path)
        total = (time.process_time() - began) * 1000
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        del manifest
        if not best or total < best["total"]:
            rest = total - spent["read"] - spent["schema"]
            best = {**spent, "rest": rest, "total": total, "MiB": best.get("MiB", peak)}
    return best


def validate(path: Path) -> tuple[float, float]:
    """Run `zbatch validate`; give its seconds of CPU and its peak in MiB."""
    script = (
        "import resource, subprocess, sys; code = subprocess.call(sys.argv[1:], stdout=sys.stderr); "
        "used = resource.getrusage(resource.RUSAGE_CHILDREN); "
        "print(used.ru_utime + used.ru_stime, used.ru_maxrss); sys.exit(code)"
    )
    command = [sys.executable, "-m", "zbatch", "validate", str(path)]
    done = subprocess.run(
        [sys.executable, "-c", script, *command], capture_output=True, text=True, check=True
    )
    seconds, peak = done.stdout.split()
    return float(seconds), int(peak) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="")
    parser.add_argument("--validate", action="store_true")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(options.measure, options.rounds)))
        return
    whole = f"{'validate s':>12}{'MiB':>6}" if options.validate else ""
    print(f"{'milliseconds':34}{'read':>8}{'schema':>8}{'rest':>8}{'total':>8}{'MiB':>6}{whole}")
    for name, shape in SHAPES.items():
        if options.only not in name:
            continue
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory) / "bench.yaml"
            path.write_text(shape(Path(directory)), "utf-8")
            command = [sys.executable, __file__, "--rounds", str(options.rounds), "--measure", str(path)]
            best = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
            columns = "".join(f"{best[key]:>8.0f}" for key in ("read", "schema", "rest", "total"))
            tail = "{:>12.1f}{:>6.0f}".format(*validate(path)) if options.validate else ""
            print(f"{name:34}{columns}{best['MiB']:>6.0f}{tail}", flush=True)


if __name__ == "__main__":
    main()
