"""A run as a notebook shows it: its counts and its first thumbnails, inline."""

from __future__ import annotations

import base64
import html
from itertools import islice
from typing import TYPE_CHECKING

from zbatch.model import media_type_of

if TYPE_CHECKING:
    from zbatch.state.records import JobRecord
    from zbatch.state.run import Run

_SHOWN = 24


def run_html(run: Run) -> str:
    """Render a run as a small piece of HTML; everything a manifest said is inserted as text.

    What turns the letters after it round turns no more than its own text round.
    """
    counts = ", ".join(f"{number} {state}" for state, number in run.counts().items() if number)
    done = islice((job for job in run.jobs(shown_only=True) if job.artifact is not None), _SHOWN)
    pictures = "".join(_figure(run, job) for job in done)
    return (
        f"<div><p><b><bdi>{html.escape(run.title)}</bdi></b>: {counts or 'no jobs'} "
        f"<code><bdi>{html.escape(str(run.directory.index))}</bdi></code></p>"
        f'<div style="display:flex;flex-wrap:wrap;gap:6px">{pictures}</div></div>'
    )


def _figure(run: Run, job: JobRecord) -> str:
    if job.artifact is None:
        return ""
    try:
        data = base64.b64encode((run.directory.path / job.artifact.thumb).read_bytes()).decode("ascii")
    except OSError:
        return ""
    prompt = html.escape(job.request.prompt, quote=True)
    return (
        f'<img src="data:{media_type_of(job.artifact.thumb)};base64,{data}" '
        f'alt="{prompt}" title="{prompt} (seed {job.request.seed})" '
        'style="height:128px;border-radius:4px">'
    )
