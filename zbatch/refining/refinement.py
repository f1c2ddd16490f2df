"""The whole way from a run and its picks to the next manifest, checked and planned before it is written."""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import shlex
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from zbatch.durable import settle
from zbatch.errors import DiskError, ManifestError, UsageError
from zbatch.expressions import compile_template
from zbatch.manifest.loader import load_manifest
from zbatch.manifest.parser import Manifest
from zbatch.picks.merging import Merged, merge_picks
from zbatch.picks.reading import read_picks
from zbatch.picks.standing import stand
from zbatch.refining.choosing import Choice, Wishes, choose
from zbatch.refining.dimensions import dimensions
from zbatch.refining.evidence import judged_cells
from zbatch.refining.heading import header, with_header
from zbatch.refining.original import Original, find_original
from zbatch.refining.rebasing import rebase
from zbatch.refining.rewriting import Rewriting
from zbatch.refining.scalars import scalar_text
from zbatch.refining.yamltext import YamlText
from zbatch.runner.order import Order
from zbatch.runner.plan import Plan, make_plan
from zbatch.settings import Settings, resolve
from zbatch.state.database import Meta
from zbatch.state.run import Run

_NUMBERED: Final = re.compile(r"(.+)-([2-9]|[1-9][0-9]{1,2})")
_SLUG: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_BOM: Final = "\ufeff"


@dataclass(frozen=True, slots=True)
class Refinement:
    """A next manifest that holds: its text for `target`, how it came to be, and what its run would do.

    `same_run` goes on in the directory of the run; else `options` has what takes over from it.
    """

    run: Path
    target: Path
    text: str
    choices: tuple[Choice, ...]
    people: tuple[str, ...]
    judged: int
    notes: tuple[str, ...]
    warnings: tuple[str, ...]
    plan: Plan
    order: Order
    options: tuple[str, ...]

    @property
    def made_already(self) -> int:
        """Jobs whose images are there: they are not submitted."""
        return self.plan.reused + self.plan.done

    def command(self, what: str) -> str:
        """Give the command to type next."""
        return shlex.join(["zbatch", what, str(self.target), *self.options])

    def write(self) -> None:
        """Write it; another file there is replaced.

        Raises:
            DiskError: it could not be written.
        """
        part = _part(self.target)
        try:
            with part.open("wb") as stream:
                stream.write(self.text.encode())
                settle(stream, part, self.target)
        except OSError as error:
            raise DiskError(f"cannot write {self.target}: {error.strerror or error}") from error
        finally:
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class Request:
    """What a person asks for. `out` is where the manifest goes; beside the old one unless given."""

    picks: Sequence[Path]
    wishes: Wishes
    out: Path | None = None
    force: bool = False
    same_run: bool = False


def refine(run: Run, request: Request) -> Refinement:
    """Make the next manifest; nothing is written.

    Raises:
        UsageError: the picks are not the run's, nothing is to be refined, or it would not be valid.
        DiskError: something cannot be read, or nothing may be written there.
    """
    original = find_original(run)
    name, target = _names(run, original, request)
    picks, notes = _picks(run, request.picks)
    if original.note:
        notes.insert(0, original.note)
    cells = judged_cells(run.cells(), picks)
    found = dimensions(original.manifest)
    if not found:
        raise UsageError(f"{run.name} has no axis with more than one value: there is nothing to refine")
    choices = choose(found, cells, picks, request.wishes)
    if not any(one.changed for one in choices):
        raise UsageError(
            f"nothing would change: no value of {', '.join(one.name for one in found)} stands out",
            hint="judge more images, or say what you want with --drop AXIS=VALUE; " + _means(choices),
        )
    notes += _baseline(choices)
    options = _options(run, original.manifest, same_run=request.same_run)
    changed = _changed(original, choices, target, name, request, notes)
    refinement = _checked(run, changed, target, options, same_run=request.same_run)
    head = header(run, request.picks, picks.people, target, refinement.options)
    mark = _BOM if original.data.startswith(_BOM.encode()) else ""
    return replace(
        refinement,
        text=mark + with_header(changed, head),
        choices=tuple(choices),
        people=picks.people,
        judged=len(cells),
        notes=tuple(notes),
    )


# ── what goes in ─────────────────────────────────────────────────────────────────────────────────────────


def _picks(run: Run, paths: Iterable[Path]) -> tuple[Merged, list[str]]:
    """Read everyone's picks and hold them against the run."""
    keys = {key for key, _ in run.files()}
    identity = str(run.about(Meta.IDENTITY) or "")
    files, notes = [], []
    for path in paths:
        one = read_picks(path)
        notes += stand(one, identity, keys, str(path)).notes(str(path), one)
        files.append(one)
    merged = merge_picks(files)
    if not merged.keys & keys:
        raise UsageError(
            f"{', '.join(map(str, paths))} {'says' if len(files) == 1 else 'say'} nothing about any image of "
            "this run",
            hint="rate images in its page (1 to 5, f, x), and export the picks again",
        )
    return merged, notes


def _names(run: Run, original: Original, request: Request) -> tuple[str, Path]:
    """Give the name of the next manifest, and its file.

    Raises:
        UsageError: the file is there.
    """
    name = original.manifest.name
    numbered = _NUMBERED.fullmatch(name)
    following = f"{numbered[1]}-{int(numbered[2]) + 1}" if numbered else f"{name}-2"
    target = request.out
    if target is None:
        folder = Path() if original.path is None else original.path.parent
        target = folder / f"{following}.yaml"
    elif _SLUG.fullmatch(target.stem) and target.stem != name and target != original.path:
        following = target.stem
    if target.is_dir():
        raise UsageError(f"{target} is a directory", hint="give a file with -o")
    if target.exists() and not request.force:
        raise UsageError(f"{target} is there already", hint="--force replaces it; -o FILE names another")
    if not target.absolute().parent.is_dir():
        raise UsageError(f"there is no directory {target.parent}", hint="make it first")
    return (run.name if request.same_run else following), target


