"""Keeping a sheet up to date while another process runs the run."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from zbatch.cli.output import say, tell
from zbatch.clock import monotonic
from zbatch.errors import StateError
from zbatch.model import UNFINISHED
from zbatch.sheet.live import LiveSheet, Pulse
from zbatch.state.directory import RunDirectory
from zbatch.state.run import Run

_EVERY = 1.0
_SHARE = 20
"""At most one twentieth of a processor's time goes into looking."""

_PATIENCE = 5.0
"""Seconds in which a state file that is being made becomes one."""


def await_run(path: Path) -> None:
    """Wait until there is a run in a directory.

    Raises:
        StateError: there is one, and it is damaged.
    """
    if not RunDirectory(path).exists():
        tell(f"no run in {path} yet: waiting for one to begin (Ctrl-C ends this)")
    begun = None
    while True:
        if RunDirectory(path).exists():
            begun = begun or monotonic()
            try:
                Run(path).close()
            except StateError:
                if monotonic() - begun > _PATIENCE:
                    raise
            else:
                return
        time.sleep(_EVERY / 4)


def follow(path: Path) -> None:
    """Keep the sheet of a run up to date until the run ends; Ctrl-C leaves it whole.

    Raises:
        KeyboardInterrupt: it was stopped; the sheet is whole.
        DiskError: the sheet could not be written.
    """
    directory = RunDirectory(path)
    sheet = LiveSheet(directory)
    with _stoppable():
        try:
            told = _until_the_end(path, sheet)
        except KeyboardInterrupt:
            _finish(path, sheet, Pulse.STOPPED)
            raise
        _finish(path, sheet, Pulse.ENDED)
    if not told:
        say(str(directory.index))


def _until_the_end(path: Path, sheet: LiveSheet) -> bool:
    """Tell pages what happens; gives whether there was anything to tell before the end."""
    seen = told = False
    while True:
        started = monotonic()
        with Run(path) as run:
            owned = run.running() is not None
            counts = run.counts()
            finished = any(counts.values()) and not any(counts[state] for state in UNFINISHED)
            if not owned and (seen or finished):
                return told
            seen = seen or owned
            sheet.update(run, Pulse.RUNNING if owned else Pulse.WAITING)
        if not told:
            told = True
            say(str(RunDirectory(path).index))
            words = "an open page fills" if owned else "nothing runs it yet: an open page fills once it does"
            tell(f"watching {path}: {words} (Ctrl-C ends this)")
        time.sleep(max(_EVERY, _SHARE * (monotonic() - started)))


def _finish(path: Path, sheet: LiveSheet, pulse: Pulse) -> None:
    with Run(path) as run:
        sheet.end(run, pulse)


@contextmanager
def _stoppable() -> Iterator[None]:
    """Take SIGTERM and a closed terminal for Ctrl-C: the sheet is left whole."""
    before = {
        number: signal.getsignal(number)
        for number in (signal.SIGTERM, signal.SIGHUP)
        if signal.getsignal(number) is not signal.SIG_IGN
    }
    for number in before:
        signal.signal(number, signal.default_int_handler)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
