"""What `zbatch verify` says of what it found, and what to do about it."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Iterator
from pathlib import Path

import click

from zbatch.api.endpoint import EndpointKind
from zbatch.cli.advice import cap_reached, cost_with
from zbatch.cli.output import plural
from zbatch.cli.whereabouts import going_on
from zbatch.exports.mending import SET_ASIDE, Mended, can_set_aside
from zbatch.exports.verification import Difference, LeftOver, Problem, Verification, on_a_line
from zbatch.state.database import Meta
from zbatch.state.run import Run

_MOST_SHOWN = 20

_WORDS = {
    Problem.MISSING: "missing",
    Problem.TRUNCATED: "truncated",
    Problem.CHANGED: "changed",
    Problem.OTHER_TYPE: "of another type",
    Problem.NO_FILE: "no file",
    Problem.UNREADABLE: "unreadable",
    Problem.THUMBNAIL: "no whole thumbnail",
    Problem.SIDECAR: "not what the state says",
    Problem.UNLISTED: "bad line",
}


_MADE = frozenset({Problem.THUMBNAIL, Problem.SIDECAR})
"""Of what was made from a picture or from the state: nobody need be asked for it."""


def verified_lines(result: Verification) -> Iterator[str]:
    """Say what was found: one line where all is well."""
    what = "picture" if result.kind == "run" else "file"
    rate = f", {result.bytes / result.seconds / 1e6:,.0f} MB/s" if result.seconds > 0.1 else ""
    looked = f"({result.bytes / 1e6:,.1f} MB in {result.seconds:.1f} s{rate})"
    place = on_a_line(str(result.path))
    if not result.counts.total():
        say = "is as it was" if result.files == 1 else "are as they were"
        yield f"{place}: {plural(result.files, what)} {say} written down{_besides(result)} {looked}"
    else:
        yield f"{place}: {result.whole:,} of {plural(result.files, what)} are whole {looked}"
        for problem, count in sorted(result.counts.items(), key=lambda pair: list(Problem).index(pair[0])):
            yield from _group(result, problem, count)
    if result.overtaken:
        yield f"  {plural(result.overtaken, 'picture')} changed by the run meanwhile: not counted"
    yield from _left_over(result)


def _besides(result: Verification) -> str:
    """Say what was looked at beside the pictures, and how."""
    listing = ", jobs.jsonl" if result.sidecars else ""
    sidecars = f", {plural(result.sidecars - 1, 'sidecar')}" if result.sidecars > 1 else ""
    words = f"{sidecars}{' and' if sidecars and listing else ''}{listing.removeprefix(',' * bool(sidecars))}"
    text = f"{words} too" if words else ""
    if not result.thumbnails:
        return text
    how = "decode and look as they did" if result.decoded else "begin and end as they should"
    return f"{text}; {plural(result.thumbnails, 'thumbnail')} {how}"


def _group(result: Verification, problem: Problem, count: int) -> Iterator[str]:
    yield f"  {click.style(_WORDS[problem], bold=True)}: {count:,}"
    shown = [one for one in result.differences if one.problem is problem][:_MOST_SHOWN]
    for one in shown:
        yield f"    {on_a_line(one.file)}{_of_job(one)}{_how(one)}"
    if count > len(shown):
        yield f"    ... and {count - len(shown):,} more (--json lists them)"


def _of_job(one: Difference) -> str:
    if one.key is None:
        return ""
    return f"  (job {one.key[:16]}{'' if one.shown else ', no longer in the manifest'})"


def _how(one: Difference) -> str:
    if one.found_length is None:
        return f": {on_a_line(one.found)}" if one.found else ""
    expected = f"sha256 {one.sha256[:16]}…" + ("" if one.length is None else f", {one.length:,} bytes")
    found = f"sha256 {(one.found_sha256 or '')[:16]}…, {one.found_length:,} bytes"
    words = f": {one.found}" if one.found else ""
    if one.holds is not None:
        words += f"; it is the picture of job {one.holds[:16]}"
    return f"\n      expected {expected}\n      found    {found}{words}"


def _left_over(result: Verification) -> Iterator[str]:
    if not result.left_over_count:
        return
    where = "in images/" if result.kind == "run" else "there"
    belongs = "that are no done job's" if result.kind == "run" else "that no checksum is of"
    many = plural(result.left_over_count, "file")
    yield f"  besides, {many} {where} {belongs} (no error):"
    for one in result.left_over[:_MOST_SHOWN]:
        yield f"    {on_a_line(one.file)}  ({one.length:,} bytes{_whose(one)})"
    if result.left_over_count > _MOST_SHOWN:
        yield f"    ... and {result.left_over_count - _MOST_SHOWN:,} more (--json lists them)"


def _whose(one: LeftOver) -> str:
    if one.key is None:
        return ""
    if one.state == "done":
        return f", beside the picture of job {one.key[:16]}"
    return f", of job {one.key[:16]}, which is {one.state}"


def mended_lines(mended: Mended | None) -> Iterator[str]:
    """Say what was mended."""
    if mended is None:
        return
    if mended.set_aside:
        yield f"moved into {SET_ASIDE}/: {plural(len(mended.set_aside), 'file')}"
    if mended.thumbnails:
        yield f"made again: {plural(len(mended.thumbnails), 'thumbnail')}"
    if mended.sidecars:
        yield f"written anew from the state: {plural(len(mended.sidecars), 'file')}"
    for failure in mended.failed:
        yield f"not mended: {failure}"


def export_lines(result: Verification) -> Iterator[str]:
    """Say what to do about an export that differs."""
    if result.differs:
        yield "next:"
        links = ""
        if any(_is_linked(result.path, one) for one in result.differences):
            links = "verify and mend its runs first: images here are the same files, by hard links; then "
        yield (
            f"  {links}move this away and give the `zbatch export` command again: the same images give the "
            "same bytes"
        )


def _is_linked(place: Path | str, one: Difference) -> bool:
    """Tell whether a file of an export has other names: a run's, of which it is a link."""
    if isinstance(place, str) or one.found_length is None:
        return False
    with contextlib.suppress(OSError):
        return (place / one.file).lstat().st_nlink > 1
    return False


