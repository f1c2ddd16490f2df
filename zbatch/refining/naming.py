"""What the next manifest is called, where it lies, and where its run would: not in one that is there."""

from __future__ import annotations

import contextlib
import itertools
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from zbatch.errors import UsageError, ZbatchError
from zbatch.expressions import compile_template
from zbatch.manifest.parser import Manifest
from zbatch.refining.choosing import Wishes
from zbatch.refining.original import Original, input_images
from zbatch.runner.order import Order
from zbatch.settings import Settings, resolve
from zbatch.state.database import Meta
from zbatch.state.run import Run
from zbatch.state.sources import find_source

_NUMBERED: Final = re.compile(r"(.+)-([2-9]|[1-9][0-9]{1,2})")
_SLUG: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


@dataclass(frozen=True, slots=True)
class Request:
    """What a person asks for. `out` is where the manifest goes; beside the old one unless given."""

    picks: Sequence[Path]
    wishes: Wishes
    out: Path | None = None
    force: bool = False
    same_run: bool = False


def next_names(
    run: Run, original: Original, request: Request, options: Sequence[str]
) -> tuple[str, Path, str]:
    """Give the name of the next manifest, its file, and what to say where the nearest name was not free.

    Raises:
        UsageError: the file is there, or is one of those that are read.
    """
    name = original.manifest.name
    named, passed = following(name), ""
    target = request.out
    if target is None:
        folder = Path() if original.path is None else original.path.parent
        if not (request.same_run or request.force):
            named, passed = _free(run, original.manifest, options, folder)
        target = folder / f"{named}.yaml"
    elif _SLUG.fullmatch(target.stem) and target.stem != name and target != original.path:
        named = target.stem
    elif not request.same_run:
        named, passed = _free(run, original.manifest, options)
    if target.is_dir():
        raise UsageError(f"{target} is a directory", hint="give a file with -o")
    if target.exists() and not target.is_file():
        raise UsageError(f"{target} is a device, which no manifest replaces", hint="give a file with -o")
    if target.exists() and not request.force:
        raise UsageError(f"{target} is there already", hint="--force replaces it; -o FILE names another")
    if target.exists():
        _check_read(run, original, request, target)
    if not target.absolute().parent.is_dir():
        raise UsageError(f"there is no directory {target.parent}", hint="make it first")
    return (run.name if request.same_run else named), target, passed


def _check_read(run: Run, original: Original, request: Request, target: Path) -> None:
    """Let nothing be replaced that is read for this, by whatever name; but the manifest itself may be.

    Raises:
        UsageError: it would be.
    """
    another = "name another file with -o"
    if target.resolve().is_relative_to(run.directory.path.resolve()):
        raise UsageError(f"{target} is a file of the run, and no manifest replaces it", hint=another)
    named = [find_source(run, name) for name, _ in (run.about(Meta.SOURCES) or ())[1:]]
    images = [original.directory / image.file for image in input_images(run)]
    own = [run.directory.state, run.directory.manifest_lock]
    for path in (*request.picks, *filter(None, named), *images, *own):
        same = False
        with contextlib.suppress(OSError):  # it is gone, or cannot be looked at
            same = path.samefile(target)
        if same:
            raise UsageError(f"{target} is read for this, and is not replaced: it is {path}", hint=another)


def _free(
    run: Run, manifest: Manifest, options: Sequence[str], folder: Path | None = None
) -> tuple[str, str]:
    """Give the next name whose run would begin anew, and what to say where that is not the first.

    A manifest of that name in the `folder` where it is to lie ends the search: it will be refused.
    """
    first = name = following(manifest.name)
    home = taken = _home(run, manifest, name, options)
    while home.exists() and not (folder is not None and (folder / f"{name}.yaml").exists()):
        name = following(name)
        home = _home(run, manifest, name, options)
        if home == taken:  # `output.dir` says where, whatever the name
            return first, ""
    return name, "" if name == first else f"it is called {name}, not {first}: {taken} is there already"


def _home(run: Run, manifest: Manifest, name: str, options: Sequence[str]) -> Path:
    """Say where the run of the next manifest would lie under a name."""
    output_dir = manifest.output_dir
    if not has_name(manifest):
        output_dir = following(output_dir.rstrip("/"))
    named = replace(manifest, name=name, output_dir=output_dir)
    return next_order(run, named, options, same_run=False).directory


def following(name: str) -> str:
    """Give the name after a name: the number at its end, one more."""
    numbered = _NUMBERED.fullmatch(name)
    return f"{numbered[1]}-{int(numbered[2]) + 1}" if numbered else f"{name}-2"


def has_name(manifest: Manifest) -> bool:
    """Tell whether the name says where the run lies."""
    return "name" in compile_template(manifest.output_dir).names


def next_options(run: Run, manifest: Manifest, *, same_run: bool) -> tuple[str, ...]:
    """Give the options with which the next run is one of the same endpoint, and takes over or goes on."""
    given = {option[0]: option[1:] for option in run.again.options}
    endpoint = str(run.about(Meta.ENDPOINT) or manifest.endpoint)
    options: list[str] = []
    if "--endpoint" in given or endpoint != manifest.endpoint:
        options += ["--endpoint", endpoint]
    if "--allow-outside" in given:
        options.append("--allow-outside")
    if same_run:
        return (*options, "-o", *given["-o"]) if "-o" in given else tuple(options)
    return (*options, "--reuse", str(run.directory.path))


def next_order(run: Run, manifest: Manifest, options: Sequence[str], *, same_run: bool) -> Order:
    """Give the order that the next run would be, with its options."""
    given = dict(itertools.pairwise(options))
    settings = Settings(
        endpoint=given.get("--endpoint"),
        run_dir=given.get("-o"),
        reuse=() if same_run else (run.directory.path,),
    )
    order = resolve(manifest, settings)
    if same_run and order.directory.resolve() != run.directory.path.resolve():
        order = resolve(manifest, replace(settings, run_dir=run.directory.path))
    return order


def foreign(directory: Path, target: Path) -> str:
    """Warn that a run would not begin anew, but in a directory that is there."""
    try:
        with Run(directory) as other:
            whose, on = f", with a run of {other.about(Meta.MANIFEST) or other.name}", "go on in it"
    except ZbatchError:
        whose, on = "", "use it"
    return (
        f"warning: {directory} is there already{whose}: `zbatch run {shlex.quote(str(target))}` would {on}\n"
        "  hint: name the file otherwise with -o, as its name is the run's; or run it with -o DIRECTORY"
    )
