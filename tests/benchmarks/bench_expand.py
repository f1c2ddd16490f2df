"""A million jobs expanded, checked, keyed and streamed, beside the straightforward loop, with identical keys.

`python tests/benchmarks/bench_expand.py --jobs 1000000 --plain 20000`

The manifest is a realistic one: four axes, a prompt of three variables, two LoRAs with their scales, seeds.
The straightforward loop is what one writes first: `itertools.product`, Jinja's `render`, a `jsonschema`
validator, `json.dumps` and `hashlib`. It runs over the first `--plain` jobs of the same grid; its keys must
be ours.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SCALES = [0.2, 0.4, 0.6, 0.8, 1]
SEEDS = 20
LORAS = {
    "film": ("org/film-grain-v2", "filmgrain"),
    "ink": ("https://example.org/ink.safetensors", "inkwash"),
}
PROMPT = "a photo of a {{ subject }} in {{ place }}, natural light {{ lora.trigger }}"
PLACES = 50

SCHEMA = {
    "type": "object",
    "required": ["prompt", "seed"],
    "additionalProperties": False,
    "properties": {
        "prompt": {"type": "string", "minLength": 1},
        "size": {"type": "string", "pattern": r"^[1-9]\d{0,4}\*[1-9]\d{0,4}$"},
        "seed": {"type": "integer", "minimum": 0, "maximum": 2147483647},
        "output_format": {"enum": ["jpeg", "png", "webp"]},
        "loras": {
            "type": "array",
            "maxItems": 3,
            "items": {
                "type": "object",
                "required": ["path"],
                "properties": {
                    "path": {"type": "string"},
                    "scale": {"type": "number", "minimum": 0, "maximum": 4},
                },
            },
        },
    },
}


def subjects(jobs: int) -> list[str]:
    return [f"animal number {n}" for n in range(jobs // (PLACES * len(LORAS) * len(SCALES) * SEEDS))]


def manifest(jobs: int) -> str:
    lines = ["version: 1", "name: bench", "loras:"]
    lines += [f'  {name}: {{path: "{path}", trigger: {trigger}}}' for name, (path, trigger) in LORAS.items()]
    lines += ["request:", f'  prompt: "{PROMPT}"', "  size: 832*1216", "matrix:", "  subject:"]
    lines += [f"    - {subject}" for subject in subjects(jobs)]
    lines += ["  place:", *(f"    - place number {n}" for n in range(PLACES))]
    lines += [
        f"  lora: {{name: [{', '.join(LORAS)}], scale: {SCALES}}}",
        f"  seed: {{from: 1000, count: {SEEDS}}}",
    ]
    lines += ["limits: {max_jobs: 20000000}"]
    return "\n".join(lines) + "\n"


def plain_loop(jobs: int, limit: int) -> list[str]:
    """Do it as one would write it first."""
    import jinja2
    import jsonschema

    template = jinja2.Environment(undefined=jinja2.StrictUndefined).from_string(PROMPT)
    validator = jsonschema.Draft202012Validator(SCHEMA)
    places = [f"place number {n}" for n in range(PLACES)]
    keys = []
    grid = itertools.product(subjects(jobs), places, LORAS, SCALES, range(1000, 1000 + SEEDS))
    for subject, place, lora, scale, seed in itertools.islice(grid, limit):
        path, trigger = LORAS[lora]
        request = {
            "prompt": template.render(subject=subject, place=place, lora={"trigger": trigger}),
            "size": "832*1216",
            "seed": seed,
            "output_format": "webp",
            "loras": [{"path": path, "scale": scale}],
        }
        validator.validate(request)
        canonical = json.dumps(
            {"model": "z-image-turbo-lora", "request": request},
            sort_keys=True,
            separators=(",", ":"),
            ensure_ascii=False,
        )
        keys.append(hashlib.sha256(canonical.encode()).hexdigest())
    return keys


def timed(command: list[str], output: Path) -> tuple[float, float, float]:
    """Run a command with its output to a file; gives wall and CPU seconds and peak MiB."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.monotonic()
    script = "import resource, subprocess, sys; code = subprocess.call(sys.argv[1:]); "
    script += "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr); sys.exit(code)"
    with output.open("wb") as stream:
        done = subprocess.run(
            [sys.executable, "-c", script, *command], stdout=stream, stderr=subprocess.PIPE, check=True
        )
    wall = time.monotonic() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall, cpu, int(done.stderr.split()[-1]) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=1_000_000)
    parser.add_argument("--plain", type=int, default=20_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "bench.yaml"
        path.write_text(manifest(options.jobs), "utf-8")
        lines = Path(name) / "jobs.jsonl"
        began = time.process_time()
        keys = plain_loop(options.jobs, options.plain)
        plain = (time.process_time() - began) / len(keys) * 1e6
        zbatch = [sys.executable, "-m", "zbatch"]
        rows = [("zbatch jobs", *timed([*zbatch, "jobs", str(path)], lines))]
        with lines.open("rb") as stream:
            ours = [json.loads(line)["key"] for line in itertools.islice(stream, options.plain)]
            count = len(ours) + sum(1 for _ in stream)
        rows.append(("zbatch plan", *timed([*zbatch, "plan", str(path)], Path(name) / "plan.txt")))
        assert ours == keys, "the keys differ"
        print(f"{count:,} jobs; keys of the first {len(keys):,} are identical")
        print(f"{'':24}{'us of CPU a job':>18}{'wall s':>10}{'peak MiB':>10}")
        print(f"{'straightforward loop':24}{plain:>18.2f}{'':>10}{'':>10}")
        for label, wall, cpu, peak in rows:
            each = cpu / count * 1e6
            print(f"{label:24}{each:>18.2f}{wall:>10.1f}{peak:>10.0f}   {plain / each:.1f}x")


if __name__ == "__main__":
    main()