def next_lines(run: Run, result: Verification, mended: Mended | None) -> Iterator[str]:
    """Say what to do, and what it costs."""
    lines = list(_next(run, result, mended))
    if lines:
        yield "next:"
    for line in lines:
        yield f"  {line}"


def _next(run: Run, result: Verification, mended: Mended | None) -> Iterator[str]:
    counts = result.counts
    if counts[Problem.UNREADABLE]:
        yield "let the files be read, or mend the disk, and verify again: of unreadable ones nothing is known"
    aside = sum(can_set_aside(one) for one in result.differences)
    thumbs = counts[Problem.THUMBNAIL]
    beside = counts[Problem.SIDECAR]
    mends = [f"moves {plural(aside, 'file')} into {SET_ASIDE}/"] if aside else []
    mends += [f"makes {plural(thumbs, 'thumbnail')} again"] if thumbs else []
    mends += [f"writes {plural(beside, 'file')} anew from the state"] if beside else []
    if mended is None and mends:
        words = ", ".join(mends)
        yield f"zbatch verify {shlex.quote(str(result.path))} --mend  ({words}; costs nothing)"
    gone = sum(one.shown for one in result.differences if one.problem is Problem.MISSING)
    again = gone + (len(mended.set_aside) if mended else aside)
    if again:
        then = "then " if mended is None and aside else ""
        taken = sum(_was_taken_over(run, one) for one in result.differences if one.shown)
        preview = run.about(Meta.ENDPOINT_KIND) == EndpointKind.PREVIEW
        # Asking costs nothing; what the built-in endpoint makes again counts as if it did.
        command = going_on(run)
        if preview and cap_reached(run):
            command = command.up_to(cost_with(run, again))
        yield f"{then}{command}  ({_fetching(run, again, min(taken, again))})"
    lost = sum(not one.shown for one in result.differences if one.problem not in _MADE)
    if lost:
        yield (
            f"{plural(lost, 'picture')} of jobs that the manifest no longer shows: no run fetches them; "
            "restore them from a backup, or have the manifest show those jobs again and run"
        )


def _was_taken_over(run: Run, one: Difference) -> bool:
    record = None if one.key is None or one.problem in _MADE else run.job(one.key)
    return record is not None and record.reused_from is not None


def _fetching(run: Run, many: int, taken: int) -> str:
    if not taken:
        return _asking(run, many)
    words = (
        f"with --reuse, takes {plural(taken, 'picture')} over again from where they came from, for nothing; "
        "without, their jobs are held as unknown"
    )
    return f"{words}; {_asking(run, many - taken)}" if many > taken else words


def _asking(run: Run, many: int) -> str:
    pictures = plural(many, "picture")
    if run.about(Meta.ENDPOINT_KIND) == "preview":
        return f"makes {pictures} again, for nothing: the built-in endpoint"
    price = f", {run.price} USD an image" if run.price is not None else ""
    return (
        f"asks the tasks of {pictures} for them again, for nothing; where the server no longer has one, its "
        f"job is held as unknown, and only --retry unknown pays for it once more{price}"
    )
