"""What becomes of each dimension of a manifest: which values go, and which numbers come new.

The rule by which values win and lose is that of `zbatch.refining.judging`. It is applied first to the words,
then, over the images of what stays, to the numbers and seeds. `keep` and `drop` win over all of it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from zbatch.errors import UsageError
from zbatch.manifest.findings import nearest
from zbatch.manifest.selection import listed_values
from zbatch.picks.merging import Merged
from zbatch.refining.density import denser, written
from zbatch.refining.dimensions import Dimension, Key, Value, single_lora
from zbatch.refining.evidence import Cells, gather
from zbatch.refining.judging import UNTOUCHED, VOTES, Verdict, judge, lacking


@dataclass(frozen=True, slots=True)
class Choice:
    """What becomes of a dimension: its values, in their order, and numbers that come new.

    `new_loras` are LoRAs at scales that come new to a list of them. `lacking` says what is missing where no
    value has enough votes.
    """

    dimension: Dimension
    verdicts: tuple[Verdict, ...]
    new: tuple[int | float, ...] = ()
    new_loras: tuple[tuple[str, int | float], ...] = ()
    lacking: str = ""

    @property
    def dropped(self) -> frozenset[Key]:
        """Keys of the values that go."""
        return frozenset(one.value.key for one in self.verdicts if not one.kept)

    @property
    def kept(self) -> list[Verdict]:
        """The values that stay."""
        return [one for one in self.verdicts if one.kept]

    @property
    def untouched(self) -> bool:
        """Tell whether nobody asked for it to be refined."""
        return all(one.why == UNTOUCHED for one in self.verdicts)

    @property
    def changed(self) -> bool:
        """Tell whether anything becomes of it."""
        return bool(self.new or self.new_loras) or any(not one.kept for one in self.verdicts)


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a person wants whatever was picked: by dimension, values to `keep` and to `drop`.

    Each text is one value, or several with commas between (in double quotes where they have their own). With
    `only`, no other dimension is touched. With fewer `votes` a value neither wins nor loses.
    """

    keep: Mapping[str, Sequence[str]]
    drop: Mapping[str, Sequence[str]]
    only: Collection[str] = ()
    votes: int = VOTES


def choose(dimensions: Sequence[Dimension], cells: Cells, picks: Merged, wishes: Wishes) -> list[Choice]:
    """Decide about each dimension, in their order.

    Raises:
        UsageError: nothing would be left of one, or a wish names what is not there.
    """
    _check_names(dimensions, wishes)
    chosen: dict[str, Choice] = {}
    for last in (False, True):
        for one in dimensions:
            if one.last is last:
                chosen[one.name] = _choice(one, cells, picks, wishes)
        if not last:
            cells = _left(cells, chosen.values())
    return [chosen[one.name] for one in dimensions]


def _left(cells: Cells, choices: Iterable[Choice]) -> Cells:
    """Leave out the cells of values that go."""
    gone = [(one.dimension, one.dropped) for one in choices if one.dropped]
    left = {
        job: [at for at in places if not any(dimension.key_at(at) in keys for dimension, keys in gone)]
        for job, places in cells.items()
    }
    return {job: places for job, places in left.items() if places}


def _choice(dimension: Dimension, cells: Cells, picks: Merged, wishes: Wishes) -> Choice:
    touched = not wishes.only or dimension.name in wishes.only
    said = gather(dimension, cells, picks)
    verdicts = judge(dimension, said, picks, wishes.votes) if touched else _untouched(dimension)
    verdicts = _wished(dimension, verdicts, wishes)
    if not any(one.kept for one in verdicts):
        reasons = "; ".join(f"{one.value.short}: {one.why}" for one in verdicts[:5])
        first = verdicts[0].value.line
        raise UsageError(
            f"nothing would be left of {dimension.name}: every value loses ({reasons})",
            hint=f"keep one with --keep {dimension.name}={first!r}, or leave it as it is by naming the "
            "others with --axis",
        )
    lost = any(not one.kept for one in verdicts)
    new: list[int | float] = []
    if dimension.span is not None and lost and touched:
        numbers = [value.number for value in dimension.values if value.number is not None]
        winners = [one.value.number for one in verdicts if one.won and one.value.number is not None]
        new = denser(numbers, winners, dimension.span)
    loras = _new_loras(dimension, verdicts) if lost and touched else ()
    missing = lacking(dimension, said, wishes.votes) if touched else ""
    return Choice(dimension, tuple(verdicts), tuple(new), tuple(loras), missing)


