"""The helper process that saves pictures: decoding, hashing, fsync and thumbnails, off the network process.

Started as `python -P -m zbatch.state.saver`, it reads frames from stdin and answers each with a JSON line. A
frame is one JSON line (the run directory, the job's expectations, and how many bytes follow) and the bytes.
It ends when stdin ends, so it never outlives its parent.
"""

from __future__ import annotations

import dataclasses
import signal
import sys
from pathlib import Path
from typing import Any

import orjson

from zbatch.errors import DiskError
from zbatch.model import Artifact
from zbatch.state.artifacts import Asked, BadImageError, save_artifact
from zbatch.state.directory import RunDirectory


def frame(directory: RunDirectory, asked: Asked, data: bytes) -> bytes:
    """Write one request to a saver."""
    head = {"run": str(directory.path), "asked": dataclasses.asdict(asked), "bytes": len(data)}
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


def _answer(head: dict[str, Any], data: bytes) -> dict[str, Any]:
    try:
        artifact = save_artifact(RunDirectory(Path(head["run"])), Asked(**head["asked"]), data)
    except BadImageError as error:
        return {"bad_image": str(error)}
    except DiskError as error:
        return {"disk": error.message, "hint": error.hint}
    except Exception as error:  # noqa: BLE001 - one strange picture must not stop the run, for ever
        return {"bad_image": f"the picture could not be handled ({type(error).__name__}: {error})"}
    return {"artifact": dataclasses.asdict(artifact)}


def main() -> None:
    """Serve until stdin ends. Ctrl-C and a closed terminal are the parent's to answer."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    while line := source.readline():
        head = orjson.loads(line)
        data = source.read(head["bytes"])
        if len(data) < head["bytes"]:
            return
        try:
            sink.write(orjson.dumps(_answer(head, data)) + b"\n")
            sink.flush()
        except BrokenPipeError:
            return


if __name__ == "__main__":
    main()
