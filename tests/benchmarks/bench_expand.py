"""A million jobs expanded, checked, keyed and streamed, beside the straightforward loop, with identical keys.

`python tests/benchmarks/bench_expand.py --jobs 1000000 --plain 20000`

The manifest is a realistic one: four axes, a prompt of three variables, two LoRAs with their scales, seeds.
Then the same grid with what real manifests have as well: a template for file names, exclude rules, a
selection, a sample. `--beside DIR` runs the zbatch of another checkout in between, for before and after.

The straightforward loop is what one writes first: `itertools.product`, Jinja's `render`, a `jsonschema`
validator, `json.dumps` and `hashlib`. It runs over the first `--plain` jobs of the same grid; its keys must
be ours.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import os
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


VARIANTS = {
    "output.file": 'output: {file: "{{ subject | slug }}/{{ key[:12] }}"}',
    "output.file without key": 'output: {file: "{{ subject | slug }}/{{ place | slug }}-{{ lora.name }}'
    '-{{ lora.scale }}-{{ seed }}"}',
    "two exclude rules": "exclude: [{place: place number 3, lora.name: ink}, "
    "{when: \"lora.name == 'film' and lora.scale > 0.9 and place == 'place number 7'\"}]",
    "sample of half": "sample: {method: random, n: HALF}",
    "include of 1,000": "include: [{subject: fox, place: wood, lora: film, matrix: {seed: "
    "{from: 1, count: 1000}}}]",
}
ONLY = ["--only", "place=place number 3,place number 7", "--only", "lora.scale=0.2,0.4"]


def manifest(jobs: int, *more: str) -> str:
    lines = ["version: 1", "name: bench", "loras:"]
    lines += [f'  {name}: {{path: "{path}", trigger: {trigger}}}' for name, (path, trigger) in LORAS.items()]
    lines += ["request:", f'  prompt: "{PROMPT}"', "  size: 832*1216", "matrix:", "  subject:"]
    lines += [f"    - {subject}" for subject in subjects(jobs)]
    lines += ["  place:", *(f"    - place number {n}" for n in range(PLACES))]
    lines += [
        f"  lora: {{name: [{', '.join(LORAS)}], scale: {SCALES}}}",
        f"  seed: {{from: 1000, count: {SEEDS}}}",
    ]
    lines += ["limits: {max_jobs: 20000000}", *(text.replace("HALF", str(jobs // 2)) for text in more)]
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


def timed(arguments: list[str], output: Path, beside: str | None = None) -> tuple[float, float, float]:
    """Run zbatch with its output to a file; gives wall and CPU seconds and peak MiB."""
    command = [sys.executable, "-m", "zbatch", *arguments]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.monotonic()
    script = "import resource, subprocess, sys; code = subprocess.call(sys.argv[1:]); "
    script += "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr); sys.exit(code)"
    environment = {**os.environ, **({"PYTHONPATH": beside} if beside else {})}
    with output.open("wb") as stream:
        done = subprocess.run(
            [sys.executable, "-c", script, *command],
            stdout=stream,
            stderr=subprocess.PIPE,
            check=True,
            env=environment,
            cwd=output.parent,  # a checkout in the working directory would come before PYTHONPATH
        )
    wall = time.monotonic() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall, cpu, int(done.stderr.split()[-1]) / 1024


def measured(
    label: str, arguments: list[str], folder: Path, jobs: int, beside: str | None, plain: float
) -> None:
    """Print what a command takes, a job, beside what it took."""
    output = folder / "output"
    text = f"{label:32}"
    for one in [beside, None] if beside else [None]:
        wall, cpu, peak = timed(arguments, output, one)
        each = cpu / jobs * 1e6
        text += f"{each:>10.2f}{wall:>9.1f}{peak:>8.0f}"
    print(f"{text}{plain / each:>8.1f}x", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=1_000_000)
    parser.add_argument("--plain", type=int, default=20_000)
    parser.add_argument("--beside", help="a checkout of zbatch to run beside this one")
    parser.add_argument("--brief", action="store_true", help="jobs and plan of the plain manifest alone")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = folder / "bench.yaml"
        path.write_text(manifest(options.jobs), "utf-8")
        began = time.process_time()
        keys = plain_loop(options.jobs, options.plain)
        plain = (time.process_time() - began) / len(keys) * 1e6
        timed(["jobs", str(path)], folder / "lines")
        with (folder / "lines").open("rb") as stream:
            ours = [json.loads(line)["key"] for line in itertools.islice(stream, options.plain)]
            count = len(ours) + sum(1 for _ in stream)
        (folder / "lines").unlink()
        assert ours == keys, "the keys differ"
        print(
            f"{count:,} jobs; keys of the first {len(keys):,} are identical; CPU us a job, wall s, peak MiB"
        )
        print(f"{'straightforward loop':32}{plain:>10.2f}")
        if options.beside:
            print(f"{'':32}{'before':>27}{'after':>27}")
        for command in ("jobs", "plan"):
            measured(f"zbatch {command}", [command, str(path)], folder, count, options.beside, plain)
        if options.brief:
            return
        label = "plan --only two axes"
        measured(label, ["plan", str(path), *ONLY], folder, count, options.beside, plain)
        measured(
            "plan --first 10", ["plan", str(path), "--first", "10"], folder, count, options.beside, plain
        )
        for label, text in VARIANTS.items():
            path.write_text(manifest(options.jobs, text), "utf-8")
            jobs = count // 2 if "HALF" in text else count
            for command in ("jobs", "plan"):
                measured(f"{command}, {label}", [command, str(path)], folder, jobs, options.beside, plain)


if __name__ == "__main__":
    main()
