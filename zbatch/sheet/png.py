"""The sheet as pictures: a labelled grid for a paper or a pull request, in pages when it is large."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from PIL import Image, PngImagePlugin

from zbatch.durable import write_aside
from zbatch.errors import DiskError, UsageError
from zbatch.sheet.data import SheetData
from zbatch.sheet.drawing import best_drawing
from zbatch.sheet.signs import font_package
from zbatch.version import __version__

MANY_PAGES: Final = 20
"""From here on the number of pages is said before they are drawn."""

MOST_PAGES: Final = 500
"""More than this nobody prints, and it would fill a disk."""

SOFTWARE, IDENTITY = "Software", "zbatch-run"
"""Texts in each picture: who wrote it, and of which run it is. Only what has them is ever deleted."""


def draw_pages(
    data: SheetData, root: Path, path: Path, notice: Callable[[str], None] | None = None
) -> list[Path]:
    """Draw the sheet and write it at `path`; of several pages, `name-1.png` and so on. Gives the files.

    One page at a time is in memory, however many there are. Pages that an earlier drawing of this run left
    at these names, and that are no longer part of it, are deleted.

    Raises:
        UsageError: there would be too many pages, or one would replace a file that zbatch did not write.
        DiskError: a page could not be written, or an old one not deleted.
    """
    drawing = best_drawing(data, root)
    if notice is not None and drawing.lacking:
        notice(_lacking_hint(drawing.lacking))
    if notice is not None and drawing.unexplained:
        notice("hint: long values are shortened, as their texts would take many pages; index.html has them")
    total = len(drawing.pages)
    if total > MOST_PAGES:
        raise UsageError(
            f"the drawn sheet would have {total:,} pages; the limit is {MOST_PAGES:,}",
            hint="index.html shows runs of any size; draw a smaller manifest of the cells you want to print",
        )
    targets = [_page_path(path, number) for number in range(1, total + 1)] if total > 1 else [path]
    _check_own(targets, path)
    if notice is not None and total >= MANY_PAGES:
        notice(f"drawing {total} pages, {targets[0].name} to {targets[-1].name}")
    about = PngImagePlugin.PngInfo()
    about.add_text(SOFTWARE, f"zbatch {__version__}")
    about.add_text(IDENTITY, data.about["identity"])
    for number, target in enumerate(targets, 1):
        buffer = io.BytesIO()
        drawing.page(number).save(buffer, "PNG", dpi=(300, 300), pnginfo=about)
        write_aside(target, buffer.getvalue())
    _clear_stale(path, targets, data.about["identity"], notice)
    return targets


def _lacking_hint(lacking: str) -> str:
    some = lacking[:12] + ("…" if len(lacking) > 12 else "")
    many = "1 sign" if len(lacking) == 1 else f"{len(lacking)} signs"
    return (
        f"hint: no installed font has {many} of this sheet ({some}), drawn as boxes; install "
        f"{font_package(lacking)} and draw it again"
    )


def _page_path(path: Path, number: int) -> Path:
    return path.with_name(f"{path.stem}-{number}{path.suffix}")


def _check_own(targets: list[Path], path: Path) -> None:
    """Refuse names that nobody gave and that are taken: the person named only `path` itself."""
    for target in targets:
        if target != path and (target.exists() or target.is_symlink()) and _run_of(target) is None:
            raise UsageError(
                f"page {target} would replace a file that zbatch did not write",
                hint="give --png another name, or move that file away",
            )


def _clear_stale(
    path: Path, targets: list[Path], identity: str, notice: Callable[[str], None] | None
) -> None:
    others = []
    for old in _relatives(path):
        if old in targets or (run := _run_of(old)) is None:
            continue
        if run != identity or not identity:
            others.append(old.name)
            continue
        try:
            old.unlink()
        except OSError as error:
            raise DiskError(
                f"cannot delete {old}, a page of an earlier drawing: {error.strerror}",
                hint="delete it yourself: it is no longer part of the sheet",
            ) from error
    if others and notice is not None:
        some = ", ".join(others[:3]) + (", …" if len(others) > 3 else "")
        notice(f"left as it is, drawn from another run: {some}")


def _relatives(path: Path) -> Iterator[Path]:
    """Give what lies at the names that pages of this sheet would have, the picture in one piece too."""
    name = re.compile(re.escape(path.stem) + r"(?:-[1-9]\d*)?" + re.escape(path.suffix))
    try:
        yield from sorted(old for old in path.parent.iterdir() if name.fullmatch(old.name))
    except OSError:
        return  # a folder that can be written to but not listed


def _run_of(path: Path) -> str | None:
    """Give the run that a picture was drawn from, or None where zbatch did not draw it."""
    if path.is_symlink() or not path.is_file():
        return None
    try:
        with Image.open(path, formats=["PNG"]) as image:
            texts = image.info
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
    if not str(texts.get(SOFTWARE, "")).startswith("zbatch "):
        return None
    return str(texts.get(IDENTITY, ""))
