"""`run.log.jsonl`: every event, one JSON line each; and Python's own logging, set up once."""

from __future__ import annotations

import dataclasses
import logging
from pathlib import Path
from typing import BinaryIO

import orjson

from zbatch.runner.events import Event, Listener, Progress


class EventLog:
    """A listener that appends events to the run's log. Opens its file with the first event."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stream: BinaryIO | None = None

    def event(self, event: Event) -> None:
        """Append one event. A log that cannot be written stops nothing: the state is the truth."""
        try:
            if self._stream is None:
                self._stream = self._path.open("ab")
            line = {name: value for name, value in dataclasses.asdict(event).items() if value}
            self._stream.write(orjson.dumps(line) + b"\n")
            self._stream.flush()
        except OSError:
            return

    def progress(self, progress: Progress) -> None:
        """Snapshots are not events."""

    def close(self) -> None:
        """Close the file."""
        if self._stream is not None:
            self._stream.close()


class Listeners:
    """Hands everything on to several listeners."""

    def __init__(self, *listeners: Listener) -> None:
        self._listeners = listeners

    def event(self, event: Event) -> None:
        """Hand one event on."""
        for listener in self._listeners:
            listener.event(event)

    def progress(self, progress: Progress) -> None:
        """Hand a snapshot on."""
        for listener in self._listeners:
            listener.progress(progress)


def configure_logging() -> None:
    """Keep libraries quiet on the terminal: what a person should know, zbatch says itself."""
    logging.basicConfig(level=logging.ERROR, format="%(name)s: %(message)s")
    for name in ("asyncio", "uvicorn", "uvicorn.error", "uvicorn.access", "httpx"):
        logging.getLogger(name).setLevel(logging.ERROR)
