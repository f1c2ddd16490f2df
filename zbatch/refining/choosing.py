"""Which values win, by a rule that is told with every outcome.

Where a dimension was compared blind often enough, win rates decide: a value stays while it is not told apart
from the best one (see `zbatch.picks.rates`). Else stars do: a value stays while its images have at most half
a star less than the best value's, on average, or while a favourite is among them. A value most of whose
judged images are rejects goes, where enough of them are (but where that is so of all of them, another axis is
to blame, and they are compared). What too few have looked at stays, as nobody knows; unless all that anybody
did was to mark favourites: then what holds none was not chosen. First the words, then, over the images of
what stays, the numbers and seeds. `keep` and `drop` win over all of it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from zbatch.errors import UsageError
from zbatch.manifest.findings import nearest
from zbatch.manifest.selection import listed_values
from zbatch.picks.merging import Merged
from zbatch.picks.rates import Rate, still_needed
from zbatch.refining.density import denser, written
from zbatch.refining.dimensions import Dimension, Key, Value, single_lora
from zbatch.refining.evidence import Cells, Said, gather

MARGIN: Final = 0.5
"""Stars a value may be behind the best one."""

VOTES: Final = 3
"""Images of a value that somebody must have judged, or comparisons made of it, before it can lose by them."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of a value, and why. `won` says that it was found good, not merely left."""

    value: Value
    kept: bool
    won: bool
    why: str


@dataclass(frozen=True, slots=True)
class Choice:
    """What becomes of a dimension: its values, in their order, and numbers that come new.

    `new_loras` are LoRAs at scales that come new to a list of them.
    """

    dimension: Dimension
    verdicts: tuple[Verdict, ...]
    new: tuple[int | float, ...] = ()
    new_loras: tuple[tuple[str, int | float], ...] = ()

    @property
    def dropped(self) -> frozenset[Key]:
        """Keys of the values that go."""
        return frozenset(one.value.key for one in self.verdicts if not one.kept)

    @property
    def kept(self) -> list[Verdict]:
        """The values that stay."""
        return [one for one in self.verdicts if one.kept]

    @property
    def changed(self) -> bool:
        """Tell whether anything becomes of it."""
        return bool(self.new or self.new_loras) or any(not one.kept for one in self.verdicts)


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a person wants whatever was picked: by dimension, values to `keep` and to `drop`.

    Each text is one value, or several with commas between (in double quotes where they have their own). With
    `only`, no other dimension is touched. `votes` is how many must have been looked at.
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
        reasons = "; ".join(f"{one.value.text}: {one.why}" for one in verdicts[:5])
        first = verdicts[0].value.text
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
    return Choice(dimension, tuple(verdicts), tuple(new), tuple(loras))


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
    return [Verdict(value, kept=True, won=False, why="not asked for") for value in dimension.values]


def judge(dimension: Dimension, said: Mapping[Key, Said], picks: Merged, votes: int) -> list[Verdict]:
    """Apply the rule to one dimension."""
    judged = [one for one in said.values() if one.images]
    blamed = all(one.rejected for one in judged) and any(one.rejects < one.images for one in judged)
    rates = [one.rate for one in said.values() if one.rate is not None and one.rate.count >= votes]
    if len(rates) > 1:
        best = max(rates, key=lambda rate: rate.rate)
        return [
            _by_rate(value, said[value.key], best, votes, rejects_go=not blamed) for value in dimension.values
        ]
    needed = min(votes, max((one.images for one in judged), default=0))
    rated = [one.stars for one in judged if one.images >= needed and (blamed or not one.rejected)]
    favourites_only = not any(one.ratings for one in picks.opinions.values()) and any(
        one.favourites for one in judged
    )
    bar = _Bar(max(rated, default=0.0), needed, favourites_only, not blamed)
    return [_by_stars(value, said[value.key], bar) for value in dimension.values]


@dataclass(frozen=True, slots=True)
class _Bar:
    """What values are held against: the `best` mean of those with as many images as `needed`."""

    best: float
    needed: int
    favourites_only: bool
    rejects_go: bool


def _by_rate(value: Value, said: Said, best: Rate, votes: int, *, rejects_go: bool) -> Verdict:
    rate = said.rate
    if said.rejected and rejects_go and said.rejects >= votes:
        return Verdict(value, kept=False, won=False, why=_rejects(said))
    if rate is None or rate.count < votes:
        count = 0 if rate is None else rate.count
        return Verdict(value, kept=True, won=False, why=f"only {count} comparisons")
    low, high = rate.interval
    why = f"won {rate.rate:.0%} of {rate.count} ({low:.0%} to {high:.0%})"
    # What is not told apart from the best stays; new numbers come only round what may well be the best.
    return Verdict(value, kept=still_needed(best, rate) != 0, won=high >= best.rate, why=why)


def _by_stars(value: Value, said: Said, bar: _Bar) -> Verdict:
    if not said.images:
        why = "no favourite" if bar.favourites_only else "not judged"
        return Verdict(value, kept=not bar.favourites_only, won=False, why=why)
    if said.rejected and bar.rejects_go and said.images >= bar.needed:
        return Verdict(value, kept=False, won=False, why=_rejects(said))
    why = f"{said.stars:.1f} stars of {said.images}"
    if said.favourites:
        why += f", {said.favourites} favourite{'s' * (said.favourites > 1)}"
        return Verdict(value, kept=True, won=True, why=why)
    if said.images < bar.needed:
        return Verdict(value, kept=True, won=False, why=f"{why}: too few to go by")
    stays = said.stars >= bar.best - MARGIN
    return Verdict(value, kept=stays, won=stays, why=why)


def _rejects(said: Said) -> str:
    return f"{said.rejects} of {said.images} rejected"


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
