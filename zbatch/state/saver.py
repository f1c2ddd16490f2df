"""The helper process that saves pictures: decoding, hashing, fsync and thumbnails, off the network process.

Started as `python -P -m zbatch.state.saver`, it reads frames from stdin and answers each with a JSON line. A
frame is one JSON line (the run directory, the job's expectations, and how many bytes follow) and the bytes.
Frames that come within a moment are taken together, up to `BATCH` of them, so that they wait for the disk
together. It ends when stdin ends, so it never outlives its parent.
"""

from __future__ import annotations

import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from zbatch.errors import DiskError
from zbatch.model import Artifact
from zbatch.state.artifacts import Asked, BadImageError, save_artifacts
from zbatch.state.directory import RunDirectory

BATCH = 32
"""Pictures that are saved together."""

_MOMENT = 0.01
"""Seconds that a picture waits for company: who saves one by one waits for the disk as often."""

_Frame = tuple[dict[str, Any], bytes]


def frame(directory: RunDirectory, asked: Asked, data: bytes) -> bytes:
    """Write one request to a saver."""
    head = {"run": str(directory.path), "asked": asked, "bytes": len(data)}
    return b"".join((orjson.dumps(head), b"\n", data))


def read_answer(line: bytes) -> Artifact:
    """Read a saver's answer.

    Raises:
        BadImageError: the bytes are no whole picture.
        DiskError: it could not be written.
    """
    answer = orjson.loads(line)
    if "bad_image" in answer:
        raise BadImageError(answer["bad_image"])
    if "disk" in answer:
        raise DiskError(answer["disk"], hint=answer["hint"])
    fields = answer["artifact"]
    return Artifact(**{**fields, "warnings": tuple(fields["warnings"])})


def _answers(batch: list[_Frame]) -> list[dict[str, Any]]:
    # One helper serves one run.
    directory = RunDirectory(Path(batch[0][0]["run"]))
    outcomes = save_artifacts(directory, [(Asked(**head["asked"]), data) for head, data in batch])
    return [_answer(outcome) for outcome in outcomes]


def _answer(outcome: Artifact | BadImageError | DiskError) -> dict[str, Any]:
    if isinstance(outcome, BadImageError):
        return {"bad_image": str(outcome)}
    if isinstance(outcome, DiskError):
        return {"disk": outcome.message, "hint": outcome.hint}
    return {"artifact": outcome}


def _read(frames: queue.SimpleQueue[_Frame | None]) -> None:
    """Read frames as they come, so that those that wait are known; the parent bounds how many."""
    with open(0, "rb", closefd=False) as source:
        while line := source.readline():
            head = orjson.loads(line)
            data = source.read(head["bytes"])
            if len(data) < head["bytes"]:
                break
            frames.put((head, data))
    frames.put(None)


def _batches(frames: queue.SimpleQueue[_Frame | None]) -> Iterator[list[_Frame]]:
    """Give what has come, a moment after the first of it or once there is enough, until the end."""
    frame_ = frames.get()
    while frame_ is not None:
        batch = [frame_]
        until = time.monotonic() + _MOMENT
        try:
            while len(batch) < BATCH and (frame_ := frames.get(timeout=max(0.0, until - time.monotonic()))):
                batch.append(frame_)
        except queue.Empty:
            pass
        yield batch
        if frame_ is not None:
            frame_ = frames.get()


def main() -> None:
    """Serve until stdin ends. Ctrl-C and a closed terminal are the parent's to answer."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    frames: queue.SimpleQueue[_Frame | None] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(frames,), daemon=True).start()
    for batch in _batches(frames):
        answers = b"".join(orjson.dumps(answer) + b"\n" for answer in _answers(batch))
        try:
            sys.stdout.buffer.write(answers)
            sys.stdout.buffer.flush()
        except BrokenPipeError:
            os._exit(0)  # nobody is there; the thread that reads would be waited for


if __name__ == "__main__":
    main()
