"""How a run shows itself: a bar on a terminal, a line now and then elsewhere, JSON for machines."""

from __future__ import annotations

import contextlib
import dataclasses
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, NamedTuple, TextIO, cast

import orjson
from tqdm import tqdm

from zbatch.clock import clock_time, monotonic
from zbatch.runner.events import Event, EventName, Progress
from zbatch.runner.order import Ending

SHOWN: Final = frozenset(
    {
        EventName.REJECTED,
        EventName.UNKNOWN,
        EventName.GIVEN_UP,
        EventName.NOTICE,
        EventName.STRANGE_STATUS,
        EventName.DRAINING,
    }
)
"""Events a person should see as they happen; the log has all of them."""

_MAX_LINES: Final = 20
_MOST_SAID: Final = 300  # characters of one message; state and run.log.jsonl have all of it
_FINISHING: Final = "no new submits, what is in flight is finished"
_DRAINING: Final[dict[str, str]] = {
    Ending.INTERRUPTED: f"stopping: {_FINISHING} (Ctrl-C again leaves at once)",
    Ending.RUN_DEADLINE: f"limits.run_deadline is over: {_FINISHING}",
}


class _Tolerant:
    """A stream that may go away (a closed terminal, a broken pipe): the run matters more than its bar."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write, or do without."""
        with contextlib.suppress(OSError, ValueError):
            return self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Flush, or do without."""
        with contextlib.suppress(OSError, ValueError):
            self._stream.flush()


class _Lines:
    """Tells the events worth telling, each kind of trouble a bounded number of times."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._told: dict[tuple[str, str], int] = {}
        self._last_words = ""

    def event(self, event: Event) -> None:
        """Take one event."""
        if event.name not in SHOWN:
            return
        words = _words(event)
        if words == self._last_words:  # what several jobs meet at once is told once
            return
        self._last_words = words
        kind = (event.name.value, event.reason)
        self._told[kind] = self._told.get(kind, 0) + 1
        if self._told[kind] <= _MAX_LINES:
            self.write(words)
        elif self._told[kind] == _MAX_LINES + 1:
            self.write(f"more like this ({event.reason or event.name}) is in run.log.jsonl")

    def write(self, text: str) -> None:
        """Write one line."""
        self._stream.write(text + "\n")
        self._stream.flush()


def _words(event: Event) -> str:
    if event.name is EventName.DRAINING:
        return _DRAINING.get(event.reason, f"stopping: {event.reason}")
    where = f"{event.key[:12]} " if event.key else ""
    reason = (
        f"{event.reason}: "
        if event.reason and event.reason not in ("manifest", "endpoint", "unknown")
        else ""
    )
    label = "" if event.name is EventName.NOTICE else f"{event.name.value.replace('_', ' ')}: "
    message = event.message if len(event.message) <= _MOST_SAID else event.message[: _MOST_SAID - 1] + "…"
    return f"{where}{label}{reason}{message}"


class _Field(NamedTuple):
    """A few words beside the bar. Where there is no room for all, those of least `weight` are left out."""

    weight: int
    text: str


_COST, _PAUSE = 11, 10
_BAR_ROOM: Final = 8
"""Columns for the bar itself, where they are not needed for what it costs and until when nothing moves."""


def _fields(progress: Progress) -> list[_Field]:
    fields = [_Field(6, f"{progress.in_flight} in flight"), _Field(3, f"window {progress.window}")]
    if progress.submit_rate is not None:
        fields.append(_Field(2, f"{progress.submit_rate * 60:.0f} submits/min"))
    if progress.failed:
        fields.append(_Field(9, f"{progress.failed} not done"))
    if progress.throttled:
        fields.append(_Field(4, f"{progress.throttled} x 429"))
    if progress.polls_per_job is not None:
        fields.append(_Field(1, f"{progress.polls_per_job:.1f} polls a job"))
    if progress.detection_delay is not None:
        fields.append(_Field(0, f"{progress.detection_delay:.2f} s late"))
    if progress.cost is not None:
        fields.append(_Field(_COST, f"${progress.cost:.2f} of ${progress.cost_expected:.2f}"))
    if progress.draining:
        fields.append(_Field(8, "stopping"))
    return fields


def _joined(fields: Iterable[_Field]) -> str:
    return ", ".join(field.text for field in fields)


def _fitted(fields: Sequence[_Field], room: int) -> str:
    """Join whole fields that go into so many columns, the least important left out first."""
    kept = list(fields)
    while kept and len(_joined(kept)) > room:
        kept.remove(min(kept, key=lambda field: field.weight))
    return _joined(kept)


def details(progress: Progress) -> str:
    """Say in a few words what the bar cannot draw."""
    return _joined(_fields(progress))


