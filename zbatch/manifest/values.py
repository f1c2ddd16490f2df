"""The values of axes and the rows of zip: long lists hold what was written, and make records when asked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, NamedTuple, cast

import orjson

from zbatch.expressions.loras import LoraValue
from zbatch.manifest.findings import Place, shown
from zbatch.manifest.ranges import Progression
from zbatch.model import Scalar, canonical_number

PLAIN: Final = frozenset({str, int, type(None)})
"""Types whose values are their own coordinates, and equal to themselves alone."""

_RECENT: Final = 4_096
"""Rows of zip that are kept once they were made: whoever asks for one soon asks for it again."""


class AxisValue(NamedTuple):
    """One value of an axis: what templates see, what the cell's coordinates say, and where it was written."""

    value: Any
    coordinates: tuple[tuple[str, Scalar], ...]
    place: Place
    label: str | None = None

    @property
    def axis(self) -> str:
        """Name of the axis it is of."""
        name = self.coordinates[0][0]
        return name.partition(".")[0] if isinstance(self.value, LoraValue) else name

    @property
    def parts(self) -> tuple[AxisValue, ...]:
        """The value itself: what a row of zip has several of."""
        return (self,)

    def matches(self, wanted: Any) -> bool:
        """Tell whether a rule that names `wanted` means this value, by its label or by itself."""
        if isinstance(self.value, LoraValue):
            return wanted in (self.value.name, str(self.value)) or wanted == self.label
        return same(self.value, wanted) or (self.label is not None and wanted == self.label)


def same(left: Any, right: Any) -> bool:
    """Compare as manifests mean it: 1 and 1.0 are one value, 1 and true are not."""
    return bool(left == right) and isinstance(left, bool) == isinstance(right, bool)


def coordinate(value: Any) -> Scalar:
    """Give a value's coordinate: itself, or its JSON where it is a list or a map."""
    if isinstance(value, float):
        return canonical_number(value)
    if value is None or isinstance(value, str | int):
        return value
    return orjson.dumps(value).decode()


def called(part: Scalar) -> str:
    """Write a coordinate as a manifest does: null and true, not None and True."""
    return part if isinstance(part, str) and part == part.strip() != "" else shown(part)


def key_of(coordinates: Iterable[tuple[str, Scalar]]) -> tuple[tuple[str, bool, Scalar], ...]:
    """Give what tells coordinates apart: 1 and 1.0 are one value, 1 and true are not."""
    return tuple((name, isinstance(at, bool), at) for name, at in coordinates)


@dataclass(frozen=True, slots=True)
class ZipRow:
    """One row of zip: a value for each of its axes, walking together."""

    parts: tuple[AxisValue, ...]
    place: Place

    @property
    def coordinates(self) -> tuple[tuple[str, Scalar], ...]:
        """Those of all its values."""
        return tuple(pair for part in self.parts for pair in part.coordinates)


