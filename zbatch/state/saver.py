"""The helper process that saves pictures: decoding, hashing, fsync and thumbnails, off the network process.

Started with `RUN [--embed] [--to URL SECONDS]`, it reads frames from stdin and
answers each with a JSON line. With `--embed` it writes into each picture what the state knows of its job;
with `--to` it puts them into an object store, which is tried for so many seconds. A frame is one JSON line
(the job's expectations, and how many bytes follow) and the bytes. Frames that come within a moment are taken
together, up to `BATCH` of them, so that they wait for the disk together. It ends when stdin ends, so it never
outlives its parent.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time
from pathlib import Path
from typing import Any, Final

import orjson

from zbatch.errors import DiskError, StorageError
from zbatch.model import Artifact
from zbatch.state.artifacts import Asked, BadImageError, save_artifacts
from zbatch.state.directory import RunDirectory
from zbatch.state.sending import Sender
from zbatch.state.witness import Witness
from zbatch.storage import Bucket, parse_location

EMBED: Final = "--embed"
"""Asks for provenance in each picture."""

TO: Final = "--to"
"""Comes before the URL of a place in an object store, and the seconds for which it is tried."""

BATCH = 32
"""Pictures that are saved together."""

_MOMENT = 0.01
"""Seconds that a picture waits for company: who saves one by one waits for the disk as often."""

_PIECE = 1024 * 1024
"""Bytes taken at once."""

_Frame = tuple[dict[str, Any], bytes]


def frame(asked: Asked, data: bytes) -> bytes:
    """Write one request to a saver."""
    head = {"asked": asked, "bytes": len(data)}
    return b"".join((orjson.dumps(head), b"\n", data))


def read_answer(line: bytes) -> Artifact:
    """Read a saver's answer.

    Raises:
        BadImageError: the bytes are no whole picture.
        DiskError: it could not be written; a StorageError where it was to go into a store.
    """
    answer = orjson.loads(line)
    if "bad_image" in answer:
        raise BadImageError(answer["bad_image"])
    if "disk" in answer:
        kind = StorageError if answer["store"] else DiskError
        raise kind(answer["disk"], hint=answer["hint"])
    fields = answer["artifact"]
    return Artifact(**{**fields, "warnings": tuple(fields["warnings"])})


def _picture(one: _Frame) -> tuple[Asked, bytes]:
    head, data = one
    return Asked(**head["asked"]), data


def _answer(outcome: Artifact | BadImageError | DiskError) -> dict[str, Any]:
    if isinstance(outcome, BadImageError):
        return {"bad_image": str(outcome)}
    if isinstance(outcome, DiskError):
        return {
            "disk": outcome.message,
            "hint": outcome.hint,
            "store": isinstance(outcome, StorageError),
        }
    return {"artifact": outcome}


class _Inlet:
    """The frames that come down a pipe, taken without a thread: what has come whole is known."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._bytes = bytearray()
        self.ended = False

    def batch(self) -> list[_Frame]:
        """Give what comes within a moment of the first frame, or once there is enough; nothing at the end."""
        first = self._frame(None)
        if first is None:
            return []
        frames, until = [first], time.monotonic() + _MOMENT
        while len(frames) < BATCH and (frame_ := self._frame(until)) is not None:
            frames.append(frame_)
        return frames

    def _frame(self, until: float | None) -> _Frame | None:
        """Give the next frame; `None` where it has not come whole until then, or never will."""
        while True:
            end = self._bytes.find(b"\n") + 1
            if end:
                head = orjson.loads(memoryview(self._bytes)[:end])
                size = end + head["bytes"]
                if len(self._bytes) >= size:
                    data = bytes(memoryview(self._bytes)[end:size])
                    del self._bytes[:size]
                    return head, data
            if self.ended or not self._more(until):
                return None

    def _more(self, until: float | None) -> bool:
        if (
            until is not None
            and not select.select([self._descriptor], [], [], max(0.0, until - time.monotonic()))[0]
        ):
            return False
        piece = os.read(self._descriptor, _PIECE)
        self._bytes += piece
        self.ended = not piece
        return True


def main() -> None:
    """Serve until stdin ends. Ctrl-C and a closed terminal are the parent's to answer."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    parent, options = os.getppid(), sys.argv[2:]
    directory, inlet = RunDirectory(Path(sys.argv[1])), _Inlet(0)
    witness = Witness(directory) if EMBED in options else None
    if TO in options:
        url, seconds = options[options.index(TO) + 1 :][:2]
        bucket = Bucket(parse_location(url), patience=float(seconds))
        sender = Sender(directory, bucket, witness, lambda outcome: _say([_answer(outcome)]))
        while batch := inlet.batch():
            sender.take([_picture(one) for one in batch])
        if os.getppid() != parent:
            os._exit(0)  # killed: the next run may put the same pictures just now
        sender.end()
    else:
        while batch := inlet.batch():
            outcomes = save_artifacts(directory, [_picture(one) for one in batch], witness)
            _say([_answer(outcome) for outcome in outcomes])
    if witness is not None:
        witness.close()


def _say(answers: list[dict[str, Any]]) -> None:
    try:
        sys.stdout.buffer.write(b"".join(orjson.dumps(answer) + b"\n" for answer in answers))
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        os._exit(0)  # nobody is there


if __name__ == "__main__":
    main()
