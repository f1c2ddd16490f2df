"""The whole way from a run and its picks to the next manifest, checked and planned before it is written."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from zbatch.errors import ManifestError, UsageError
from zbatch.manifest.loader import load_manifest
from zbatch.manifest.parser import Manifest
from zbatch.picks.merging import Merged, Opinion, merge_picks
from zbatch.picks.rates import pair_values
from zbatch.picks.reading import read_picks
from zbatch.picks.standing import stand
from zbatch.refining.aside import aside, put
from zbatch.refining.choosing import Choice, choose
from zbatch.refining.dimensions import dimensions
from zbatch.refining.evidence import Cells, judged_cells
from zbatch.refining.heading import header, with_header
from zbatch.refining.naming import Request, following, foreign, has_name, next_names, next_options, next_order
from zbatch.refining.original import Original, find_original
from zbatch.refining.rebasing import rebase
from zbatch.refining.rewriting import Rewriting
from zbatch.refining.scalars import scalar_text
from zbatch.refining.telling import counting_notes, going_notes, lacking_notes, means
from zbatch.refining.yamltext import YamlText
from zbatch.runner.order import Order
from zbatch.runner.plan import Plan, make_plan
from zbatch.state.database import Meta
from zbatch.state.run import Run

_BOM: Final = "\ufeff"


@dataclass(frozen=True, slots=True)
class Refinement:
    """A next manifest that holds: its text for `target`, how it came to be, and what its run would do.

    `judged` are images, each once however many cells show it, and `compared` pairs of them. `same_run` goes
    on in the directory of the run; else `options` has what takes over from it.
    """

    run: Path
    target: Path
    text: str
    choices: tuple[Choice, ...]
    people: tuple[str, ...]
    judged: int
    compared: int
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
        put(self.target, self.text)


def refine(run: Run, request: Request) -> Refinement:
    """Make the next manifest; nothing is written.

    Raises:
        UsageError: the picks are not the run's, nothing is to be refined, or it would not be valid.
        DiskError: something cannot be read, or nothing may be written there.
    """
    original = find_original(run)
    options = next_options(run, original.manifest, same_run=request.same_run)
    name, target, passed = next_names(run, original, request, options)
    picks, notes = _picks(run, request.picks)
    notes[:0] = [note for note in (original.note, passed) if note]
    cells = judged_cells(run.cells(), picks)
    found = dimensions(original.manifest)
    if not found:
        raise UsageError(f"{run.name} has no axis with more than one value: there is nothing to refine")
    choices = choose(found, cells, picks, request.wishes)
    notes += lacking_notes(choices)
    if not any(one.changed for one in choices):
        raise UsageError(
            f"nothing would change: no value of {', '.join(one.name for one in found)} stands out"
            + "".join(f"\nnote: {note}" for note in notes),
            hint="judge more images, or say what you want with --drop AXIS=VALUE; " + means(choices),
        )
    compared = sum(pair_values(pair, cells) is not None for pair in picks.comparisons)
    notes += _idle(sum({pair.a, pair.b} <= cells.keys() for pair in picks.comparisons) - compared)
    notes += [*going_notes(choices), *counting_notes(choices, _own(picks, cells))]
    changed = _changed(original, choices, target, name, request, notes)
    refinement = _checked(run, changed, target, options, same_run=request.same_run)
    head = header(run, request.picks, picks.people, target, refinement.options)
    mark = _BOM if original.data.startswith(_BOM.encode()) else ""
    return replace(
        refinement,
        text=mark + with_header(changed, head),
        choices=tuple(choices),
        people=picks.people,
        judged=sum(1 for _ in _own(picks, cells)),
        compared=compared,
        notes=tuple(notes),
    )


def _own(picks: Merged, cells: Cells) -> Iterator[Opinion]:
    """Give what is said of each image of the run."""
    return (opinion for key, opinion in picks.opinions.items() if key in cells)


def _idle(many: int) -> Iterator[str]:
    if many:
        count = "1 comparison counts" if many == 1 else f"{many:,} comparisons count"
        yield f"{count} nowhere: the two images do not differ in the named axis alone"


# ── what goes in ─────────────────────────────────────────────────────────────────────────────────────────


def _picks(run: Run, paths: Iterable[Path]) -> tuple[Merged, list[str]]:
    """Read everyone's picks and hold them against the run.

    Raises:
        UsageError: some are no picks, or not this run's; all such files are named.
    """
    keys = {cell.key for cell in run.cells() if cell.key is not None}  # not those the manifest let go
    identity = str(run.about(Meta.IDENTITY) or "")
    files, notes, wrong = [], [], []
    for path in paths:
        try:
            one = read_picks(path)
            notes += stand(one, identity, keys, str(path)).notes(str(path), one)
            files.append(one)
        except UsageError as error:
            wrong.append(error)
    if wrong:
        raise UsageError("\nerror: ".join(error.message for error in wrong), hint=wrong[-1].hint)
    merged = merge_picks(files)
    if not merged.keys & keys:
        named = f"{', '.join(map(str, paths))} {'says' if len(files) == 1 else 'say'}"
        gone = len(merged.keys)
        raise UsageError(
            f"{named} nothing about any image that this run shows"
            + (f": of the {gone:,} that it names, none is in its manifest any more" if gone else ""),
            hint="rate images in its page (1 to 5, f, x), and export the picks again",
        )
    return merged, notes


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
        yaml.replace(old, scalar_text(name, old.node.style))
    else:
        yaml.put(root, "name", scalar_text(name))
    if not has_name(manifest):
        there = following(manifest.output_dir.rstrip("/"))
        slot, output = yaml.slot("output", "dir"), yaml.slot("output")
        directory = scalar_text(there, None if slot is None else slot.node.style)
        if slot is not None:
            yaml.replace(slot, directory)
        elif output is not None and yaml.is_map(output):
            yaml.put(output, "dir", directory)
        else:
            yaml.put(root, "output", f"{{dir: {directory}}}")
    return yaml.changed()


# ── the check ────────────────────────────────────────────────────────────────────────────────────────────


def _checked(run: Run, text: str, target: Path, options: tuple[str, ...], *, same_run: bool) -> Refinement:
    """Load it from where it will lie, and plan its run.

    Raises:
        UsageError: it is not valid; says in what.
    """
    outside = "--allow-outside" in options
    with aside(target, text) as path:
        manifest = _valid(path, target, allow_outside=outside)
        if not outside and _leads_outside(path):
            options = (*options, "--allow-outside")
        order = next_order(run, manifest, options, same_run=same_run)
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
        if not same_run and order.directory.exists():
            warnings = (foreign(order.directory, target), *warnings)
    return Refinement(run.directory.path, target, text, (), (), 0, 0, (), warnings, plan, order, options)


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
