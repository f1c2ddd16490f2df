"""Coverage-guided fuzzing of the loader, by hand and for minutes: not part of the tests.

    pip install atheris
    mkdir -p corpus && cp tests/cases/*/*.yaml corpus/
    python tests/fuzz/fuzz_loader.py manifest corpus -dict=tests/fuzz/manifest.dict -max_total_time=300

The first argument says what the bytes are: a manifest, a template, or a data file (whose first byte chooses
the kind). Whatever zbatch raises but its own errors is a find: libFuzzer writes the input to `crash-...`. It
goes into `tests/cases/` as a case, `fuzz-...`, with the mend.
"""

from __future__ import annotations

import contextlib
import itertools
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["zbatch", "yaml", "jinja2"]):
    from zbatch.errors import ManifestError, UsageError
    from zbatch.expressions import ExpressionError, compile_expression, compile_template
    from zbatch.manifest.findings import printable
    from zbatch.manifest.jobs import Expansion
    from zbatch.manifest.loader import load_manifest
    from zbatch.manifest.lockfile import lock_text
    from zbatch.manifest.tracing import trace_job
    from zbatch.model import Row

MOST = 300
"""Cells to look at: a grid may have a million."""

HERE = Path(tempfile.mkdtemp(prefix="zbatch-fuzz-"))
SUFFIXES = (".txt", ".csv", ".jsonl", ".json", ".yaml")


def manifest(data: bytes) -> None:
    path = HERE / "m.yaml"
    path.write_bytes(data)
    try:
        loaded = load_manifest(path)
        expansion = Expansion(loaded)
        slow = list(itertools.islice(expansion.steps(), MOST))
        fast = list(itertools.islice(Expansion(loaded).rows(), MOST))
    except ManifestError as error:
        check_findings(error)
        return
    assert [Row.of(step.cell, step.job, selected=step.selected) for step in slow] == fast, "two ways differ"
    lock_text(loaded).encode()
    key = next((row.key for row in fast if row.key), None)
    if key is not None and loaded.grid.count <= MOST:
        traced = trace_job(loaded, key)
        assert traced is not None
        assert traced.cells


def check_findings(error: ManifestError) -> None:
    assert error.findings
    for finding in error.findings:
        assert finding.line >= 1
        assert finding.column >= 1
        assert finding.message
        assert printable(finding.message) == finding.message
        str(finding).encode()


def template(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    context = {"x": "xx", "n": 3, "d": {"a": 1}, "items": [1, 2]}
    for compiled in (compile_template, compile_expression):
        with contextlib.suppress(ExpressionError):
            compiled(text).render(context)


def datafile(data: bytes) -> None:
    suffix = SUFFIXES[data[0] % len(SUFFIXES)] if data else ".txt"
    (HERE / f"rows{suffix}").write_bytes(data[1:])
    for use in (f"zip: {{file: rows{suffix}}}", f"matrix: {{a: {{file: rows{suffix}}}}}"):
        manifest(f"version: 1\nname: x\nrequest: {{prompt: p}}\n{use}\n".encode())


TARGETS = {"manifest": manifest, "template": template, "datafile": datafile}


def main() -> None:
    target = TARGETS[sys.argv.pop(1)]

    def once(data: bytes) -> None:
        with contextlib.suppress(UsageError):
            target(data)

    atheris.Setup(sys.argv, once)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
