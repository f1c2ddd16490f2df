"""`zbatch verify`: files against their hashes, and an endpoint against what it once made."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import orjson
from tqdm import tqdm

from zbatch.cli import options
from zbatch.cli.output import ExitCode, plural, say, tell
from zbatch.cli.reproducing import Reproduced, explain, prepared, reproduced, reproduced_lines
from zbatch.cli.verified import export_lines, mended_lines, next_lines, verified_lines
from zbatch.cli.whereabouts import locate_run
from zbatch.errors import UsageError
from zbatch.exports.checksums import CHECKSUMS
from zbatch.exports.export_check import is_export, listed_bytes, verify_export
from zbatch.exports.mending import Mended, mend_run
from zbatch.exports.run_check import verify_run
from zbatch.exports.stored_check import stored_bytes
from zbatch.exports.verification import Told, Verification, on_a_line
from zbatch.settings import Settings
from zbatch.state.directory import RunDirectory
from zbatch.state.kept import KeptFiles
from zbatch.state.run import Run
from zbatch.storage import parse_location


@click.command(
    "verify",
    epilog="Examples: zbatch verify runs/fox · zbatch verify fox.yaml --json · zbatch verify datasets/fox · "
    "zbatch verify runs/fox --mend · zbatch verify runs/fox --reproduce 20 --yes",
)
@click.argument("runs", nargs=-1, required=True, metavar="RUN...", type=options.PLACE)
@options.endpoint
@click.option(
    "--mend",
    is_flag=True,
    help="Move pictures that changed into set-aside/, so that the next run fetches them again; decode all "
    "thumbnails and make bad ones again; write sidecars and jobs.jsonl anew where they are not what the "
    "state says. Asks nobody and pays nothing.",
)
@click.option(
    "--reproduce",
    type=click.IntRange(min=1),
    metavar="N",
    help="Also ask the endpoint again for N done jobs and compare; says first what it costs.",
)
@click.option("--seed", default=1, show_default=True, help="Which N: the same seed draws the same jobs.")
@click.option("-y", "--yes", is_flag=True, help="Ask the endpoint without asking you first.")
@click.option("-j", "--concurrency", type=click.IntRange(min=1), metavar="N", help="Tasks in flight at most.")
@options.rate
@click.option(
    "--api-key-file", type=click.Path(path_type=Path), metavar="FILE", help="The key; or ZBATCH_API_KEY."
)
@options.allow_outside
@click.option("--json", "as_json", is_flag=True, help="All of it as JSON; for several RUNs a line each.")
def command(
    runs: tuple[Path | str, ...],
    endpoint: str | None,
    mend: bool,
    reproduce: int | None,
    seed: int,
    yes: bool,
    concurrency: int | None,
    rate: str | None,
    api_key_file: Path | None,
    allow_outside: bool,
    as_json: bool,
) -> int:
    """Hold every picture of RUN, or every file of an export, against its hash and length as written down.

    Of a run, sidecars and jobs.jsonl are also held against what the state says, byte for byte (not while it
    goes on; a caption that you changed is named and is no difference). Of thumbnails no hash is written down:
    they must be there and begin and end as a JPEG does; with --mend they must decode and look as they did.

    RUN is a run directory, the manifest whose run it is, the URL where its pictures lie, or a directory or
    URL that carries checksums.sha256, as an export does. It may be going on: nothing is held up, and what is
    done meanwhile is no difference. Exits with 1 where anything differs, and with 4 where nothing does but
    something cannot be read.

    With --reproduce, the endpoint is asked again for some of the jobs that are done. What comes, and every
    attempt, is kept below reproduced/ in the run directory, as a small run of its own: the same command
    resumes it. Pictures that differ in their pixels make the exit 1.
    """
    places = [_located(path, endpoint) for path in runs]
    again = None
    if reproduce is not None:
        settings = Settings(
            endpoint=endpoint,
            api_key=options.api_key(api_key_file),
            api_key_file=api_key_file,
            concurrency=concurrency,
            rate=rate,
            allow_outside=allow_outside,
        )
        again = prepared(places, reproduce, seed, settings, yes=yes)
    for place in places:  # all of them before the first is read through, which may take long
        _check_place(place)
    codes = []
    for place in places:
        try:
            result, mended = _looked_at(place, mend=mend)
        except _Interrupted as error:
            tell(f"interrupted{error}")
            return ExitCode.INTERRUPTED
        if not as_json:
            _print(result, mended)
        made = reproduced(again) if again is not None else None
        if as_json:
            option = orjson.OPT_INDENT_2 if len(places) == 1 else 0
            say(orjson.dumps(_json(result, mended, made), option=option).decode())
        elif made is not None:
            for line in reproduced_lines(made):
                say(line)
        codes.append(_exit_code(result))
        if made is not None:
            explain(made)
            codes.append(made.exit_code)
    return max(codes, key=_SEVERITY.index)


def _located(path: Path | str, endpoint: str | None) -> Path | str:
    """Give the directory of a run; what carries checksums as it is, in a store its URL."""
    return path if is_export(path) else locate_run(path, endpoint)


_SEVERITY = (ExitCode.OK, ExitCode.SURROUNDINGS, ExitCode.NOT_ALL_DONE, ExitCode.INTERRUPTED)


def _exit_code(result: Verification) -> ExitCode:
    if result.differs:
        return ExitCode.NOT_ALL_DONE
    return ExitCode.SURROUNDINGS if result.unreadable else ExitCode.OK


def _looked_at(place: Path | str, *, mend: bool) -> tuple[Verification, Mended | None]:
    """Verify what lies at a place and, where that is asked, mend it.

    Raises:
        _Interrupted: Ctrl-C came.
    """
    try:
        result = _verified(place, decode=mend)
    except KeyboardInterrupt:
        raise _Interrupted(f" before {place} was looked at; nothing in it was changed") from None
    try:
        return result, mend_run(result) if mend and result.kind == "run" else None
    except KeyboardInterrupt:
        words = "what was mended stays so, and the same command mends the rest"
        raise _Interrupted(f" while mending {place}: {words}") from None


def _check_place(path: Path | str) -> None:
    """Look whether anything to verify is there.

    Raises:
        UsageError: neither a run nor what carries checksums.
    """
    if isinstance(path, str) or (directory := RunDirectory(path)).exists() or is_export(path):
        return
    directory.check_lost()
    words = f"is neither a run directory nor an export: it has no state.sqlite3 and no {CHECKSUMS}"
    raise UsageError(
        f"{path} {words if os.path.lexists(path) else 'does not exist'}",
        hint="give the directory that `zbatch run` or `zbatch export` named, or the manifest",
    )


def _verified(path: Path | str, *, decode: bool) -> Verification:
    """Verify what lies in a directory, or in a store: a run, or what carries checksums.

    Raises:
        UsageError: neither lies there any more.
    """
    if isinstance(path, str):
        with _bar(path, *stored_bytes(parse_location(path))) as bar:
            return verify_export(path, bar)
    directory = RunDirectory(path)
    if not directory.exists() and is_export(path):
        with _bar(path, *listed_bytes(path)) as bar:
            return verify_export(path, bar)
    Run(path).close()  # says what is wrong where it is none
    with KeptFiles(directory) as kept:
        total = kept.total()
    with _bar(path, *total) as bar:
        return verify_run(path, bar, decode=decode)


class _Interrupted(Exception):  # noqa: N818 - as it is said: no error
    """Ctrl-C came; the message says how far it had come."""


@contextlib.contextmanager
def _bar(place: Path | str, files: int, length: int) -> Iterator[Told]:
    """Draw a bar of bytes on a terminal; anywhere, Ctrl-C says how far it came.

    Raises:
        _Interrupted: Ctrl-C came.
    """
    seen = 0
    drawn = sys.stderr.isatty() and files > 0
    bar = tqdm(
        total=length,
        unit="B",
        unit_scale=True,
        file=sys.stderr,
        dynamic_ncols=True,
        leave=False,
        disable=not drawn,
    )

    def told(more: int, size: int) -> None:
        nonlocal seen
        seen += more
        bar.set_postfix_str(f"{seen:,} of {files:,} files", refresh=False)
        bar.update(size)

    try:
        with bar:
            yield told
    except KeyboardInterrupt:
        words = f": {min(seen, files):,} of {plural(files, 'file')} of {on_a_line(str(place))} were looked at"
        raise _Interrupted(f"{words}; nothing in it was changed") from None


def _json(result: Verification, mended: Mended | None, made: Reproduced | None) -> dict[str, object]:
    shape = result.to_json()
    if mended is not None:
        shape["mended"] = {
            "set_aside": mended.set_aside,
            "thumbnails": mended.thumbnails,
            "sidecars": mended.sidecars,
            "failed": mended.failed,
        }
    if made is not None:
        shape["reproduced"] = made.to_json()
    return shape


def _print(result: Verification, mended: Mended | None) -> None:
    for line in verified_lines(result):
        say(line)
    for line in export_lines(result) if result.kind == "export" else ():
        say(line)
    if result.kind == "run" and (result.differences or mended):
        with Run(result.path) as run:
            for line in (*mended_lines(mended), *next_lines(run, result, mended)):
                say(line)
    for note in result.notes:
        tell(f"note: {note}")
