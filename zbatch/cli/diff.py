"""`zbatch diff`: two runs side by side, by what differs."""

from __future__ import annotations

import contextlib
import math
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import orjson
from tqdm import tqdm

from zbatch.cli import options
from zbatch.cli.compared import diff_json, diff_lines
from zbatch.cli.output import ExitCode, say, tell
from zbatch.cli.whereabouts import locate_run
from zbatch.difference import measurable
from zbatch.errors import UsageError
from zbatch.sheet.diff.apart import with_changes
from zbatch.sheet.diff.page import check_place, page_path, write_pairs
from zbatch.sheet.diff.reading import read_pairs
from zbatch.sheet.diff.telling import read_renames
from zbatch.state.directory import RunDirectory
from zbatch.state.run import Run


@click.command(
    "diff",
    epilog="Examples: zbatch diff runs/fox-v1 runs/fox-v2 · zbatch diff runs/fox-preview runs/fox · "
    "zbatch diff runs/fox --reproduced · zbatch diff old new --pair lora.name=film:film-v2 -o diff.html · "
    "zbatch diff golden runs/fox --tolerance 0.02 --json --no-page",
)
@click.argument("before", metavar="RUN_A", type=click.Path(path_type=Path))
@click.argument("after", metavar="[RUN_B]", required=False, type=click.Path(path_type=Path))
@click.option(
    "--reproduced",
    is_flag=True,
    help="Compare RUN_A with what `zbatch verify RUN_A --reproduce N` last made of it.",
)
@options.endpoint
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Where the page goes; else diff-NAME.html in RUN_B, for RUN_A's name.",
)
@click.option("--no-page", is_flag=True, help="Write no page, only say what there is to say.")
@click.option("--force", is_flag=True, help="Replace FILE though it is no page of this command.")
@click.option(
    "--pair",
    multiple=True,
    metavar="AXIS=OLD:NEW",
    help="A value that RUN_B calls otherwise; may be repeated.",
)
@click.option("--axis", multiple=True, metavar="OLD:NEW", help="An axis that RUN_B calls otherwise.")
@click.option(
    "--tolerance",
    type=click.FloatRange(0, 1),
    metavar="FLIP",
    help="Pictures no further apart are the same, 0.02 say; without it, only those of the same bytes.",
)
@click.option("--json", "as_json", is_flag=True, help="Every pair, and what sums them up, as JSON.")
def command(
    before: Path,
    after: Path | None,
    reproduced: bool,
    endpoint: str | None,
    output: Path | None,
    no_page: bool,
    force: bool,
    pair: tuple[str, ...],
    axis: tuple[str, ...],
    tolerance: float | None,
    as_json: bool,
) -> int:
    """Pair the cells of two runs and show the pictures against each other, the biggest change first.

    Cells are paired where their coordinates are equal, or equal but for what was renamed; what is left, where
    the requests are equal. A RUN is a run directory, or the manifest whose run it is; it may be going on.
    Exits with 0 where every pair is the same, with 1 where one differs or has not both pictures. Cells of one
    run only are told, and change nothing in that.
    """
    if tolerance is not None and math.isnan(tolerance):
        raise UsageError("--tolerance is a number from 0 to 1", hint="0.02 is what hardly anybody sees")
    places = _places(before, after, endpoint, reproduced=reproduced)
    with Run(places[0]) as first, Run(places[1]) as second:
        pairs = read_pairs(first, second, lambda *runs: read_renames(pair, axis, *runs))
    page = None if no_page else output or page_path(pairs)
    if page is not None:
        check_place(page, force=force)
    if not measurable():
        tell("note: how far pictures are apart is not known: the package flip-evaluator is not installed")
    with _bar() as told:
        pairs = with_changes(pairs, told).within(tolerance)
    if page is not None and not write_pairs(pairs, page):
        tell(
            f"note: the thumbnails are too many to lie inside {page.name}: it shows them from the two runs, "
            "and is of use on this machine only"
        )
    if as_json:
        say(orjson.dumps(diff_json(pairs, page), option=orjson.OPT_INDENT_2).decode())
    else:
        for line in diff_lines(pairs):
            say(line)
        if page is not None:
            say(str(page))
    return ExitCode.OK if pairs.alike else ExitCode.NOT_ALL_DONE


def _places(before: Path, after: Path | None, endpoint: str | None, *, reproduced: bool) -> tuple[Path, Path]:
    """Give the directories of the two runs.

    Raises:
        UsageError: there is not one of them, or one too many.
    """
    if reproduced == (after is not None):
        raise UsageError(
            "--reproduced stands in place of RUN_B" if reproduced else "it takes two runs to compare",
            hint="zbatch diff RUN_A RUN_B, or zbatch diff RUN --reproduced",
        )
    first = locate_run(before, endpoint)
    if after is not None:
        return first, locate_run(after, endpoint)
    Run(first).close()  # says what is wrong where it is none
    found = RunDirectory(first).reproductions()
    if not found:
        raise UsageError(
            f"nothing of {first} was reproduced yet", hint=f"zbatch verify {first} --reproduce 20 asks again"
        )
    return first, found[-1]


@contextlib.contextmanager
def _bar() -> Iterator[Callable[[int, int], None] | None]:
    """Draw a bar of measured pairs on a terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    with tqdm(desc="measuring", unit=" pairs", file=sys.stderr, dynamic_ncols=True, leave=False) as bar:

        def told(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield told