def _new_loras(dimension: Dimension, verdicts: Sequence[Verdict]) -> Iterator[tuple[str, int | float]]:
    """Give what comes new to a list of LoRAs: scales of each, denser round those that won."""
    if dimension.lora_span is None:
        return
    scales: dict[str, list[int | float]] = {}
    won: dict[str, list[int | float]] = {}
    for one in verdicts:
        single = single_lora(one.value)
        if single is not None:
            scales.setdefault(single[0], []).append(single[1])
            won.setdefault(single[0], []).extend([single[1]] if one.won else [])
    for name, numbers in scales.items():
        yield from ((name, number) for number in denser(numbers, won[name], dimension.lora_span))


def _untouched(dimension: Dimension) -> list[Verdict]:
    return [Verdict(value, kept=True, won=False, why=UNTOUCHED) for value in dimension.values]


# ── what a person wants ──────────────────────────────────────────────────────────────────────────────────


def _wished(dimension: Dimension, verdicts: Sequence[Verdict], wishes: Wishes) -> list[Verdict]:
    found = list(verdicts)
    kept, dropped = (
        {number: text for text in wanted.get(dimension.name, ()) for number in _meant(dimension, text, flag)}
        for flag, wanted in (("keep", wishes.keep), ("drop", wishes.drop))
    )
    for number in kept.keys() & dropped.keys():
        name = dimension.name
        raise UsageError(
            f"--keep {name}={kept[number]} and --drop {name}={dropped[number]} cannot both be: "
            f"{found[number].value.text} is in either",
            hint="leave one of them out",
        )
    for number in kept:
        found[number] = replace(found[number], kept=True, why="--keep")
    for number in dropped:
        found[number] = replace(found[number], kept=False, won=False, why="--drop")
    return found


def _meant(dimension: Dimension, text: str, flag: str) -> Iterator[int]:
    """Give the numbers of the values that a wish names: that of the whole text, else those between commas.

    Raises:
        UsageError: there is no such value.
    """
    values = dimension.values
    whole = [number for number, value in enumerate(values) if _reads_as(value, text)]
    yield from whole
    if whole:
        return
    for part in _parts(text):
        places = [number for number, value in enumerate(values) if _reads_as(value, part)]
        if not places:
            known = [value.text for value in values]
            raise UsageError(
                f"--{flag}: {dimension.name} has no value {part!r}",
                hint=nearest(part, known) or f"it has {', '.join(known[:12])}",
            )
        yield from places


def _parts(text: str) -> Iterator[str]:
    """Cut a wish at its commas."""
    parts = listed_values(text)
    # The first may be the whole text once more, where nothing in it is quoted.
    yield from parts[1:] if len(parts) > 1 and parts[0] == text.strip() else parts


def _reads_as(value: Value, text: str) -> bool:
    number = value.number
    if number is not None:
        try:
            return float(text) == number
        except ValueError:
            return False
    # Notes, which show how to keep a value, have it on one line.
    names = {value.text, " ".join(value.text.split())}
    return text in names or (len(value.key) > 1 and any(text == at for _, _, at in value.key))


def _check_names(dimensions: Sequence[Dimension], wishes: Wishes) -> None:
    known = {one.name for one in dimensions}
    for flag, names in (("keep", wishes.keep), ("drop", wishes.drop), ("axis", wishes.only)):
        for name in names:
            if name not in known:
                raise UsageError(
                    f"--{flag}: {name!r} is no axis of this manifest with more than one value",
                    hint=nearest(name, known) or f"it has {', '.join(sorted(known))}",
                )


def new_text(choice: Choice) -> str:
    """Write the numbers of a dimension as they are afterwards."""
    if choice.new_loras:
        texts = [one.value.text for one in choice.kept]
        return ", ".join([*texts, *(f"{name}@{written(scale)}" for name, scale in choice.new_loras)])
    numbers = [one.value.number for one in choice.kept if one.value.number is not None]
    return ", ".join(written(number) for number in sorted([*numbers, *choice.new]))