def _options(run: Run, manifest: Manifest, *, same_run: bool) -> tuple[str, ...]:
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


# ── the text ─────────────────────────────────────────────────────────────────────────────────────────────


def _changed(
    original: Original,
    choices: Sequence[Choice],
    target: Path,
    name: str,
    request: Request,
    notes: list[str],
) -> str:
    try:
        text = original.data.decode("utf-8").removeprefix(_BOM)
        folder = target.absolute().parent
        text = rebase(text, original.directory, folder)
        rewriting = Rewriting(original.manifest, text, choices, folder)
        text = rewriting.rewritten()
        notes += rewriting.notes
        if not request.same_run:
            text = _renamed(text, original.manifest, name)
    except AssertionError as error:
        raise UsageError(f"the manifest cannot be changed in place: {error}", hint=_BY_HAND) from error
    return text


_BY_HAND: Final = (
    "change it by hand: `zbatch plan FILE --reuse RUN` says what the next run need not pay again"
)


def _renamed(text: str, manifest: Manifest, name: str) -> str:
    """Give it another name, and its run another directory: the two are not to mix."""
    yaml = YamlText(text)
    root, old = yaml.root_slot, yaml.slot("name")
    if old is not None:
        yaml.replace(old, scalar_text(name))
    else:
        yaml.put(root, "name", scalar_text(name))
    if "name" not in compile_template(manifest.output_dir).names:
        directory = scalar_text(_following_directory(manifest.output_dir))
        slot, output = yaml.slot("output", "dir"), yaml.slot("output")
        if slot is not None:
            yaml.replace(slot, directory)
        elif output is not None and yaml.is_map(output):
            yaml.put(output, "dir", directory)
        else:
            yaml.put(root, "output", f"{{dir: {directory}}}")
    return yaml.changed()


def _following_directory(text: str) -> str:
    plain = text.rstrip("/")
    numbered = _NUMBERED.fullmatch(plain)
    return f"{numbered[1]}-{int(numbered[2]) + 1}" if numbered else f"{plain}-2"


# ── the check ────────────────────────────────────────────────────────────────────────────────────────────


def _checked(run: Run, text: str, target: Path, options: tuple[str, ...], *, same_run: bool) -> Refinement:
    """Load it from where it will lie, and plan its run.

    Raises:
        UsageError: it is not valid; says in what.
    """
    outside = "--allow-outside" in options
    with _aside(target, text) as path:
        manifest = _valid(path, target, allow_outside=outside)
        if not outside and _leads_outside(path):
            options = (*options, "--allow-outside")
        order = _order(run, manifest, options, same_run=same_run)
        if order.location is not None and not same_run:
            raise UsageError(
                f"the pictures of the next run would go to {order.location}, where none is taken over",
                hint="--same-run goes on in the run there is, and pays for nothing twice",
            )
        try:
            plan = make_plan(order)
        except ManifestError as error:
            raise _invalid(error, path, target) from error
        warnings = tuple(str(warning).replace(str(path), str(target)) for warning in plan.warnings)
    return Refinement(run.directory.path, target, text, (), (), 0, (), warnings, plan, order, options)


def _order(run: Run, manifest: Manifest, options: Sequence[str], *, same_run: bool) -> Order:
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


def _valid(path: Path, target: Path, *, allow_outside: bool) -> Manifest:
    try:
        return load_manifest(path, allow_outside=allow_outside)
    except ManifestError as error:
        with contextlib.suppress(ManifestError):
            return load_manifest(path, allow_outside=True)
        raise _invalid(error, path, target) from error


def _leads_outside(path: Path) -> bool:
    try:
        load_manifest(path)
    except ManifestError:
        return True
    return False


def _invalid(error: ManifestError, path: Path, target: Path) -> UsageError:
    words = str(error).replace(str(path), str(target))
    return UsageError(
        f"the refined manifest would not be valid, and was not written:\n{words}", hint=_BY_HAND
    )


@contextlib.contextmanager
def _aside(target: Path, text: str) -> Iterator[Path]:
    """Put a text beside where it will lie, for as long as it is looked at."""
    path = _part(target)
    try:
        path.write_bytes(text.encode())
        yield path
    except OSError as error:
        raise DiskError(f"cannot write {target}: {error.strerror or error}") from error
    finally:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)


def _part(target: Path) -> Path:
    return target.with_name(f".{target.stem[:100]}.{os.getpid()}.part.yaml")


def _baseline(choices: Sequence[Choice]) -> Iterator[str]:
    """Say so where the picture without any LoRA goes, from which the others' distance is measured."""
    for one in choices:
        off = [v for v in one.verdicts if v.value.number == 0 and not v.kept and v.why != "--drop"]
        if one.dimension.name == "lora.scale" and off:
            yield "the baseline, lora.scale 0, goes too; --keep lora.scale=0 keeps it (it is made already)"


def _means(choices: Sequence[Choice]) -> str:
    """Say how the values of the first dimensions stand."""
    return "; ".join(
        f"{one.dimension.name}: " + ", ".join(f"{v.value.text} ({v.why})" for v in one.verdicts[:6])
        for one in choices[:3]
    )
