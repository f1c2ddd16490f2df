"""Which cells of two runs belong together: those at one place, under the names that each run has for it.

The place of a cell is its coordinates. A value or an axis may have another name in the later run: the second
version of a LoRA, say. What no place brings together, an equal request still does.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Container, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from zbatch.model import Coordinates, Scalar, spelled

LORA: Final = "lora.name"
"""The axis whose values are names of files: another name there is another version until said otherwise."""

ARROW: Final = " \N{RIGHTWARDS ARROW} "
"""Between a value and what the later run calls it."""


class Place(NamedTuple):
    """A cell that shows a job."""

    coordinates: Coordinates
    key: str


@dataclass(frozen=True, slots=True)
class Renamed:
    """One name for another: of a value of an axis, or where `axis` is empty, of an axis."""

    axis: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Renames:
    """What the later run calls otherwise: axes by name, and values as they are shown, by the later axis."""

    axes: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Pairing:
    """The pairs, and what stands in one run only, as numbers of cells in the order of the earlier run.

    `before` and `after` have what each cell's coordinates are shown as: in names of the later run, a value
    that is renamed as `old → new`. `found` are names that were taken for each other without being told.
    """

    pairs: tuple[tuple[int, int], ...]
    before_only: tuple[int, ...]
    after_only: tuple[int, ...]
    before: tuple[Coordinates, ...]
    after: tuple[Coordinates, ...]
    found: tuple[Renamed, ...] = ()


def pair_cells(before: Sequence[Place], after: Sequence[Place], told: Renames | None = None) -> Pairing:
    """Pair the cells of two runs, each at most once.

    Beside what is told, an axis goes under another name where one that only the earlier run has, and one that
    only the later has, have the same values; and a LoRA, where each run has one that the other has not. An
    axis that one run only has, with one value for all its cells, does not count.
    """
    told = told or Renames()
    axes, found = _renamed_axes(before, after, told)
    moved = [_moved(place.coordinates, axes) for place in before]
    later = [place.coordinates for place in after]
    values, also = _renamed_values(moved, later, told)
    pairs = _by_place(moved, later, values)
    left = _left(len(before), (one for one, _ in pairs)), _left(len(after), (other for _, other in pairs))
    alike = _by_key(before, after, *left)
    pairs = sorted(pairs + alike)
    return Pairing(
        pairs=tuple(pairs),
        before_only=_alone(before, pairs, 0, {key for _, key in _keyed(before, alike, 0)}),
        after_only=_alone(after, pairs, 1, {key for _, key in _keyed(after, alike, 1)}),
        before=tuple(_shown(coordinates, values, 0) for coordinates in moved),
        after=tuple(_shown(coordinates, values, 1) for coordinates in later),
        found=(*found, *also) if pairs else (),
    )


def identity(value: Scalar) -> Hashable:
    """Give what tells a value from others: `1` and `1.0` are one, `True` is another."""
    return isinstance(value, bool), value


def values_of(places: Iterable[Coordinates]) -> dict[str, dict[Hashable, Scalar]]:
    """Give the values of each axis, in the order they come; a null one is none."""
    found: dict[str, dict[Hashable, Scalar]] = {}
    for coordinates in places:
        for axis, value in coordinates.items():
            if value is not None:
                found.setdefault(axis, {}).setdefault(identity(value), value)
    return found


# ── names ────────────────────────────────────────────────────────────────────────────────────────────────


def _renamed_axes(
    before: Sequence[Place], after: Sequence[Place], told: Renames
) -> tuple[dict[str, str], list[Renamed]]:
    """Give what axes are called later: those told, and those whose values say it."""
    first = values_of(place.coordinates for place in before)
    second = values_of(place.coordinates for place in after)
    axes = dict(told.axes)
    taken = set(axes.values())
    lone = [axis for axis in first if axis not in second and axis not in axes]
    free = [axis for axis in second if axis not in first and axis not in taken]
    found = []
    for axis in lone:
        alike = [other for other in free if first[axis].keys() == second[other].keys()]
        rivals = [other for other in lone if first[other].keys() == first[axis].keys()]
        if len(alike) == len(rivals) == 1:
            axes[axis] = alike[0]
            found.append(Renamed("", axis, alike[0]))
    return axes, found


def _moved(coordinates: Coordinates, axes: Mapping[str, str]) -> Coordinates:
    """Give coordinates under the names of the later run; a null one gives way to what gets its name."""
    if not axes:
        return coordinates
    names = set(axes.values()) - axes.keys()
    return {
        axes.get(axis, axis): value
        for axis, value in coordinates.items()
        if value is not None or axis not in names
    }


def _renamed_values(
    before: Sequence[Coordinates], after: Sequence[Coordinates], told: Renames
) -> tuple[dict[str, dict[str, str]], list[Renamed]]:
    """Give by axis what values are called later: those told, and the one LoRA that is left in each run."""
    values = {axis: dict(names) for axis, names in told.values.items()}
    first, second = (values_of(places).get(LORA, {}) for places in (before, after))
    known = values.get(LORA, {})
    gone = _single(first, second, known)
    come = _single(second, first, known.values())
    if len(gone) != 1 or len(come) != 1:
        return values, []
    values.setdefault(LORA, {})[gone[0]] = come[0]
    return values, [Renamed(LORA, gone[0], come[0])]


def _single(own: Mapping[Hashable, Scalar], other: Container[Hashable], told: Container[str]) -> list[str]:
    """Give the LoRAs that the other run has not; a stack has the names of its parts, and is none."""
    names = [spelled(value) for one, value in own.items() if one not in other]
    return [name for name in names if name not in told and "+" not in name]


def _later(axis: str, value: Scalar, names: Mapping[str, str]) -> Hashable:
    """Give what tells a value apart, as the later run calls it."""
    own = names.get(spelled(value))
    if own is not None:
        return own
    if axis == LORA and isinstance(value, str) and "+" in value:
        return False, "+".join(_part(part, names) for part in value.split("+"))
    return identity(value)


def _part(part: str, names: Mapping[str, str]) -> str:
    name, at, scale = part.partition("@")
    return names.get(name, name) + at + scale


# ── pairs ────────────────────────────────────────────────────────────────────────────────────────────────


def _by_place(
    before: Sequence[Coordinates], after: Sequence[Coordinates], values: Mapping[str, Mapping[str, str]]
) -> list[tuple[int, int]]:
    """Pair the cells at one place; of several there, the first with the first."""
    left_out = _idle_axes(before, after) | _idle_axes(after, before)
    # A renamed value is told by its text alone, as it was told: on both sides.
    texts = {axis: set(names.values()) for axis, names in values.items()}
    waiting: defaultdict[Hashable, deque[int]] = defaultdict(deque)
    for number, coordinates in enumerate(after):
        waiting[
            frozenset(
                (axis, spelled(value) if spelled(value) in texts.get(axis, ()) else identity(value))
                for axis, value in coordinates.items()
                if value is not None and axis not in left_out
            )
        ].append(number)
    pairs = []
    for number, coordinates in enumerate(before):
        place = frozenset(
            (axis, _later(axis, value, values.get(axis, {})))
            for axis, value in coordinates.items()
            if value is not None and axis not in left_out
        )
        if waiting.get(place):
            pairs.append((number, waiting[place].popleft()))
    return pairs


def _idle_axes(own: Sequence[Coordinates], other: Sequence[Coordinates]) -> set[str]:
    """Give the axes that only one run has, and that have one value for all of its cells."""
    lone = values_of(own).keys() - values_of(other).keys()
    return {axis for axis in lone if len({identity(coordinates.get(axis)) for coordinates in own}) == 1}


def _by_key(
    before: Sequence[Place], after: Sequence[Place], left: Iterable[int], right: Iterable[int]
) -> list[tuple[int, int]]:
    """Pair cells that show one job, of those that are left; each job once."""
    waiting: dict[str, int] = {}
    for number in right:
        waiting.setdefault(after[number].key, number)
    return [(number, waiting.pop(before[number].key)) for number in left if before[number].key in waiting]


def _left(many: int, paired: Iterable[int]) -> list[int]:
    taken = set(paired)
    return [number for number in range(many) if number not in taken]


def _keyed(places: Sequence[Place], pairs: Iterable[tuple[int, int]], side: int) -> Iterator[tuple[int, str]]:
    return ((pair[side], places[pair[side]].key) for pair in pairs)


def _alone(
    places: Sequence[Place], pairs: Sequence[tuple[int, int]], side: int, shown: set[str]
) -> tuple[int, ...]:
    """Give the cells without a partner; one whose job was paired by its request is told of there."""
    return tuple(
        number
        for number in _left(len(places), (pair[side] for pair in pairs))
        if places[number].key not in shown
    )


def _shown(coordinates: Coordinates, values: Mapping[str, Mapping[str, str]], side: int) -> Coordinates:
    """Give coordinates with what is renamed as old and new, in whichever run it is."""
    shown = dict(coordinates)
    for axis, names in values.items():
        own = spelled(coordinates.get(axis))
        for pair in names.items():
            if own == pair[side]:
                shown[axis] = ARROW.join(pair)
    return shown