class ValueList(Sequence[AxisValue]):
    """The values of one axis in a list or a column, each made when asked for.

    `held` has plain values, LoRAs and, where a value has a label, the whole record. A value's place is that
    of the list, its number in it and `tail`; that of the list itself where nobody wrote them one by one.
    """

    def __init__(
        self, axis: str, held: Sequence[Any], numbers: Sequence[int] | None, place: Place, tail: Place = ()
    ) -> None:
        self.axis = axis
        self.held = held
        self.numbers = numbers
        self._place = place
        self._tail = tail

    def __len__(self) -> int:
        return len(self.held)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        value = self.held[index]
        if type(value) is AxisValue:
            return value
        place = self._place
        if self.numbers is not None:
            place = (*place, self.numbers[index], *self._tail)
        if type(value) is LoraValue:
            return AxisValue(value, value.coordinates, place)
        at = value if type(value) in PLAIN else coordinate(value)
        return AxisValue(value, ((self.axis, at),), place)

    @cached_property
    def plain(self) -> bool:
        """Tell whether every value is its own coordinate."""
        return set(map(type, self.held)) <= PLAIN

    def kept(self, indexes: Sequence[int]) -> ValueList:
        """Give a list of some of the values."""
        held = [self.held[index] for index in indexes]
        numbers = None if self.numbers is None else [self.numbers[index] for index in indexes]
        return ValueList(self.axis, held, numbers, self._place, self._tail)

    def matching(self, wanted: Any) -> frozenset[int]:
        """Give the indexes of the values that a rule which names `wanted` means."""
        if self.plain and isinstance(wanted, str | int | float | None):
            return self._indexes.get((isinstance(wanted, bool), wanted), frozenset())
        return frozenset(number for number, value in enumerate(self) if value.matches(wanted))

    @cached_property
    def _indexes(self) -> dict[tuple[bool, Scalar], frozenset[int]]:
        """Where each value is: there may be ten thousand rules for as many values."""
        found: dict[tuple[bool, Scalar], list[int]] = {}
        for number, value in enumerate(self.held):
            found.setdefault((False, value), []).append(number)
        return {value: frozenset(numbers) for value, numbers in found.items()}

    def labelled(self, wanted: Scalar) -> AxisValue | None:
        """Give the value with a label that `wanted` means, by its label or by itself."""
        return self._labelled.get((isinstance(wanted, bool), wanted))

    @cached_property
    def _labelled(self) -> dict[tuple[bool, Scalar], AxisValue]:
        known: dict[tuple[bool, Scalar], AxisValue] = {}
        for value in self.held:
            if type(value) is AxisValue and value.label is not None:
                known.setdefault((False, value.label), value)
                if value.value is None or isinstance(value.value, str | int | float):
                    known.setdefault((isinstance(value.value, bool), value.value), value)
        return known


class ZipRows(Sequence[ZipRow]):
    """The rows of zip, by column."""

    def __init__(self, columns: Sequence[ValueList], place: Place) -> None:
        self.columns = tuple(columns)
        self._place = place
        self._recent: dict[int, ZipRow] = {}

    def __len__(self) -> int:
        return len(self.columns[0]) if self.columns else 0

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        row = self._recent.get(index)
        if row is None:
            if len(self._recent) >= _RECENT:
                self._recent.clear()
            parts = tuple([column[index] for column in self.columns])
            numbers = self.columns[0].numbers
            row = self._recent[index] = ZipRow(parts, (*self._place, numbers[index] if numbers else index))
        return row

    def with_columns(self, columns: Sequence[ValueList]) -> ZipRows:
        """Give the same rows with some of their columns."""
        return ZipRows(columns, self._place)

    def kept(self, indexes: Sequence[int]) -> ZipRows:
        """Give some of the rows."""
        return ZipRows([column.kept(indexes) for column in self.columns], self._place)


@dataclass(frozen=True, slots=True)
class Axis:
    """A named list of values; zip is one whose rows give several axes their values."""

    name: str
    values: Sequence[AxisValue | ZipRow]
    place: Place

    @property
    def names(self) -> tuple[str, ...]:
        """The axes it gives values to: itself, or the columns of zip."""
        return tuple(part.axis for part in self.values[0].parts) if len(self.values) else (self.name,)

    @property
    def coordinate_names(self) -> tuple[str, ...]:
        """The coordinates its values give: `lora.name` and `lora.scale` for `lora`, else its own name."""
        return tuple(name for name, _ in self.values[0].coordinates) if len(self.values) else (self.name,)

    def columns(self) -> Iterator[tuple[str, Sequence[AxisValue]]]:
        """Each axis it gives values to, with those values."""
        if isinstance(self.values, ZipRows):
            yield from ((column.axis, column) for column in self.values.columns)
        else:
            yield self.name, cast("Sequence[AxisValue]", self.values)


class RangeValues(Sequence[AxisValue]):
    """The values of a range, made when asked for: a range of 10¹² is counted, not built."""

    def __init__(self, axis: str, place: Place, numbers: Progression) -> None:
        self._axis = axis
        self._place = place
        self._numbers = numbers

    def __len__(self) -> int:
        return self._numbers.count

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        number = self._numbers.number(range(len(self))[index])
        return AxisValue(number, ((self._axis, number),), self._place)

    def matching(self, wanted: Any) -> frozenset[int]:
        """Give the index of the number that a rule which names `wanted` means."""
        if isinstance(wanted, bool) or not isinstance(wanted, int | float):
            return frozenset()
        near = self._numbers.nearest(wanted)
        around = range(max(0, near - 1), min(len(self), near + 2))
        return frozenset(index for index in around if self._numbers.number(index) == wanted)
