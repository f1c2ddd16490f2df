"""Measuring on all processors: helper processes that are given thumbnails, and answer with numbers."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from subprocess import PIPE
from typing import Any, Final, NamedTuple

import orjson
from PIL import Image

from zbatch.difference import difference, small
from zbatch.exhaustion import helper_code

_WORTH: Final = 100
"""Pairs a process: fewer are sooner measured than another interpreter is started."""


# Not by -m: the package has this module loaded by the time it would be run, and Python warns of that.
_COMMAND: Final = (sys.executable, "-P", "-c", helper_code("zbatch.sheet.measuring"))


class Group(NamedTuple):
    """A baseline's thumbnail and those to be compared with it, as paths."""

    baseline: str
    others: tuple[str, ...]


Numbers = list[float | None]


def measured(groups: Sequence[Group]) -> list[Numbers]:
    """Measure how far each thumbnail is from its group's baseline; `None` where one cannot be compared."""
    pairs = sum(len(group.others) for group in groups)
    helpers = min(os.cpu_count() or 1, pairs // _WORTH, len(groups))
    if helpers < 2:
        return [_numbers(group) for group in groups]
    shares = [groups[number::helpers] for number in range(helpers)]
    # In sessions of their own: Ctrl-C and a closed terminal are the parent's to answer.
    processes = [
        subprocess.Popen(_COMMAND, stdin=PIPE, stdout=PIPE, start_new_session=True)  # noqa: S603 - our own
        for _ in shares
    ]
    try:
        with ThreadPoolExecutor(helpers) as pool:
            answers = list(pool.map(_asked, processes, shares))
    except BaseException:  # Ctrl-C: the threads wait for the processes
        for process in processes:
            process.kill()
        raise
    results: list[Numbers] = [[] for _ in groups]
    for number, answer in enumerate(answers):
        results[number::helpers] = answer
    return results


def _asked(process: subprocess.Popen[bytes], groups: Sequence[Group]) -> list[Numbers]:
    told, _ = process.communicate(orjson.dumps(list(map(tuple, groups))))
    if process.returncode != 0:  # killed, say: what is not measured now is another time
        return [[None] * len(group.others) for group in groups]
    answer: list[Numbers] = orjson.loads(told)
    return answer


def _numbers(group: Group) -> Numbers:
    baseline = _copy(group.baseline)
    if baseline is None:
        return [None] * len(group.others)
    copies = map(_copy, group.others)
    return [None if copy is None else difference(baseline, copy) for copy in copies]


def _copy(path: str) -> Any:
    try:
        with Image.open(path) as picture:
            return small(picture)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None  # gone or damaged: `zbatch verify` tells of it


def main() -> None:
    """Measure the groups that stand on stdin."""
    groups: Iterator[Group] = (
        Group(base, tuple(others)) for base, others in orjson.loads(sys.stdin.buffer.read())
    )
    sys.stdout.buffer.write(orjson.dumps([_numbers(group) for group in groups]))
