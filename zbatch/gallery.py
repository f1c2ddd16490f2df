"""A run as a notebook shows it while it goes on: a small grid of thumbnails that fills.

IPython is no dependency: it is asked for only where it is loaded already and stands in a kernel, so that
there is a notebook to show something in. Everything a manifest or a server said is inserted as text.
"""

from __future__ import annotations

import base64
import html
import io
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from PIL import Image

from zbatch.clock import monotonic
from zbatch.errors import ZbatchError
from zbatch.model import JobState
from zbatch.state.records import JobRecord
from zbatch.state.run import Run

SHOWN: Final = 48
"""Pictures at a time: in grid order where there are no more, else those made last."""

SIDE: Final = 96
"""Pixels of a picture's longer side. Such a picture has some three kilobytes."""

_EVERY: Final = 1.0
_SHARE: Final = 10
"""At most a tenth of the time goes into showing."""

_TILE: Final = f"width:{SIDE}px;height:{SIDE}px;border-radius:4px;object-fit:contain;box-sizing:border-box;"
_EMPTY: Final = "border:1px dashed rgba(128,128,128,.5);"
_FAILED: Final = (
    "border:1px solid rgba(128,128,128,.6);font-size:11px;display:flex;align-items:center;"
    "justify-content:center;overflow:hidden;text-align:center;opacity:.8;"
)


def notebook_display() -> Callable[[str], None] | None:
    """Give what shows HTML in the notebook this runs in, each time in place of the last; `None` elsewhere."""
    module = sys.modules.get("IPython")
    shell: Any = module.get_ipython() if module is not None and hasattr(module, "get_ipython") else None
    if getattr(shell, "kernel", None) is None:
        return None
    shown: Any = import_module("IPython.display")  # so the types are the same whether or not it is there
    handle: Any = None

    def show(markup: str) -> None:
        nonlocal handle
        if handle is None:
            handle = shown.display(shown.HTML(markup), display_id=True)
        else:
            handle.update(shown.HTML(markup))

    return show


class Gallery:
    """The live grid of one run directory. It is told of time passing, and reads the state for itself."""

    def __init__(self, directory: Path, show: Callable[[str], None]) -> None:
        self._directory = directory
        self._show = show
        self._pictures: dict[str, str] = {}
        self._last = ""
        self._next = 0.0

    def tick(self) -> None:
        """Show what is new, if it is time."""
        started = monotonic()
        if started < self._next:
            return
        self.draw()
        self._next = monotonic() + max(_EVERY, _SHARE * (monotonic() - started))

    def draw(self) -> None:
        """Show how things are. A state that cannot be read (yet) is no reason to stop a run."""
        try:
            with Run(self._directory) as run:
                markup = self._markup(run)
        except (ZbatchError, OSError):
            return
        if markup != self._last:
            self._show(markup)
            self._last = markup

    def _markup(self, run: Run) -> str:
        counts = run.counts()
        total, done = sum(counts.values()), counts[JobState.DONE]
        bad = sum(counts[state] for state in (JobState.FAILED, JobState.REJECTED, JobState.UNKNOWN))
        facts = [f"{done:,} of {total:,} done", f"{bad:,} not done" if bad else ""]
        facts.append(f"the newest {SHOWN} of them" if done > SHOWN else "")
        tiles = "".join(self._tile(job) for job in self._chosen(run, total))
        return (
            f'<div><p style="margin:4px 0"><b><bdi>{html.escape(run.title)}</bdi></b> '
            f'<span style="opacity:.7">{", ".join(filter(None, facts))}</span></p>'
            f'<div style="display:flex;flex-wrap:wrap;gap:4px">{tiles}</div></div>'
        )

    def _chosen(self, run: Run, total: int) -> list[JobRecord]:
        if total <= SHOWN:
            return list(run.jobs(shown_only=True))
        return [job for key in run.newest(SHOWN) if (job := run.job(key)) is not None]

    def _tile(self, job: JobRecord) -> str:
        words = html.escape(f"{job.request.prompt[:300]} (seed {job.request.seed})", quote=True)
        if job.artifact is not None:
            picture = self._picture(job.key, self._directory / job.artifact.thumb)
            if picture:
                return f'<img src="{picture}" alt="{words}" title="{words}" style="{_TILE}">'
        if job.state in (JobState.FAILED, JobState.REJECTED, JobState.UNKNOWN):
            why = html.escape((job.reason or job.state.value).replace("_", " ").lower()[:60])
            return f'<span title="{words}" style="{_TILE}{_FAILED}">{why}</span>'
        return f'<span title="{words}" style="{_TILE}{_EMPTY}"></span>'

    def _picture(self, key: str, path: Path) -> str:
        """Give a small picture as a `data:` URI, made once; empty where its file cannot be read."""
        if key not in self._pictures:
            try:
                with Image.open(path) as image:
                    image.thumbnail((SIDE, SIDE))
                    buffer = io.BytesIO()
                    image.convert("RGB").save(buffer, "WEBP", quality=75)
            except OSError:
                return ""
            if len(self._pictures) >= 2 * SHOWN:
                self._pictures.clear()
            data = base64.b64encode(buffer.getvalue()).decode("ascii")
            self._pictures[key] = f"data:image/webp;base64,{data}"
        return self._pictures[key]