def _pause(progress: Progress) -> str:
    """Say until when nothing is submitted; nothing where there is no such pause."""
    if progress.paused_for is None:
        return ""
    why = ": the server asked" if progress.pause_asked else ""
    return f"paused until {clock_time(progress.paused_for)}{why}"


class BarProgress(_Lines):
    """A tqdm bar on a terminal."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._bar: tqdm[Any] | None = None

    def progress(self, progress: Progress) -> None:
        """Draw."""
        bar = self._bar
        if bar is None:
            self._bar = bar = tqdm(
                total=progress.total,
                initial=progress.done,
                unit="img",
                file=self._stream,
                dynamic_ncols=True,
                smoothing=0.1,
                mininterval=0.1,
                bar_format="{n_fmt}/{total_fmt}",
            )
        bar.update(progress.done - bar.n)
        bar.bar_format = self._format(bar, progress)
        bar.refresh()

    def _format(self, bar: tqdm[Any], progress: Progress) -> str:
        """Give what tqdm draws at the width the terminal has now: it would cut in the middle of a number."""
        shown = bar.format_dict
        width: int | None = shown["ncols"]

        def rendered(text: str) -> str:
            return str(bar.format_meter(**{**shown, "ncols": None, "bar_format": text}))

        pause = _pause(progress)
        time = [_Field(7, rendered("{elapsed}" if pause else "{elapsed}<{remaining}"))]
        time += [_Field(_PAUSE, pause)] if pause else []
        fields = [*time, _Field(5, rendered("{rate_fmt}")), *_fields(progress)]
        counts = rendered("{n_fmt}/{total_fmt}")
        left = width - len(f"100%|| {counts} []") if width else sys.maxsize
        first = len(_joined(field for field in fields if field.weight >= _PAUSE))
        words = _fitted(fields, max(left - _BAR_ROOM, min(left - 1, first)))
        if not words and left < 0:
            return counts
        return "{percentage:3.0f}%|{bar}| " + counts + (f" [{words}]" if words else "")

    def write(self, text: str) -> None:
        """Write one line above the bar."""
        if self._bar is None:
            super().write(text)
        else:
            self._bar.write(text, file=self._stream)

    def close(self) -> None:
        """Leave the bar as it is."""
        if self._bar is not None:
            self._bar.close()


class PlainProgress(_Lines):
    """A line every few seconds, for logs."""

    def __init__(self, stream: TextIO, every: float = 10.0) -> None:
        super().__init__(stream)
        self._every = every
        self._next = 0.0
        self._last = -1

    def progress(self, progress: Progress) -> None:
        """Write a line where one is due, and when everything is done."""
        finished = progress.done == progress.total
        if progress.done == self._last or (monotonic() < self._next and not finished):
            return
        self._next = monotonic() + self._every
        self._last = progress.done
        left = progress.seconds_left
        time_left = f", {left:.0f} s left" if left is not None and not finished else ""
        pause = _pause(progress)
        time_left = f", {pause}" if pause else time_left
        self.write(
            f"{progress.done}/{progress.total} ({progress.rate:.1f} img/s{time_left}; {details(progress)})"
        )

    def close(self) -> None:
        """Nothing to close."""


class JsonProgress:
    """Every event and snapshot as a JSON line, for machines."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def event(self, event: Event) -> None:
        """Write one event."""
        self._write({"type": "event", **dataclasses.asdict(event)})

    def progress(self, progress: Progress) -> None:
        """Write a snapshot."""
        fields = dataclasses.asdict(progress)
        for name in ("cost", "cost_expected"):
            fields[name] = None if fields[name] is None else float(fields[name])
        self._write(
            {"type": "progress", **fields, "rate": progress.rate, "seconds_left": progress.seconds_left}
        )

    def _write(self, fields: dict[str, object]) -> None:
        self._stream.write(orjson.dumps(fields).decode() + "\n")
        self._stream.flush()

    def close(self) -> None:
        """Nothing to close."""


class NoProgress:
    """Only what must be told: problems, no bar."""

    def __init__(self, stream: TextIO) -> None:
        self._lines = _Lines(stream)

    def event(self, event: Event) -> None:
        """Take one event."""
        self._lines.event(event)

    def progress(self, progress: Progress) -> None:
        """Nothing to draw."""

    def close(self) -> None:
        """Nothing to close."""


ProgressListener = BarProgress | PlainProgress | JsonProgress | NoProgress


def progress_listener(mode: str, stream: TextIO = sys.stderr) -> ProgressListener:
    """Give the listener for `--progress auto|bar|plain|json|none`; `auto` draws only on a terminal."""
    if mode == "auto":
        mode = "bar" if stream.isatty() else "plain"
    stream = cast("TextIO", _Tolerant(stream))
    kinds: dict[str, Callable[[TextIO], ProgressListener]] = {
        "bar": BarProgress,
        "plain": PlainProgress,
        "json": JsonProgress,
        "none": NoProgress,
    }
    return kinds[mode](stream)
