"""`run.log.jsonl`: every event, one JSON line each; and Python's own logging, set up once."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import orjson

from zbatch.runner.events import Event, Listener, Progress

_FIELDS = tuple(field.name for field in dataclasses.fields(Event))
_log = logging.getLogger(__name__)


class EventLog:
    """A listener that appends events to the run's log. Opens its file with the first event.

    What goes well is written twice a second, with the snapshots; whatever has a reason, at once.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stream: BinaryIO | None = None

    def event(self, event: Event) -> None:
        """Append one event. A log that cannot be written stops nothing: the state is the truth."""
        try:
            if self._stream is None:
                self._stream = self._path.open("ab")
            line = {name: value for name in _FIELDS if (value := getattr(event, name))}
            self._stream.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))
        except OSError:
            return
        if event.reason:
            self._flush()

    def progress(self, progress: Progress) -> None:
        """Write what is waiting; snapshots are not events."""
        del progress
        self._flush()

    def _flush(self) -> None:
        if self._stream is not None:
            with contextlib.suppress(OSError):
                self._stream.flush()

    def close(self) -> None:
        """Close the file."""
        if self._stream is not None:
            with contextlib.suppress(OSError):
                self._stream.close()


class Listeners:
    """Hands everything on to several listeners. One that fails is told nothing more."""

    def __init__(self, *listeners: Listener) -> None:
        self._listeners = list(listeners)

    def event(self, event: Event) -> None:
        """Hand one event on."""
        self._each(lambda listener: listener.event(event))

    def progress(self, progress: Progress) -> None:
        """Hand a snapshot on."""
        self._each(lambda listener: listener.progress(progress))

    def _each(self, tell: Callable[[Listener], None]) -> None:
        for listener in list(self._listeners):
            try:
                tell(listener)
            except Exception:  # noqa: BLE001 - whatever a stranger's listener raises, the run goes on
                self._listeners.remove(listener)
                _log.exception("a listener failed and is told nothing more")


def configure_logging() -> None:
    """Keep libraries quiet on the terminal: what a person should know, zbatch says itself."""
    logging.basicConfig(level=logging.ERROR, format="%(name)s: %(message)s")
    for name in ("asyncio", "uvicorn", "uvicorn.error", "uvicorn.access", "httpx"):
        logging.getLogger(name).setLevel(logging.ERROR)
