"""The contact sheet: a run directory becomes a page one can look at, zip, mail or host anywhere."""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

from zbatch.durable import write_aside
from zbatch.errors import DiskError, UsageError
from zbatch.model import media_type_of
from zbatch.sheet.change import known_changes
from zbatch.sheet.data import SheetData
from zbatch.sheet.page import render_data, render_page
from zbatch.sheet.png import draw_pages
from zbatch.state.run import Run

__all__ = ["SINGLE_FILE_LIMIT", "SheetData", "publish", "write_png", "write_sheet", "write_single_file"]

SINGLE_FILE_LIMIT: Final = 64_000_000
"""Bytes of a single-file sheet that still open well everywhere, and that a mail may carry."""


_JSON_LINES: Final = "application/jsonl"


def write_sheet(run: Run | str | Path, *, data: SheetData | None = None) -> Path:
    """Write the contact sheet of a run: `index.html` and `data.js` in its directory. Gives the page's path.

    `data` is the run's, where it was read already.

    Raises:
        UsageError: there is no run there.
        StateError: its state is damaged or newer than this zbatch.
        DiskError: a file could not be written; the old one is untouched.
    """
    with _opened(run) as opened:
        data = data or SheetData.of(opened)
        directory = opened.directory
    # The data first: an old page reads new data, a new page might not read old data.
    write_aside(directory.data, render_data(data, changes=known_changes(data, directory)))
    write_aside(directory.index, render_page(data))
    return directory.index


def publish(run: Run, data: SheetData | None) -> None:
    """Put `jobs.jsonl`, and the sheet of some data, beside pictures in a store: the folder there is whole.

    The page there shows the pictures, that in the run directory their thumbnails: it asks no network.

    Raises:
        StorageError: it could not be put; what was there before is.
        DiskError: jobs.jsonl cannot be read.
    """
    if run.location is None:
        return
    directory, bucket = run.directory, run.pictures.bucket
    try:
        bucket.put(directory.provenance.name, directory.provenance.read_bytes(), media_type=_JSON_LINES)
    except OSError as error:
        raise DiskError(f"cannot read {directory.provenance}: {error.strerror or error}") from error
    if data is not None:
        data = replace(data, about={**data.about, "images": ""})
        bucket.put(directory.data.name, render_data(data), media_type="text/javascript")
        bucket.put(directory.index.name, render_page(data), media_type="text/html; charset=utf-8")


def write_single_file(
    run: Run | str | Path,
    path: str | Path,
    *,
    limit_bytes: int = SINGLE_FILE_LIMIT,
    data: SheetData | None = None,
) -> Path:
    """Write the sheet as one file with its thumbnails inside (the originals stay where they are).

    `data` is the run's, where it was read already.

    Raises:
        UsageError: the page would be larger than `limit_bytes`; nothing was written. Or there is no run.
        StateError: the state is damaged or newer than this zbatch.
        DiskError: the page could not be written, or a thumbnail not read.
    """
    with _opened(run) as opened:
        data = data or SheetData.of(opened)
        thumbnails = _thumbnails(opened, data, limit_bytes)
        script = render_data(data, thumbnails, changes=known_changes(data, opened.directory))
    page = render_page(data, inline=script)
    if len(page) > limit_bytes:
        raise _too_large(len(page), limit_bytes)
    target = Path(path)
    write_aside(target, page)
    return target


def write_png(
    run: Run | str | Path, path: str | Path, *, notice: Callable[[str], None] | None = None
) -> list[Path]:
    """Draw the sheet as a labelled picture for a paper or a pull request. Gives the files written.

    A large sheet becomes several pages, `name-1.png` and so on. `notice` is told what could not be drawn as
    it should be (letters that no font on this machine has), and of how many pages there will be, if many.

    Raises:
        UsageError: there is no run, nothing in it to draw, too many pages, or a page's name is taken.
        StateError: the state is damaged or newer than this zbatch.
        DiskError: a page could not be written.
    """
    if Path(path).suffix.lower() != ".png":
        raise UsageError(f"the sheet is drawn as PNG (got {path})", hint="give a name that ends in .png")
    with _opened(run) as opened:
        data = SheetData.of(opened)
        root = opened.directory.path
    if not data.cells.job:
        raise UsageError("the run has no cells to draw", hint="run the manifest first: zbatch run MANIFEST")
    return draw_pages(data, root, Path(path), notice)


@contextlib.contextmanager
def _opened(run: Run | str | Path) -> Iterator[Run]:
    if isinstance(run, Run):
        yield run
    else:
        with Run(run) as opened:
            yield opened


def _thumbnails(run: Run, data: SheetData, limit: int) -> list[str]:
    """Give a `data:` URI for each job, empty where there is no picture; stops as soon as it is too much."""
    paths = [
        run.directory.path / thumb if (thumb := data.thumbnail(number)) else None
        for number in range(len(data.jobs.key))
    ]
    try:
        size = sum(path.stat().st_size for path in paths if path is not None) * 4 // 3
        if size > limit:
            raise _too_large(size, limit)
        return [
            ""
            if path is None
            else f"data:{media_type_of(path.name)};base64,{base64.b64encode(path.read_bytes()).decode()}"
            for path in paths
        ]
    except OSError as error:
        raise DiskError(
            f"cannot read the thumbnail {error.filename}: {error.strerror or error}",
            hint="zbatch verify names every file that is missing",
        ) from error


def _too_large(size: int, limit: int) -> UsageError:
    return UsageError(
        f"the single-file sheet would be {size / 1e6:,.0f} MB; the limit is {limit / 1e6:,.0f} MB",
        hint="zip the run directory instead: index.html opens from any folder, with nothing to install",
    )
