"""Runs hostile inputs where they can do no harm: each in a process of its own with little memory and time.

`bounded([("template", text), ("manifest", path), …])` gives what zbatch said to each, "fine", or how it died.
The bounds are on CPU time and address space, so that a busy machine changes nothing.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

CPU_SECONDS = 4
ROOT = Path(__file__).parents[2]


def bounded(inputs: list[tuple[str, str]], *, megabytes: int = 300) -> list[str]:
    done = subprocess.run(
        [sys.executable, __file__, str(megabytes)],
        input=json.dumps(inputs),
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=True,
        timeout=200,
    )
    return json.loads(done.stdout)


def _answer(kind: str, text: str) -> str:
    from zbatch.errors import ManifestError
    from zbatch.expressions import ExpressionError, compile_expression, compile_template
    from zbatch.manifest.loader import expand

    context = {"x": "xx", "n": 3, "d": {"a": 1}, "items": [1, 2]}
    try:
        if kind == "template":
            compile_template(text).render(context)
        elif kind == "expression":
            compile_expression(text).render(context)
        else:
            expand(text).check()
    except ExpressionError as error:
        return error.message
    except ManifestError as error:
        return str(error)
    return "fine"


def _in_a_child(kind: str, text: str, megabytes: int) -> str:
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        used = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
        limit = used + megabytes * 1_000_000
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
        try:
            answer = _answer(kind, text)
        except BaseException as error:  # noqa: BLE001 - whatever it is, the test tells
            answer = f"raised {type(error).__name__}: {error}"
        os.write(writing, answer.encode("utf-8", "replace")[:60_000])
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as stream:
        answer = stream.read().decode("utf-8", "replace")
    _, status = os.waitpid(pid, 0)
    return answer if status == 0 else f"died of signal {os.WTERMSIG(status)}"


def main() -> None:
    _answer("template", "{{ x }}")  # imports are not charged to the first input
    limit = int(sys.argv[1])
    json.dump([_in_a_child(kind, text, limit) for kind, text in json.load(sys.stdin)], sys.stdout)


if __name__ == "__main__":
    main()
